"""Cut words into segments that read well: one speaker, one sentence, no long pause inside."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from common.sentences import MAX_MARKS, ends_clause, ends_sentence, is_mark, is_punctuated
from common.timeline import Segment, Word, join_words, milliseconds

AUDIBLE_PAUSE_MS = 200  # shorter ones are within the error of engines' times
LEAST_SHARE = 8  # a sentence that is too long is cut neither in its first eighth nor in its last


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentLimits:
    """When a segment ends although its sentence goes on.

    A segment without any punctuation that lasts `bare_duration_s` ends at the first pause of `bare_pause_s`.
    """

    max_pause_s: float = 1.0
    max_duration_s: float = 30.0
    bare_duration_s: float = 10.0
    bare_pause_s: float = 0.5


def segment_words(words: Sequence[Word], *, limits: SegmentLimits = SegmentLimits()) -> tuple[Segment, ...]:
    """Return the words as segments numbered from 0, every word in exactly one, in the given order.

    A segment ends where the speaker changes, a sentence ends, or more than `max_pause_s` passes before the next word.
    A sentence longer than `max_duration_s` is cut within its first words that are, at the longest pause, else after a
    comma or the like, else in the middle, and so on; only a single word may be longer than that. Where a segment ends
    depends on nothing but its words and those up to the limit. Linear in words.
    """
    cutter = _Cutter.of(words, limits)
    segments: list[Segment] = []
    first = 0
    while first < len(words):
        last = cutter.cut_after(first)
        segments.append(_segment(len(segments), words[first:last]))
        first = last
    return tuple(segments)


@dataclass(frozen=True, slots=True)
class _Cutter:
    """Words with their times in milliseconds, so that words read from a result are cut where they were."""

    words: Sequence[Word]
    starts: Sequence[int]
    ends: Sequence[int]
    max_pause_ms: int
    max_duration_ms: int
    bare_duration_ms: int
    bare_pause_ms: int

    @classmethod
    def of(cls, words: Sequence[Word], limits: SegmentLimits) -> "_Cutter":
        return cls(
            words,
            [milliseconds(word.start) for word in words],
            [milliseconds(word.end) for word in words],
            max_pause_ms=milliseconds(limits.max_pause_s),
            max_duration_ms=milliseconds(limits.max_duration_s),
            bare_duration_ms=milliseconds(limits.bare_duration_s),
            bare_pause_ms=milliseconds(limits.bare_pause_s),
        )

    def cut_after(self, first: int) -> int:
        """Return the index after the last word of the segment that `first` opens."""
        start, end, bare = self.starts[first], self.ends[first], True
        for index in range(first + 1, len(self.words)):
            bare = bare and not is_punctuated(self.words[index - 1].text)
            longest_ms = self.max_pause_ms
            if bare and end - start >= self.bare_duration_ms:
                longest_ms = min(longest_ms, self.bare_pause_ms - 1)
            if self.starts[index] - end > longest_ms or self._is_end(first, index):
                return index
            start, end = min(start, self.starts[index]), max(end, self.ends[index])
            if end - start > self.max_duration_ms:
                return self._best_cut(first, index + 1)
        return len(self.words)

    def _is_end(self, first: int, index: int) -> bool:
        """Tell whether the speaker changes or a sentence ends before the word at `index`."""
        words = self.words
        if words[index].speaker != words[index - 1].speaker:
            return True
        return ends_sentence(words[max(first, index - MAX_MARKS) : index], words[index])

    def _best_cut(self, first: int, last: int) -> int:
        """Return where to cut the words [first, last), with one word alone only where it cannot be helped."""
        edge = max(2, (last - first) // LEAST_SHARE)
        if 2 * edge > last - first:
            edge = 1
        heard_until = list(accumulate(self.ends[first:last], max))

        def merit(cut: int) -> tuple[bool, int, bool, int, int]:
            pause = self.starts[cut] - heard_until[cut - first - 1]
            return (
                not _belongs(self.words[cut - 1], self.words[cut]),
                pause if pause >= AUDIBLE_PAUSE_MS else 0,
                ends_clause(self.words[cut - 1].text),
                -abs(2 * cut - first - last),
                cut,
            )

        return max(range(first + edge, last - edge + 1), key=merit)


def _belongs(word: Word, following: Word) -> bool:
    """Tell whether nobody would part the two: "Mr." and "Lee", "3." and "5", a word and its full stop."""
    apart = following.space_before or not (following.text.isascii() or is_mark(following.text))
    return word.text.endswith(".") or not apart


def _segment(index: int, words: Sequence[Word]) -> Segment:
    return Segment(
        id=index,
        start=min(word.start for word in words),
        end=max(word.end for word in words),
        text=join_words(words),
        speaker=words[0].speaker,
        words=tuple(words),
    )
