"""A recording on its way in: hashed and written in a thread, in pieces of a megabyte, gone unless it is kept."""

import asyncio
import hashlib
import os
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from common.audio.limits import AudioLimits
from common.errors import EmptyAudioError, StorageError
from orchestrator.server.store.files import FileStore

PIECE_BYTES = 1024 * 1024
FRESH_S = 60.0  # the janitor takes a file for left over that nothing was written to for an hour
FULL = "the server cannot keep the recording: its disk is full or fails"


class IncomingFile:
    """What has arrived of one recording; use as `incoming_file`."""

    def __init__(self, path: Path, file: BinaryIO, limits: AudioLimits) -> None:
        self._path = path
        self._file = file
        self._limits = limits
        self._digest = hashlib.sha256()
        self._waiting = bytearray()
        self._written_at = time.monotonic()
        self.size_bytes = 0

    @property
    def sha256(self) -> str:
        """The digest of what was written, in hexadecimal digits."""
        return self._digest.hexdigest()

    async def add(self, data: bytes) -> None:
        """Take what comes next; raises InputTooLargeError above the limit, StorageError where it cannot be kept."""
        self.size_bytes += len(data)
        self._limits.check_bytes(self.size_bytes)
        self._waiting += data
        if len(self._waiting) >= PIECE_BYTES or time.monotonic() - self._written_at >= FRESH_S:
            await self._flush()

    async def store(self, files: FileStore, name: str) -> None:
        """Put the whole recording into the storage as `name`; raises EmptyAudioError for one without a byte."""
        if not self.size_bytes:
            raise EmptyAudioError("the audio file is empty (0 bytes)", param="file")
        await self._flush()
        await asyncio.to_thread(self._file.close)
        await asyncio.to_thread(files.put, self._path, name)

    async def _flush(self) -> None:
        piece, self._waiting = self._waiting, bytearray()
        try:
            await asyncio.to_thread(self._write, piece)
        except OSError:
            raise StorageError(FULL) from None
        self._written_at = time.monotonic()

    def _write(self, piece: bytearray) -> None:
        self._digest.update(piece)
        self._file.write(piece)
        self._file.flush()


@asynccontextmanager
async def incoming_file(folder: Path, limits: AudioLimits) -> AsyncIterator[IncomingFile]:
    """Yield a new file in `folder`, removed in the end unless it was stored; raises StorageError."""
    try:
        path, file = await asyncio.to_thread(_opened, folder)
    except OSError:
        raise StorageError(FULL) from None
    try:
        yield IncomingFile(path, file, limits)
    finally:
        # not awaited: what is cancelled still cleans up
        with suppress(OSError):  # on a full disk: it tries once more to write what is left
            file.close()
        with suppress(OSError):
            path.unlink()


def _opened(folder: Path) -> tuple[Path, BinaryIO]:
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=folder, prefix="upload-")
    return Path(name), os.fdopen(handle, "wb")
