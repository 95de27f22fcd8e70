"""Requests with one idempotency key are one run: those at the same time share it, later ones get its result."""

import asyncio
import contextlib
import hashlib
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from common.errors import IdempotencyConflictError
from common.progress import OnProgress

Start = Callable[[OnProgress], Awaitable[dict[str, Any]]]

KEPT_S = 600.0
KEPT_RUNS = 32  # results may have megabytes


@dataclass(eq=False, slots=True)
class _Run:
    content: str
    task: "asyncio.Future[dict[str, Any]]"
    listeners: list[OnProgress] = field(default_factory=list)
    waiting: int = 0
    ended_at: float | None = None


class SharedRuns:
    """The runs of one process by key; a result is kept for `kept_s` seconds, a failure frees its key at once."""

    def __init__(self, *, kept_s: float = KEPT_S, kept_runs: int = KEPT_RUNS) -> None:
        self._kept_s = kept_s
        self._kept_runs = kept_runs
        self._runs: dict[str, _Run] = {}

    async def run(
        self, key: str, content: object, start: Start, *, on_progress: OnProgress, keep: bool = True
    ) -> dict[str, Any]:
        """Return what `start(on_progress)` returns, which is called once for all requests with `key`.

        `content` is the request as JSON values. Without `keep` only requests at the same time share a run. A run is
        cancelled when all who wait for it are, and has ended then.
        Raises IdempotencyConflictError when the key belongs to other content.
        """
        digest = await asyncio.to_thread(content_digest, content)
        self._forget_old()
        run = self._runs.get(key)
        if run is None:
            run = self._runs[key] = self._started(key, digest, start, keep=keep)
        elif run.content != digest:
            raise IdempotencyConflictError(
                "this idempotency key belongs to another request; use a new one", param="idempotency_key"
            )
        return await self._waited_for(key, run, on_progress)

    def _started(self, key: str, digest: str, start: Start, *, keep: bool) -> _Run:
        listeners: list[OnProgress] = []

        def tell(progress: dict[str, Any]) -> None:
            for listener in listeners:
                listener(progress)

        run = _Run(content=digest, task=asyncio.ensure_future(start(tell)), listeners=listeners)
        run.task.add_done_callback(lambda _: self._note_end(key, run, keep=keep))
        return run

    async def _waited_for(self, key: str, run: _Run, on_progress: OnProgress) -> dict[str, Any]:
        run.listeners.append(on_progress)
        run.waiting += 1
        try:
            return await asyncio.shield(run.task)
        except asyncio.CancelledError:
            if run.waiting == 1 and not run.task.done():  # nobody else waits for it
                self._runs.pop(key, None)  # who comes now is not to get an end that was meant for others
                run.task.cancel()
                await _ended(run.task)
            raise
        finally:
            run.waiting -= 1
            run.listeners.remove(on_progress)

    def _note_end(self, key: str, run: _Run, *, keep: bool) -> None:
        if self._runs.get(key) is run:
            if run.task.cancelled() or run.task.exception() is not None or not keep:
                del self._runs[key]
            else:
                run.ended_at = time.monotonic()

    def _forget_old(self) -> None:
        oldest = time.monotonic() - self._kept_s
        ended = [key for key, run in self._runs.items() if run.ended_at is not None]
        for key in ended[: max(len(ended) - self._kept_runs, 0)]:
            del self._runs[key]
        for key in ended[-self._kept_runs :]:
            if (self._runs[key].ended_at or 0.0) < oldest:
                del self._runs[key]


async def _ended(task: "asyncio.Future[dict[str, Any]]") -> None:
    """Wait for the end of a task that was cancelled, however often this one is."""
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([task])
    if not task.cancelled():
        task.exception()  # retrieved: nobody asks for it any more


def content_digest(content: object) -> str:
    """Return the SHA-256 of JSON values, however their keys are ordered."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
