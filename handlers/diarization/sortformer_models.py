"""The Sortformers Parley can run: found first, cheaply, with what NVIDIA tuned for them; loaded later, with NeMo."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from common.errors import ConfigurationError
from common.model_store import is_repo_id
from common.settings import DiarizationSettings
from handlers.diarization.activity import Binarization
from handlers.hub import find_model
from handlers.nemo.checkpoint import CONFIG

STREAMING = "nvidia/diar_streaming_sortformer_4spk-v2"
# In frames of 80 ms: the longest chunks that NVIDIA publishes ("very high latency"); a recording is not waiting for the
# answer, and longer chunks are fewer. https://huggingface.co/nvidia/diar_streaming_sortformer_4spk-v2
LONG_CHUNKS = {
    "spkcache_len": 188,
    "fifo_len": 40,
    "chunk_len": 340,
    "chunk_left_context": 1,
    "chunk_right_context": 40,
    "spkcache_update_period": 300,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """How to run a model; the defaults are NeMo's, and of streaming the checkpoint's own."""

    rule: Binarization = field(default_factory=Binarization)
    streaming: Mapping[str, int] = field(default_factory=dict)


# NVIDIA's for DIHARD 3, recordings of all kinds; its others are for telephone calls (NeMo's repository,
# examples/speaker_tasks/diarization/conf/post_processing). None are published for v2.1.
TUNINGS = {
    "diar_sortformer_4spk-v1": Tuning(
        rule=Binarization(
            onset=0.64,
            offset=0.74,
            pad_onset_s=0.06,
            min_duration_on_s=0.1,
            min_duration_off_s=0.15,
        ),
    ),
    "diar_streaming_sortformer_4spk-v2": Tuning(
        rule=Binarization(
            onset=0.56,
            offset=1.0,
            pad_onset_s=0.063,
            pad_offset_s=0.002,
            min_duration_on_s=0.007,
            min_duration_off_s=0.151,
        ),
        streaming=LONG_CHUNKS,
    ),
    "diar_streaming_sortformer_4spk-v2.1": Tuning(streaming=LONG_CHUNKS),
}


@dataclass(frozen=True, slots=True)
class Located:
    """A model whose checkpoint is on this machine: a `.nemo` file, or the folder that it was unpacked to."""

    name: str
    checkpoint: Path

    @property
    def tuning(self) -> Tuning:
        """How to run it, by its name alone: checkpoints do not say."""
        return TUNINGS.get(self.name.rpartition("/")[2], Tuning())


def locate(settings: DiarizationSettings) -> Located:
    """Find the model that the settings name, before anything slow; raises ConfigurationError."""
    given = Path(settings.model)
    if given.suffix.lower() == ".nemo":
        if not given.is_file():
            raise ConfigurationError("DIARIZATION_MODEL names a .nemo file that is not on this machine")
        return Located(given.stem, given)
    if given.is_dir():
        return Located(given.name, _checkpoint(given, given.name))
    if not is_repo_id(settings.model):
        raise ConfigurationError(
            "DIARIZATION_MODEL is neither a .nemo file, nor a folder on this machine, nor a hub id of the form ORG/NAME"
        )
    folder = find_model(
        settings.model, store=settings.model_store, token=settings.token, files=("*.nemo",), required=("*.nemo",)
    )
    return Located(settings.model, _checkpoint(folder, settings.model))


def _checkpoint(folder: Path, name: str) -> Path:
    if (folder / CONFIG).is_file():
        return folder
    checkpoint = min(folder.glob("*.nemo"), default=None)
    if checkpoint is None:
        raise ConfigurationError(f"the model {name} has no .nemo file: DIARIZATION_MODEL must name a NeMo Sortformer")
    return checkpoint
