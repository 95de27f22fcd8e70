"""A pyannote pipeline's config.yaml: the models it is made of, and where on this machine each of them is."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import ConfigurationError
from common.model_store import PIPELINE_FILES, baked_folder, is_repo_id
from common.settings import DiarizationSettings
from handlers.hub import find_model

CONFIG = "config.yaml"
WEIGHTS = "pytorch_model.bin"
# what a pipeline is made of, and the files that pyannote reads of each
PART_FILES = {"segmentation": (WEIGHTS,), "embedding": (WEIGHTS,), "plda": ("plda.npz", "xvec_transform.npz")}
PART_NAMES = {"segmentation": "segmentation model", "embedding": "speaker embedding", "plda": "PLDA"}
# pyannote's own defaults for what a config leaves out (pyannote.audio 4.0.7, SpeakerDiarization.__init__)
DEFAULT_PARTS = "pyannote/speaker-diarization-community-1"
DEFAULT_CLUSTERING = "VBxClustering"


@dataclass(frozen=True, slots=True)
class Home:
    """A pipeline's own folder, and the settings by which the models that it refers to are found."""

    name: str
    folder: Path
    settings: DiarizationSettings


@dataclass(frozen=True, slots=True)
class Reference:
    """What a config says of one part: a model's name with a subfolder in it; no name is the pipeline's own folder."""

    role: str
    model: str
    subfolder: str = ""

    @property
    def files(self) -> tuple[str, ...]:
        """Return the files needed, relative to the model's folder."""
        return tuple("/".join(filter(None, (self.subfolder, name))) for name in PART_FILES[self.role])


def read_config(folder: Path, name: str) -> dict[str, Any]:
    """Read a diarization pipeline's config as it is; raises ConfigurationError if it is none."""
    import yaml  # noqa: PLC0415 - comes with pyannote.audio, not with the base packages

    try:
        config: dict[str, Any] = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
        pipeline = config["pipeline"]
        kind, params = str(pipeline["name"]), pipeline["params"]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError):
        params = None
    if not isinstance(params, dict):
        raise ConfigurationError(
            f"the model {name} has no readable {CONFIG} with pipeline parameters: set DIARIZATION_MODEL to the whole "
            "folder of a pyannote pipeline, to its hub id, or to `bundled`"
        )
    if kind.rpartition(".")[2] != "SpeakerDiarization":
        raise ConfigurationError(
            f"the model {name} is no pipeline for speaker diarization: set DIARIZATION_MODEL to one, or to `bundled`"
        )
    return config


def references(config: Mapping[str, Any]) -> dict[str, Reference]:
    """Return where each part of a pipeline is said to be; a PLDA only for the clustering that uses one."""
    params = config["pipeline"]["params"]
    roles = [role for role in PART_FILES if role != "plda" or _uses_plda(params)]
    return {
        role: _reference(role, params.get(role, {"checkpoint": DEFAULT_PARTS, "subfolder": role})) for role in roles
    }


def own_files(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the files that the pipeline's own folder must have."""
    own = [reference.files for reference in references(config).values() if not reference.model]
    return (CONFIG, *(name for files in own for name in files))


def with_local_parts(config: dict[str, Any], home: Home) -> dict[str, Any]:
    """Put the local folder or file of each part into `config`; raises ConfigurationError for one that is missing."""
    found = {role: {"checkpoint": str(_find_part(one, home))} for role, one in references(config).items()}
    params = config["pipeline"]["params"]
    params.pop("plda", None)  # gated, and of no use to other clusterings than VBx
    params.update(found)
    return config


def _uses_plda(params: Mapping[str, Any]) -> bool:
    return bool(params.get("clustering", DEFAULT_CLUSTERING) == "VBxClustering")


def _reference(role: str, value: object) -> Reference:
    if isinstance(value, Mapping):
        inner = _reference(role, value.get("checkpoint"))
        subfolder = "/".join(filter(None, (inner.subfolder, str(value.get("subfolder") or ""))))
        return Reference(role, inner.model, subfolder)
    own, inside, subfolder = str(value).partition("$model/")
    return Reference(role, "", subfolder) if inside and not own else Reference(role, str(value))


def _find_part(reference: Reference, home: Home) -> Path:
    for folder in _beside(reference, home.folder):
        if folder.exists():
            return _complete(folder, reference, home)
    if not is_repo_id(reference.model):
        raise ConfigurationError(
            f"the {CONFIG} of {home.name} names a {PART_NAMES[reference.role]} that is neither in its folder nor a hub "
            f"id of the form ORG/NAME: correct `{reference.role}` there"
        )
    found = find_model(
        reference.model,
        store=home.settings.model_store,
        token=home.settings.token,
        files=PIPELINE_FILES,
        required=reference.files,
        baked=baked_folder(reference.model),
        part_of=home.name,
    )
    return found / reference.subfolder


def _beside(reference: Reference, folder: Path) -> tuple[Path, ...]:
    """Return where in the pipeline's own folder a part may be: under its whole name, or the last part of it."""
    if not reference.model:
        return (folder,)
    return folder / reference.model, folder / reference.model.rpartition("/")[2]


def _complete(model: Path, reference: Reference, home: Home) -> Path:
    if model.is_file() and reference.role != "plda":
        return model
    missing = [name for name in reference.files if not (model / name).is_file()]
    if missing:
        raise ConfigurationError(
            f"the pipeline {home.name} lacks its {PART_NAMES[reference.role]} ({', '.join(missing)}): copy or download "
            "the whole model again, with its subfolders, or set DIARIZATION_MODEL=bundled"
        )
    return model / reference.subfolder
