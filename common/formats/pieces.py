"""Words as files need them: printable, without spaces inside, in whole milliseconds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from common.formats.escape import flat
from common.timeline import Segment, Word, join_words, milliseconds


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text that is not broken over lines, [start_ms, end_ms)."""

    text: str
    start_ms: int
    end_ms: int
    space_before: bool
    confidence: float | None = None


def words_of(segment: Segment) -> Sequence[Word]:
    """Return the segment's words; one that has none counts as one long word."""
    return segment.words or (Word(segment.text, segment.start, segment.end, speaker=segment.speaker),)


def text_of(segments: Sequence[Segment]) -> str:
    """Return the text of consecutive segments on one line."""
    return flat(join_words(word for segment in segments for word in words_of(segment)))


def pieces(word: Word) -> Iterator[Piece]:
    """Yield the printable parts of a word; parts apart by white space share its time by their length."""
    parts = flat(word.text).split()
    start_ms, end_ms = milliseconds(word.start), milliseconds(word.end)
    lengths = [len(part) for part in parts]
    total = sum(lengths)
    for index, (part, until) in enumerate(zip(parts, accumulate(lengths), strict=True)):
        part_start_ms = start_ms + (end_ms - start_ms) * (until - len(part)) // total
        part_end_ms = start_ms + (end_ms - start_ms) * until // total
        yield Piece(part, part_start_ms, part_end_ms, word.space_before or index > 0, word.confidence)


def unbreakable(words: Sequence[Word]) -> list[Piece]:
    """Return the pieces between which a line may break: marks written without a space stay with what they follow."""
    units: list[Piece] = []
    for piece in (piece for word in words for piece in pieces(word)):
        if units and not piece.space_before and not piece.text[0].isalnum():
            units[-1] = _joined(units[-1], piece)
        else:
            units.append(piece)
    return units


def _joined(left: Piece, right: Piece) -> Piece:
    start_ms, end_ms = min(left.start_ms, right.start_ms), max(left.end_ms, right.end_ms)
    return Piece(left.text + right.text, start_ms, end_ms, left.space_before)
