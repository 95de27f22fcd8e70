"""Words as the models give them, made safe: inside the audio, in order, no longer than they are spoken."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from common.coverage import Span
from common.timeline import Word

TOO_FAR_S = 0.3  # a word that reaches so far into a pause is too long
NEAR_S = 0.1  # the detector of speech is no more exact than this
INVENTED_S = 1.0  # from any possible speech
SURE = 0.9
MIN_WORD_S = 0.04
MAX_WORD_S = 3.0


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


def spoken(words: Iterable[Word], possible_speech: Sequence[Span]) -> tuple[Word, ...]:
    """Return the words near `possible_speech` (s, disjoint, in order), and those that the model is sure of.

    In noise and silence models invent words, but are seldom sure of them.
    """
    ends = [end for _, end in possible_speech]

    def is_spoken(word: Word) -> bool:
        if (word.confidence or 0.0) >= SURE:
            return True
        index = bisect_left(ends, word.start - INVENTED_S)
        return index < len(ends) and possible_speech[index][0] <= word.end + INVENTED_S

    return tuple(word for word in words if is_spoken(word))


def trimmed(words: Sequence[Word], speech: Sequence[Span]) -> tuple[Word, ...]:
    """Return the words without the pauses that they reach into; `speech` is disjoint and in order, in seconds.

    Words without length get a little, as far as the next word allows; absurdly long ones are cut short.
    """
    starts = [start for start, _ in speech]
    within = [
        _in_speech(word, speech, starts, latest=max(word.start, next_start))
        for word, next_start in _with_next_start(words)
    ]
    return tuple(_sized(word, next_start) for word, next_start in _with_next_start(within))


def _with_next_start(words: Sequence[Word]) -> Iterator[tuple[Word, float]]:
    for index, word in enumerate(words):
        yield word, words[index + 1].start if index + 1 < len(words) else math.inf


def _in_speech(word: Word, speech: Sequence[Span], starts: Sequence[float], *, latest: float) -> Word:
    """Cut the word to the stretch of speech that most of it lies in; it starts at `latest`, where the next one does."""
    touched = speech[max(0, bisect_right(starts, word.start) - 1) : bisect_right(starts, word.end)]
    start, end = max(touched, key=lambda one: _common(word, one), default=(word.start, word.end))
    if _common(word, (start, end)) <= 0:
        return word
    return replace(
        word,
        start=min(start - NEAR_S, latest) if word.start < start - TOO_FAR_S else word.start,
        end=end + NEAR_S if word.end > end + TOO_FAR_S else word.end,
    )


def _common(word: Word, stretch: Span) -> float:
    return min(word.end, stretch[1]) - max(word.start, stretch[0])


def _sized(word: Word, next_start: float) -> Word:
    shortest = min(word.start + MIN_WORD_S, max(next_start, word.start))
    return replace(word, end=min(max(word.end, shortest), word.start + MAX_WORD_S))
