"""Give every word the speaker who said it."""

from collections.abc import Mapping, Sequence

import numpy as np

from common.presence import UNITS, Presence
from common.sentences import CLOSERS, PRONOUN_I, SENTENCE_ENDS
from common.speaker_path import Scores, best_path
from common.talk import SILENT, Microseconds, Talk, microseconds, talk_by_speaker
from common.timeline import Turn, Word

# Tuned as those of common/presence.py are.
CHANGE_COST = 3.5  # of another speaker within a sentence; a word inside one speaker's turn weighs ln(1.1 / 0.1) = 2.4
BARE_CHANGE_COST = 0.8  # where nothing tells of sentences, so that a turn of one word stays one
SENTENCE_WORDS = 50  # no sentence end among so many words before and behind: the engine gives none
FREE_PAUSE_US = 500_000  # after it, or after a sentence, a change costs nothing
CAPITAL = 0.5  # of the cost of a change before a capital letter, where a sentence may begin; a whole one is free
IMPOSSIBLE = -(10**9)


def assign_speakers(
    words: Sequence[Word], turns: Sequence[Turn], *, exclusive: Sequence[Turn] = (), max_gap_s: float = 2.0
) -> tuple[Word, ...]:
    """Return the words in their order, each with its `speaker`, `speaker_confidence` and `overlap`.

    `turns` may overlap; `exclusive` are the same with one speaker at a time, if the diarization tells. The speakers are
    the likeliest sequence for the words in order of time: what speaks for a speaker at a word is how much of it is in
    that speaker's turns, and a change costs most within a sentence without a pause. So a change of turns that is a
    little early or late does not tear a sentence apart, and a word without duration goes with its neighbours.

    A word further than `max_gap_s` from all turns has no speaker; every other word has one whose turn is as near.
    `speaker_confidence` is the part of the evidence at the word itself that is for its speaker. Where all is equal the
    speaker wins who talks first; in overlap the shorter turn wins, which is there for a reason. Labels, the order of
    turns and how turns are cut into pieces do not matter, and whatever speaker a word had is replaced. Linear in words
    and speakers, after sorting.
    """
    talks = talk_by_speaker(turns)
    if not words or not talks:
        return tuple(_attributed(word, None) for word in words)
    starts, ends = microseconds(word.start for word in words), microseconds(word.end for word in words)
    order = np.lexsort((ends, starts))
    starts, ends = starts[order], ends[order]
    presence = Presence.of(starts, ends, list(talks.values()), _exclusive(talks, exclusive))
    reachable = np.asarray(presence.distance <= microseconds([max_gap_s]), np.bool_)
    path = best_path(
        np.where(reachable, presence.evidence(ends - starts), IMPOSSIBLE),
        _change_costs([words[index].text for index in order], starts, ends),
    )
    confidence, overlap = presence.confidence(path), presence.overlap()
    known = np.any(reachable, axis=1).tolist()
    names = np.array(list(talks), object)[path]
    result = list(words)
    for row, index in enumerate(order.tolist()):
        speaker = names[row] if known[row] else None
        result[index] = _attributed(words[index], speaker, confidence[row], overlap=overlap[row])
    return tuple(result)


def _attributed(word: Word, speaker: str | None, confidence: float | None = None, *, overlap: bool = False) -> Word:
    if speaker is None:
        confidence, overlap = None, False
    # replace() takes three times as long
    return Word(word.text, word.start, word.end, word.confidence, speaker, word.space_before, confidence, overlap)


def _exclusive(talks: Mapping[str, Talk], exclusive: Sequence[Turn]) -> list[Talk]:
    """Return the exclusive talk of the same speakers, or all of their talk where nothing is known of it."""
    found = talk_by_speaker(exclusive)
    return [found.get(speaker, SILENT) for speaker in talks] if found else list(talks.values())


def _change_costs(texts: Sequence[str], starts: Microseconds, ends: Microseconds) -> Scores:
    """Return what another speaker costs between each word and the next, in UNITS."""
    pauses = np.clip(starts[1:] - np.maximum.accumulate(ends)[:-1], 0, FREE_PAUSE_US)
    ending = np.array([not text[-1:].isalnum() and _ends_sentence(text) for text in texts], np.bool_)
    counts = np.concatenate(
        [np.zeros(SENTENCE_WORDS, np.int64), np.cumsum(ending), np.full(SENTENCE_WORDS, ending.sum())]
    )
    punctuated = counts[2 * SENTENCE_WORDS :] > counts[: -2 * SENTENCE_WORDS]
    capital = np.array([text[:1].isupper() and not PRONOUN_I.match(text) for text in texts], np.bool_)
    begins = np.where(capital, np.where(ending, 0.0, CAPITAL), 1.0)
    costs = np.where(punctuated, CHANGE_COST, BARE_CHANGE_COST)[:-1] * ~ending[:-1] * begins[1:]
    return np.rint(UNITS * costs * (1 - pauses / FREE_PAUSE_US)).astype(np.int64)


def _ends_sentence(text: str) -> bool:
    return text.rstrip(CLOSERS)[-1:] in SENTENCE_ENDS
