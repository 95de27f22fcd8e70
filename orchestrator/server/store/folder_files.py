"""Files in a folder of this machine, or in one that all servers have mounted."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from common.errors import ConfigurationError, StorageError
from orchestrator.server.store.file_names import checked, gone, is_name

PRIVATE, PRIVATE_FILE = 0o700, 0o600  # recordings are for nobody else on the machine


class FolderFiles:
    """A FileStore in `folder`, which is made if need be."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._incoming = folder / "incoming"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=PRIVATE)
            self._incoming.mkdir(exist_ok=True, mode=PRIVATE)
        except OSError as error:
            raise ConfigurationError(
                f"the folder of STORAGE_URL cannot be made: {error.strerror}", param="STORAGE_URL"
            ) from None

    @property
    def incoming(self) -> Path:
        """Return the folder for uploads on their way."""
        return self._incoming

    def put(self, path: Path, name: str) -> None:
        """Move a whole local file to the storage; once this returns, a power failure does not lose it."""
        target = self._path(name)
        with _as_parley_errors():
            target.parent.mkdir(exist_ok=True, mode=PRIVATE)
            if _on_one_disk(path, target.parent):
                _move(path, target)
                return
            with path.open("rb") as source, self._new() as copy:
                shutil.copyfileobj(source, copy)
                copy.flush()
                _move(Path(copy.name), target)
            path.unlink()

    def put_bytes(self, content: bytes, name: str) -> None:
        """Store bytes as a file."""
        target = self._path(name)
        with _as_parley_errors(), self._new() as file:
            target.parent.mkdir(exist_ok=True, mode=PRIVATE)
            file.write(content)
            file.flush()
            _move(Path(file.name), target)

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading."""
        with _as_parley_errors():
            return self._path(name).open("rb")

    @contextmanager
    def local_path(self, name: str) -> Iterator[Path]:
        """Give the file itself; not to be changed."""
        path = self._path(name)
        if not path.is_file():
            raise gone()
        yield path

    def size(self, name: str) -> int:
        """Return the bytes of a file."""
        with _as_parley_errors():
            return self._path(name).stat().st_size

    def delete(self, name: str) -> None:
        """Remove a file; one that is not there is fine."""
        with _as_parley_errors():
            self._path(name).unlink(missing_ok=True)

    def names(self, prefix: str, older_than_s: float = 0.0) -> Iterator[str]:
        """Yield the names that begin with `prefix`, a kind and a slash as `audio/`, of files that old at least."""
        kind, _, _ = prefix.partition("/")
        before = time.time() - older_than_s
        with suppress(FileNotFoundError), os.scandir(self._folder / kind) as entries:
            for entry in entries:
                name = f"{kind}/{entry.name}"
                with suppress(FileNotFoundError):
                    if name.startswith(prefix) and is_name(name) and entry.stat().st_mtime <= before:
                        yield name

    def _path(self, name: str) -> Path:
        return self._folder / checked(name)

    @contextmanager
    def _new(self) -> Iterator["tempfile._TemporaryFileWrapper[bytes]"]:
        """Give a new file on the storage's disk, which is removed in the end unless it was moved."""
        with tempfile.NamedTemporaryFile(dir=self._incoming, delete=False) as file:
            try:
                yield file
            finally:
                Path(file.name).unlink(missing_ok=True)


@contextmanager
def _as_parley_errors() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise gone() from None
    except OSError as error:
        raise StorageError(f"the folder of recordings and results cannot be used: {error.strerror}") from None


def _on_one_disk(path: Path, folder: Path) -> bool:
    return path.stat().st_dev == folder.stat().st_dev


def _move(path: Path, target: Path) -> None:
    """Let `target` be that file from one moment to the next, with all of its content on the disk."""
    path.chmod(PRIVATE_FILE)
    _sync(path)
    path.replace(target)
    _sync(target.parent)


def _sync(path: Path) -> None:
    """Wait until a file, or which files a folder has, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
