"""What a diarization engine is, whichever model it runs."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from common.progress import Tick
from common.timeline import Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerCount:
    """What the caller knows of the number of speakers."""

    exact: int | None = None
    at_least: int | None = None
    at_most: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Diarization:
    """Who spoke when; `exclusive` has one speaker at a time; one embedding vector per speaker label."""

    turns: tuple[Turn, ...]
    exclusive: tuple[Turn, ...]
    embeddings: dict[str, list[float]]


class DiarizationEngine(Protocol):
    """A loaded model, used by one thread at a time."""

    model: str
    device: str
    warnings: tuple[str, ...]

    def diarize(self, samples: NDArray[np.float32], *, count: SpeakerCount, tick: Tick) -> Diarization:
        """Find the speakers of mono 16 kHz `samples`; `tick` reports progress and stops a cancelled job."""
        ...
