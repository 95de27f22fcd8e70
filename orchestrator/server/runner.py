"""Runs the jobs of the store, so many at a time: claims, leases, cancelling, retries; tells listeners."""

import asyncio
import contextlib
import logging
import os
import secrets
import socket
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, ParamSpec, TypeVar

from common.errors import DeadlineExceededError, ParleyError, StorageError
from common.logs import log_event, request_context
from common.settings import Settings
from orchestrator.server.backends import Backend, pairs_of_workers
from orchestrator.server.events import Event, Events
from orchestrator.server.jobs import FINAL, Job
from orchestrator.server.settings import ServerSettings
from orchestrator.server.store.erasing import drop_audio
from orchestrator.server.store.files import FileStore
from orchestrator.server.store.janitor import Janitor
from orchestrator.server.store.job_store import JobStore
from orchestrator.server.store_calls import StoreCalls
from orchestrator.server.work import JobWork, LostJobError

LOOK_S = 1.0  # between two looks for jobs of other instances
SWEEP_S = 60.0
COUNT_S = 5.0  # between two looks at how many workers there are
RENEWALS = 3  # in the time of a lease
RETRY_PAUSE_S = 2.0
FINAL_CODES = {DeadlineExceededError.code}  # what took too long once takes as long again
REMEMBERED_JOBS = 20

logger = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")
Why = Literal["cancelled", "lost", "closing"]


@dataclass(slots=True, eq=False)
class _Running:
    job: Job
    task: "asyncio.Task[None]"
    why: Why | None = None

    def stop(self, why: Why) -> None:
        if self.why is None:
            self.why = why
            self.task.cancel()


