"""The one place where a job may write files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


@contextmanager
def job_folder(parent: Path | None = None) -> Iterator[Path]:
    """Yield a new folder that only this user can read (mode 0700), removed with its content whatever happens.

    It lies in `parent`, by default in the system's folder for temporary files.
    """
    with TemporaryDirectory(prefix="parley-", dir=parent, ignore_cleanup_errors=True) as name:
        yield Path(name)
