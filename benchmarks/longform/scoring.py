"""What long-form decoding costs: word errors, words lost or doubled at the seams of windows, errors of word starts."""

from collections.abc import Sequence
from dataclasses import dataclass

import kaldialign
import numpy as np

from benchmarks.longform.alignment import align
from common.timeline import Word

NEAR_S = 2.0  # of a seam, both sides
SAME_S = 0.12  # a word this near to one of the same text is that one


@dataclass(frozen=True, slots=True, kw_only=True)
class WordErrors:
    """How many words were said, and how many of them heard wrong, not at all, or without having been said."""

    words: int
    substitutions: int
    deletions: int
    insertions: int

    @property
    def wer(self) -> float:
        """The word error rate in percent."""
        errors = self.substitutions + self.deletions + self.insertions
        return round(100 * errors / max(self.words, 1), 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeamErrors:
    """Words lost and doubled near the seams and, for comparison, how many anywhere else.

    `lost` and `doubled` compare with isolation, and so include the model's changes of mind in another context. Those by
    the seam are theirs in which the words of the windows were right and putting them together made the error.
    `invented` words are heard where no utterance is, in a cough or a pause, wherever seams are.
    """

    seams: int
    lost: tuple[Word, ...]
    doubled: tuple[Word, ...]
    lost_by_seam: tuple[Word, ...]
    doubled_by_seam: tuple[Word, ...]
    invented: tuple[Word, ...]
    lost_elsewhere: int
    doubled_elsewhere: int


def word_errors(said: Sequence[str], heard: Sequence[str]) -> WordErrors:
    """Count by plain edit distance, times left aside."""
    counts = kaldialign.edit_distance(list(said), list(heard))
    return WordErrors(words=len(said), substitutions=counts["sub"], deletions=counts["del"], insertions=counts["ins"])


def seam_errors(
    said: Sequence[Word],
    isolated: Sequence[Word],
    chunked: Sequence[Word],
    seams: Sequence[float],
    *,
    utterances: Sequence[tuple[float, float]],
    max_shift_s: float,
    windows: Sequence[Sequence[Word]] = (),
) -> SeamErrors:
    """Tell what decoding in windows lost and doubled against decoding each of `utterances` alone; all in seconds.

    Lost is a word that was right in isolation and is missing, not misheard, in the windows. Doubled is one that was
    not said and has no counterpart in isolation. By the seam is lost what one of the `windows` heard right, and doubled
    what stands for a word that was said in one of them.
    """
    alone = align(said, isolated, max_shift_s=max_shift_s)
    in_windows = align(said, chunked, max_shift_s=max_shift_s)
    right = {i: j for i, j in alone if i is not None and j is not None and said[i].text == isolated[j].text}
    # what was heard in isolation tells when a word was said better than a reference without word times
    lost = [isolated[right[i]] for i, j in in_windows if i is not None and j is None and i in right]
    added = {j for i, j in align(isolated, chunked, max_shift_s=max_shift_s) if i is None}
    extra = [chunked[j] for i, j in in_windows if i is None and j is not None and j in added]
    doubled = [word for word in extra if _is_inside(word, utterances)]
    lost_near = [word for word in lost if _is_near(word, seams)]
    doubled_near = [word for word in doubled if _is_near(word, seams)]
    heard_right, stands_for_one = _of_windows(said, windows, max_shift_s=max_shift_s)
    return SeamErrors(
        seams=len(seams),
        lost=tuple(lost_near),
        doubled=tuple(doubled_near),
        lost_by_seam=tuple(word for word in lost_near if _is_among(word, heard_right)),
        doubled_by_seam=tuple(word for word in doubled_near if _is_among(word, stands_for_one)),
        invented=tuple(word for word in extra if not _is_inside(word, utterances)),
        lost_elsewhere=sum(not _is_near(word, seams) for word in lost),
        doubled_elsewhere=sum(not _is_near(word, seams) for word in doubled),
    )


def _of_windows(
    said: Sequence[Word], windows: Sequence[Sequence[Word]], *, max_shift_s: float
) -> tuple[list[Word], list[Word]]:
    """Return the words that some window heard right, and all that stand for a word that was said, right or wrong."""
    right, standing = [], []
    for heard in windows:
        earliest, latest = (heard[0].start - max_shift_s, heard[-1].end + max_shift_s) if heard else (0.0, 0.0)
        here = [word for word in said if earliest <= word.start <= latest]
        pairs = [(here[i], heard[j]) for i, j in align(here, heard, max_shift_s=max_shift_s) if None not in (i, j)]
        right += [own for reference, own in pairs if reference.text == own.text]
        standing += [own for _, own in pairs]
    return right, standing


def _is_among(word: Word, others: Sequence[Word]) -> bool:
    return any(one.text == word.text and abs(one.start - word.start) < SAME_S for one in others)


def _is_near(word: Word, seams: Sequence[float]) -> bool:
    return any(word.start - NEAR_S <= seam <= word.end + NEAR_S for seam in seams)


def _is_inside(word: Word, spans: Sequence[tuple[float, float]]) -> bool:
    return any(start <= (word.start + word.end) / 2 <= end for start, end in spans)


def start_errors_ms(said: Sequence[Word], heard: Sequence[Word], *, max_shift_s: float) -> tuple[float, float] | None:
    """Return median and 95th percentile of how far starts of right words are off, in ms; None if no word is right."""
    pairs = align(said, heard, max_shift_s=max_shift_s)
    both = [(said[i], heard[j]) for i, j in pairs if i is not None and j is not None]
    errors = [abs(right.start - left.start) for left, right in both if left.text == right.text]
    if not errors:
        return None
    median, p95 = np.percentile(1000 * np.array(errors), (50, 95))
    return round(float(median), 1), round(float(p95), 1)


def total(parts: Sequence[SeamErrors]) -> SeamErrors:
    """Add up what was found at different window lengths."""
    return SeamErrors(
        seams=sum(part.seams for part in parts),
        lost=tuple(word for part in parts for word in part.lost),
        doubled=tuple(word for part in parts for word in part.doubled),
        lost_by_seam=tuple(word for part in parts for word in part.lost_by_seam),
        doubled_by_seam=tuple(word for part in parts for word in part.doubled_by_seam),
        invented=tuple(word for part in parts for word in part.invented),
        lost_elsewhere=sum(part.lost_elsewhere for part in parts),
        doubled_elsewhere=sum(part.doubled_elsewhere for part in parts),
    )
