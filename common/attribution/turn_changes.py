"""What another speaker costs between two words: little where one may stop and the next begin, much elsewhere."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from common.attribution.best_path import Scores
from common.attribution.presence import UNITS
from common.attribution.talk import Microseconds
from common.sentences import CLOSERS, PRONOUN_I, SENTENCE_ENDS, abbreviates, is_mark

# Tuned as those of common/attribution/presence.py are, but for the capitals: those are what conversations without audio
# teach, and on recorded ones they change hardly a word.
CHANGE_COST = 3.5  # of another speaker within a sentence; a word inside one speaker's turn weighs ln(1.1 / 0.1) = 2.4
BARE_CHANGE_COST = 0.8  # where nothing tells of sentences, so that a turn of one word stays one
SENTENCE_WORDS = 50  # no sentence end among so many words before and behind: the engine gives none
FREE_PAUSE_US = 500_000  # after it, or after a sentence, a change costs nothing
CAPITAL = 0.5  # of the cost, where two talk at once, before a capital letter: a sentence may begin there


def change_costs(texts: Sequence[str], starts: Microseconds, ends: Microseconds, overlap: NDArray[np.bool_]) -> Scores:
    """Return what another speaker costs between each word and the next, in UNITS.

    `texts` are those of the words in order of time, `starts` and `ends` (µs) have the shape (words,); `overlap` tells
    for which of them two speakers talk at once. There, a sentence of one word ("Yeah.") may be anybody's.
    """
    texts = [text.strip() for text in texts]
    ending = np.array([not text[-1:].isalnum() and _ends_sentence(text) for text in texts], np.bool_)
    costs = np.where(_punctuated(ending), CHANGE_COST, BARE_CHANGE_COST)[:-1] * ~ending[:-1]
    capital = np.array([text[:1].isupper() and not PRONOUN_I.match(text) for text in texts], np.bool_) & overlap
    costs *= np.where(capital, np.where(ending, 0.0, CAPITAL), 1.0)[1:]
    pauses = np.clip(starts[1:] - np.maximum.accumulate(ends)[:-1], 0, FREE_PAUSE_US)
    costs *= 1 - pauses / FREE_PAUSE_US
    marks = np.array([not text[:1].isalnum() and is_mark(text) for text in texts], np.bool_)
    costs[marks[1:]] = CHANGE_COST  # a mark that is a word of its own is part of the word before
    return np.asarray(np.rint(UNITS * costs), np.int64)


def _punctuated(ending: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell for which words a sentence ends somewhere around."""
    some = np.full(SENTENCE_WORDS, ending.sum())
    counts = np.concatenate([np.zeros_like(some), np.cumsum(ending), some])
    return np.asarray(counts[2 * SENTENCE_WORDS :] > counts[: -2 * SENTENCE_WORDS], np.bool_)


def _ends_sentence(text: str) -> bool:
    """Tell whether a sentence may end with `text`, whoever goes on: the next word need not be the same speaker's."""
    bare = text.rstrip(CLOSERS)
    return bare[-1:] in SENTENCE_ENDS and not (bare[-1] == "." and abbreviates(bare))
