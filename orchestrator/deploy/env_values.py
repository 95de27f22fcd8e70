"""The environment of an endpoint: text as it stands, or a reference to what may not stand in a file."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from common.errors import ConfigurationError
from common.settings import DIARIZATION_MODEL, PROFILE, TOKEN, VARIABLES
from orchestrator.deploy.settings_file import EnvValue, Kind

OF_THIS_SHELL = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
OF_RUNPOD = re.compile(r"\{\{\s*RUNPOD_SECRET_[A-Za-z0-9_]+\s*\}\}")
MEANT_AS_REFERENCE = re.compile(r"\$[A-Za-z_{$]")
BY_NAME = {name: variable for variable in VARIABLES for name in (variable.name, *variable.aliases)}
OTHERS = ("HF_", "RUNPOD_", "CUDA_", "NVIDIA_", "PYTORCH_", "TORCH_", "OMP_")  # read by what Parley stands on
SECRET_NAME = re.compile(r"TOKEN|SECRET|PASS|AUTH|CREDENTIAL|KEYS?$", re.IGNORECASE)
SECRET_VALUE = re.compile(r"(hf_|rpa_|sk-|ghp_|github_pat_|glpat-|whsec_|xox[a-z]-)[\w-]+")
WITH_A_USER = re.compile(r"://[^/?#\s]*@")
SWITCHES = {"true", "false", "0", "1"}


@dataclass(frozen=True, slots=True)
class EndpointVariable:
    """One variable: its `value`, None where that is not known here, and how it may be shown."""

    value: str | None
    shown: str
    hidden: bool


def endpoint_variables(table: Mapping[str, EnvValue], env: Mapping[str, str]) -> dict[str, EndpointVariable]:
    """Return the variables of an endpoint, `$NAME` taken from `env`.

    Raises ConfigurationError for a value that the worker would not start with, and for a secret in the file itself.
    """
    return {name: _variable(name, value, env) for name, value in table.items()}


def _variable(name: str, value: EnvValue, env: Mapping[str, str]) -> EndpointVariable:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if reference := OF_THIS_SHELL.fullmatch(text):
        given = env.get(reference[1], "").strip() or None
        return EndpointVariable(given, f"{text} of this shell" if given else f"{text} of this shell, not set", True)  # noqa: FBT003 - the last field, as the others
    if OF_RUNPOD.fullmatch(text):
        return EndpointVariable(text, text, hidden=False)
    _check_text(name, text)
    if name in BY_NAME:
        BY_NAME[name].read({name: text}, laptop=False)
    return EndpointVariable(text, text, hidden=False)


def _check_text(name: str, text: str) -> None:
    """Raise ConfigurationError for a secret, and for what looks like a reference and is none."""
    if MEANT_AS_REFERENCE.search(text):
        raise ConfigurationError(
            f'{name} has a reference within a text; only "$NAME" by itself is one: put the whole text into a variable '
            f'of your shell, and write {name} = "$THAT_VARIABLE"',
            param=name,
        )
    if _is_secret(name, text):
        raise ConfigurationError(
            f'{name} stands in the settings file; keep it out of there: "${name}" takes it from the shell, '
            f'"{{{{ RUNPOD_SECRET_{name.lower()} }}}}" from the secrets of your RunPod account',
            param=name,
        )


def _is_secret(name: str, text: str) -> bool:
    named_so = bool(text) and text.lower() not in SWITCHES and bool(SECRET_NAME.search(name))
    return named_so or bool(SECRET_VALUE.fullmatch(text) or WITH_A_USER.search(text))


def may_be_shown(name: str, value: str) -> bool:
    """Tell whether a value that an account has may be printed: of a setting of Parley, and no secret."""
    if OF_RUNPOD.fullmatch(value):
        return True
    is_url_with_more = "://" in value and ("?" in value or "#" in value)
    return name in BY_NAME and "KEY" not in name and not (_is_secret(name, value) or is_url_with_more)


def token_not_needed(kind: Kind, variables: Mapping[str, EndpointVariable]) -> list[str]:
    """Return the names of a token that is not set in this shell, and that no model of the endpoint needs.

    Of the models that Parley names only pyannote's are gated.
    """
    values = {name: one.value for name, one in variables.items() if one.value is not None}
    laptop = PROFILE.read(values, laptop=False) == "laptop"
    gated = kind in ("diarization", "combined") and DIARIZATION_MODEL.read(values, laptop=laptop).startswith(
        "pyannote/"
    )
    return [] if gated else [name for name in unset(variables) if name in (TOKEN.name, *TOKEN.aliases)]


def unset(variables: Mapping[str, EndpointVariable]) -> list[str]:
    """Return the names of the variables whose reference leads nowhere."""
    return [name for name, variable in variables.items() if variable.value is None]


def unknown(variables: Mapping[str, EndpointVariable]) -> list[str]:
    """Return the names that no worker of Parley, and nothing that it stands on, reads."""
    return [name for name in variables if name not in BY_NAME and not name.startswith(OTHERS)]
