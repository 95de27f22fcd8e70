"""Conversations made up without audio: who says which word when is exact, and what engines do to it is drawn."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from benchmarks.attribution.conversations import DEVELOPMENT, HELD_OUT, SYNTHETIC, Conversation, Utterance, turns_of
from benchmarks.attribution.recognition import Heard
from common.timeline import SpeakerTurns, Turn, Word

VOCABULARY = """
    the a of to and in that it is was he she for on are as with his they at be this from have or by one had not but what
    all were when we there can an your which their said if do will each about how up out them then many some so these
    would other into has more her two like him see time could no make than first been its who now people my made over
    did down only way find use may water long little very after words called just where most know
""".split()  # noqa: SIM905 - a list literal would take 110 lines
ANSWERS = ("yeah", "right", "okay", "exactly", "really", "sure", "no", "yes")
LETTER_S, WORD_S = 0.045, 0.1
SENTENCE_WORDS, TURN_SENTENCES = (3, 15), (1, 5)
HESITATION_SHARE, HESITATION_S = 0.1, (0.15, 0.6)
PAUSE_S, CHANGE_S = (0.1, 0.9), (-0.5, 0.8)
ANSWER_SHARE = 0.25  # of sentences, during which someone else says a word
# What a transcription engine does: words start late, end in the pause that follows, lose their full stop.
LATE_S, LATE_SPREAD_S, STRETCH_SHARE, LOST_STOPS = 0.04, 0.04, 0.6, 0.1
# What a diarization engine does: edges are off, close turns are one, short ones and some of two at once are missed.
EDGE_SPREAD_S, JOINED_S, SHORTEST_S, MISSED_OVERLAPS = 0.08, 0.2, 0.2, 0.3

Generator = np.random.Generator


@dataclass(slots=True, kw_only=True)
class _Talk:
    rng: Generator
    utterances: list[Utterance] = field(default_factory=list)
    now: float = 0.5

    def say(self, speaker: str, texts: Sequence[str], start: float) -> Utterance:
        words, now = [], start
        for text in texts:
            length_s = (WORD_S + LETTER_S * len(text)) * self.rng.uniform(0.8, 1.25)
            words.append(Word(text, now, now + length_s))
            now += length_s + (self.rng.uniform(*HESITATION_S) if self.rng.random() < HESITATION_SHARE else 0.0)
        self.utterances.append(Utterance(speaker=speaker, start=start, end=words[-1].end, words=tuple(words)))
        return self.utterances[-1]

    def turn(self, speaker: str, others: Sequence[str]) -> None:
        start = max(self.now + self.rng.uniform(*CHANGE_S), 0.0)
        for _ in range(int(self.rng.integers(*TURN_SENTENCES))):
            said = self.say(speaker, _sentence(self.rng), start)
            if len(said.words) > 6 and self.rng.random() < ANSWER_SHARE:
                answer = str(self.rng.choice(ANSWERS)).capitalize() + "."
                self.say(str(self.rng.choice(others)), [answer], self.rng.uniform(said.start + 0.5, said.end - 1.0))
            start = said.end + self.rng.uniform(*PAUSE_S)
            self.now = said.end


def synthetic(*, per_split: int, longest_s: float) -> Iterator[Heard]:
    """Yield conversations of 2 to 4 speakers with what engines would have found in them."""
    for split in (DEVELOPMENT, HELD_OUT):
        for number in range(per_split):
            rng = np.random.default_rng([7, split == HELD_OUT, number])
            yield made_up(f"synthetic_{split[0]}{number + 1}", split, rng, speakers=2 + number % 3, longest_s=longest_s)


def made_up(name: str, split: str, rng: Generator, *, speakers: int, longest_s: float) -> Heard:
    """Return one conversation, words with the times that an engine gives them, and turns as they are found."""
    talk = _Talk(rng=rng)
    names = [chr(ord("A") + number) for number in range(speakers)]
    speaker = names[0]
    while talk.now < longest_s:
        talk.turn(speaker, [name for name in names if name != speaker])
        speaker = str(rng.choice([name for name in names if name != speaker]))
    utterances = tuple(sorted(talk.utterances, key=lambda one: one.start))
    conversation = Conversation(
        name=name,
        split=split,
        kind=SYNTHETIC,
        samples=None,
        utterances=utterances,
        turns=turns_of(utterances),
        duration_s=max(one.end for one in utterances),
    )
    return Heard(
        conversation=conversation, words=words_of_an_engine(utterances, rng), spoken=turns_of_an_engine(utterances, rng)
    )


def _sentence(rng: Generator) -> list[str]:
    texts = [str(text) for text in rng.choice(VOCABULARY, int(rng.integers(*SENTENCE_WORDS)))]
    return [texts[0].capitalize(), *texts[1:-1], texts[-1] + str(rng.choice([".", ".", ".", "?"]))]


def words_of_an_engine(utterances: Sequence[Utterance], rng: Generator) -> tuple[Word, ...]:
    """Return all words as one engine hears them: one after the other, late, stretched into pauses."""
    said = sorted((word for one in utterances for word in one.words), key=lambda word: word.start)
    starts = np.maximum.accumulate([word.start + max(rng.normal(LATE_S, LATE_SPREAD_S), -LATE_S) for word in said])
    limits = [*starts[1:].tolist(), said[-1].end + 1.0]
    words = []
    for word, start, limit in zip(said, starts.tolist(), limits, strict=True):
        room_s = min(limit - word.end, 1.0)
        end = word.end + (rng.uniform(0.0, 1.0) * room_s if room_s > 0 and rng.random() < STRETCH_SHARE else 0.0)
        text = word.text.rstrip(".?") if rng.random() < LOST_STOPS else word.text
        words.append(Word(text, round(start, 2), round(max(min(end, limit), start), 2)))
    return tuple(words)


def turns_of_an_engine(utterances: Sequence[Utterance], rng: Generator) -> SpeakerTurns:
    """Return the turns that a diarization engine finds, and the same with one speaker at a time."""
    found: list[Turn] = []
    for speaker in sorted({one.speaker for one in utterances}):
        own: list[Turn] = []
        for one in (one for one in utterances if one.speaker == speaker):
            start = max(one.start + rng.normal(0.0, EDGE_SPREAD_S), own[-1].start if own else 0.0)
            end = max(one.end + rng.normal(0.0, EDGE_SPREAD_S), start)
            if own and start - own[-1].end < JOINED_S:
                own[-1] = replace(own[-1], end=max(end, own[-1].end))
            else:
                own.append(Turn(start, end, speaker))
        found += [turn for turn in own if turn.end - turn.start >= SHORTEST_S]
    heard = [turn for turn in found if not _covered(turn, found) or rng.random() > MISSED_OVERLAPS]
    return SpeakerTurns(turns=tuple(sorted(heard)), exclusive=one_at_a_time(heard, rng))


def _covered(turn: Turn, others: Sequence[Turn]) -> bool:
    return any(o.start <= turn.start and turn.end <= o.end and o.speaker != turn.speaker for o in others)


def one_at_a_time(turns: Sequence[Turn], rng: Generator) -> tuple[Turn, ...]:
    """Return turns of which none overlaps another: of those who talk at once, one that is drawn is kept."""
    edges = sorted({edge for turn in turns for edge in (turn.start, turn.end)})
    pieces: list[Turn] = []
    for start, end in pairwise(edges):
        talking = sorted({turn.speaker for turn in turns if turn.start <= start and end <= turn.end})
        if not talking:
            continue
        speaker = talking[int(rng.integers(len(talking)))]
        if pieces and pieces[-1].speaker == speaker and pieces[-1].end == start:
            pieces[-1] = replace(pieces[-1], end=end)
        else:
            pieces.append(Turn(start, end, speaker))
    return tuple(pieces)
