"""Which of a language model's names for speakers may be shown: for known labels, and spoken in the talk."""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence

from common.timeline import Segment

MAX_NAME_CHARS = 60
MARKS_IN_NAMES = frozenset(" .'’-·")
# How models say that they do not know, where they were asked for null.
NOBODY = frozenset({
    ("unknown",), ("unknown", "speaker"), ("speaker",), ("none",), ("null",), ("n", "a"), ("unnamed",),
})  # fmt: skip
# Scripts in which a name is written together with what follows it: Thai to Lao, Burmese, Khmer, kana, Han, Hangul.
UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")


def spoken_names(answer: Mapping[str, object], segments: Sequence[Segment]) -> dict[str, str]:
    """Return the entries of `answer`, label → name, that hold up against the talk; all others are left out.

    The label is a speaker of `segments`. The name is 1 to 60 letters, digits and marks of names, and each of its parts
    is said as a whole word in the talk by anybody, whatever its case; in scripts without spaces it is said as a part
    of one. It is no other label. Two labels with one name get none: one of them is wrong, or they could not be told
    apart.
    """
    labels = {segment.speaker: _parts(segment.speaker) for segment in segments if segment.speaker}
    talk = [part for segment in segments for part in _parts(segment.text)]
    words, text = frozenset(talk), " ".join(talk)
    names: dict[str, str] = {}
    for label in labels:
        name = _display_name(answer.get(label))
        if name and all(part in words or (UNSPACED.search(part) and part in text) for part in _parts(name)):
            names[label] = name
    taken = NOBODY.union(labels.values())
    uses = Counter(_parts(name) for name in names.values())
    return {label: name for label, name in names.items() if uses[_parts(name)] == 1 and _parts(name) not in taken}


def _display_name(value: object) -> str:
    """Return what can be shown as a name on one line, or nothing."""
    name = value.strip() if isinstance(value, str) else ""
    fits = len(name) <= MAX_NAME_CHARS and all(_of_word(char) or char in MARKS_IN_NAMES for char in name)
    return name if fits and any(map(str.isalpha, name)) else ""


def _parts(text: str) -> tuple[str, ...]:
    """Return the words of a text for comparison, without case and punctuation: `O'Brien-Lee` has three."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return tuple("".join(char if _of_word(char) else " " for char in folded).split())


def _of_word(char: str) -> bool:
    """Tell letters and digits, with the vowel signs and accents of their script, from all else."""
    return char.isalnum() or unicodedata.category(char).startswith("M")
