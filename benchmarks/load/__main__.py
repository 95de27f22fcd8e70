"""Loads a Parakeet of full size NeMo's way and Parley's, in turn, and prints one JSON line with the ratios at the end.

`QUICK=1` takes a model of 4 instead of 24 encoder layers and loads it once each way. The model is made in a temporary
folder, or kept in the folder that `CACHE` names.
"""

import json
import multiprocessing
import os
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from multiprocessing.context import BaseContext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from benchmarks.load.checkpoint import LAYERS, QUICK_LAYERS, make_checkpoint
from benchmarks.load.measure import MAPPED, PLAIN, Load, has_cuda, measure

REPEATS = 3
FIGURES = (
    *("total_s", "load_s", "first_inference_s", "second_inference_s"),
    *("peak_bytes", "private_bytes", "written_bytes"),
)

ResultT = TypeVar("ResultT")


def main(environment: Mapping[str, str]) -> None:
    """Make the model, measure, print."""
    quick = environment.get("QUICK") == "1"
    layers, repeats = (QUICK_LAYERS, 1) if quick else (LAYERS, REPEATS)
    context = _context(quick=quick)
    with ExitStack() as stack:
        folder = Path(environment.get("CACHE") or stack.enter_context(TemporaryDirectory()))
        checkpoint = folder / f"parakeet-{layers}-layers.nemo"
        if not checkpoint.is_file():
            _alone(context, partial(make_checkpoint, checkpoint, layers=layers))
        loads = _loads(context, checkpoint, "cpu", repeats=repeats)
        summary = {"full_size": not quick, "encoder_layers": layers, "repeats": repeats, **_summary(loads)}
        if _alone(context, has_cuda):
            on_cuda = _loads(multiprocessing.get_context("spawn"), checkpoint, "cuda", repeats=repeats)
            summary["cuda"] = _summary(on_cuda)
    print(json.dumps(summary))


def _context(*, quick: bool) -> BaseContext:
    """Return how processes are started: anew, or to save time as forks of one that has done nothing but the imports."""
    if not quick:
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["nemo.collections.asr.models"])
    return context


def _alone(context: BaseContext, function: Callable[[], ResultT]) -> ResultT:
    """Return what a function returns in a process of its own."""
    with context.Pool(1) as pool:
        return pool.apply(function)


def _loads(context: BaseContext, checkpoint: Path, device: str, *, repeats: int) -> dict[str, list[Load]]:
    """Return the loads of both ways, measured in turn, each in a process of its own."""
    loads: dict[str, list[Load]] = {PLAIN: [], MAPPED: []}
    for _ in range(repeats):
        for way, found in loads.items():
            found.append(_alone(context, partial(measure, checkpoint, way, device)))
            print(f"{device} {way:6} {json.dumps(asdict(found[-1]))}", file=sys.stderr, flush=True)
    return loads


def _summary(loads: Mapping[str, Sequence[Load]]) -> dict[str, object]:
    """Return the ratios of the medians, Parley's way over NeMo's, and the medians."""
    medians = {way: {name: _median(found, name) for name in FIGURES} for way, found in loads.items()}
    return {
        "time_ratio": round(medians[MAPPED]["total_s"] / medians[PLAIN]["total_s"], 3),
        "load_ratio": round(medians[MAPPED]["load_s"] / medians[PLAIN]["load_s"], 3),
        "peak_ratio": round(medians[MAPPED]["peak_bytes"] / medians[PLAIN]["peak_bytes"], 3),
        "private_ratio": round(medians[MAPPED]["private_bytes"] / max(1, medians[PLAIN]["private_bytes"]), 3),
        "identical": len({load.sha256 for found in loads.values() for load in found}) == 1,
        **medians,
    }


def _median(loads: Sequence[Load], name: str) -> float:
    value = statistics.median(getattr(load, name) for load in loads)
    return round(value, 2) if name.endswith("_s") else int(value)


if __name__ == "__main__":
    main(os.environ)
