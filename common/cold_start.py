"""How long a worker process took until it could take its first job."""

import os
import time
from pathlib import Path

IMPORTED_AT = time.monotonic()


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
