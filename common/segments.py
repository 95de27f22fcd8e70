"""Cut words into segments that read well: one speaker, one sentence, no long pause inside."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from common.timeline import Segment, Word, join_words

SENTENCE_ENDS = frozenset(".?!…。．｡？！؟۔।॥")
CLOSERS = "\"'”’»›)]}」』）］｝】》〉"
ABBREVIATIONS = frozenset({
    "mr", "mrs", "ms", "mx", "dr", "prof", "st", "mt", "gen", "col", "maj", "sgt", "capt", "lt", "cmdr",
    "adm", "sen", "rep", "gov", "pres", "rev", "hon", "fr", "sr", "jr", "vs", "cf", "fig", "approx",
})  # fmt: skip
MAX_MARKS = 4  # marks in a row that are looked at together
DOTTED = re.compile(r"(?:[^\W\d_]\.){2,}")  # U.S. e.g. a.m.
INITIAL = re.compile(r"[A-HJ-Z]\.")  # J. Smith, but not "so do I."


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentLimits:
    """When a segment ends although its sentence goes on."""

    max_pause_s: float = 1.0
    max_duration_s: float = 30.0


def segment_words(words: Sequence[Word], *, limits: SegmentLimits = SegmentLimits()) -> tuple[Segment, ...]:
    """Return the words as segments numbered from 0, every word in exactly one, in the given order.

    A segment ends where the speaker changes, a sentence ends, more than `max_pause_s` passes before the next word, or
    the next word would make it longer than `max_duration_s`; only a single word may be longer than that.
    """
    groups: list[list[Word]] = []
    start = end = 0.0
    for word in words:
        if not groups or _splits(groups[-1], word, start=start, end=end, limits=limits):
            groups.append([])
            start, end = word.start, word.end
        groups[-1].append(word)
        start, end = min(start, word.start), max(end, word.end)
    return tuple(_segment(index, group) for index, group in enumerate(groups))


def _splits(group: Sequence[Word], word: Word, *, start: float, end: float, limits: SegmentLimits) -> bool:
    """Tell whether `word` opens a new segment after the one of `group`, which spans [start, end)."""
    return (
        word.speaker != group[-1].speaker
        or word.start - end > limits.max_pause_s
        or max(end, word.end) - min(start, word.start) > limits.max_duration_s
        or _ends_sentence(_last_words(group), word)
    )


def _last_words(group: Sequence[Word]) -> str:
    """Return the last word with the marks that engines give as words of their own ("Mr" ".", "？" "」")."""
    text = ""
    for word in reversed(group[-MAX_MARKS:]):
        text = word.text.strip() + text
        if word.space_before or any(map(str.isalnum, text)):
            break
    return text


def _ends_sentence(text: str, following: Word) -> bool:
    """Tell whether `text` ends a sentence, given the word after it.

    The sentence goes on until its last closing mark. A full stop ends none after an abbreviation ("Mr.", "U.S.",
    "J."), before a small letter, or before a word written without a space ("3." "5").
    """
    text, after = text.rstrip(CLOSERS), following.text.strip()
    if not text or text[-1] not in SENTENCE_ENDS:
        return False
    if not following.space_before and not any(map(str.isalnum, after)):
        return False
    if text[-1] in ".…" and after[:1].islower():
        return False
    return text[-1] != "." or (following.space_before and not _abbreviates(text))


def _abbreviates(text: str) -> bool:
    bare = text.lstrip(CLOSERS + "([{“‘«‹")
    return bool(DOTTED.fullmatch(bare) or INITIAL.fullmatch(bare)) or bare.removesuffix(".").lower() in ABBREVIATIONS


def _segment(index: int, words: Sequence[Word]) -> Segment:
    return Segment(
        id=index,
        start=min(word.start for word in words),
        end=max(word.end for word in words),
        text=join_words(words),
        speaker=words[0].speaker,
        words=tuple(words),
    )
