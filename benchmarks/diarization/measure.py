"""Run every arm on every recording, taking turns at who goes first, and score what they find."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.diarization.arms import FAST, STOCK, Arm
from benchmarks.diarization.meter import Cost, metered
from benchmarks.diarization.recordings import Recording
from benchmarks.diarization.scoring import Errors, errors, speakers
from common.timeline import Turn

WARM_UP_S = 12.0  # more than one window, so that every kind of batch has been seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one arm finds in one recording, and its cost, None if the turns were kept."""

    turns: tuple[Turn, ...]
    errors: Errors
    speakers: int
    cost: Cost | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One recording, how many speak in it, and the run of every arm by its name."""

    name: str
    kind: str
    duration_s: float
    speakers: int
    runs: Mapping[str, Run]
    agreement: Errors | None = None

    @property
    def difference(self) -> float:
        """By how many points Parley's error rate is above pyannote's."""
        return self.runs[FAST].errors.der - self.runs[STOCK].errors.der


def warm_up(arms: Mapping[str, Arm], recording: Recording) -> None:
    """Run every arm once, unmeasured: first runs allocate and choose kernels."""
    for arm in arms.values():
        if arm.timed:
            arm.find_turns(recording.first(WARM_UP_S).samples)


def measured(recordings: Sequence[Recording], arms: Mapping[str, Arm], *, until: float = math.inf) -> Iterator[Row]:
    """Yield a row per recording; after `until` on the monotonic clock none but the first is begun."""
    for number, recording in enumerate(recordings):
        if number and time.monotonic() > until:
            print(f"{recording.name} left out: no time")
            continue
        yield compare(recording, arms, backwards=number % 2 == 1)


def compare(recording: Recording, arms: Mapping[str, Arm], *, backwards: bool = False) -> Row:
    """Run all arms on one recording, the last of them first if `backwards`."""
    order = sorted(arms, reverse=backwards, key=list(arms).index)
    runs = {name: run(arms[name], recording) for name in order}
    both = {STOCK, FAST} <= runs.keys()
    return Row(
        name=recording.name,
        kind=recording.kind,
        duration_s=recording.duration_s,
        speakers=speakers(recording.turns, uem=recording.uem),
        runs=runs,
        agreement=errors(runs[STOCK].turns, runs[FAST].turns, uem=recording.uem) if both else None,
    )


def run(arm: Arm, recording: Recording) -> Run:
    """Run one arm on one recording."""
    turns, cost = metered(lambda: arm.find_turns(recording.samples), device=arm.device)
    return Run(
        turns=turns,
        errors=errors(recording.turns, turns, uem=recording.uem),
        speakers=speakers(turns, uem=recording.uem),
        cost=cost if arm.timed else None,
    )
