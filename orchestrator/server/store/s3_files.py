"""Files in a bucket of S3-compatible storage."""

import io
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from common.object_store import ObjectStore
from common.settings import StorageSettings
from orchestrator.server.store.file_names import checked, gone, is_name

READ_BYTES = 1024 * 1024  # one request of the storage for so much


class S3Files:
    """A FileStore in the bucket of `settings`, under `prefix`."""

    def __init__(self, settings: StorageSettings, *, prefix: str = "", incoming: Path | None = None) -> None:
        self._objects = ObjectStore(settings)
        self._prefix = f"{prefix}/" if prefix else ""
        self._incoming = incoming or Path(tempfile.mkdtemp(prefix="parley-"))
        self._incoming.mkdir(parents=True, exist_ok=True, mode=0o700)

    @property
    def incoming(self) -> Path:
        """Return the local folder for uploads on their way."""
        return self._incoming

    def put(self, path: Path, name: str) -> None:
        """Move a whole local file to the storage, where it appears when all of it is there."""
        self._objects.put_file(path, key=self._key(name))
        path.unlink(missing_ok=True)

    def put_bytes(self, content: bytes, name: str) -> None:
        """Store bytes as a file."""
        self._objects.put_bytes(content, key=self._key(name))

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading; only what is read is fetched."""
        reader = _ObjectReader(self._objects, self._key(name), size_bytes=self.size(name))
        return io.BufferedReader(reader, READ_BYTES)

    @contextmanager
    def local_path(self, name: str) -> Iterator[Path]:
        """Fetch the file to a temporary one."""
        with tempfile.NamedTemporaryFile(dir=self._incoming) as file:
            if not self._objects.fetch(self._key(name), Path(file.name)):
                raise gone()
            yield Path(file.name)

    def size(self, name: str) -> int:
        """Return the bytes of a file."""
        size_bytes = self._objects.size(self._key(name))
        if size_bytes is None:
            raise gone()
        return size_bytes

    def delete(self, name: str) -> None:
        """Remove a file; one that is not there is fine."""
        self._objects.delete(self._key(name))

    def names(self, prefix: str, older_than_s: float = 0.0) -> Iterator[str]:
        """Yield the names that begin with `prefix` of files that old at least."""
        before = time.time() - older_than_s
        for key, written_at in self._objects.keys(f"{self._prefix}{prefix}"):
            name = key.removeprefix(self._prefix)
            if is_name(name) and written_at <= before:
                yield name

    def _key(self, name: str) -> str:
        return f"{self._prefix}{checked(name)}"


class _ObjectReader(io.RawIOBase):
    """An object as a file, of which every read is a request for those bytes."""

    def __init__(self, objects: ObjectStore, key: str, *, size_bytes: int) -> None:
        self._objects = objects
        self._key = key
        self._size_bytes = size_bytes
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size_bytes}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override] # BufferedReader gives a memoryview
        wanted = min(len(buffer), self._size_bytes - self._position)
        if wanted <= 0:
            return 0
        content = self._objects.part(self._key, first=self._position, last=self._position + wanted - 1)
        if content is None:
            raise gone()
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)
