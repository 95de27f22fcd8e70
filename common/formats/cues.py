"""Cues of subtitles, shared by `srt` and `vtt`: short lines, few at a time, one speaker, one after the other."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from common.formats.options import SubtitleLimits
from common.formats.pieces import Piece, unbreakable, words_of
from common.timeline import Segment, Transcript, milliseconds


@dataclass(frozen=True, slots=True)
class Cue:
    """Lines shown during [start_ms, end_ms); `speaker` is None where unknown or not to be shown."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]
    speaker: str | None


def build_cues(
    transcript: Transcript, limits: SubtitleLimits, *, label: Callable[[str], str] = lambda _: ""
) -> list[Cue]:
    """Return cues in time order that never overlap and last at least 1 ms.

    A cue holds words of one segment, in at most `max_lines` lines of `max_line_chars` characters, and lasts at most
    `max_cue_s`; a single word may be longer than a line. `label` gives the text put before a speaker's first line.
    """
    cues: list[Cue] = []
    for segment in transcript.segments:
        shown = segment.speaker if transcript.diarized and limits.speaker_labels else None
        prefix = label(shown) if shown is not None else ""
        cues.extend(_lay_out(segment, limits, prefix=prefix, speaker=shown))
    return _one_after_the_other(cues, limits, duration_ms=milliseconds(transcript.duration_s))


@dataclass(slots=True)
class _Page:
    """The lines of a cue while it fills up."""

    limits: SubtitleLimits
    prefix: str
    lines: list[str]
    start_ms: int
    end_ms: int

    @classmethod
    def opened(cls, unit: Piece, limits: SubtitleLimits, *, prefix: str) -> "_Page":
        """Return a page with its first unit, on the label's line if it fits or if there is no other line."""
        lines = [f"{prefix} {unit.text}" if prefix else unit.text]
        if prefix and len(lines[0]) > limits.max_line_chars and limits.max_lines > 1:
            lines = [prefix, unit.text]
        return cls(limits, prefix, lines, unit.start_ms, unit.end_ms)

    def add(self, unit: Piece) -> bool:
        """Take one more unit, or return False where it fits neither the lines nor the duration."""
        start_ms, end_ms = min(self.start_ms, unit.start_ms), max(self.end_ms, unit.end_ms)
        if end_ms - start_ms > milliseconds(self.limits.max_cue_s):
            return False
        longer = self.lines[-1] + (" " if unit.space_before else "") + unit.text
        if len(longer) <= self.limits.max_line_chars:
            self.lines[-1] = longer
        elif len(self.lines) < self.limits.max_lines:
            self.lines.append(unit.text)
        else:
            return False
        self.start_ms, self.end_ms = start_ms, end_ms
        return True


def _lay_out(segment: Segment, limits: SubtitleLimits, *, prefix: str, speaker: str | None) -> Iterator[Cue]:
    page: _Page | None = None
    for unit in unbreakable(words_of(segment)):
        if page is None or not page.add(unit):
            if page is not None:
                yield Cue(page.start_ms, page.end_ms, tuple(page.lines), speaker)
            page = _Page.opened(unit, limits, prefix=prefix)
    if page is not None:
        yield Cue(page.start_ms, page.end_ms, tuple(page.lines), speaker)


def _one_after_the_other(cues: list[Cue], limits: SubtitleLimits, *, duration_ms: int) -> list[Cue]:
    """Start no cue before the last one ended, and let a short cue stay on screen while nothing follows.

    A cue is cut where the next one starts, but for the shortest time that can be read, or its own if that is less.
    """
    longest_ms = max(1, milliseconds(limits.max_cue_s))
    shortest_ms = min(milliseconds(limits.min_cue_s), longest_ms)
    placed: list[Cue] = []
    now_ms = 0
    for index, cue in enumerate(cues):
        start_ms = max(cue.start_ms, now_ms)
        next_ms = cues[index + 1].start_ms if index + 1 < len(cues) else max(duration_ms, cue.end_ms)
        room_ms = max(next_ms, start_ms + min(shortest_ms, cue.end_ms - cue.start_ms))
        end_ms = min(max(cue.end_ms, start_ms + shortest_ms), room_ms, start_ms + longest_ms)
        now_ms = max(end_ms, start_ms + 1)
        placed.append(replace(cue, start_ms=start_ms, end_ms=now_ms))
    return placed
