"""Real voices: pieces of speech of one person each, and recordings of several people with the truth of who speaks."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path

from benchmarks.recordings import read_samples, rttm_turns
from common.audio.blocks import Samples
from common.audio.limits import SAMPLE_RATE
from common.timeline import Turn
from orchestrator.demo import sample_folder

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
                samples=read_samples(path.with_name(f"{name}.flac")),
                turns=tuple(turns),
                utterances=tuple(one["utterance"] for one in entries),
            )
        )
    return found


def clips(folder: Path) -> list[Recording]:
    """Return the first CLIP_S seconds of the meetings in `A_diar` in `folder`: far from the microphone."""
    found = []
    for path in sorted((folder / "A_diar" / "rttm").glob("ami_*.rttm")):
        samples = read_samples(path.parents[1] / "audio" / f"{path.stem}.flac")[: round(CLIP_S * SAMPLE_RATE)]
        turns = (Turn(turn.start, min(turn.end, CLIP_S), turn.speaker) for turn in rttm_turns(path))
        found.append(Recording(name=path.stem, samples=samples, turns=tuple(turns)))
    return found


def sample() -> Recording:
    """Return pyannote's sample, which its package ships."""
    folder = sample_folder()
    turns = (Turn(turn.start, turn.end, f"pyannote's {turn.speaker}") for turn in rttm_turns(folder / "sample.rttm"))
    return Recording(name="sample", samples=read_samples(folder / "sample.wav"), turns=tuple(turns))


def utterances(folder: Path) -> Iterator[Piece]:
    """Yield what `B_asr/refs.jsonl` in `folder` lists: lines with "id", "speaker" and "audio", a path from there."""
    for entry in map(json.loads, (folder / "B_asr" / "refs.jsonl").read_text(encoding="utf-8").splitlines()):
        yield Piece(speaker=entry["speaker"], utterance=entry["id"], samples=read_samples(folder / entry["audio"]))


def by_speaker(recordings: Sequence[Recording], folder: Path | None) -> dict[str, list[Piece]]:
    """Return everybody's pieces of at least MIN_PIECE_S seconds, no utterance twice, by speaker in sorted order."""
    found: dict[str, dict[str, Piece]] = defaultdict(dict)
    for piece in chain(utterances(folder) if folder else (), *(one.pieces() for one in recordings)):
        if len(piece.samples) >= MIN_PIECE_S * SAMPLE_RATE:
            found[piece.speaker].setdefault(piece.utterance, piece)
    return {speaker: list(pieces.values()) for speaker, pieces in sorted(found.items())}


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
