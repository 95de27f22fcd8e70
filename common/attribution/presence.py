"""How present each speaker is while a word is said: what the turns around it say, as numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from common.attribution.best_path import Scores
from common.attribution.talk import NEVER_US, Microseconds, Talk

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
LEAST_DOUBT = 0.01  # in the confidence, on either side
IMPOSSIBLE = -(10**9)  # evidence for a speaker who is too far away
UNITS = 1_000  # evidence is counted in thousandths, so that sums are exact


@dataclass(frozen=True, slots=True)
class Presence:
    """How present each speaker is while each word is said, as arrays of shape (words, speakers).

    `reachable` are the speakers who talk near enough. `share` is the part of the word in a speaker's turns; `present`
    is that in all and in the exclusive turns, weighted, or how near the turns are where nobody talks. `length` is that
    of the speaker's last turn begun before the middle of the word, in microseconds. `overlap`, of shape (words,), tells
    where two speakers talk during most of a word.
    """

    reachable: NDArray[np.bool_]
    share: NDArray[np.float64]
    present: NDArray[np.float64]
    length: Microseconds
    overlap: NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        starts: Microseconds,
        ends: Microseconds,
        *,
        talks: Sequence[Talk],
        exclusive: Sequence[Talk],
        max_gap_us: int,
    ) -> Self:
        """Measure it for words in order of time; `talks` and `exclusive` are of the same speakers."""
        firsts, lasts = starts, np.maximum(ends, starts + MIN_WORD_US)
        distance = np.stack([talk.distance(starts, ends) for talk in talks], axis=1)
        share, alone = (
            np.stack([talk.within(firsts, lasts) for talk in kind], axis=1) / (lasts - firsts)[:, None]
            for kind in (talks, exclusive)
        )
        reachable = np.asarray(distance <= max_gap_us, np.bool_)
        inside = np.where(reachable, (1 - EXCLUSIVE_SHARE) * share + EXCLUSIVE_SHARE * alone, 0.0)
        beside = np.where(reachable, NEARBY * np.exp(-distance / NEARBY_US), 0.0)
        return cls(
            reachable=reachable,
            share=share,
            present=np.where(inside.any(axis=1, keepdims=True), inside, beside),
            length=np.stack([talk.length((firsts + lasts) // 2) for talk in talks], axis=1),
            overlap=np.asarray(np.sum(share >= OVERLAP, axis=1) > 1, np.bool_),
        )

    def evidence(self, durations: Microseconds) -> Scores:
        """Return the logarithm of what speaks for each speaker, weighted by how long the word is, in UNITS."""
        weights = LEAST_WEIGHT + (1 - LEAST_WEIGHT) * np.minimum(durations / CLEAR_WORD_US, 1)
        evidence = np.log(DOUBT + self.present) + SHORTER_TURN * self._shorter_of_many()
        counted = np.rint(UNITS * weights[:, None] * evidence).astype(np.int64)
        return np.where(self.reachable, counted, IMPOSSIBLE)

    def confidence(self, path: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return how much of what is present is the speaker's in `path`, for each word; some doubt always stays."""
        own = self.present[np.arange(len(path)), path]
        return np.asarray((own + LEAST_DOUBT) / (self.present.sum(axis=1) + 2 * LEAST_DOUBT), np.float64)

    def _shorter_of_many(self) -> NDArray[np.bool_]:
        """Tell who of several who talk during most of a word has the shortest turn."""
        talking = self.share >= OVERLAP
        lengths = np.where(talking, self.length, NEVER_US)
        shortest = lengths == lengths.min(axis=1, keepdims=True)
        return np.asarray(talking & self.overlap[:, None] & shortest, np.bool_)
