"""The one place that knows how this project's transcription is called."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.audio.limits import SAMPLE_RATE
from common.chunking import CONTEXT_S, plan_windows
from common.settings import TranscriptionSettings
from common.timeline import Word
from handlers.transcription import parakeet, whisper
from handlers.transcription.engine import DecodingOptions, TranscriptionEngine
from handlers.transcription.handler import find_engine
from handlers.transcription.window_decoder import Decoded

WARM_UP_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """Words, the seconds that it took to hear them, and the words of each window before they were put together."""

    words: tuple[Word, ...]
    took_s: float
    windows: tuple[tuple[Word, ...], ...] = ()


def load(settings: TranscriptionSettings, samples: NDArray[np.float32]) -> TranscriptionEngine:
    """Return the engine, warmed up on the beginning of `samples`."""
    engine = find_engine(settings)()
    hear(engine, samples[: int(WARM_UP_S * SAMPLE_RATE)])
    return engine


def hear(engine: TranscriptionEngine, samples: NDArray[np.float32], *, chunk_duration_s: float | None = None) -> Heard:
    """Transcribe as a job would, at most `chunk_duration_s` (else the setting) of audio at once."""
    start = time.perf_counter()
    options = DecodingOptions(chunk_duration_s=chunk_duration_s)
    with _overheard(engine) as calls:
        found = engine.transcribe(samples, options=options, tick=lambda _stage, _fraction: None)
    windows = tuple(decoded.words for decoded in calls[0]) if calls else ()  # later calls are repair
    return Heard(words=found.words, took_s=time.perf_counter() - start, windows=windows)


@contextmanager
def _overheard(engine: TranscriptionEngine) -> Iterator[list[list[Decoded]]]:
    """Keep what a Parakeet hears in its windows, per call."""
    calls: list[list[Decoded]] = []
    if not isinstance(engine, parakeet.ParakeetEngine):
        yield calls
        return

    def decode(*given: Any, **options: Any) -> list[Decoded]:  # noqa: ANN401 - passed on as it is
        calls.append(parakeet.ParakeetEngine.decode(engine, *given, **options))
        return calls[-1]

    engine.decode = decode
    try:
        yield calls
    finally:
        del engine.decode


def hear_alone(engine: TranscriptionEngine, samples: NDArray[np.float32], spans: Sequence[tuple[int, int]]) -> Heard:
    """Transcribe each of `spans` (samples) as if there were nothing else; times are those of the whole."""
    parts = [hear(engine, samples[first:last]) for first, last in spans]
    words = (
        word.shifted(first / SAMPLE_RATE) for (first, _), part in zip(spans, parts, strict=True) for word in part.words
    )
    return Heard(words=tuple(words), took_s=sum(part.took_s for part in parts))


def decoded_at_once_s(settings: TranscriptionSettings, chunk_duration_s: float) -> float:
    """Return how long windows get for this bound: each engine has one of its own."""
    return min(chunk_duration_s, whisper.WINDOW_S if settings.engine == "whisper" else parakeet.WINDOW_S)


def seams_s(samples: NDArray[np.float32], *, settings: TranscriptionSettings, chunk_duration_s: float) -> list[float]:
    """Return where the words of one window end and those of the next begin, in seconds."""
    windows = plan_windows(
        samples,
        max_window_s=decoded_at_once_s(settings, chunk_duration_s),
        context_s=CONTEXT_S,
    )
    return [window.core_last / SAMPLE_RATE for window in windows[:-1]]