class Runner:
    """Claims queued jobs and carries them out, `server.jobs_at_once` at a time, or as many as have workers."""

    def __init__(
        self, store: JobStore, files: FileStore, backend: Backend, *, settings: Settings, server: ServerSettings
    ) -> None:
        self.name = f"{socket.gethostname()[:60]}-{os.getpid()}-{secrets.token_hex(4)}"
        self.events = Events()
        self.backend = backend
        self._store = store
        self._files = files
        self._server = server
        self._work = JobWork(store, files, backend, settings, runner=self.name)
        self._janitor = Janitor(store, files, retention_s=server.retention_s, keep_audio=server.keep_audio)
        self._calls = StoreCalls()
        self._running: dict[str, _Running] = {}
        self._wake = asyncio.Event()
        self._loops: list[asyncio.Task[None]] = []
        self._seconds: deque[float] = deque(maxlen=REMEMBERED_JOBS)
        self._renewed_at = time.monotonic()
        self._workers = 1
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="leases")

    async def start(self) -> None:
        """Begin to claim jobs; those of runners that are gone are taken up once their leases are over."""
        self._renewed_at = time.monotonic()
        loops = {
            "claim": (self._claim, LOOK_S),
            "renew": (self._renew, self._server.job_lease_s / RENEWALS),
            "sweep": (self._sweep, SWEEP_S),
            "count": (self._count_workers, COUNT_S),
        }
        for name, (step, pause_s) in loops.items():
            self._loops.append(asyncio.create_task(self._for_ever(name, step, pause_s)))

    async def close(self) -> None:
        """Stop; jobs that run are given back to the queue."""
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        self._loops.clear()
        running = tuple(self._running.values())
        for one in running:
            one.stop("closing")
        await asyncio.gather(*(one.task for one in running), return_exceptions=True)
        self._threads.shutdown(wait=False)

    def wake(self) -> None:
        """Look for jobs at once: there is a new one."""
        self._wake.set()

    def stop(self, job_id: str) -> None:
        """Stop a job, if it runs here, that was told in the store to be cancelled or erased."""
        if (running := self._running.get(job_id)) is not None:
            running.stop("cancelled")
        self.events.tell(job_id, Event("status"))
        self.wake()

    async def subscribe(self, job_id: str) -> AsyncGenerator[Event, None]:
        """Yield a `status` at once and at every change, partial results, and at last the state the job ended in.

        A job of another instance is looked at every second. Raises JobNotFoundError when it is erased meanwhile.
        """
        with self.events.listening(job_id) as queue:
            seen: Job | None = None
            while True:
                job = await asyncio.to_thread(self._store.get, job_id)
                if job.state in FINAL:
                    yield Event(job.state)
                    return
                if job != seen:
                    seen = job
                    yield Event("status")
                for event in await _news(queue):
                    if event.name == "partial":
                        yield event

    async def ended(self, job_id: str) -> Job:
        """Return the job once it is final; raises JobNotFoundError when it is erased meanwhile."""
        async for _ in self.subscribe(job_id):
            pass
        return await asyncio.to_thread(self._store.get, job_id)

    def eta_s(self, job: Job, position: int | None = None) -> float | None:
        """Return in how many seconds a job should be done, as far as its own pace or that of earlier ones tells."""
        if job.state == "running" and job.started_at is not None and job.progress > 0.05:
            elapsed_s = time.time() - job.started_at
            return round(max(elapsed_s / job.progress - elapsed_s, 0.0), 1)
        if job.state == "queued" and position is not None and self._seconds:
            each_s = sum(self._seconds) / len(self._seconds)
            return round(each_s * (position / (self._server.jobs_at_once or self._workers) + 1), 1)
        return None

    async def health(self) -> dict[str, Any]:
        """Return the models and what is known of the workers."""
        try:
            async with asyncio.timeout(LOOK_S * 3):
                workers = await self.backend.health()
        except (ParleyError, TimeoutError) as error:
            workers = {"error": getattr(error, "message", "the workers do not answer")}
        return {"models": dict(self.backend.models), "workers": workers, "running_here": len(self._running)}

    async def _for_ever(self, name: str, step: Callable[[], Coroutine[Any, Any, None]], pause_s: float) -> None:
        while True:
            try:
                await step()
            except (ParleyError, OSError, TimeoutError) as error:
                log_event(logger, "runner_step_failed", step=name, error=type(error).__name__)
            except Exception:  # the boundary of the runner: whatever it is, later jobs are to be run
                logger.exception("runner_step_crashed step=%s", name)
            if name == "claim":
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause_s):
                        await self._wake.wait()
                self._wake.clear()
            else:
                await asyncio.sleep(pause_s)

    async def _claim(self) -> None:
        while len(self._running) < (self._server.jobs_at_once or self._workers):
            claiming = asyncio.ensure_future(self._own(self._store.claim, self.name))
            try:
                job = await asyncio.shield(claiming)
            except asyncio.CancelledError:
                if (job := await claiming) is not None:
                    await self._given_back(job, not_before=time.time(), counted=False)
                raise
            if job is None:
                return
            if (former := self._running.get(job.id)) is not None:  # it was silent for long, as a laptop that slept
                former.stop("lost")
                await asyncio.wait([former.task])
            self._running[job.id] = _Running(job, asyncio.create_task(self._run(job)))

    async def _own(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Return `call(…)` from a thread that nothing else keeps busy: no lease is to run out for a slow disk."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(call, *args, **kwargs))

    async def _renew(self) -> None:
        if self._running:
            await self._renew_leases()
        self._renewed_at = time.monotonic()
        if await self._own(self._store.reclaim):
            self.wake()

    async def _renew_leases(self) -> None:
        asked = dict(self._running)  # one that is claimed meanwhile has a new lease
        try:
            held = await self._own(self._store.renew, self.name, job_ids=tuple(asked))
        except StorageError:
            if time.monotonic() - self._renewed_at > self._server.job_lease_s:
                for running in asked.values():
                    running.stop("lost")
            raise
        for job_id, running in asked.items():
            if job_id in held.to_cancel:
                running.stop("cancelled")
            elif job_id not in held.job_ids:
                running.stop("lost")

    async def _count_workers(self) -> None:
        if not self._server.jobs_at_once:
            async with asyncio.timeout(COUNT_S):
                workers = pairs_of_workers(await self.backend.health())
            if workers > self._workers:
                self.wake()
            self._workers = workers

    async def _sweep(self) -> None:
        await asyncio.to_thread(self._janitor.sweep)

    async def _run(self, job: Job) -> None:
        started = time.monotonic()
        with request_context(request_id=job.request_id, job_id=job.id):
            log_event(logger, "job_started", kind=job.kind, attempt=job.attempts, queued_s=_waited_s(job))
            try:
                ended = await self._ended(job)
            except Exception:  # the boundary of one job: its failure must not end the runner
                logger.exception("job_not_ended")  # its lease runs out, and then it is begun again
                ended = "unknown"
            finally:
                self._running.pop(job.id, None)
                self.events.forget(job.id)
                self.events.tell(job.id, Event("status"))
                self.wake()
            seconds = time.monotonic() - started
            if ended == "completed":
                self._seconds.append(seconds)
            log_event(logger, "job_ended", state=ended, seconds=round(seconds, 3))

    async def _ended(self, job: Job) -> str:
        """Carry the job out and write how it ended, whatever happens."""
        try:
            await self._work.carry_out(job, lambda event: self.events.tell(job.id, event))
        except LostJobError:
            return "lost"
        except asyncio.CancelledError:
            return await self._stopped(job)
        except ParleyError as error:
            return await self._failed(job, error)
        except Exception:  # the boundary of one job: no traceback may reach the caller
            logger.exception("job_crashed")
            return await self._failed(job, ParleyError("the server failed at this job; its log has the cause"))
        await self._without_audio(job)
        return "completed"

    async def _stopped(self, job: Job) -> str:
        why = self._running[job.id].why
        if why == "closing":
            return await self._given_back(job, not_before=time.time(), counted=False)
        if why == "cancelled" and await self._calls.keep_trying(self._store.cancelled, job.id, runner=self.name):
            await self._without_audio(job)
            return "cancelled"
        return "lost"

    async def _failed(self, job: Job, error: ParleyError) -> str:
        envelope = error.envelope()
        log_event(logger, "job_failed", code=envelope["code"], attempt=job.attempts)
        if envelope["retryable"] and envelope["code"] not in FINAL_CODES and job.attempts < self._server.job_attempts:
            return await self._given_back(job, not_before=time.time() + RETRY_PAUSE_S * 2**job.attempts)
        await self._calls.keep_trying(self._store.fail, job.id, runner=self.name, error=envelope)
        await self._without_audio(job)
        return "failed"

    async def _given_back(self, job: Job, *, not_before: float, counted: bool = True) -> str:
        await self._calls.keep_trying(
            self._store.give_back, job.id, runner=self.name, not_before=not_before, counted=counted
        )
        return "given back"

    async def _without_audio(self, job: Job) -> None:
        if not self._server.keep_audio:
            await asyncio.to_thread(drop_audio, self._store, self._files, job.id)


async def _news(queue: "asyncio.Queue[Event]") -> list[Event]:
    """Return what there is in `queue`; nothing when that is still so after LOOK_S."""
    events: list[Event] = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LOOK_S):
            events.append(await queue.get())
    while not queue.empty():
        events.append(queue.get_nowait())
    return events


def _waited_s(job: Job) -> float:
    return round(max((job.started_at or job.created_at) - job.created_at, 0.0), 3)
