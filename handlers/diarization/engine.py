"""What a diarization engine is, whichever model it runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from common.progress import Tick
from common.timeline import SpeakerTurns, Turn


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

    def renamed(self, names: Mapping[str, str]) -> "Diarization":
        """Return it with the labels in `names` replaced."""
        spoken = SpeakerTurns(turns=self.turns, exclusive=self.exclusive).renamed(names)
        vectors = {names.get(label, label): vector for label, vector in self.embeddings.items()}
        return Diarization(turns=spoken.turns, exclusive=spoken.exclusive, embeddings=dict(sorted(vectors.items())))


class DiarizationEngine(Protocol):
    """A loaded model, used by one thread at a time.

    Two voices are taken for the same person's from the cosine `same_voice_similarity` of their embeddings on, unless
    the caller says otherwise. An engine without embeddings has `embedding_dimension` 0 and finds none.
    """

    model: str
    device: str
    warnings: tuple[str, ...]
    embedding_dimension: int
    same_voice_similarity: float

    def diarize(self, samples: NDArray[np.float32], *, count: SpeakerCount, tick: Tick) -> Diarization:
        """Find the speakers of mono 16 kHz `samples`; `tick` reports progress and stops a cancelled job."""
        ...
