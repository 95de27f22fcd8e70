"""How other projects give words their speakers, written anew from what their code does."""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from common.timeline import Turn, Word

Labels = list[str | None]
SENTENCE_END = ".?!"
LONGEST_SENTENCE = 50  # words


def whisperx(words: Sequence[Word], turns: Sequence[Turn]) -> Labels:
    """Return the speaker with most overlap with each word, all turns added up; None for a word outside of all.

    Of equal ones the speaker whose turn comes first wins. As whisperx 3.8.6, `whisperx.diarize.assign_word_speakers`.
    """
    return _most_overlapping(words, turns, outside=lambda _word: None)


def whisperx_fill_nearest(words: Sequence[Word], turns: Sequence[Turn]) -> Labels:
    """Do as `whisperx`, and as its option `fill_nearest`: a word outside takes the turn with the nearest middle."""
    ordered = sorted(turns, key=lambda turn: turn.start)
    middles = np.array([(turn.start + turn.end) / 2 for turn in ordered])

    def nearest(word: Word) -> str | None:
        if not ordered:
            return None
        return ordered[int(np.argmin(np.abs(middles - (word.start + word.end) / 2)))].speaker

    return _most_overlapping(words, turns, outside=nearest)


def _most_overlapping(words: Sequence[Word], turns: Sequence[Turn], *, outside: Callable[[Word], str | None]) -> Labels:
    ordered = sorted(turns, key=lambda turn: turn.start)
    starts, ends = np.array([turn.start for turn in ordered]), np.array([turn.end for turn in ordered])
    labels: Labels = []
    for word in words:
        shared_s: dict[str, float] = {}
        for index in np.flatnonzero((starts < word.end) & (ends > word.start)) if word.end > word.start else ():
            turn = ordered[index]
            overlap_s = min(turn.end, word.end) - max(turn.start, word.start)
            shared_s[turn.speaker] = shared_s.get(turn.speaker, 0.0) + overlap_s
        labels.append(max(shared_s, key=lambda speaker: shared_s[speaker]) if shared_s else outside(word))
    return labels


def whisper_diarization(words: Sequence[Word], turns: Sequence[Turn]) -> Labels:
    """Return the speaker of the turn in which a word starts, then one speaker per sentence where most words agree.

    As https://github.com/MahmoudAshraf97/whisper-diarization at commit 00aa56c: turns are passed one after the other,
    and a word that starts between two has the later; a sentence ends with a full stop, question or exclamation mark.
    """
    if not turns or not words:
        return [None] * len(words)
    speakers = _by_start(words, turns)
    ends = [bool(word.text) and word.text[-1] in SENTENCE_END for word in words]
    index = 0
    while index < len(words) - 1:
        sentence = _sentence(index, speakers, ends) if speakers[index] != speakers[index + 1] else None
        if sentence is not None and not ends[index]:
            first, last = sentence
            said_by, count = Counter(speakers[first : last + 1]).most_common(1)[0]
            if count >= (last + 1 - first) // 2:
                speakers[first : last + 1] = [said_by] * (last + 1 - first)
                index = last
        index += 1
    return list(speakers)


def _by_start(words: Sequence[Word], turns: Sequence[Turn]) -> list[str]:
    ordered = sorted(turns, key=lambda turn: turn.start)
    current, speakers = 0, []
    for word in words:
        while current < len(ordered) - 1 and int(word.start * 1000) > ordered[current].end * 1000:
            current += 1
        speakers.append(ordered[current].speaker)
    return speakers


def _sentence(index: int, speakers: Sequence[str], ends: Sequence[bool]) -> tuple[int, int] | None:
    """Return first and last word of the sentence around a change of speaker; None if its ends are out of reach.

    Backwards it is looked for only as far as the speaker is the same.
    """
    first = index
    while first and index - first < LONGEST_SENTENCE and speakers[first - 1] == speakers[first] and not ends[first - 1]:
        first -= 1
    if first and not ends[first - 1]:
        return None
    reach = LONGEST_SENTENCE - index + first - 1
    last = index
    while last < len(ends) - 1 and last - index < reach and not ends[last]:
        last += 1
    return (first, last) if last == len(ends) - 1 or ends[last] else None


def nearest_turn(words: Sequence[Word], turns: Sequence[Turn]) -> Labels:
    """Return the speaker of the turn that is nearest to each word's middle, however far; of equal ones the first."""
    ordered = sorted(turns, key=lambda turn: turn.start)
    starts, ends = np.array([turn.start for turn in ordered]), np.array([turn.end for turn in ordered])
    middles = [(word.start + word.end) / 2 for word in words]
    if not ordered:
        return [None] * len(words)
    return [ordered[int(np.argmin(np.maximum(np.maximum(starts - at, at - ends), 0)))].speaker for at in middles]
