"""Words as the models give them, made safe: inside the audio, in order, never ending before they start."""

from collections.abc import Iterable
from dataclasses import replace

from common.timeline import Word


def clamped(words: Iterable[Word], *, duration_s: float) -> tuple[Word, ...]:
    """Return the words in their order with times in [0, `duration_s`] seconds and starts that never go back.

    Times move, words do not: sorting would put a word that the model placed wrongly into the wrong sentence.
    """
    result: list[Word] = []
    earliest = 0.0
    for word in words:
        start = min(max(word.start, earliest), duration_s)
        result.append(replace(word, start=start, end=min(max(word.end, start), duration_s)))
        earliest = start
    return tuple(result)
