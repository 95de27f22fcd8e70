"""Tell from marks and abbreviations where sentences and clauses end."""

import re
from collections.abc import Sequence

from common.timeline import Word

SENTENCE_ENDS = frozenset(".?!…。．｡？！؟۔।॥")
CLAUSE_ENDS = frozenset(",;:-–—،؛、，；：､")
CLOSERS = "\"'”’»›)]}」』）］｝】》〉"
ABBREVIATIONS = frozenset({
    "mr", "mrs", "ms", "mx", "dr", "prof", "st", "mt", "gen", "col", "maj", "sgt", "capt", "lt", "cmdr",
    "adm", "sen", "rep", "gov", "pres", "rev", "hon", "fr", "sr", "jr", "vs", "cf", "fig", "approx",
    "inc", "ltd", "co", "corp", "sra", "srta", "dra", "ee", "uu", "bzw",
})  # fmt: skip
COUNTED = frozenset({
    "no", "nos", "nr", "num", "vol", "p", "pp", "ch", "sec", "art", "par", "op", "ext", "ca", "str",
    "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec",
})  # fmt: skip
GERMAN_ORDINALS = frozenset({
    "Januar", "Jänner", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober",
    "November", "Dezember", "Jahrhundert", "Weltkrieg",
})  # fmt: skip
SPACED_CLOSERS = CLOSERS.strip("\"'”’")  # those that French writes as « Oui ! »; the others may open as well
PRONOUN_I = re.compile(r"I\b")
MAX_MARKS = 4  # marks in a row that are looked at together
DOTTED = re.compile(r"(?:[^\W\d_]\.){2,}")  # U.S. e.g. a.m.
INITIAL = re.compile(r"[A-HJ-Z]\.")  # J. Smith, but not "so do I."
ORDINAL = re.compile(r"\d{1,2}\.")


def ends_sentence(before: Sequence[Word], following: Word) -> bool:
    """Tell whether a sentence ends between the words `before` (at least one) and the one after them.

    The sentence goes on until its last closing mark. A full stop ends none after an abbreviation ("Mr.", "U.S.",
    "J."), after a number that nothing comes before ("1." "Apples"), before a small letter, or before a word written
    without a space ("3." "5").
    """
    if before[-1].text[-1:].isalnum():
        return False
    text, after = _last_words(before), following.text.strip()
    if not text or text[-1] not in SENTENCE_ENDS:
        return False
    if not following.space_before and is_mark(after):
        return False
    if _goes_on(text, after):
        return False
    return text[-1] != "." or (following.space_before and not abbreviates(text) and not _is_item(text, before))


def ends_clause(text: str) -> bool:
    """Tell whether `text` ends with a comma, a semicolon, a colon or a dash, in quotes or not."""
    return text.rstrip(CLOSERS)[-1:] in CLAUSE_ENDS


def is_punctuated(text: str) -> bool:
    """Tell whether `text` ends a clause, or ends as a sentence may."""
    return ends_clause(text) or text.rstrip(CLOSERS)[-1:] in SENTENCE_ENDS


def is_mark(text: str) -> bool:
    """Tell whether nothing of `text` is said."""
    return not any(map(str.isalnum, text))


def _last_words(words: Sequence[Word]) -> str:
    """Return the last word with the marks that engines give as words of their own ("Mr" "."), without closers."""
    text = ""
    for word in reversed(words[-MAX_MARKS:]):
        text = word.text.strip() + text
        if word.space_before or not is_mark(text):
            break
    return text.rstrip(CLOSERS)


def _goes_on(text: str, after: str) -> bool:
    """Tell whether a sentence whose last mark is that of `text` goes on with `after`."""
    if after and not after.strip(SPACED_CLOSERS):
        return True
    if text.endswith(("…", "...")) and PRONOUN_I.match(after):
        return True
    if text[-1] == "." and after[:1].isdigit() and _bare(text) in COUNTED:
        return True
    if ORDINAL.fullmatch(text) and after.rstrip(".,;:?!") in GERMAN_ORDINALS:
        return True
    return text[-1] in ".…" and after[:1].islower()


def abbreviates(text: str) -> bool:
    """Tell whether `text`, which ends with a full stop, is an abbreviation or an initial."""
    bare = text.lstrip(CLOSERS + "([{“‘«‹")
    return bool(DOTTED.fullmatch(bare) or INITIAL.fullmatch(bare)) or _bare(text) in ABBREVIATIONS


def _bare(text: str) -> str:
    return text.lstrip(CLOSERS + "([{“‘«‹").removesuffix(".").lower()


def _is_item(text: str, before: Sequence[Word]) -> bool:
    """Tell whether `text` is a number like that of a list, and all that was said."""
    return bool(ORDINAL.fullmatch(text)) and "".join(word.text.strip() for word in before).rstrip(CLOSERS) == text
