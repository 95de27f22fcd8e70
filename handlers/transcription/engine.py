"""What a transcription engine is, whichever model it runs."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from common.progress import Tick
from common.timeline import Word


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """The words heard, in order, with times in seconds from the first sample."""

    words: tuple[Word, ...]
    language: str


class TranscriptionEngine(Protocol):
    """A loaded model, used by one thread at a time."""

    model: str
    device: str
    warnings: tuple[str, ...]

    def transcribe(
        self, samples: NDArray[np.float32], *, language: str | None, chunk_duration_s: float | None, tick: Tick
    ) -> Hypothesis:
        """Transcribe mono 16 kHz `samples`, at most `chunk_duration_s` (else the setting) of them at once.

        `tick` reports progress and stops a cancelled job. Raises InvalidInputError for a language the model
        does not speak.
        """
        ...
