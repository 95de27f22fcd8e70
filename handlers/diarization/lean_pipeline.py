"""The pipelines whose parts are all known here, loaded without importing pyannote, which takes seconds.

What differs in the least from what is known is left to pyannote, and so is saying what is wrong with it.
"""

import logging
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from common.logs import log_event
from handlers.device import LOAD_ERRORS, first_line
from handlers.diarization import campplus, wespeaker
from handlers.diarization.agglomerative import AgglomerativeClustering
from handlers.diarization.checkpoint import check_version, read_checkpoint
from handlers.diarization.embedding import CampPlusEmbedder, Embedder, PoolingEmbedder
from handlers.diarization.parts import Parts
from handlers.diarization.pipelines import BUNDLED_PARAMETERS, BUNDLED_SEGMENTATION, Located
from handlers.diarization.pyannet import PyanNet, load_pyannet
from handlers.diarization.vbx import Plda, VbxClustering

STEP = 0.1  # pyannote's, for a config that has none
CONFIG_KEYS = {"pipeline", "params", "version", "dependencies", "device"}
PIPELINE_KEYS = {
    *("segmentation", "segmentation_step", "segmentation_batch_size", "embedding", "embedding_batch_size"),
    *("embedding_exclude_overlap", "clustering", "plda"),
}

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    """A pipeline on the CPU; `embedder` returns its embedder on a device."""

    segmentation: PyanNet
    segmentation_step: float
    embedder: Callable[[torch.device], Embedder]
    embedding_dimension: int
    embedding_min_samples: int
    embedding_exclude_overlap: bool
    parameters: Mapping[str, Any]  # of each step, by their names
    plda: Plda | None = None

    def clustering(self) -> AgglomerativeClustering | VbxClustering:
        """Return the clustering; raises TypeError for parameters that it does not have."""
        parameters = self.parameters["clustering"]
        if self.plda is None:
            return AgglomerativeClustering(**parameters)
        return VbxClustering(plda=self.plda, **parameters)


def load_parts(located: Located, *, device: str) -> Parts | None:
    """Return the parts of a located pipeline on the `device`; None if only pyannote can load it, or say why not."""
    try:
        loaded = _bundled(located.folder) if located.config is None else _configured(located.config)
        clustering = loaded.clustering()
    except (*LOAD_ERRORS, zipfile.BadZipFile, zlib.error) as error:
        log_event(logger, "loaded_by_pyannote", reason=first_line(error))
        return None
    place = torch.device(device)
    return Parts(
        segmentation=loaded.segmentation.to(place),
        segmentation_step=loaded.segmentation_step,
        min_duration_off_s=loaded.parameters["segmentation"]["min_duration_off"],
        embed=loaded.embedder(place),
        embedding_dimension=loaded.embedding_dimension,
        embedding_min_samples=loaded.embedding_min_samples,
        embedding_exclude_overlap=loaded.embedding_exclude_overlap,
        clustering=clustering,
    )


def _bundled(package: Path) -> _Loaded:
    network = campplus.load_campplus(package)
    return _Loaded(
        segmentation=load_pyannet(read_checkpoint(package / BUNDLED_SEGMENTATION)),
        segmentation_step=STEP,
        embedder=lambda device: CampPlusEmbedder(network, device=device),
        embedding_dimension=campplus.DIMENSION,
        embedding_min_samples=campplus.MIN_SAMPLES,
        embedding_exclude_overlap=True,
        parameters=BUNDLED_PARAMETERS,
    )


def _configured(config: Mapping[str, Any]) -> _Loaded:
    """Load a pipeline by its config; raises one of LOAD_ERRORS unless all that it says is known here."""
    params = config["pipeline"]["params"]
    _check_known(config, params)
    segmentation, embedding = (_model(params, role) for role in ("segmentation", "embedding"))
    model = wespeaker.load_wespeaker(read_checkpoint(embedding))
    return _Loaded(
        segmentation=load_pyannet(read_checkpoint(segmentation)),
        segmentation_step=float(params.get("segmentation_step", STEP)),
        embedder=lambda device: _pooling(model, device),
        embedding_dimension=wespeaker.DIMENSION,
        embedding_min_samples=wespeaker.MIN_SAMPLES,
        embedding_exclude_overlap=bool(params.get("embedding_exclude_overlap", False)),
        parameters=config["params"],
        plda=_plda(params),
    )


def _check_known(config: Mapping[str, Any], params: Mapping[str, Any]) -> None:
    parameters = config["params"]
    if not (config.keys() <= CONFIG_KEYS and params.keys() <= PIPELINE_KEYS):
        raise ValueError("the pipeline's config says more than is known")
    if parameters.keys() != {"segmentation", "clustering"} or parameters["segmentation"].keys() != {"min_duration_off"}:
        raise ValueError("the pipeline's parameters are others than are known")
    required = {"pyannote.audio": config.get("version", 0)} | (config.get("dependencies") or {})
    if len(required) > 1:
        raise ValueError("the pipeline needs further packages")
    check_version(required["pyannote.audio"])


def _model(params: Mapping[str, Any], role: str) -> Path:
    return Path(params[role]["checkpoint"])


def _pooling(model: wespeaker.WeSpeaker, device: torch.device) -> PoolingEmbedder:
    return PoolingEmbedder(model.compute_fbank, model.resnet, device=device)


def _plda(params: Mapping[str, Any]) -> Plda | None:
    clustering = params.get("clustering", "VBxClustering")
    if clustering == "AgglomerativeClustering":
        return None
    if clustering != "VBxClustering":
        raise ValueError("the clustering is none that is known")
    plda = Plda(_model(params, "plda"))
    plda(np.eye(2, wespeaker.DIMENSION))  # raises unless it fits
    return plda
