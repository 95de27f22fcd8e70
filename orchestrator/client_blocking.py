"""The client for code that is not async, notebooks included."""

import contextlib
import os
import threading
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

from common.errors import ConfigurationError
from common.progress import OnProgress
from common.settings import Settings, load_settings
from orchestrator.batch import DEFAULT_CONCURRENCY, Outcome
from orchestrator.client_async import AsyncParley, Overrides
from orchestrator.client_job import TranscriptionJob
from orchestrator.client_loop import LoopThread
from orchestrator.endpoints import EndpointHealth
from orchestrator.request_parts import Audio

ItemT = TypeVar("ItemT")


class Parley:
    """AsyncParley for code that is not async; Ctrl-C stops the remote jobs that a call waits for.

    The work is done by a thread of its own, from the first call until `close`, the end of a `with` block, or the end
    of the process; `on_progress` and `on_event` are called there. Several threads may use one client.
    """

    def __init__(self, settings: Settings | None = None, **overrides: Unpack[Overrides]) -> None:
        self._settings = settings or load_settings(os.environ)
        self._overrides = overrides
        self._make()  # raises now what is wrong with the settings
        self._lock = threading.Lock()
        self._open: tuple[AsyncParley, LoopThread] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop what runs, as AsyncParley.close does, and the thread; a later call starts another.

        Calls of other threads that wait raise JobCancelledError.
        """
        with self._lock:
            closed, self._open = self._open, None
        if closed is not None:  # without the lock: what runs may ask for it in a callback
            closed[1].stop()

    def transcribe(self, audio: Audio, *, on_progress: OnProgress | None = None, **options: object) -> dict[str, Any]:
        """Return who said what; see AsyncParley.transcribe."""
        client, loop = self._opened()
        return loop.run(client.transcribe(audio, on_progress=on_progress, **options))

    def rediarize(
        self, result: Mapping[str, Any], audio: Audio, *, on_progress: OnProgress | None = None, **options: object
    ) -> dict[str, Any]:
        """Return an earlier result with its speakers found anew; see AsyncParley.rediarize."""
        client, loop = self._opened()
        return loop.run(client.rediarize(result, audio, on_progress=on_progress, **options))

    def diarize(self, audio: Audio, *, on_progress: OnProgress | None = None, **options: object) -> dict[str, Any]:
        """Return who spoke when; see AsyncParley.diarize."""
        client, loop = self._opened()
        return loop.run(client.diarize(audio, on_progress=on_progress, **options))

    def submit(self, audio: Audio, **options: object) -> "BlockingJob":
        """Return a job once it is accepted; see AsyncParley.submit."""
        client, loop = self._opened()
        return BlockingJob(loop.run(client.submit(audio, **options)), loop)

    def job(self, job_id: str, *, deadline_s: float | None = None) -> "BlockingJob":
        """Return a job that was submitted before; see AsyncParley.job."""
        client, loop = self._opened()

        async def found() -> TranscriptionJob:
            return client.job(job_id, deadline_s=deadline_s)

        return BlockingJob(loop.run(found()), loop)

    def transcribe_many(
        self,
        audios: Iterable[Audio],
        *,
        concurrency: int = DEFAULT_CONCURRENCY,
        on_event: Callable[[Audio, dict[str, Any]], None] | None = None,
        **options: object,
    ) -> Iterator[Outcome[Audio]]:
        """Yield the outcome of each recording as it ends; see AsyncParley.transcribe_many."""
        client, loop = self._opened()
        return _items(client.transcribe_many(audios, concurrency=concurrency, on_event=on_event, **options), loop)

    def health(self) -> dict[str, EndpointHealth]:
        """Return the health of each configured endpoint, by its name."""
        client, loop = self._opened()
        return loop.run(client.health())

    def _make(self) -> AsyncParley:
        return AsyncParley(self._settings, **self._overrides)

    def _opened(self) -> tuple[AsyncParley, LoopThread]:
        """Return the client and the thread it works in; connections of one loop are of no use in another."""
        with self._lock:
            if self._open is None:
                client = self._make()
                self._open = client, LoopThread(client.close)
            return self._open


class BlockingJob:
    """TranscriptionJob for code that is not async; Ctrl-C while waiting for it stops it."""

    def __init__(self, job: TranscriptionJob, loop: LoopThread) -> None:
        self.id = job.id
        self._job = job
        self._loop = loop

    def done(self) -> bool:
        """Tell whether `result` returns or raises at once."""
        return self._job.done()

    def result(self, *, on_progress: OnProgress | None = None) -> dict[str, Any]:
        """Wait for the result; see TranscriptionJob.result."""
        with self._stopped_by_ctrl_c():
            return self._loop.run(self._job.result(on_progress=on_progress))

    def cancel(self) -> None:
        """Stop the job wherever it runs; see TranscriptionJob.cancel."""
        self._loop.run(self._job.cancel())

    def stream(self) -> Iterator[dict[str, Any]]:
        """Yield progress until the job ends; see TranscriptionJob.stream."""
        with self._stopped_by_ctrl_c():
            yield from _items(self._job.stream(), self._loop)

    @contextlib.contextmanager
    def _stopped_by_ctrl_c(self) -> Iterator[None]:
        try:
            yield
        except KeyboardInterrupt:
            self.cancel()
            raise


def _items(found: AsyncGenerator[ItemT, None], loop: LoopThread) -> Iterator[ItemT]:
    """Yield what `found` does; it is closed when the caller stops asking."""

    async def following() -> tuple[ItemT] | None:
        try:
            return (await anext(found),)
        except StopAsyncIteration:
            return None

    try:
        while item := loop.run(following()):
            yield item[0]
    finally:
        with contextlib.suppress(ConfigurationError):  # of a loop that was stopped: it was closed with that
            loop.run(found.aclose())
