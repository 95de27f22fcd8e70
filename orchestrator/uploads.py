"""Recordings put into storage for the time of one job."""

import asyncio
import logging
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from common.errors import DeadlineExceededError, JobCancelledError, ParleyError
from common.logs import log_event
from common.object_store import ObjectStore, configured_store
from common.settings import StorageSettings

LEEWAY_S = 600.0  # of a URL beyond the deadline: a worker may begin to fetch just before it

logger = logging.getLogger(__name__)


class Uploads:
    """What one job has put into storage; leaving the context, or `close`, deletes it whatever happened.

    `put` blocks and may be called from other threads, also from one that is still at it when the context is left: such
    an upload is ended, and what there is of it deleted. Errors of deleting are only logged.
    """

    def __init__(self, settings: StorageSettings, *, deadline_s: float) -> None:
        self._store = configured_store(settings)
        self._deadline_s = deadline_s
        self._until = time.monotonic() + deadline_s
        self._lock = threading.Lock()
        self._keys: list[str] = []
        self._closed = False

    @property
    def configured(self) -> bool:
        """Whether there is a storage to put anything into."""
        return self._store is not None

    @property
    def keys(self) -> tuple[str, ...]:
        """What is in the storage now."""
        with self._lock:
            return tuple(self._keys)

    def put(self, source: Path | bytes) -> str:
        """Store a file or bytes and return a URL of it that outlives the deadline.

        Raises JobCancelledError after `close`, DeadlineExceededError, and what ObjectStore raises.
        """
        if self._store is None:
            raise ValueError("no storage is configured")
        self._check()
        stored = self._store.put_bytes if isinstance(source, bytes) else self._store.put_file
        started = time.monotonic()
        key = stored(source, on_bytes=self._check)  # type: ignore[arg-type] # the one that takes what `source` is
        self._keep(self._store, key)
        log_event(logger, "audio_uploaded", seconds=round(time.monotonic() - started, 3))
        return self._store.presigned_url(key, expires_s=max(self._until - time.monotonic(), 0.0) + LEEWAY_S)

    def _keep(self, store: ObjectStore, key: str) -> None:
        with self._lock:
            if not self._closed:
                self._keys.append(key)
                return
        _delete(store, key)
        raise JobCancelledError("the job ended while its recording was uploaded")

    def _check(self, _bytes: int = 0) -> None:
        if self._closed:
            raise JobCancelledError("the job ended while its recording was uploaded")
        if time.monotonic() > self._until:
            raise DeadlineExceededError(f"the recording was not uploaded within {self._deadline_s:g} s")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Delete what was put; again, nothing happens. A caller that is cancelled leaves the deleting to a thread."""
        with self._lock:
            self._closed = True
            keys, self._keys = self._keys, []
        if self._store is not None and keys:
            await asyncio.shield(asyncio.to_thread(_delete, self._store, *keys))


def _delete(store: ObjectStore, *keys: str) -> None:
    for key in keys:
        try:
            store.delete(key)
        except ParleyError as error:
            log_event(logger, "upload_not_deleted", code=error.code)
