"""Give every word the speaker who was talking while it was said."""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from common.timeline import Turn, Word

TIE_US = 1  # two overlaps closer than this are the same overlap, rounded differently
LATEST_S = 1e9  # times beyond (30 years) are one and the same, so that no finite float overflows


class _Span(NamedTuple):
    """A stretch of one speaker's uninterrupted talk; ordered by who starts first."""

    start_us: int
    end_us: int
    speaker: str


def assign_speakers(words: Sequence[Word], turns: Sequence[Turn], *, max_gap_s: float = 2.0) -> tuple[Word, ...]:
    """Return the words in their order, each with the speaker of the turns it overlaps most, or None.

    Turns of one speaker that touch or overlap count as one, and a speaker's overlaps with a word add up. Among equal
    overlaps the speaker whose stretch of talk starts first wins, then the one whose stretch ends first, then the
    label that sorts first. A word without duration belongs to the turn it lies in. A word outside all turns takes
    the turn with the nearest edge, if that is at most `max_gap_s` away. Whatever speaker a word had is replaced.
    Linear in words, turns and overlapping pairs of them, after sorting.
    """
    max_gap_us = _microseconds(max_gap_s)
    sweep = _Sweep(spans=_uninterrupted(turns))
    speakers: list[str | None] = [None] * len(words)
    for index in sorted(range(len(words)), key=lambda index: words[index].start):
        start_us, end_us = _microseconds(words[index].start), _microseconds(words[index].end)
        sweep.advance(start_us)
        span = sweep.most_overlapping(start_us, end_us) or sweep.nearest(start_us, end_us, max_gap_us=max_gap_us)
        speakers[index] = span.speaker if span else None
    return tuple(replace(word, speaker=speaker) for word, speaker in zip(words, speakers, strict=True))


def _microseconds(seconds: float) -> int:
    return round(min(seconds, LATEST_S) * 1e6)


def _uninterrupted(turns: Sequence[Turn]) -> list[_Span]:
    """Merge touching turns of each speaker, so that how a turn is cut into pieces changes nothing."""
    latest: dict[str, _Span] = {}
    done: list[_Span] = []
    for start_us, end_us, speaker in sorted(
        _Span(_microseconds(t.start), _microseconds(t.end), t.speaker) for t in turns
    ):
        before = latest.get(speaker)
        if before is not None and start_us <= before.end_us:
            latest[speaker] = before._replace(end_us=max(before.end_us, end_us))
            continue
        if before is not None:
            done.append(before)
        latest[speaker] = _Span(start_us, end_us, speaker)
    return sorted([*done, *latest.values()])


@dataclass(slots=True)
class _Sweep:
    """The spans around a moment that only moves forward."""

    spans: list[_Span]
    _upcoming: int = field(default=0, init=False)
    _talking: list[tuple[int, _Span]] = field(default_factory=list, init=False)  # heap, the one that ends first on top
    _last_ended: _Span | None = field(default=None, init=False)

    def advance(self, now_us: int) -> None:
        """Move to `now_us`: spans that started are talking, spans that ended are not."""
        while self._upcoming < len(self.spans) and self.spans[self._upcoming].start_us <= now_us:
            span = self.spans[self._upcoming]
            heapq.heappush(self._talking, (span.end_us, span))
            self._upcoming += 1
        while self._talking and self._talking[0][0] <= now_us:
            _, span = heapq.heappop(self._talking)
            if self._last_ended is None or span.end_us > self._last_ended.end_us:
                self._last_ended = span

    def most_overlapping(self, start_us: int, end_us: int) -> _Span | None:
        """Return the first span of the speaker who talks longest in [start_us, end_us), where start_us is now."""
        total_us: dict[str, int] = {}
        first: dict[str, _Span] = {}
        for span in self._overlapping(end_us):
            overlap_us = min(span.end_us, end_us) - max(span.start_us, start_us)
            total_us[span.speaker] = total_us.get(span.speaker, 0) + overlap_us
            first[span.speaker] = min(span, first.get(span.speaker, span))
        most_us = max(total_us.values(), default=0)
        return min((first[speaker] for speaker, us in total_us.items() if us >= most_us - TIE_US), default=None)

    def _overlapping(self, end_us: int) -> Iterator[_Span]:
        yield from (span for _, span in self._talking)
        index = self._upcoming
        while index < len(self.spans) and self.spans[index].start_us < end_us:
            if self.spans[index].end_us > self.spans[index].start_us:
                yield self.spans[index]
            index += 1

    def nearest(self, start_us: int, end_us: int, *, max_gap_us: int) -> _Span | None:
        """Return the span with the edge nearest to [start_us, end_us), which overlaps none; if equal, the earlier."""
        gaps: list[tuple[int, _Span]] = []
        if self._last_ended is not None:
            gaps.append((start_us - self._last_ended.end_us, self._last_ended))
        if self._upcoming < len(self.spans):
            following = self.spans[self._upcoming]
            gaps.append((max(0, following.start_us - end_us), following))
        least_us = min((gap_us for gap_us, _ in gaps), default=0)
        return min((span for gap_us, span in gaps if gap_us <= min(least_us + TIE_US, max_gap_us)), default=None)
