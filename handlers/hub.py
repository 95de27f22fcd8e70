"""Where a model's files are: the platform's Model Store, the local hub cache, the worker's image, or the hub itself."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import ConfigurationError
from common.model_store import GATED, TOKEN_PAGE, cached_snapshot, is_repo_id, missing_files, resolve_snapshot


def find_model(
    repo_id: str,
    *,
    store: Path,
    token: str,
    files: Sequence[str] | None = None,
    required: Sequence[str] = (),
    baked: Path | None = None,
    part_of: str = "",
) -> Path:
    """Return a local folder with the model's `files` (glob patterns, all by default), downloading it if need be.

    A folder in which nothing matches one of the patterns `required` is an interrupted download, and gets the rest.
    `baked` is a folder of the worker's image with the same files, tried last before the hub; `part_of` is the model
    that refers to this one, for messages. What is here is found without the network. Raises ConfigurationError saying
    what to do when the model cannot be had.
    """
    if not is_repo_id(repo_id):
        raise ConfigurationError(f"{repo_id!r} is neither a model on this machine nor a hub id of the form ORG/NAME")
    here = None
    for folder in _places(repo_id, store, files, baked):
        if not missing_files(folder, required):
            return folder
        here = here or folder
    model = _Model(repo_id, part_of, missing_files(here, required) if here else ())
    folder = _download(model, token, files)
    if lacking := missing_files(folder, required):
        raise ConfigurationError(_incomplete(_Model(repo_id, part_of, lacking)))
    return folder


def _places(repo_id: str, store: Path, files: Sequence[str] | None, baked: Path | None) -> Iterator[Path]:
    """Yield the folders in which the model may be, each looked for when the one before did not do."""
    if stored := resolve_snapshot(store, repo_id):
        yield stored
    if cached := cached_snapshot(repo_id, files, hub=hub_client()):
        yield cached
    if baked is not None:
        yield baked


def hub_client() -> Any:  # noqa: ANN401 - a module, and the hub's client has no types
    """Import `huggingface_hub` with its telemetry off: its requests would tell which packages are installed here."""
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"  # read at import
    import huggingface_hub.constants  # noqa: PLC0415 - slow, and not needed for models in the Model Store
    import huggingface_hub.errors  # noqa: PLC0415

    huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY = True  # where somebody else has imported it before
    return huggingface_hub


@dataclass(frozen=True, slots=True)
class _Model:
    """A model that is not here, or not all of it, in words."""

    repo_id: str
    part_of: str
    lacking: tuple[str, ...]

    def __str__(self) -> str:
        return f"the model {self.repo_id}" + (f", which {self.part_of} is made of," if self.part_of else "")

    @property
    def state(self) -> str:
        return f"lacks {', '.join(self.lacking)} on this machine" if self.lacking else "is not on this machine"

    @property
    def pages(self) -> str:
        return " and ".join(f"https://hf.co/{name}" for name in GATED.get(self.repo_id, (self.repo_id,)))

    @property
    def without_hub(self) -> str:
        return (
            "put the model into the folder MODEL_STORE names, or into the image at build time "
            f"(`hf download {self.repo_id}`)"
        )


def _download(model: _Model, token: str, files: Sequence[str] | None) -> Path:
    hub = hub_client()
    if hub.constants.HF_HUB_OFFLINE:
        raise ConfigurationError(_offline(model))
    token = token or hub.get_token() or ""
    if model.repo_id in GATED and not token:
        raise ConfigurationError(_no_token(model))
    with _hub_errors(model, token):
        return Path(hub.snapshot_download(model.repo_id, allow_patterns=files and list(files), token=token or None))


@contextmanager
def _hub_errors(model: _Model, token: str) -> Iterator[None]:
    """Turn what the hub's client raises into one ConfigurationError that says what to do and where."""
    errors = hub_client().errors
    try:
        yield
    except errors.GatedRepoError:
        raise ConfigurationError(_terms(model) if token else _no_token(model)) from None
    except errors.RepositoryNotFoundError:
        raise ConfigurationError(_unknown(model)) from None
    except (errors.HfHubHTTPError, errors.LocalEntryNotFoundError, errors.HTTPError, OSError) as error:
        raise ConfigurationError(_unreachable(model, _status(error))) from None


def _status(error: BaseException | None) -> int | None:
    """Return the status that the hub answered with, also where its client hides it behind an error of its own."""
    while error is not None:
        if (response := getattr(error, "response", None)) is not None:
            return int(response.status_code)
        error = error.__cause__
    return None


def _no_token(model: _Model) -> str:
    return (
        f"{model} {model.state}, and downloading it needs a Hugging Face token: accept its terms at {model.pages}, "
        f"create a token at {TOKEN_PAGE} and set HUGGINGFACE_ACCESS_TOKEN (or set DIARIZATION_MODEL=bundled, which "
        "needs none)"
    )


def _terms(model: _Model) -> str:
    return (
        f"{model} refuses this Hugging Face token: accept its terms at {model.pages} with the account that owns the "
        f"token, and see at {TOKEN_PAGE} that the token in HUGGINGFACE_ACCESS_TOKEN may read gated repos"
    )


def _unknown(model: _Model) -> str:
    return (
        f"the hub has no model {model.repo_id}, or HUGGINGFACE_ACCESS_TOKEN may not see it: check the name at "
        f"https://hf.co/{model.repo_id} and the token at {TOKEN_PAGE}"
    )


def _offline(model: _Model) -> str:
    return f"{model} {model.state}, and HF_HUB_OFFLINE forbids downloading it: {model.without_hub}"


def _incomplete(model: _Model) -> str:
    return (
        f"{model} {model.state}, and the hub gave none: see at https://hf.co/{model.repo_id} whether it is the right "
        f"model, check the network, or {model.without_hub}"
    )


def _unreachable(model: _Model, status: int | None) -> str:
    if status == 401:
        return f"the hub refuses the token in HUGGINGFACE_ACCESS_TOKEN: create a new one at {TOKEN_PAGE}"
    if status == 403:
        return _terms(model)
    reason = "network and disk space" if status is None else f"https://hf.co, which answered with status {status}"
    return f"{model} {model.state} and could not be downloaded: check {reason}, or {model.without_hub}"
