"""One transcription under way: who wants it, what it tells of itself, how it ends."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from typing import Any

from common.errors import EndpointUnreachableError, JobCancelledError
from common.progress import OnProgress

logger = logging.getLogger(__name__)


class JobRun:
    """The task behind one or more callers.

    It ends when the last who waits for it gives up, unless a caller was given the job to keep. `leaving` tells the
    work, when it is cancelled, to let a remote job go on, as the one of another client would.
    """

    def __init__(
        self, work: Callable[["JobRun"], Coroutine[Any, Any, dict[str, Any]]], *, content: str | None = None
    ) -> None:
        self.content = content
        self.kept = False
        self.leaving = False
        self.stopping = False
        self._outlives = False
        self._waiting = 0
        self._told: dict[str, Any] | None = None
        self._listeners: list[OnProgress] = []
        self._accepted: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.task = asyncio.create_task(work(self))
        self.task.add_done_callback(self._ended)

    def accept(self, job_id: str, *, outlives: bool = False) -> None:
        """Take note of the job's id: it will be worked on, perhaps by somebody who outlives this client."""
        self._outlives = outlives
        if not self._accepted.done():
            self._accepted.set_result(job_id)

    def tell(self, progress: dict[str, Any]) -> None:
        """Pass progress on to all who listen."""
        self._told = progress
        for listener in tuple(self._listeners):
            try:
                listener(progress)
            except Exception:  # the caller's own code: its faults must not end a job that is paid for
                logger.exception("progress_callback_failed")

    async def accepted(self) -> str:
        """Return the job's id, once it has one."""
        return await asyncio.shield(self._accepted)

    async def result(self, on_progress: OnProgress | None = None) -> dict[str, Any]:
        """Return the result; the work goes on when this is cancelled."""
        with self._heard_by(on_progress):
            await asyncio.wait([self.task])
        if not self.task.cancelled():
            return self.task.result()
        if self.leaving:
            raise EndpointUnreachableError(
                "this client was closed while the job ran; it goes on: another client finds it by its id",
                endpoint="orchestrator",
            )
        raise JobCancelledError("the job was cancelled")

    async def stream(self) -> AsyncGenerator[dict[str, Any], None]:
        """Yield progress from the latest on until the end."""
        news: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self.task.add_done_callback(lambda _: news.put_nowait(None))
        with self._heard_by(news.put_nowait):
            if self._told is not None:
                news.put_nowait(self._told)
            while (progress := await news.get()) is not None:
                yield progress
        await self.result()  # raises what went wrong

    @contextlib.asynccontextmanager
    async def wanted(self) -> AsyncGenerator[None, None]:
        """Want the result while inside; the last to leave stops work that nobody keeps."""
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1
            if not (self._waiting or self.kept or self.task.done()):
                await asyncio.shield(self.cancel())

    async def cancel(self) -> None:
        """Stop the work, on the endpoints as well, and wait until it is stopped."""
        await asyncio.sleep(0)  # a task that has not started yet could not stop what it stands for
        self._stop()
        await asyncio.wait([self.task])

    async def leave(self) -> None:
        """Stop watching a remote job that a caller keeps; stop all other work."""
        self.leaving = self._outlives and self.kept and not self.stopping
        self._stop()
        await asyncio.wait([self.task])

    def _stop(self) -> None:
        if not self.stopping:  # once: a second would break off the cleaning up after the first
            self.stopping = True
            self.task.cancel()

    @contextlib.contextmanager
    def _heard_by(self, listener: OnProgress | None) -> Iterator[None]:
        if listener is None:
            yield
            return
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    def _ended(self, task: "asyncio.Task[dict[str, Any]]") -> None:
        error = JobCancelledError("the job was cancelled") if task.cancelled() else task.exception()
        if not self._accepted.done():
            self._accepted.set_exception(error or JobCancelledError("the job was cancelled"))
            self._accepted.exception()  # retrieved: perhaps nobody asks


class TranscriptionJob:
    """A transcription that was accepted; `id` finds it again, see AsyncParley.job."""

    def __init__(self, job_id: str, run: JobRun) -> None:
        self.id = job_id
        self._run = run

    def done(self) -> bool:
        """Tell whether `result` returns or raises at once."""
        return self._run.task.done()

    async def result(self, *, on_progress: OnProgress | None = None) -> dict[str, Any]:
        """Wait for the result; raises the ParleyError that tells what went wrong.

        The job goes on when this is cancelled; see `cancel`.
        """
        return await self._run.result(on_progress)

    async def cancel(self) -> None:
        """Stop the job wherever it runs; `result` raises JobCancelledError then. An ended job stays as it is."""
        await self._run.cancel()

    def stream(self) -> AsyncGenerator[dict[str, Any], None]:
        """Yield `{"stage", "progress", …}`, the latest first, until the job ends; `result` returns at once then.

        Raises the ParleyError that tells what went wrong.
        """
        return self._run.stream()
