"""Which diarization engine runs the model that the settings name."""

from collections.abc import Callable
from pathlib import PurePath

from common.settings import DiarizationSettings
from handlers.diarization import pyannote_engine, sortformer_engine
from handlers.diarization.engine import DiarizationEngine


def find_engine(settings: DiarizationSettings) -> Callable[[], DiarizationEngine]:
    """Find the model that the settings name; returns what loads it. Both raise ConfigurationError."""
    find = sortformer_engine.find_engine if is_sortformer(settings.model) else pyannote_engine.find_engine
    return find(settings)


def is_sortformer(model: str) -> bool:
    """Tell whether `model`, a hub id or a path, is a `.nemo` file or has Sortformer in its name."""
    name = PurePath(model).name.lower()
    return name.endswith(".nemo") or "sortformer" in name
