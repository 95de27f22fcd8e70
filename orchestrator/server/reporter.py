"""How far a running job is, from what its workers tell: written to the store now and then, in order."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Self

from common.errors import StorageError
from common.logs import log_event
from orchestrator.server.jobs import Step

INTERVAL_S = 0.5
PREPARED, FOUND = 0.03, 0.97  # of the whole: where preprocessing ends, where aligning begins

logger = logging.getLogger(__name__)


class Reporter:
    """Writes the newest step and progress of one job, at most twice a second."""

    def __init__(self, write: Callable[[Step, float], Awaitable[None]]) -> None:
        self._write = write
        self._latest: tuple[Step, float] = ("preprocessing", 0.0)
        self._task: asyncio.Task[None] | None = None

    def note(self, told: Mapping[str, Any]) -> None:
        """Take note of the workers' `progress`, 0 to 1."""
        share = told.get("progress")
        if not isinstance(share, (int, float)):
            return
        if share >= 1:
            self._latest = ("aligning", FOUND)
        else:
            self._latest = ("diarizing/transcribing", PREPARED + (FOUND - PREPARED) * max(float(share), 0.0))

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._write_changes())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _write_changes(self) -> None:
        written: tuple[Step, float] | None = None
        while True:
            if self._latest != written:
                written = self._latest
                try:
                    await self._write(*written)
                except StorageError:
                    log_event(logger, "progress_not_written")
            await asyncio.sleep(INTERVAL_S)
