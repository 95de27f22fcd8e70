"""Conversations built from single utterances of real voices, so that every turn is known to the sample."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.attribution.conversations import (
    BUILT,
    DEVELOPMENT,
    HELD_OUT,
    Conversation,
    read_utterances,
    spoken,
    turns_of,
)
from benchmarks.recordings import read_samples
from common.audio.blocks import Samples
from common.audio.limits import SAMPLE_RATE

HELD_OUT_VOICES = {"1688", "2414", "2033", "533", "LJ"}  # those of the held-out recordings, and one more
FEWEST_UTTERANCES = 4  # of a voice that takes part
PAUSE_S = (0.1, 1.2)  # inside a turn
GAP_S = (0.05, 0.6)  # between turns
OVERLAP_S = (0.3, 1.0)
OVERLAP_SHARE, INTERJECTION_SHARE = 0.3, 0.35
INTERJECTION_LONGEST_S, INTERRUPTED_SHORTEST_S = 2.8, 6.0
LEVEL_DB, INTERJECTION_DB = 3.0, -4.0
RMS, HISS = 0.05, 1e-4
FRAME_S, QUIET_DB, MARGIN_S = 0.01, -38.0, 0.03

Generator = np.random.Generator


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """One utterance by itself, without the silence around it."""

    speaker: str
    samples: Samples
    text: str

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / SAMPLE_RATE


@dataclass(slots=True, kw_only=True)
class Mix:
    """Utterances put on one time axis."""

    placed: list[tuple[float, Take]] = field(default_factory=list)
    end_s: float = 0.5

    def add(self, take: Take, start_s: float) -> None:
        """Let `take` begin at `start_s`, to the sample."""
        self.placed.append((round(start_s * SAMPLE_RATE) / SAMPLE_RATE, take))
        self.end_s = max(self.end_s, start_s + take.duration_s)

    def free(self, speaker: str, start_s: float, end_s: float) -> bool:
        """Tell whether `speaker` and all but one other are silent from `start_s` to `end_s`."""
        during = [take.speaker for start, take in self.placed if start < end_s and start_s < start + take.duration_s]
        return speaker not in during and len(during) <= 1

    def conversation(self, name: str, split: str, rng: Generator) -> Conversation:
        """Return what was put together, in a quiet room."""
        samples = HISS * rng.standard_normal(int((self.end_s + 0.5) * SAMPLE_RATE))
        for start_s, take in self.placed:
            first = round(start_s * SAMPLE_RATE)
            samples[first : first + len(take.samples)] += take.samples
        said = sorted(
            (spoken(take.speaker, start, start + take.duration_s, take.text) for start, take in self.placed),
            key=lambda one: one.start,
        )
        return Conversation(
            name=name,
            split=split,
            kind=BUILT,
            samples=samples.astype(np.float32),
            utterances=tuple(said),
            turns=turns_of(said),
            duration_s=len(samples) / SAMPLE_RATE,
        )


def built(folder: Path, *, per_split: int, longest_s: float) -> Iterator[Conversation]:
    """Yield conversations of 2 to 4 voices, `per_split` of each split; no turn begins after `longest_s`."""
    voices = collect(folder)
    for split in (DEVELOPMENT, HELD_OUT):
        own = {name: takes for name, takes in voices.items() if (name in HELD_OUT_VOICES) == (split == HELD_OUT)}
        able = sorted(name for name, takes in own.items() if len(takes) >= FEWEST_UTTERANCES)
        for number in range(per_split):
            rng = np.random.default_rng([split == HELD_OUT, number])
            speakers = rng.permutation(able)[: 2 + number % 3]
            mix = compose({name: own[name] for name in speakers}, rng, longest_s=longest_s * rng.uniform(0.7, 1.0))
            yield mix.conversation(f"built_{split[0]}{number + 1}_{len(speakers)}spk", split, rng)


def collect(folder: Path) -> dict[str, list[Take]]:
    """Return every voice's utterances: the English ones of `B_asr`, and of `C_spk/built` those that nobody disturbs."""
    takes: dict[str, list[Take]] = defaultdict(list)
    for line in (folder / "B_asr" / "refs.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        if entry["lang"] == "en":
            takes[entry["speaker"]].append(
                _take(entry["speaker"], read_samples(folder / entry["audio"]), entry["text"])
            )
    known = set(takes)
    for path in sorted((folder / "C_spk" / "built").glob("*.json")):
        for take in _undisturbed(path):
            if take.speaker not in known and take.text not in {other.text for other in takes[take.speaker]}:
                takes[take.speaker].append(take)
    return dict(takes)


def _undisturbed(seglst: Path) -> Iterator[Take]:
    samples = read_samples(seglst.with_name(seglst.name.partition(".")[0] + ".flac"))
    said = read_utterances(seglst)
    for one in said:
        if not any(one is not other and one.start < other.end and other.start < one.end for other in said):
            cut = samples[round(one.start * SAMPLE_RATE) : round(one.end * SAMPLE_RATE)]
            yield _take(one.speaker.partition("_")[0], cut, " ".join(word.text for word in one.words))


def _take(speaker: str, samples: Samples, text: str) -> Take:
    inside = trimmed(samples)
    level = float(np.sqrt(np.mean(np.square(inside))))
    return Take(speaker=speaker, samples=inside * np.float32(RMS / level), text=text)


def trimmed(samples: Samples) -> Samples:
    """Return samples without the silence at both ends: frames far below the loudest."""
    hop = int(FRAME_S * SAMPLE_RATE)
    frames = samples[: len(samples) // hop * hop].reshape(-1, hop)
    energy = np.square(frames).mean(axis=1)
    loud: NDArray[np.intp] = np.flatnonzero(energy > energy.max() * 10 ** (QUIET_DB / 10))
    margin = int(MARGIN_S * SAMPLE_RATE)
    return samples[max(loud[0] * hop - margin, 0) : (loud[-1] + 1) * hop + margin]


def compose(voices: Mapping[str, Sequence[Take]], rng: Generator, *, longest_s: float) -> Mix:
    """Let `voices` take turns of one to three utterances, some of which overlap or are interrupted by a short one."""
    mix = Mix()
    decks = {name: [takes[index] for index in rng.permutation(len(takes))] for name, takes in voices.items()}
    gains_db = {name: rng.uniform(-LEVEL_DB, LEVEL_DB) for name in voices}
    speaker = ""
    while mix.end_s < longest_s and any(decks.values()):
        speaker = str(rng.choice([name for name in decks if decks[name] and name != speaker] or [speaker]))
        if not decks[speaker]:
            break
        turn = [decks[speaker].pop() for _ in range(min(int(rng.integers(1, 4)), len(decks[speaker])))]
        _take_turn(mix, [_louder(take, gains_db[speaker]) for take in turn], rng)
    _interject(mix, voices, gains_db, rng)
    return mix


def _take_turn(mix: Mix, turn: Sequence[Take], rng: Generator) -> None:
    start_s = mix.end_s + rng.uniform(*GAP_S)
    if mix.placed and rng.random() < OVERLAP_SHARE:
        before = mix.placed[-1][1]
        start_s = mix.end_s - min(rng.uniform(*OVERLAP_S), before.duration_s / 2, turn[0].duration_s / 2)
    for take in turn:
        mix.add(take, start_s)
        start_s = mix.end_s + rng.uniform(*PAUSE_S)


def _interject(mix: Mix, voices: Mapping[str, Sequence[Take]], gains_db: Mapping[str, float], rng: Generator) -> None:
    """Put short utterances of others inside long ones, where only the interrupted one talks."""
    used = {take.text for _, take in mix.placed}
    short = [
        take
        for takes in voices.values()
        for take in takes
        if take.duration_s <= INTERJECTION_LONGEST_S and take.text not in used
    ]
    for start_s, take in list(mix.placed):
        fitting = [one for one in short if one.speaker != take.speaker]
        if take.duration_s < INTERRUPTED_SHORTEST_S or rng.random() > INTERJECTION_SHARE or not fitting:
            continue
        one = fitting[int(rng.integers(len(fitting)))]
        at_s = start_s + rng.uniform(1.0, take.duration_s - 1.0 - one.duration_s)
        if mix.free(one.speaker, at_s, at_s + one.duration_s):
            mix.add(_louder(one, gains_db[one.speaker] + INTERJECTION_DB), at_s)
            short.remove(one)


def _louder(take: Take, gain_db: float) -> Take:
    return replace(take, samples=take.samples * np.float32(10 ** (gain_db / 20)))
