"""The machine and a process from outside while something goes on: load average, run queue, memory."""

import contextlib
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from types import TracebackType
from typing import Self

import psutil

SAMPLE_S = 0.25
STATISTICS = Path("/proc/stat")


@dataclass(slots=True)
class LoadWatch:
    """Samples while the context lasts: the load average of one minute, and how many threads want a core just then.

    `wanting` counts all of the machine, `own` those of the process `pid` and of what it has started; Linux only.
    """

    pid: int
    averages: list[float] = field(default_factory=list)
    wanting: list[int] = field(default_factory=list)
    own: list[int] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    @property
    def highest(self) -> float:
        """The highest load average from a minute on, else the last one: earlier ones are of what was before, too."""
        return max(self.averages[round(60 / SAMPLE_S) :] or self.averages[-1:], default=0.0)

    @property
    def mean_wanting(self) -> float | None:
        """How many threads wanted a core on average, None where the system does not tell."""
        return fmean(self.wanting) if self.wanting else None

    @property
    def mean_own(self) -> float | None:
        """The same of the process and what it has started."""
        return fmean(self.own) if self.own else None

    def _watch(self) -> None:
        process = psutil.Process(self.pid)
        while not self._ended.wait(SAMPLE_S):
            self.averages.append(os.getloadavg()[0])
            if STATISTICS.exists():
                self.wanting.append(running_threads(STATISTICS.read_text()) - 1)  # without this one
                self.own.append(sum(map(running_threads_of, [process, *process.children(recursive=True)])))


def running_threads(statistics: str) -> int:
    """Return how many threads run or could run, by Linux's /proc/stat."""
    return int(next(line.split()[1] for line in statistics.splitlines() if line.startswith("procs_running ")))


def running_threads_of(process: psutil.Process) -> int:
    """Return how many threads of a process run or could run; 0 of one that has ended."""
    running = 0
    for path in Path(f"/proc/{process.pid}/task").glob("*/stat"):
        with contextlib.suppress(OSError):
            running += path.read_text().rpartition(") ")[2].startswith("R")
    return running


@dataclass(slots=True)
class Growth:
    """The most resident memory of a process since this was made, above what it had then; bytes.

    By the kernel's own high-water mark where that can be set back, as for one's own processes on Linux; else sampled.
    """

    pid: int
    before_bytes: int = 0
    _exact: bool = True
    _samples: list[int] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        try:
            Path(f"/proc/{self.pid}/clear_refs").write_text("5")
        except OSError:
            self._exact = False
        self.before_bytes = resident_bytes(self.pid)
        threading.Thread(target=self._watch, daemon=True).start()

    def peak_bytes(self) -> int:
        """Return the growth until now, and stop looking."""
        self._ended.set()
        seen = [self.before_bytes, *self._samples, resident_bytes(self.pid)]
        if self._exact:
            seen.append(high_water_bytes(Path(f"/proc/{self.pid}/status").read_text()))
        return max(seen) - self.before_bytes

    def _watch(self) -> None:
        while not self._ended.wait(0.05):
            self._samples.append(resident_bytes(self.pid))


def resident_bytes(pid: int) -> int:
    """Return a process' resident memory."""
    return int(psutil.Process(pid).memory_info().rss)


def high_water_bytes(status: str) -> int:
    """Return the most resident memory by Linux's /proc/PID/status."""
    return 1024 * int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")))


def settled(pid: int, *, seconds: float = 1.0) -> None:
    """Wait until a process takes hardly any processor time, at most ten times as long."""
    for _ in range(10):
        before = _cpu_s(pid)
        time.sleep(seconds)
        if _cpu_s(pid) - before < 0.05 * seconds:
            return


def _cpu_s(pid: int) -> float:
    times: Sequence[float] = psutil.Process(pid).cpu_times()
    return times[0] + times[1]
