"""The start of a worker process: how long it took until the first job, what of, and how it is kept short."""

import gc
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

IMPORTED_AT = time.monotonic()

_stages_s: dict[str, float] = {}


class ColdStart:
    """The start of this process, told once: it belongs to the job that waited for it."""

    def __init__(self) -> None:
        self._untold_s = 0.0

    def ready(self) -> float:
        """Take note that the process is about to take its first job; returns the seconds it took until now."""
        self._untold_s = process_age_s()
        return self._untold_s

    def take_s(self) -> float:
        """Return its seconds to the first who asks, 0 to all others and to all before `ready`."""
        untold_s, self._untold_s = self._untold_s, 0.0
        return round(untold_s, 4)


def begin() -> None:
    """Take note that the process has its own modules, and let SIGTERM end it at once until its loop has a better way.

    Without a handler of its own the first process of a container, which a worker is, does not hear of SIGTERM at all.
    """
    stage_passed("imports")
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # a library at work might catch an exception


def stage_passed(stage: str) -> None:
    """Take note of the end of a stage of the start: the time since the one before was its."""
    _stages_s[stage] = _stages_s.get(stage, 0.0) + process_age_s() - sum(_stages_s.values())


def stages() -> dict[str, float]:
    """Return the seconds of each stage of the start until now, as fields of a log line."""
    return {f"{stage}_s": round(max(0.0, seconds), 2) for stage, seconds in _stages_s.items()}


@contextmanager
def growing() -> Iterator[None]:
    """Look for no garbage inside the block, in which the process gets what it keeps: libraries and a model.

    Each look goes through all there is, again and again while thousands of modules come in, and finds next to nothing.
    What there is at the end is kept for good, so that no later look is as long.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def process_age_s(stat: Path = Path("/proc/self/stat")) -> float:
    """Return the seconds since this process was started; where the system does not tell, since this module's import.

    `starttime`, the 22nd field of proc_pid_stat(5), counts the whole clock ticks from the system's boot to the start:
    the age is taken from the end of that tick, and so never more than it is.
    """
    imported_s = time.monotonic() - IMPORTED_AT
    try:
        ticks = int(stat.read_text().rpartition(")")[2].split()[19])  # the name before ")" may have spaces
        started_s = (ticks + 1) / os.sysconf("SC_CLK_TCK")
        age_s = time.clock_gettime(time.CLOCK_BOOTTIME) - started_s
    except (OSError, ValueError, IndexError, AttributeError):  # AttributeError: no such clock outside Linux
        return imported_s
    return age_s if ticks > 0 and age_s >= imported_s else imported_s
