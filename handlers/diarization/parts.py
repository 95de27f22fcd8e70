"""What a diarization pipeline is made of, wherever its parts come from."""

import copy
from dataclasses import dataclass
from typing import Any

import torch

from common.audio.limits import SAMPLE_RATE
from handlers.diarization.embedding import CampPlusEmbedder, Embedder, PlainEmbedder, PoolingEmbedder
from handlers.diarization.segmentation import supports


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Loaded models on their device, with the pipeline's parameters."""

    segmentation: Any  # a model that `supports` accepts
    segmentation_step: float  # from one window to the next that the parameters were chosen for, as a share of a window
    min_duration_off_s: float  # shorter pauses of a speaker are bridged
    embed: Embedder
    embedding_dimension: int
    embedding_min_samples: int  # of the shortest audio that there is an embedding of
    embedding_exclude_overlap: bool
    clustering: Any  # pyannote's, or one that is called like it


def parts_of(pipeline: Any, *, device: str) -> Parts | None:  # noqa: ANN401 - pyannote has no types
    """Return the parts of a pyannote pipeline on the `device`; None if it is not one whose steps are known."""
    model = pipeline._segmentation.model  # noqa: SLF001 - pyannote has no public names
    embedding: Any = getattr(pipeline, "_embedding", None)
    if not supports(model) or getattr(embedding, "sample_rate", None) != SAMPLE_RATE:
        return None
    return Parts(
        segmentation=model,
        segmentation_step=pipeline.segmentation_step,
        min_duration_off_s=pipeline.segmentation.min_duration_off,
        embed=_embedder(embedding, torch.device(device)),
        embedding_dimension=int(embedding.dimension),
        embedding_min_samples=embedding.min_num_samples,
        embedding_exclude_overlap=pipeline.embedding_exclude_overlap,
        clustering=pipeline.clustering,
    )


def _embedder(embedding: Any, device: torch.device) -> Embedder:  # noqa: ANN401
    """Return the fastest way to run an embedding model of pyannote's that gives what pyannote's own does."""
    from pyannote.audio.models.embedding.wespeaker import BaseWeSpeakerResNet  # noqa: PLC0415 - there, with the model

    from handlers.diarization.campplus_model import CampPlusEmbedding  # noqa: PLC0415 - imports pyannote

    model = getattr(embedding, "model_", None)
    if isinstance(model, CampPlusEmbedding):
        return CampPlusEmbedder(copy.deepcopy(model.network).cpu(), device=device)
    if isinstance(model, BaseWeSpeakerResNet):
        return PoolingEmbedder(model.compute_fbank, model.resnet, device=device, output=1)
    return PlainEmbedder(embedding)
