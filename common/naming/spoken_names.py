"""Which of a language model's names for speakers may be shown: for labels without one, and spoken in the talk."""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from common.timeline import Segment

MAX_NAME_CHARS = 60
MAX_NAME_PARTS = 5
MARKS_IN_NAMES = " .'’-·"
# How models say that they do not know, where they were asked for null.
NOBODY = frozenset({
    ("unknown",), ("unknown", "speaker"), ("speaker",), ("none",), ("null",), ("n", "a"), ("unnamed",),
})  # fmt: skip
# Parts of names that many write small.
PARTICLES = frozenset({
    "af", "al", "av", "bin", "bint", "d", "da", "das", "de", "del", "della", "den", "der", "des", "di", "do", "dos",
    "du", "e", "el", "ibn", "l", "la", "las", "le", "los", "ten", "ter", "van", "von", "vom", "y", "zu", "zum",
    "zur",
})  # fmt: skip
# Said beside names, with a capital where a sentence begins. Some of the second are a part of somebody's name.
NEVER_PARTS = frozenset({
    "hi", "hello", "hey", "hallo", "hola", "bonjour", "ciao", "thanks", "thank", "welcome", "here", "i",
})  # fmt: skip
NEVER_ALONE = frozenset({
    "he", "she", "we", "you", "they", "it", "this", "that", "there", "what", "who", "yes", "yeah", "no", "okay",
    "ok", "well", "so", "and", "but", "the", "my", "your", "good",
})  # fmt: skip
# Scripts in which a name is written together with what follows it: Thai to Lao, Burmese, Khmer, kana, Han, Hangul.
UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")

Parts = tuple[str, ...]


def spoken_names(answer: Mapping[str, object], segments: Sequence[Segment], unnamed: Collection[str]) -> dict[str, str]:
    """Return the entries of `answer`, label → name, that hold up against the talk; all others are left out.

    The label is one of `unnamed` and a speaker of `segments`. The name is 1 to 60 letters, digits and marks of names,
    and at most MAX_NAME_PARTS words that anybody says one after the other in one segment, each as a whole word,
    whatever its case and the punctuation; in scripts without spaces as parts of one. Where a script has capitals, each
    has one somewhere in the talk, but for particles (`van`) that another part follows. It is no speaker's label, no
    greeting, and no other word that is hardly a name. Two labels with one name get none: one of them is wrong, or they
    could not be told apart.
    """
    labels = {segment.speaker for segment in segments if segment.speaker}
    taken = NOBODY.union(map(_parts, labels))
    said = [_words(segment.text) for segment in segments]
    capitals = _capitalised(said)
    texts = [" ".join(map(str.casefold, words)) for words in said]
    names: dict[str, str] = {}
    for label in sorted(labels.intersection(unnamed)):
        name = _display_name(answer.get(label))
        parts = _parts(name)
        if _may_be_name(parts) and parts not in taken and _with_capitals(parts, capitals) and _is_said(parts, texts):
            names[label] = name
    uses = Counter(map(_parts, names.values()))
    return {label: name for label, name in names.items() if uses[_parts(name)] == 1}


def _display_name(value: object) -> str:
    """Return what can be shown as a name on one line, or nothing."""
    name = value.strip().strip(MARKS_IN_NAMES) if isinstance(value, str) else ""
    fits = len(name) <= MAX_NAME_CHARS and all(_of_word(char) or char in MARKS_IN_NAMES for char in name)
    return name if fits and any(map(str.isalpha, name)) else ""


def _may_be_name(parts: Parts) -> bool:
    alone = parts[0] in NEVER_ALONE if len(parts) == 1 else False
    return 1 <= len(parts) <= MAX_NAME_PARTS and not alone and NEVER_PARTS.isdisjoint(parts)


def _with_capitals(parts: Parts, capitals: Collection[str]) -> bool:
    *before, last = parts
    small = {part for part in parts if part[0] != part[0].title() and part not in capitals}
    return last not in small and small <= PARTICLES.intersection(before)


def _is_said(parts: Parts, texts: Iterable[str]) -> bool:
    spoken = re.compile(" ?".join(part if UNSPACED.search(part) else rf"(?<!\S){part}(?!\S)" for part in parts))
    return any(spoken.search(text) for text in texts)


def _capitalised(said: Iterable[Sequence[str]]) -> frozenset[str]:
    """Return the words that are written with a capital anywhere, for comparison."""
    return frozenset(word.casefold() for words in said for word in words if word[0] == word[0].title())


def _parts(text: str) -> Parts:
    """Return the words of a text for comparison."""
    return tuple(map(str.casefold, _words(text)))


def _words(text: str) -> Parts:
    """Return the words of a text without its punctuation: `O'Brien-Lee` has three."""
    composed = unicodedata.normalize("NFKC", text)
    return tuple("".join(char if _of_word(char) else " " for char in composed).split())


def _of_word(char: str) -> bool:
    """Tell letters and digits, with the vowel signs and accents of their script, from all else."""
    return char.isalnum() or unicodedata.category(char).startswith("M")
