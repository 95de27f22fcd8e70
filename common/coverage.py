"""Speech against words: where somebody spoke and no word was heard, and words put into such holes."""

import heapq
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from common.timeline import Word

Span = tuple[float, float]

DOUBLED_WITHIN_S = 0.5  # the same word this soon after itself was heard twice, not said twice
DOUBLED_WORDS = 3  # so many words at a hole's edge are compared


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How much of the speech has words; all in seconds, stretches half-open, disjoint and in order."""

    speech_s: float
    repaired_s: float = 0.0  # speech that had no word at first and got some when decoded again alone
    empty: tuple[Span, ...] = ()  # speech in which no word was heard, even alone
    failed: tuple[Span, ...] = ()  # what the model could not decode at all

    def as_dict(self) -> dict[str, Any]:
        """Return the result's `coverage`, rounded to milliseconds; `empty_s` is the sum of `empty`."""
        empty, failed = _stretches(self.empty), _stretches(self.failed)
        return {
            "speech_s": round(self.speech_s, 3),
            "repaired_s": round(self.repaired_s, 3),
            "empty_s": round(sum((one["end"] - one["start"] for one in empty), 0.0), 3),
            "empty": empty,
            "failed": failed,
        }


def coverage_warnings(coverage: Coverage | None) -> list[str]:
    """Return the one warning that an answer needs whose speech has stretches without words, or none."""
    if coverage is None or not (coverage.empty or coverage.failed):
        return []
    # rounded first, so that whoever reads the coverage back from JSON writes the same text
    wordless = union((round(start, 3), round(end, 3)) for start, end in (*coverage.empty, *coverage.failed))
    return [f"{duration_s(wordless):.1f} s of speech have no words (see coverage)"]


def _stretches(spans: Iterable[Span]) -> list[dict[str, float]]:
    return [{"start": round(start, 3), "end": round(end, 3)} for start, end in spans]


def duration_s(spans: Iterable[Span]) -> float:
    """Return the summed length of disjoint spans."""
    return sum((end - start for start, end in spans), 0.0)


def union(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return what any of `spans` covers: disjoint, in order, touching ones joined, none empty."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        elif start < end:
            joined.append((start, end))
    return tuple(joined)


def without(spans: Iterable[Span], taken: Iterable[Span]) -> tuple[Span, ...]:
    """Return what `spans` cover and `taken` do not: disjoint and in order. Linear after sorting."""
    return tuple(_remains(union(spans), union(taken)))


def _remains(spans: Sequence[Span], taken: Sequence[Span]) -> Iterator[Span]:
    index = 0
    for first, last in spans:
        start = first
        while index < len(taken) and taken[index][0] < last:
            if start < taken[index][0]:
                yield start, taken[index][0]
            start = max(start, taken[index][1])
            if taken[index][1] > last:
                break
            index += 1
        if start < last:
            yield start, last


def uncovered(stretches: Iterable[Span], words: Iterable[Word], *, min_s: float, margin_s: float) -> tuple[Span, ...]:
    """Return the parts of the speech `stretches` further than `margin_s` from every word, if `min_s` or longer.

    Stretches may overlap and need no order; the parts are disjoint and in order. Linear after sorting.
    """
    near = ((word.start - margin_s, word.end + margin_s) for word in words)
    return tuple((start, end) for start, end in without(stretches, near) if end - start >= min_s)


def splice(words: Sequence[Word], found: Sequence[Word], *, span: Span) -> tuple[Word, ...]:
    """Return `words`, all of them and unchanged, with those of `found` whose middle lies in the hole `span`.

    At the hole's edges, found words that repeat their neighbours are left out: the same up to three words, case and
    punctuation aside, less than half a second away, unless `found` has the neighbour too, outside of the hole: then the
    word was said twice. Found words are moved where their starts would go back.
    """
    low = bisect_left(words, span[0], key=_start)
    high = bisect_left(words, span[1], lo=low, key=_start)
    inside = [word for word in found if span[0] <= (word.start + word.end) / 2 < span[1]]
    if not inside:
        return tuple(words)
    outside = [word for word in found if word not in inside]
    before = [word for word in words[max(0, low - DOUBLED_WORDS) : low] if not _is_among(word, outside)]
    after = [word for word in words[high : high + DOUBLED_WORDS] if not _is_among(word, outside)]
    new = _in_order(
        _undoubled(before, inside, after),
        earliest=words[low - 1].start if low else 0.0,
        latest=words[high].start if high < len(words) else None,
    )
    return (*words[:low], *heapq.merge(words[low:high], new, key=_start), *words[high:])


def _start(word: Word) -> float:
    return word.start


def _in_order(words: Iterable[Word], *, earliest: float, latest: float | None) -> Iterator[Word]:
    for word in words:
        start = max(word.start, earliest)
        start = earliest = start if latest is None else min(start, latest)
        yield word if start == word.start else replace(word, start=start, end=max(word.end, start))


def _undoubled(before: Sequence[Word], found: list[Word], after: Sequence[Word]) -> list[Word]:
    found = found[_repeated(before, found) :]
    return found[: len(found) - _repeated(found, after)]


def _is_among(word: Word, heard: Iterable[Word]) -> bool:
    """Tell whether the word was heard once more, at its own time."""
    return any(_folded([one]) == _folded([word]) and one.start < word.end and word.start < one.end for one in heard)


def _repeated(left: Sequence[Word], right: Sequence[Word]) -> int:
    """Return how many words at the end of `left` are those at the start of `right` once more."""
    if not left or not right or right[0].start - left[-1].end > DOUBLED_WITHIN_S:
        return 0
    most = min(DOUBLED_WORDS, len(left), len(right))
    return next((n for n in range(most, 0, -1) if _folded(left[-n:]) == _folded(right[:n])), 0)


def _folded(words: Iterable[Word]) -> list[str]:
    return ["".join(filter(str.isalnum, word.text.casefold())) for word in words]
