"""A transcription engine without a model, for unit tests: the same audio length gives the same words."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from common.audio.limits import SAMPLE_RATE
from common.coverage import Coverage
from common.progress import Tick
from common.timeline import Word
from handlers.transcription.engine import DecodingOptions, Hypothesis, SampleSpan


@dataclass
class FakeTranscription:
    """Hears "word0", "word1", … half a second apart, each 0.4 s long; raises `error` if there is one."""

    error: Exception | None = None
    model: str = "fake transcription"
    device: str = "cpu"
    warnings: tuple[str, ...] = ()

    asked: list[DecodingOptions] = field(default_factory=list)
    coverage: Coverage | None = None

    def transcribe(self, samples: NDArray[np.float32], *, options: DecodingOptions, tick: Tick) -> Hypothesis:
        """See TranscriptionEngine.transcribe; `asked` keeps what was asked for."""
        self.asked.append(options)
        count = 2 * len(samples) // SAMPLE_RATE
        words = []
        for number in range(count):
            tick("transcription", number / count)
            words.append(Word(f"word{number}", start=number / 2, end=number / 2 + 0.4, confidence=0.5))
        if self.error:
            raise self.error
        if options.spans is not None:
            words = [word for word in words if _is_in(word, options.spans)]
        return Hypothesis(words=tuple(words), language=options.language or "en", coverage=self.coverage)


def _is_in(word: Word, spans: tuple[SampleSpan, ...]) -> bool:
    return any(first <= word.start * SAMPLE_RATE < last for first, last in spans)
