"""What a transcription engine is, whichever model it runs."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from common.coverage import Coverage
from common.progress import Tick
from common.timeline import Word

SampleSpan = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodingOptions:
    """What a caller asks of one transcription.

    `chunk_duration_s` bounds what is decoded at once (else the setting does), `hotwords` are names and terms to
    expect, `spans` the only samples to decode, `[first, past_last)`, in order and disjoint; None is all of them.
    """

    language: str | None = None
    chunk_duration_s: float | None = None
    hotwords: tuple[str, ...] = ()
    spans: tuple[SampleSpan, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """The words heard, in order, with times in seconds from the first sample; `coverage` if speech was looked for."""

    words: tuple[Word, ...]
    language: str
    coverage: Coverage | None = None


class TranscriptionEngine(Protocol):
    """A loaded model, used by one thread at a time."""

    model: str
    device: str
    warnings: tuple[str, ...]

    def transcribe(self, samples: NDArray[np.float32], *, options: DecodingOptions, tick: Tick) -> Hypothesis:
        """Transcribe mono 16 kHz `samples`; `tick` reports progress and stops a cancelled job.

        Raises InvalidInputError for a language the model does not speak and for hotwords it cannot take.
        """
        ...
