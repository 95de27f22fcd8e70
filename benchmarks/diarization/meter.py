"""What a run costs: seconds, seconds of the processor, and memory above what there was before."""

import ctypes
import gc
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from benchmarks.endurance import PeakMemory, resident_bytes

MEGABYTE = 10**6

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Wall and processor time (s), and the most memory above what there was before; `gpu_bytes` 0 without a GPU."""

    seconds: float
    cpu_s: float
    peak_bytes: int
    gpu_bytes: int = 0


def metered(work: Callable[[], Result], *, device: str) -> tuple[Result, Cost]:
    """Return what `work` returns and what it costs, all that it starts on a GPU included."""
    release_memory()
    gpu_before, resident_before = _gpu_bytes_now(device), resident_bytes()
    with PeakMemory() as memory:
        started, cpu_started = time.perf_counter(), time.process_time()
        result = work()
        synchronise(device)
        seconds, cpu_s = time.perf_counter() - started, time.process_time() - cpu_started
        after = resident_bytes()
    cost = Cost(
        seconds=seconds,
        cpu_s=cpu_s,
        peak_bytes=max(memory.peak_bytes, after, resident_before) - resident_before,
        gpu_bytes=_gpu_peak_bytes(device) - gpu_before,
    )
    return result, cost


def release_memory() -> None:
    """Give memory that is free inside this process back, so that the next run cannot hide in it."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's; others keep less
    if trim is not None:
        trim(0)


def synchronise(device: str) -> None:
    """Wait for a GPU, which works on after the call that started it has returned."""
    if device == "cuda":
        import torch  # noqa: PLC0415 - loaded long ago, with the engines

        torch.cuda.synchronize()


def _gpu_bytes_now(device: str) -> int:
    if device != "cuda":
        return 0
    import torch  # noqa: PLC0415

    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    return int(torch.cuda.memory_allocated())


def _gpu_peak_bytes(device: str) -> int:
    if device != "cuda":
        return 0
    import torch  # noqa: PLC0415

    return int(torch.cuda.max_memory_allocated())


def device_name(device: str) -> str:
    """Return the device as a table names it."""
    if device != "cuda":
        return device
    import torch  # noqa: PLC0415

    return f"cuda: {torch.cuda.get_device_name()}"


def megabytes(size_bytes: float) -> int:
    """Return a size in MB, rounded up."""
    return math.ceil(size_bytes / MEGABYTE)
