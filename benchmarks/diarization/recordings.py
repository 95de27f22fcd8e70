"""Recordings with the truth of who speaks when: real ones, and conversations built from single utterances."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path

import numpy as np

from benchmarks.attribution import building
from benchmarks.attribution.conversations import Conversation, packaged_sample
from benchmarks.recordings import read_samples, rttm_turns
from benchmarks.voices import speech
from common.audio.blocks import Samples
from common.audio.limits import SAMPLE_RATE
from common.timeline import Turn

REAL, BUILT, COMPOSED, JOINED = "real", "built", "composed", "joined"
PER_SPLIT, LONGEST_S = 4, 150.0  # of the conversations that are composed here, the same as benchmarks.attribution's
QUICK_S = 20.0
REMIXES, REMIX_S, SHORTEST_TAKE_S = 2, 60.0, 0.8

Spans = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Mono 16 kHz samples, all turns in them, and the spans (s) that are scored."""

    name: str
    kind: str
    samples: Samples
    turns: tuple[Turn, ...]
    uem: Spans

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / SAMPLE_RATE

    def first(self, duration_s: float) -> "Recording":
        """Return the first `duration_s` seconds of it."""
        turns = (replace(turn, end=min(turn.end, duration_s)) for turn in self.turns if turn.start < duration_s)
        uem = ((start, min(end, duration_s)) for start, end in self.uem if start < duration_s)
        samples = self.samples[: round(duration_s * SAMPLE_RATE)]
        return replace(self, samples=samples, turns=tuple(turns), uem=tuple(uem))


def recordings(data: Path | None, *, quick: bool = False) -> list[Recording]:
    """Return pyannote's sample and what there is beside it: all of `data`, or the sample's voices put together anew."""
    others = in_folder(data) if data else remixed()
    return [_whole(packaged_sample(), REAL), *([next(others).first(QUICK_S)] if quick else others)]


def in_folder(folder: Path) -> Iterator[Recording]:
    """Yield `A_diar` but for pyannote's sample, `C_spk/built`, and conversations composed from `B_asr`, if there."""
    for path in sorted((folder / "A_diar" / "rttm").glob("*.rttm")):
        if path.stem != "pyannote_sample":
            audio, uem = path.parents[1] / "audio" / f"{path.stem}.flac", path.parents[1] / "uem" / f"{path.stem}.uem"
            yield read_recording(REAL, audio=audio, rttm=path, uem=uem)
    for path in sorted((folder / "C_spk" / "built").glob("*.rttm")):
        yield read_recording(BUILT, audio=path.with_suffix(".flac"), rttm=path, uem=path.with_suffix(".uem"))
    if (folder / "B_asr" / "refs.jsonl").is_file():
        for one in building.built(folder, per_split=PER_SPLIT, longest_s=LONGEST_S):
            yield _whole(one, COMPOSED)


def read_recording(kind: str, *, audio: Path, rttm: Path, uem: Path) -> Recording:
    """Return what the files say; without a UEM file all of it is scored."""
    samples = read_samples(audio)
    scored = uem_spans(uem) if uem.is_file() else ((0.0, len(samples) / SAMPLE_RATE),)
    return Recording(name=audio.stem, kind=kind, samples=samples, turns=tuple(sorted(rttm_turns(rttm))), uem=scored)


def uem_spans(path: Path) -> Spans:
    """Return the spans of a UEM file: lines of recording, channel, start and end (s); comments begin with two ;."""
    lines = (line.split() for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith(";;"))
    return tuple((float(fields[2]), float(fields[3])) for fields in lines if fields)


def remixed() -> Iterator[Recording]:
    """Yield conversations composed from what the two speakers of pyannote's sample say alone."""
    voices: dict[str, list[building.Take]] = {}
    for piece in speech.sample().pieces():
        if len(piece.samples) >= SHORTEST_TAKE_S * SAMPLE_RATE:
            take = building.Take(speaker=piece.speaker, samples=piece.samples, text=piece.utterance)
            voices.setdefault(piece.speaker, []).append(take)
    for number in range(REMIXES):
        rng = np.random.default_rng(number)
        mix = building.compose(voices, rng, longest_s=REMIX_S)
        yield _whole(mix.conversation(f"sample_remixed_{number + 1}", "", rng), COMPOSED)


def _whole(conversation: Conversation, kind: str) -> Recording:
    if conversation.samples is None:
        raise ValueError(f"{conversation.name} has no audio")
    return Recording(
        name=conversation.name,
        kind=kind,
        samples=conversation.samples,
        turns=conversation.turns,
        uem=((0.0, conversation.duration_s),),
    )


def joined(parts: Sequence[Recording], *, hours: float) -> Recording:
    """Return `parts` one after the other, again and again, `hours` long.

    A label is one person in all of them, so the composed ones are left out: they have voices of others by other names.
    """
    asked_s, offset_s = hours * 3600, 0.0
    samples, turns, uem = [], [], []
    for part in cycle([part for part in parts if part.kind != COMPOSED] or parts):
        samples.append(part.samples)
        turns += [Turn(turn.start + offset_s, turn.end + offset_s, turn.speaker) for turn in part.turns]
        uem += [(start + offset_s, end + offset_s) for start, end in part.uem]
        offset_s += part.duration_s
        if offset_s >= asked_s:
            break
    whole = Recording(
        name=f"joined_{hours:g}h", kind=JOINED, samples=np.concatenate(samples), turns=tuple(turns), uem=tuple(uem)
    )
    return whole.first(asked_s)


def spoken(parts: Sequence[Recording], *, hours: float) -> Samples:
    """Return the speech of `parts` without the silence between turns, again and again, `hours` long."""
    samples = np.empty(round(hours * 3600 * SAMPLE_RATE), np.float32)
    stretches = [part.samples[first:last] for part in parts for first, last in _speech(part)]
    filled = 0
    for stretch in cycle(stretches):
        taken = stretch[: len(samples) - filled]
        samples[filled : filled + len(taken)] = taken
        filled += len(taken)
        if filled == len(samples):
            return samples
    raise ValueError("nobody speaks in any of the recordings")


def _speech(recording: Recording) -> Iterator[tuple[int, int]]:
    """Yield the spans, in samples, in which anybody speaks."""
    until = 0
    for turn in sorted(recording.turns):
        first, last = max(round(turn.start * SAMPLE_RATE), until), round(turn.end * SAMPLE_RATE)
        if first < last:
            yield first, last
            until = last


def one_of_each_kind(parts: Sequence[Recording]) -> list[Recording]:
    """Return the first recording of every kind."""
    kinds = dict.fromkeys(part.kind for part in parts)
    return [next(islice((part for part in parts if part.kind == kind), 1)) for kind in kinds]
