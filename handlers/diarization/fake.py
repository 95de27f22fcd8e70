"""A diarization engine without a model, for unit tests: the same audio length gives the same turns."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.audio.limits import SAMPLE_RATE
from common.progress import Tick
from common.timeline import Turn
from handlers.diarization.engine import Diarization, SpeakerCount


@dataclass
class FakeDiarization:
    """Gives every whole second of audio to the next of `speakers` speakers in turn; raises `error` if there is one."""

    speakers: int = 2
    error: Exception | None = None
    model: str = "fake diarization"
    device: str = "cpu"
    warnings: tuple[str, ...] = ()
    embedding_dimension: int = 2
    same_voice_similarity: float = 0.9

    def diarize(self, samples: NDArray[np.float32], *, count: SpeakerCount, tick: Tick) -> Diarization:
        """See DiarizationEngine.diarize; an exact count overrides `speakers`."""
        tick("segmentation", 0.0)
        if self.error:
            raise self.error
        speakers = count.exact or self.speakers
        turns = tuple(
            Turn(start=float(second), end=second + 1.0, speaker=f"SPEAKER_{second % speakers:02d}")
            for second in range(len(samples) // SAMPLE_RATE)
        )
        tick("embeddings", 1.0)
        labels = sorted({turn.speaker for turn in turns})
        return Diarization(
            turns=turns, exclusive=turns, embeddings={label: [float(n), 1.0] for n, label in enumerate(labels)}
        )
