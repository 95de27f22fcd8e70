"""Which diarization engine runs the model that the settings name."""

from collections.abc import Callable

from common.errors import ConfigurationError
from common.model_store import is_sortformer
from common.settings import DiarizationSettings
from handlers.diarization import pyannote_engine, sortformer_engine
from handlers.diarization.engine import DiarizationEngine


def find_engine(settings: DiarizationSettings) -> Callable[[], DiarizationEngine]:
    """Find the model that the settings name; returns what loads it. Both raise ConfigurationError."""
    find = sortformer_engine.find_engine if is_sortformer(settings.model) else pyannote_engine.find_engine
    try:
        return find(settings)
    except OSError as error:
        raise ConfigurationError(
            f"the diarization model's files cannot be read ({error.strerror}): let the worker's user read their folder"
        ) from None
