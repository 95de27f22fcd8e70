"""The workers' log files: a folder for each run, and a worker's own words read back from its file."""

import os
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

from common.errors import ConfigurationError

RUN_FOLDER = re.compile(r"run-\d{8}T\d{6}\.\d{6}-\d+")
RUNS_KEPT = 5
FATAL = "PARLEY-FATAL "
TAIL_BYTES = 64 * 1024


def new_run_folder(parent: Path) -> Path:
    """Make the log folder of a new run in `parent` and remove old runs; returns it.

    Kept are the newest five and those of processes that still run. Raises ConfigurationError when `parent` cannot be
    written.
    """
    folder = parent / f"run-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{os.getpid()}"
    try:
        folder.mkdir(parents=True)
        runs = sorted(path for path in parent.iterdir() if RUN_FOLDER.fullmatch(path.name))
    except OSError as error:
        raise ConfigurationError(
            f"the workers' logs cannot be written ({error.strerror}); set PARLEY_LOGS to a folder that can be written"
        ) from None
    for old in runs[:-RUNS_KEPT]:
        if not _is_running(int(old.name.rpartition("-")[2])):
            shutil.rmtree(old, ignore_errors=True)
    return folder


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:  # another user's
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


def last_words(path: Path, *, since_bytes: int) -> str:
    """Return why a worker ended: its `PARLEY-FATAL` message, else the last line it wrote after `since_bytes`."""
    with path.open("rb") as log:
        size = log.seek(0, 2)
        log.seek(max(since_bytes, size - TAIL_BYTES))
        lines = log.read().decode(errors="replace").splitlines()
    fatal = [line.partition(FATAL)[2] for line in lines if FATAL in line]
    # an indented line is the inside of a traceback
    plain = [line for line in lines if line.strip() and not line.startswith((" ", "\t"))]
    return (fatal or plain or ["it wrote nothing"])[-1].strip()
