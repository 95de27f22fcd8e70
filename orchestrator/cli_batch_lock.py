"""One batch at a time into a folder: two would not know of each other's results."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from common.errors import InvalidInputError
from orchestrator.upload import shown_path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment] # told where it is used

LOCK_NAME = ".parley-batch.lock"
UNLOCKED = "this system cannot lock the output folder: run no other batch into it meanwhile\n"


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which ends with the process at the latest.

    Raises InvalidInputError while another batch holds it, and OSError. Systems and file systems without such locks get
    a warning. The lock's file stays: were it deleted, two batches could lock one each.
    """
    with (folder / LOCK_NAME).open("a") as file:
        if fcntl is None:
            sys.stderr.write(UNLOCKED)
        else:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InvalidInputError(
                    f"another batch is running into {shown_path(folder)}; wait for its end, or give another folder",
                    param="output-dir",
                ) from None
            except OSError:  # some network file systems
                sys.stderr.write(UNLOCKED)
        yield
