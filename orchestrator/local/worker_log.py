"""Reading a worker's own words back from its log file."""

from pathlib import Path

FATAL = "PARLEY-FATAL "
TAIL_BYTES = 64 * 1024


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
