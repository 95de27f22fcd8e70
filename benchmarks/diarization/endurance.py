"""One long job: what it costs, how long it says nothing, and how long it goes on after it was cancelled."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from benchmarks.diarization.meter import megabytes, metered
from common.audio.blocks import Samples
from common.audio.limits import SAMPLE_RATE
from common.errors import JobCancelledError
from handlers.diarization.engine import Diarization, DiarizationEngine, SpeakerCount

FIRST_HALF = 0.5  # of the progress


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a tick: when, on the clock of perf_counter, and with what."""

    at_s: float
    stage: str
    fraction: float


@dataclass(slots=True, kw_only=True)
class Ticks:
    """A job's tick that takes down its calls; the job is cancelled right after the call that reaches `cancel_at`."""

    cancel_at: tuple[str, float] | None = None
    calls: list[Call] = field(default_factory=list)
    cancelled_s: float | None = None

    def __call__(self, stage: str, fraction: float) -> None:
        """See common.progress.Tick."""
        call = Call(time.perf_counter(), stage, fraction)
        self.calls.append(call)
        if self.cancelled_s is not None:
            raise JobCancelledError(f"cancelled before {fraction:.3f} of {stage}")
        if self.cancel_at is not None and stage == self.cancel_at[0] and fraction >= self.cancel_at[1]:
            self.cancelled_s = call.at_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """The longest time of a stage between one call of the tick, at `fraction`, and the next."""

    stage: str
    fraction: float
    seconds: float


def longest_silences(calls: Sequence[Call]) -> list[Silence]:
    """Return that of each stage but the last call's, in the order of the stages."""
    longest: dict[str, Silence] = {}
    for call, following in pairwise(calls):
        silence = Silence(stage=call.stage, fraction=call.fraction, seconds=following.at_s - call.at_s)
        if call.stage not in longest or silence.seconds > longest[call.stage].seconds:
            longest[call.stage] = silence
    return list(longest.values())


def cancel_s(engine: DiarizationEngine, samples: Samples, *, stage: str, fraction: float) -> float:
    """Return how long a job goes on that is cancelled right after it told of `fraction` of `stage`."""
    ticks = Ticks(cancel_at=(stage, fraction))
    with suppress(JobCancelledError):  # cancelled in its last step, it comes to its end
        engine.diarize(samples, count=SpeakerCount(), tick=ticks)
    ended_s = time.perf_counter()
    if ticks.cancelled_s is None:
        raise RuntimeError(f"the job never told of {fraction:.3f} of {stage}")
    return ended_s - ticks.cancelled_s


def endure(engine: DiarizationEngine, samples: Samples) -> dict[str, Any]:
    """Run the long job, and again, cancelled in each stage that begins in its first half, where it takes long there.

    A later stage has its longest silence for an answer, instead of the whole job once more.
    """
    ticks = Ticks()

    def work() -> Diarization:
        found = engine.diarize(samples, count=SpeakerCount(), tick=ticks)
        ticks("the end", 1.0)
        return found

    found, cost = metered(work, device=engine.device)
    silences = longest_silences(ticks.calls)
    show(found, silences)
    begins = {call.stage: call.fraction for call in reversed(ticks.calls)}
    early = {one.stage: min(one.fraction, FIRST_HALF) for one in silences if begins[one.stage] <= FIRST_HALF}
    cancels = {stage: cancel_s(engine, samples, stage=stage, fraction=at) for stage, at in early.items()}
    audio_s = len(samples) / SAMPLE_RATE
    return {
        "audio_h": round(audio_s / 3600, 3),
        "seconds": round(cost.seconds, 1),
        "times_real_time": round(audio_s / cost.seconds, 1),
        "cpu_s": round(cost.cpu_s, 1),
        "peak_mb": megabytes(cost.peak_bytes + samples.nbytes),
        "audio_mb": megabytes(samples.nbytes),
        "peak_gpu_mb": megabytes(cost.gpu_bytes),
        "turns": len(found.turns),
        "speakers": len({turn.speaker for turn in found.turns}),
        "longest_silence_s": round(max(one.seconds for one in silences), 2),
        "silence_s": {one.stage: round(one.seconds, 2) for one in silences},
        "cancel_s": {stage: round(seconds, 2) for stage, seconds in cancels.items()},
    }


def show(found: Diarization, silences: Sequence[Silence]) -> None:
    """Print what is known before the jobs that are cancelled."""
    print(f"{len(found.turns)} turns of {len({turn.speaker for turn in found.turns})} speakers")
    for one in silences:
        print(f"  {one.stage:22} longest time without a tick {one.seconds:6.2f} s, from {one.fraction:.3f} on")
