"""`python -m benchmarks.orchestrator`: exactly one end for every orchestration, whatever fails, and what it costs.

1,000 orchestrations while everything fails at random, 50 at a time; then thousands without faults, for the speed.
QUICK=1 takes less than 50 s; SEED=number gives other faults. The last line of the output is JSON.
"""

import argparse
import asyncio
import gc
import json
import os
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from benchmarks.orchestrator import faulty, speed
from benchmarks.orchestrator.faults import ALL, KINDS
from benchmarks.orchestrator.judging import LOST, Executions, Run, table
from benchmarks.orchestrator.speed import Speed

RUNS, QUICK_RUNS = 1000, 200
SPEED_RUNS, QUICK_SPEED_RUNS = 3000, 600
TOGETHER = 0.4  # the share of runs in which faults of all kinds strike


@dataclass(frozen=True, slots=True, kw_only=True)
class Faulty:
    """The runs by kind of fault, what was executed, and what was left behind, in words."""

    runs: Mapping[str, Sequence[Run]]
    doubled: int
    left: Sequence[str]


def shares(runs: int) -> dict[str, int]:
    """Return how many of the runs each kind of fault gets."""
    each = round(runs * (1 - TOGETHER) / len(KINDS))
    return {**dict.fromkeys(KINDS, each), ALL: runs - each * len(KINDS)}


def document(faults: Faulty, fast: Speed) -> dict[str, Any]:
    """Return what the JSON line says."""
    runs = list(chain.from_iterable(faults.runs.values()))
    return {
        "runs": len(runs),
        "per_s": round(fast.per_s, 1),
        "overhead_p95_ms": round(fast.overhead_p95_ms, 1),
        "lost": sum(run.outcome == LOST for run in runs),
        "doubled": faults.doubled,
        "hung": sum(run.late for run in runs),
        "leaked": len(faults.left) + sum(run.left for run in runs),
    }


def struck(*, runs: int, seed: int) -> Faulty:
    """Run under all kinds of faults, one kind after the other, and look at what is left then."""
    ended: dict[str, list[Run]] = {}
    executions: list[Executions] = []
    tasks: list[str] = []

    async def all_kinds() -> None:
        for kind, count in shares(runs).items():
            ended[kind], executed = await faulty.under(kind, runs=count, seed=seed)
            executions.append(executed)
        await asyncio.sleep(0.1)
        tasks.extend(str(task.get_coro()) for task in asyncio.all_tasks() - {asyncio.current_task()})

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", ResourceWarning)
        before, tempfile.tempdir = tempfile.tempdir, folder
        asyncio.run(all_kinds())
        gc.collect()
        tempfile.tempdir = before
        files = [path.name for path in Path(folder).iterdir()]
    left = [*tasks, *(str(one.message) for one in told), *files]
    return Faulty(runs=ended, doubled=sum(executed.doubled() for executed in executions), left=left)


def _tell(faults: Faulty, fast: Speed, took_s: float) -> None:
    runs = list(chain.from_iterable(faults.runs.values()))
    longest = max(run.took_s / run.deadline_s for run in runs)
    print(*table(faults.runs), sep="\n")
    print(f"{len(runs)} runs in {took_s:.0f} s; the slowest ended after {longest:.0%} of its time")
    for what, count in Counter(faults.left).items():
        print(f"left: {count} x {what}")
    print(
        f"without faults: {fast.per_s:.0f}/s of {fast.runs}, {speed.AT_A_TIME} at a time, "
        f"{fast.overhead_p50_ms:.1f} ms (p95 {fast.overhead_p95_ms:.1f} ms) above the slower child, "
        f"{fast.cpu_ms:.1f} ms of CPU each",
        flush=True,
    )


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """Print the table, then one line of JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.orchestrator", description=__doc__)
    parser.add_argument("--serve", type=int, metavar="SEED", help=argparse.SUPPRESS)
    parser.add_argument(
        "--only", choices=("faults", "speed"), help="only this part; the other's figures are those of few"
    )
    asked, quick = parser.parse_args(arguments), bool(environment.get("QUICK", "").strip("0"))
    seed = int(environment.get("SEED") or 1)
    if asked.serve is not None:
        asyncio.run(speed.serve(asked.serve))
        return
    runs, fast_runs = (QUICK_RUNS, QUICK_SPEED_RUNS) if quick else (RUNS, SPEED_RUNS)
    fast = asyncio.run(speed.measured(runs=speed.AT_A_TIME if asked.only == "faults" else fast_runs, seed=seed))
    started_s = time.monotonic()
    faults = struck(runs=speed.AT_A_TIME if asked.only == "speed" else runs, seed=seed)
    _tell(faults, fast, time.monotonic() - started_s)
    print(json.dumps(document(faults, fast), allow_nan=False))


if __name__ == "__main__":
    main(sys.argv[1:], os.environ)
