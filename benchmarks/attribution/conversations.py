"""Conversations with a reference: what each speaker said and when."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.recordings import read_samples, rttm_turns
from common.audio.blocks import Samples
from common.audio.limits import SAMPLE_RATE
from common.timeline import Turn, Word
from orchestrator.demo import sample_folder

DEVELOPMENT, HELD_OUT = "development", "held-out"
REAL, BUILT, SYNTHETIC = "real", "built", "synthetic"
# Voices that are in conversations of one split are in none of the other.
HELD_OUT_REAL = {"ami_EN2006a_0-30", "ami_ES2003a_0-30"}
HELD_OUT_MIXED = {"c1_2spk_clean", "c2_2spk_samesex_ov"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """What one speaker says from `start` to `end` (s), pauses included; `words` may have guessed times."""

    speaker: str
    start: float
    end: float
    words: tuple[Word, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """Mono 16 kHz samples, none if it was made up without audio, and the truth about them."""

    name: str
    split: str
    kind: str
    samples: Samples | None
    utterances: tuple[Utterance, ...]
    turns: tuple[Turn, ...]
    duration_s: float


def spoken(speaker: str, start: float, end: float, text: str) -> Utterance:
    """Return an utterance whose words are spread over it by their letters."""
    texts = text.split()
    ends = np.cumsum([0, *(len(one) + 1 for one in texts)])
    times = (start + (end - start) * ends / max(ends[-1], 1)).tolist()
    words = tuple(Word(one, first, last) for one, (first, last) in zip(texts, pairwise(times), strict=True))
    return Utterance(speaker=speaker, start=start, end=end, words=words)


def turns_of(utterances: Iterable[Utterance]) -> tuple[Turn, ...]:
    """Return one turn per utterance, in order."""
    return tuple(sorted(Turn(one.start, one.end, one.speaker) for one in utterances))


def packaged_sample() -> Conversation:
    """Return the conversation that pyannote.audio ships: 30 s, two speakers on the telephone."""
    folder = sample_folder()
    lines = (line.split(maxsplit=5) for line in (folder / "sample.stm").read_text(encoding="utf-8").splitlines())
    said = [spoken(speaker, float(start), float(end), text) for _, _, speaker, start, end, text in lines]
    return _conversation("pyannote_sample", REAL, read_samples(folder / "sample.wav"), said, folder / "sample.rttm")


def recorded(folder: Path) -> list[Conversation]:
    """Return the conversations of `folder`: `C_spk/real` with audio and turns in `A_diar`, and `C_spk/built`."""
    real, built = sorted((folder / "C_spk" / "real").glob("ami_*.json")), (folder / "C_spk" / "built").glob("*.json")
    found = [
        _conversation(
            _name(path),
            REAL,
            read_samples(folder / "A_diar" / "audio" / f"{_name(path)}.flac"),
            read_utterances(path),
            folder / "A_diar" / "rttm" / f"{_name(path)}.rttm",
        )
        for path in real
    ]
    return found + [
        _conversation(
            _name(path), BUILT, read_samples(path.parent / f"{_name(path)}.flac"), read_utterances(path), None
        )
        for path in sorted(built)
    ]


def read_utterances(path: Path) -> list[Utterance]:
    """Return the utterances of a SEGLST file."""
    lines: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return [spoken(line["speaker"], line["start_time"], line["end_time"], line["words"]) for line in lines]


def _name(path: Path) -> str:
    return path.name.partition(".")[0]


def _conversation(
    name: str, kind: str, samples: Samples, utterances: Sequence[Utterance], rttm: Path | None
) -> Conversation:
    return Conversation(
        name=name,
        split=HELD_OUT if name in HELD_OUT_REAL | HELD_OUT_MIXED else DEVELOPMENT,
        kind=kind,
        samples=samples,
        utterances=tuple(sorted(utterances, key=lambda one: one.start)),
        turns=tuple(sorted(rttm_turns(rttm))) if rttm else turns_of(utterances),
        duration_s=len(samples) / SAMPLE_RATE,
    )
