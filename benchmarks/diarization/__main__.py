"""`python -m benchmarks.diarization`: Parley's run of a diarization pipeline against pyannote's, speed and errors.

DATA=<folder> adds recordings with the truth of who speaks when (`A_diar`, `C_spk/built`) and composes more from
`B_asr`; without it there is pyannote.audio's sample. DIARIZATION_MODEL takes another pipeline than the bundled one.
QUICK=1 takes less than 50 s. CACHE=<folder> keeps the turns of `--trial` (~/.cache/parley/bench). With --hops,
--hours or --repeat only those are measured. The last line of the output is JSON.
"""

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.diarization import arms, report
from benchmarks.diarization.endurance import endure
from benchmarks.diarization.measure import Row, measured, warm_up
from benchmarks.diarization.meter import device_name
from benchmarks.diarization.recordings import Recording, joined, one_of_each_kind, recordings, spoken
from benchmarks.diarization.repeats import repeat
from handlers.device import let_others_compute

DEFAULT_CACHE = "~/.cache/parley/bench"
QUICK_LIMIT_S = 28.0  # after this no further recording is begun
QUICK_HOURS, QUICK_REPEATS = 0.05, 3
HOPS_S = "0.5,1,2,2.5,5"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line and the environment ask for."""

    arguments: argparse.Namespace
    environment: Mapping[str, str]
    data: Path | None
    cache: Path
    quick: bool
    until: float

    @property
    def parts_only(self) -> bool:
        """Whether the comparison is left out."""
        return any((self.arguments.hops, self.arguments.hours, self.arguments.repeat))


def asked_for(arguments: Sequence[str], environment: Mapping[str, str], *, started: float) -> Options:
    """Return the options, an empty variable as if it were not set; `started` on the monotonic clock."""
    asked = _parser().parse_args(arguments)
    data, quick = environment.get("DATA"), bool(environment.get("QUICK", "").strip("0"))
    return Options(
        arguments=asked,
        environment={**environment, **({"DIARIZATION_DEVICE": asked.device} if asked.device else {})},
        data=Path(data) if data else None,
        cache=Path(environment.get("CACHE") or DEFAULT_CACHE).expanduser(),
        quick=quick,
        until=started + QUICK_LIMIT_S if quick else math.inf,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.diarization", description=__doc__)
    parser.add_argument("--device", help="auto, cuda, mps or cpu; by default what the settings say")
    parser.add_argument("--trial", action="store_true", help="a third arm: the bundled models' first parameters")
    parser.add_argument(
        "--joined", type=float, metavar="HOURS", help="compare on all recordings joined to one of this length"
    )
    parser.add_argument(
        "--hops", nargs="?", const=HOPS_S, type=_hops, metavar="SECONDS,…", help="errors and speed by hop"
    )
    parser.add_argument("--hours", nargs="?", const=3.0, type=float, help="one long job: memory, ticks, cancelling")
    parser.add_argument("--repeat", nargs="?", const=10, type=int, metavar="RUNS", help="is every answer the same?")
    return parser


def _hops(text: str) -> list[float]:
    return [float(hop) for hop in text.split(",")]


def compare(options: Options, audio: list[Recording]) -> str:
    """Print a row per recording and the summary; returns the line of JSON."""
    engines = {arms.STOCK: arms.stock_engine(options.environment), arms.FAST: arms.fast_engine(options.environment)}
    contestants = {name: arms.arm(engine) for name, engine in engines.items()}
    if options.arguments.trial:
        contestants[arms.TRIAL] = arms.trial_arm(options.environment, cache=options.cache)
    warm_up(contestants, audio[0])
    print(report.HEADER)
    rows: list[Row] = []
    for row in measured(audio, contestants, until=options.until):
        print(report.line(row), flush=True)
        rows.append(row)
    found = report.Report(
        rows=rows,
        pool_all=options.data is None,
        device=device_name(engines[arms.FAST].device),
        model=engines[arms.FAST].model,
        notes=[*(() if options.data else (f"no DATA: pyannote.audio's sample, {len(rows)} of {len(audio)} ways",))],
    )
    print(found.summary())
    return found.json_line()


def by_hop(options: Options, audio: list[Recording]) -> dict[str, Any]:
    """Print errors and speed of Parley's run by the hop of its segmentation."""
    hops = options.arguments.hops
    contestants = {f"{hop:g}": arms.arm(arms.fast_engine(options.environment, hop_s=hop)) for hop in hops}
    warm_up(contestants, audio[0])
    rows = list(measured(audio, contestants, until=options.until))
    print("\n".join(report.hop_lines(rows)))
    return report.hop_figures(rows)


def parts(options: Options, audio: list[Recording]) -> str:
    """Measure what is asked for instead of the comparison; returns the line of JSON."""
    engine = arms.fast_engine(options.environment)
    arms.turns_of(engine, audio[0].first(12.0).samples)
    found: dict[str, Any] = {"device": device_name(engine.device), "model": engine.model}
    if options.arguments.hops:
        found["hops"] = by_hop(options, audio)
    if options.arguments.repeat:
        times = min(options.arguments.repeat, QUICK_REPEATS) if options.quick else options.arguments.repeat
        found["repeat"] = repeat(engine, one_of_each_kind(audio), times=times)
    if options.arguments.hours:
        hours = min(options.arguments.hours, QUICK_HOURS) if options.quick else options.arguments.hours
        found["endurance"] = endure(engine, spoken(audio, hours=hours))
    return json.dumps(found, allow_nan=False)


def main() -> None:
    """Print the tables, then one line of JSON."""
    started = time.monotonic()
    let_others_compute()
    options = asked_for(sys.argv[1:], os.environ, started=started)
    audio = recordings(options.data, quick=options.quick)
    if options.arguments.joined:
        audio = [joined(audio, hours=options.arguments.joined)]
    print(parts(options, audio) if options.parts_only else compare(options, audio))


if __name__ == "__main__":
    main()
