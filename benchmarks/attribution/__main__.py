"""`python -m benchmarks.attribution`: give words their speakers by several rules and tell how many they get wrong.

The last line of the output is JSON. DATA=<folder> adds recorded conversations and builds others from single utterances;
without it there are pyannote.audio's sample and conversations made up without audio. QUICK=1 takes less than a minute.
CACHE=<folder> keeps the words and turns that the engines found (~/.cache/parley/bench).
"""

import logging
import math
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.attribution import dataset, speed, whisperx_package
from benchmarks.attribution.measure import measured
from benchmarks.attribution.recognition import Heard
from benchmarks.attribution.report import Report
from benchmarks.attribution.rules import rules
from benchmarks.attribution.synthetic import synthetic
from handlers.device import let_others_compute
from orchestrator.demo_score import english_normaliser

PER_SPLIT, QUICK_PER_SPLIT = 4, 2
LONGEST_S, QUICK_LONGEST_S = 180.0, 60.0
RUNS, QUICK_RUNS = 9, 3
DEFAULT_CACHE = "~/.cache/parley/bench"
QUICK_LIMIT_S = 25.0  # after this the engines are not run on any further conversation


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the environment asks for."""

    data: Path | None
    cache: Path
    quick: bool
    until: float

    def conversations(self) -> Iterator[Heard]:
        """Yield all of them."""
        yield from dataset.heard(self.data, cache=self.cache, quick=self.quick, until=self.until)
        yield from synthetic(
            per_split=QUICK_PER_SPLIT if self.quick else PER_SPLIT,
            longest_s=QUICK_LONGEST_S if self.quick else LONGEST_S,
        )

    def notes(self) -> list[str]:
        """Return what is not measured, and why."""
        notes = []
        if self.data is None:
            notes.append("no DATA: only pyannote.audio's sample and synthetic conversations, pooled")
        if not whisperx_package.installed():
            notes.append("the package whisperx is not installed: its rule is our own implementation alone")
        return notes


def asked_for(environment: Mapping[str, str], *, started: float) -> Options:
    """Return what DATA, CACHE and QUICK say, an empty one as if it were not set; `started` on the monotonic clock."""
    data, quick = environment.get("DATA"), bool(environment.get("QUICK", "").strip("0"))
    return Options(
        data=Path(data) if data else None,
        cache=Path(environment.get("CACHE") or DEFAULT_CACHE).expanduser(),
        quick=quick,
        until=started + QUICK_LIMIT_S if quick else math.inf,
    )


def main() -> None:
    """Print the tables, then one line of JSON."""
    started = time.monotonic()
    let_others_compute()
    for name in ("error_rate", "preprocess"):  # meeteval warns of words of one speaker that overlap
        logging.getLogger(name).setLevel(logging.ERROR)
    options = asked_for(os.environ, started=started)
    report = Report(
        rows=measured(options.conversations(), rules(), normalise=english_normaliser()),
        pool_all=options.data is None,
        speed=speed.measure(runs=QUICK_RUNS if options.quick else RUNS),
        notes=options.notes(),
    )
    print(report.table())
    print(report.json_line())


if __name__ == "__main__":
    main()
