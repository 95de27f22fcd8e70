"""Progress out of a job (often from its inference thread), and the stop signal into it."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, Self

from common.errors import JobCancelledError
from common.logs import log_event

MIN_INTERVAL_S = 0.5
FLUSH_TIMEOUT_S = 5.0

logger = logging.getLogger(__name__)

OnProgress = Callable[[dict[str, Any]], None]  # told of a job's progress: `stage`, `progress` from 0 to 1, …


class Tick(Protocol):
    """Called by engines as often as they can."""

    def __call__(self, stage: str, fraction: float) -> None:
        """Report that `fraction` (0–1) of `stage` is done; raises JobCancelledError once the job was stopped."""
        ...


def part_of(tick: Tick, start: float, end: float) -> Tick:
    """Return a tick for a part of the work: its fractions 0–1 are `start` to `end` of `tick`'s."""

    def part_tick(stage: str, fraction: float) -> None:
        tick(stage, start + fraction * (end - start))

    return part_tick


class Progress:
    """The latest progress of one job, posted in order and never after the result.

    The SDK's own `progress_update` posts from unordered threads to the URL that also takes the result, so that
    a late update can overwrite it; here one task posts the newest value and is waited for before the answer.
    """

    def __init__(self, post: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        self._post = post
        self._latest: dict[str, Any] | None = None
        self._stopped = threading.Event()
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def tick(self, stage: str, fraction: float) -> None:
        """Take note of the progress; called from any thread."""
        if self._stopped.is_set():
            raise JobCancelledError("the job was cancelled")
        self.note({"stage": stage, "progress": round(min(max(fraction, 0.0), 1.0), 3)})

    def note(self, progress: dict[str, Any]) -> None:
        """Take note of `progress` as it is to be posted."""
        self._latest = progress

    def stop(self) -> None:
        """Make the next `tick` raise JobCancelledError."""
        self._stopped.set()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._post_changes())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing.set()
        if self._task is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._task, FLUSH_TIMEOUT_S)

    async def _post_changes(self) -> None:
        posted: dict[str, Any] | None = None
        while not self._closing.is_set():
            if self._latest is not None and self._latest != posted:
                posted = self._latest
                await self._try_post(posted)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), MIN_INTERVAL_S)

    async def _try_post(self, progress: dict[str, Any]) -> None:
        try:
            await self._post(progress)
        except Exception as error:  # noqa: BLE001 - the platform's boundary: progress lost is no reason to lose the job
            log_event(logger, "progress_not_posted", error=type(error).__name__)
