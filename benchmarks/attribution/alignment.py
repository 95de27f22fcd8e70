"""Find out who really said each word that was heard: align it with what every speaker said, by text and time."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import NamedTuple

from benchmarks.attribution.conversations import Utterance
from common.timeline import Word

Positions = tuple[int, ...]
SLACK_S, SLACK_SHARE = 2.0, 0.3  # how far guessed times of words may be off: this, and this share of the utterance
OUTSIDE_S = 1.5  # a word is heard at most so far outside of its utterance
# Costs of a pair beside that of a wrong word, 1; they decide between alignments of equally many errors.
COST_PER_S, COST_OUTSIDE_PER_S, COST_UNLIKE, COST_CHANGE = 0.01, 0.2, 0.3, 0.1
BEAM = 24

Normaliser = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One normalised word of the reference, and when it may be heard (middle of a word, s)."""

    text: str
    middle: float
    start: float
    end: float
    slack_s: float

    @property
    def earliest(self) -> float:
        """When it may be heard at the earliest."""
        return max(self.start - OUTSIDE_S, self.middle - self.slack_s)

    @property
    def latest(self) -> float:
        """When it may be heard at the latest."""
        return min(self.end + OUTSIDE_S, self.middle + self.slack_s)


class _Step(NamedTuple):
    """The cheapest way to have come to some positions: `stream` is whose word was heard last, None for an added one."""

    cost: float
    before: "_Step | None"
    stream: int | None
    place: int


def heard_words(words: Sequence[Word], normalise: Normaliser) -> list[tuple[int, Word]]:
    """Return normalised words, in the order of time, each with the index of the word it comes from.

    One word may become several (`I'm` is `i am`), which share its times, or none.
    """
    pieces = [
        (index, replace(word, text=text)) for index, word in enumerate(words) for text in normalise(word.text).split()
    ]
    return sorted(pieces, key=lambda piece: (piece[1].start + piece[1].end, piece[0]))


def align(
    utterances: Sequence[Utterance], words: Sequence[Word], *, normalise: Normaliser
) -> list[tuple[str, bool] | None]:
    """Return for each word who said it and whether it was heard right; None for one that nobody said.

    `words` are normalised and in order. Each speaker's words are kept in order, but those of different speakers may
    come in any: so words of two who talk at once are found too. A beam search: the cheapest of all alignments that keep
    the order, the number of errors counting most, then how much wrong words resemble, how well times agree
    and how seldom the speaker changes.
    """
    speakers = sorted({one.speaker for one in utterances})
    streams = [_stream(speaker, utterances, normalise) for speaker in speakers]
    middles = [[said.middle for said in stream] for stream in streams]
    paths: dict[Positions, _Step] = {(0,) * len(streams): _Step(0.0, None, None, -1)}
    for word in words:
        now = (word.start + word.end) / 2
        paths = _advance(_without_missed(paths, streams, now), streams, word)
        if len(paths) > BEAM:
            due = [bisect_left(times, now) for times in middles]
            ranked = sorted(paths, key=lambda positions: paths[positions].cost + _owed(positions, due))
            paths = {positions: paths[positions] for positions in ranked[:BEAM]}
    last = min(paths, key=lambda positions: paths[positions].cost + _owed(positions, [len(one) for one in streams]))
    found = list(_walk_back(paths[last]))[::-1]
    return [
        None if step.stream is None else (speakers[step.stream], streams[step.stream][step.place].text == word.text)
        for step, word in zip(found, words, strict=True)
    ]


def _stream(speaker: str, utterances: Sequence[Utterance], normalise: Normaliser) -> list[Said]:
    return [
        Said(
            text=text,
            middle=(word.start + word.end) / 2,
            start=one.start,
            end=one.end,
            slack_s=SLACK_S + SLACK_SHARE * (one.end - one.start),
        )
        for one in sorted(utterances, key=lambda one: one.start)
        if one.speaker == speaker
        for word in one.words
        for text in normalise(word.text).split()
    ]


def _without_missed(
    paths: dict[Positions, _Step], streams: Sequence[Sequence[Said]], now: float
) -> dict[Positions, _Step]:
    """Pass over the words that can no longer be heard."""
    result: dict[Positions, _Step] = {}
    for positions, step in paths.items():
        moved, missed = list(positions), 0
        for number, stream in enumerate(streams):
            while moved[number] < len(stream) and stream[moved[number]].latest < now:
                moved[number] += 1
                missed += 1
        _keep(result, tuple(moved), step._replace(cost=step.cost + missed))
    return result


def _advance(paths: dict[Positions, _Step], streams: Sequence[Sequence[Said]], word: Word) -> dict[Positions, _Step]:
    """Hear one more word: an added one, or any that some speaker may be saying now."""
    now = (word.start + word.end) / 2
    costs: dict[tuple[int, int], float] = {}
    result: dict[Positions, _Step] = {}
    for positions, step in paths.items():
        _keep(result, positions, _Step(step.cost + 1, step, None, -1))
        for number, stream in enumerate(streams):
            for index in range(positions[number], len(stream)):
                said = stream[index]
                if said.earliest > now:
                    break
                if (number, index) not in costs:
                    costs[number, index] = _pair_cost(said, word, now)
                changed = step.stream is not None and step.stream != number
                cost = step.cost + index - positions[number] + costs[number, index] + COST_CHANGE * changed
                moved = (*positions[:number], index + 1, *positions[number + 1 :])
                _keep(result, moved, _Step(cost, step, number, index))
    return result


def _keep(paths: dict[Positions, _Step], positions: Positions, step: _Step) -> None:
    if positions not in paths or step.cost < paths[positions].cost:
        paths[positions] = step


def _pair_cost(said: Said, word: Word, now: float) -> float:
    outside_s = max(said.start - word.end, word.start - said.end, 0.0)
    cost = COST_PER_S * abs(now - said.middle) + COST_OUTSIDE_PER_S * outside_s
    if said.text == word.text:
        return cost
    return cost + 1 + COST_UNLIKE * (1 - SequenceMatcher(None, said.text, word.text).ratio())


def _owed(positions: Positions, due: Sequence[int]) -> int:
    """Return how many words are due by now and were not heard yet."""
    return sum(max(count - position, 0) for position, count in zip(positions, due, strict=True))


def _walk_back(step: _Step) -> Iterator[_Step]:
    while step.before is not None:
        yield step
        step = step.before
