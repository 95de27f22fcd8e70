"""Speech in which no word was heard, decoded once more alone: what to decode, and what comes of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from common.answer import Heard
from common.coverage import Coverage, Span, duration_s, splice, uncovered, union, without
from common.errors import ParleyError
from common.timeline import UNDETERMINED, Turn, Word

# Chosen on AMI clips and read dialogues of known words with the bundled models. Shorter holes are mostly breath,
# laughter and turns that begin a little early: decoding them again gives as many wrong words as right ones.
MIN_HOLE_S = 1.0
MARGIN_S = 0.2  # how far the speech of a word may reach beyond its times
PAD_S = 1.0  # audio around a hole; with less, words at its edges are lost
FAILED_MARGIN_S = 1.0  # so near to a word the model did decode
MAX_HOLES = 200  # of one recording, the longest first
MAX_DECODED_S = 900.0  # of one recording, without the audio around
REPAIR_SHARE = 0.1  # of a job's progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What is to be decoded again: `spans` are the `holes` with the audio around them; both in seconds, in order.

    `language` is that of the words there are, for in a few seconds of speech it is easily mistaken; None if unknown.
    """

    holes: tuple[Span, ...]
    spans: tuple[Span, ...]
    language: str | None


def plan_repair(heard: Heard, turns: Sequence[Turn]) -> Repair:
    """Return the holes: speech of `turns` without words, but for what the worker tried alone and found empty."""
    tried = without(heard.coverage.empty, heard.coverage.failed) if heard.coverage else ()
    holes = _affordable(hole for hole in without(_holes(heard.words, turns), tried) if duration_s([hole]) >= MIN_HOLE_S)
    around = (_padded(hole, PAD_S) for hole in holes)
    return Repair(
        holes=holes,
        spans=union((start, min(end, heard.duration_s)) for start, end in around),
        language=None if heard.language == UNDETERMINED else heard.language,
    )


def after_repair(heard: Heard, turns: Sequence[Turn], *, repair: Repair, found: Heard | None) -> Heard:
    """Return `heard` with the words `found` in the holes, and with the coverage of the speech of `turns`.

    `found` of None means that nothing was decoded again. No word of `heard` is lost or changed.
    """
    words = heard.words
    if found:
        for hole in repair.holes:
            words = splice(words, found.words, span=_padded(hole, MARGIN_S))
    before, after = _holes(heard.words, turns), _holes(words, turns)
    failed = uncovered(_failed(heard, found), words, min_s=0.0, margin_s=FAILED_MARGIN_S)
    coverage = Coverage(
        speech_s=duration_s(union((turn.start, turn.end) for turn in turns)),
        repaired_s=(heard.coverage.repaired_s if heard.coverage else 0.0) + duration_s(without(before, after)),
        empty=without(after, failed),
        failed=failed,
    )
    return replace(heard, words=words, coverage=coverage)


def not_repaired(error: ParleyError) -> str:
    """Return the warning of an answer that did not get its repair."""
    return f"speech without words was not decoded again: {error.message}"


def _holes(words: Sequence[Word], turns: Sequence[Turn]) -> tuple[Span, ...]:
    return uncovered(((turn.start, turn.end) for turn in turns), words, min_s=MIN_HOLE_S, margin_s=MARGIN_S)


def _padded(hole: Span, pad_s: float) -> Span:
    return max(hole[0] - pad_s, 0.0), hole[1] + pad_s


def _affordable(holes: Iterable[Span]) -> tuple[Span, ...]:
    chosen: list[Span] = []
    left_s = MAX_DECODED_S
    for start, end in sorted(holes, key=lambda hole: hole[0] - hole[1])[:MAX_HOLES]:
        if left_s < MIN_HOLE_S:
            break
        chosen.append((start, min(end, start + left_s)))
        left_s -= duration_s(chosen[-1:])
    return tuple(sorted(chosen))


def _failed(*parts: Heard | None) -> tuple[Span, ...]:
    return tuple(span for part in parts if part and part.coverage for span in part.coverage.failed)
