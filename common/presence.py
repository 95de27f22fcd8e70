"""How present each speaker is while a word is said: what the turns around it say, as numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from common.speaker_path import Scores
from common.talk import NEVER_US, Microseconds, Talk

# Tuned on read dialogues of real voices, some of them overlapping, AMI clips and pyannote's sample, with the bundled
# models: `make bench-attribution`. Results hardly depend on them: half or twice of any changes few words.
MIN_WORD_US = 100_000  # engines give short words no duration at all; they are taken to last this long
EXCLUSIVE_SHARE = 0.25  # of the evidence; the rest is what all turns say, overlapping ones too
DOUBT = 0.1  # evidence for a speaker who does not talk: turns and the times of words are not exact
NEARBY, NEARBY_US = 0.05, 1e6  # evidence beside a turn where nobody talks, and how far away it fades to 1/e of that
CLEAR_WORD_US = 300_000  # a word as long speaks with its full weight,
LEAST_WEIGHT = 0.2  # one without duration with this part of it
SHORTER_TURN = 0.3  # more evidence where two talk at once for the one whose turn is shorter: it is there for its words
OVERLAP = 0.5  # of a word: two who talk that much of it talk at once
UNITS = 1_000  # evidence is counted in thousandths, so that sums are exact


@dataclass(frozen=True, slots=True)
class Presence:
    """How present each speaker is while each word is said, as arrays of shape (words, speakers).

    `share` is the part of the word in all of the speaker's turns, `clear` in both kinds of turns, weighted. In
    microseconds, `distance` is that from the nearest turn, `length` that of the speaker's last turn begun before the
    middle of the word.
    """

    share: NDArray[np.float64]
    clear: NDArray[np.float64]
    distance: Microseconds
    length: Microseconds

    @classmethod
    def of(cls, starts: Microseconds, ends: Microseconds, talks: Sequence[Talk], exclusive: Sequence[Talk]) -> Self:
        """Measure it; `talks` and `exclusive` are of the same speakers."""
        firsts, lasts = starts, np.maximum(ends, starts + MIN_WORD_US)
        within = np.stack([talk.within(firsts, lasts) for talk in talks], axis=1)
        alone = np.stack([talk.within(firsts, lasts) for talk in exclusive], axis=1)
        durations = (lasts - firsts)[:, None]
        return cls(
            share=within / durations,
            clear=((1 - EXCLUSIVE_SHARE) * within + EXCLUSIVE_SHARE * alone) / durations,
            distance=np.stack([talk.distance(starts, ends) for talk in talks], axis=1),
            length=np.stack([talk.length((firsts + lasts) // 2) for talk in talks], axis=1),
        )

    def evidence(self, durations: Microseconds) -> Scores:
        """Return the logarithm of what speaks for each speaker, weighted by how long the word is, in UNITS."""
        beside = NEARBY * np.exp(-self.distance / NEARBY_US)
        present = np.where(self.clear.any(axis=1, keepdims=True), self.clear, beside)
        weights = LEAST_WEIGHT + (1 - LEAST_WEIGHT) * np.minimum(durations / CLEAR_WORD_US, 1)
        evidence = np.log(DOUBT + present) + SHORTER_TURN * self._shorter_of_many()
        return np.asarray(np.rint(UNITS * weights[:, None] * evidence), np.int64)

    def _shorter_of_many(self) -> NDArray[np.bool_]:
        """Tell who of several who talk during most of a word has the shortest turn."""
        talking = self.share >= OVERLAP
        lengths = np.where(talking, self.length, NEVER_US)
        many = np.sum(talking, axis=1, keepdims=True) > 1
        return np.asarray(talking & many & (lengths == lengths.min(axis=1, keepdims=True)), np.bool_)

    def confidence(self, path: NDArray[np.intp]) -> list[float]:
        """Return the part of the evidence that is for the speaker of each word in `path`; some doubt is left always."""
        rows = np.arange(len(path))
        return list(((self.clear[rows, path] + DOUBT / 10) / (self.clear.sum(axis=1) + DOUBT / 5)).tolist())

    def overlap(self) -> list[bool]:
        """Tell of each word whether two speakers talk during most of it."""
        return list((np.sum(self.share >= OVERLAP, axis=1) > 1).tolist())
