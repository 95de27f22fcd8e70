"""A transcription engine without a model, for unit tests: the same audio length gives the same words."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from common.audio.limits import SAMPLE_RATE
from common.progress import Tick
from common.timeline import Word
from handlers.transcription.engine import Hypothesis


@dataclass
class FakeTranscription:
    """Hears "word0", "word1", … half a second apart, each 0.4 s long; raises `error` if there is one."""

    error: Exception | None = None
    model: str = "fake transcription"
    device: str = "cpu"
    warnings: tuple[str, ...] = ()

    asked: list[tuple[str | None, float | None]] = field(default_factory=list)

    def transcribe(
        self, samples: NDArray[np.float32], *, language: str | None, chunk_duration_s: float | None, tick: Tick
    ) -> Hypothesis:
        """See TranscriptionEngine.transcribe; `asked` keeps the languages and chunk durations asked for."""
        self.asked.append((language, chunk_duration_s))
        count = 2 * len(samples) // SAMPLE_RATE
        words = []
        for number in range(count):
            tick("transcription", number / count)
            words.append(Word(f"word{number}", start=number / 2, end=number / 2 + 0.4, confidence=0.5))
        if self.error:
            raise self.error
        return Hypothesis(words=tuple(words), language=language or "en")
