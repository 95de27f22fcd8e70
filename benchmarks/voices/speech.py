"""Real voices: pieces of speech of one person each, and recordings of several people with the truth of who speaks."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import soundfile
import soxr

from common.audio.limits import SAMPLE_RATE
from common.timeline import Turn
from handlers.worker import Samples
from tests.support import pyannote_sample

MIN_PIECE_S = 2.5
CLIP_S = 30.0  # of the recordings in A_diar, most of which are no longer


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Speech of one person; `utterance` is the same wherever the same words of the same recording are."""

    speaker: str
    utterance: str
    samples: Samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Several people, who speaks when, and the utterances it is built from, if it is."""

    name: str
    samples: Samples
    turns: tuple[Turn, ...]
    utterances: tuple[str, ...] = ()

    def pieces(self) -> Iterator[Piece]:
        """Yield of every turn the longest stretch in which nobody else speaks."""
        for number, turn in enumerate(self.turns):
            utterance = self.utterances[number] if self.utterances else f"{self.name}-{number}"
            others = [other for other in self.turns if other.speaker != turn.speaker]
            first, last = (round(time_s * SAMPLE_RATE) for time_s in _longest_alone(turn, others))
            yield Piece(speaker=turn.speaker, utterance=utterance, samples=self.samples[first:last])


def built_conversations(folder: Path) -> list[Recording]:
    """Return the conversations that were built from utterances: `C_spk/built` in `folder`."""
    found = []
    for path in sorted((folder / "C_spk" / "built").glob("*.seglst.json")):
        entries = json.loads(path.read_text(encoding="utf-8"))
        turns = (Turn(one["start_time"], one["end_time"], one["speaker"].split("_")[0]) for one in entries)
        name = path.name.removesuffix(".seglst.json")
        found.append(
            Recording(
                name=name,
                samples=read(path.with_name(f"{name}.flac")),
                turns=tuple(turns),
                utterances=tuple(one["utterance"] for one in entries),
            )
        )
    return found


def clips(folder: Path) -> list[Recording]:
    """Return the first CLIP_S seconds of the meetings in `A_diar` in `folder`: far from the microphone."""
    found = []
    for path in sorted((folder / "A_diar" / "rttm").glob("ami_*.rttm")):
        samples = read(path.parents[1] / "audio" / f"{path.stem}.flac")[: round(CLIP_S * SAMPLE_RATE)]
        lines = (line.split() for line in path.read_text(encoding="utf-8").splitlines())
        turns = (Turn(float(one[3]), min(float(one[3]) + float(one[4]), CLIP_S), one[7]) for one in lines)
        found.append(Recording(name=path.stem, samples=samples, turns=tuple(turns)))
    return found


def sample() -> Recording:
    """Return pyannote's sample, which its package ships."""
    turns = (Turn(start, end, f"pyannote's {name}") for start, end, name in pyannote_sample.reference_turns())
    return Recording(name="sample", samples=pyannote_sample.sample_audio(), turns=tuple(turns))


def utterances(folder: Path) -> Iterator[Piece]:
    """Yield what `B_asr/refs.jsonl` in `folder` lists: lines with "id", "speaker" and "audio", a path from there."""
    for entry in map(json.loads, (folder / "B_asr" / "refs.jsonl").read_text(encoding="utf-8").splitlines()):
        yield Piece(speaker=entry["speaker"], utterance=entry["id"], samples=read(folder / entry["audio"]))


def by_speaker(recordings: Sequence[Recording], folder: Path | None) -> dict[str, list[Piece]]:
    """Return everybody's pieces of at least MIN_PIECE_S seconds, no utterance twice, by speaker in sorted order."""
    found: dict[str, dict[str, Piece]] = defaultdict(dict)
    for piece in chain(utterances(folder) if folder else (), *(one.pieces() for one in recordings)):
        if len(piece.samples) >= MIN_PIECE_S * SAMPLE_RATE:
            found[piece.speaker].setdefault(piece.utterance, piece)
    return {speaker: list(pieces.values()) for speaker, pieces in sorted(found.items())}


def read(path: Path) -> Samples:
    """Return mono 16 kHz samples."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return np.asarray(soxr.resample(samples.mean(axis=1), rate, SAMPLE_RATE), np.float32)


def _longest_alone(turn: Turn, others: Sequence[Turn]) -> tuple[float, float]:
    cuts = sorted(
        {turn.start, turn.end, *(min(max(t, turn.start), turn.end) for o in others for t in (o.start, o.end))}
    )
    spans = [
        (start, end)
        for start, end in pairwise(cuts)
        if not any(other.start < end and start < other.end for other in others)
    ]
    return max(spans, key=lambda span: span[1] - span[0], default=(turn.start, turn.start))
