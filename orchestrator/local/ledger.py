"""The jobs of one endpoint and what callers do with them. In memory, on one event loop, no I/O."""

import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from common.errors import EndpointBusyError, EndpointNotFoundError, InvalidInputError
from orchestrator.local.bell import Bell
from orchestrator.local.jobs import RETRYABLE_STATES, Job, JobState, failure
from orchestrator.local.settings import PlatformSettings
from orchestrator.local.workers import Roster


class JobLedger:
    """All jobs of one endpoint; `changed` rings after every change, `on_final` is called as each job ends."""

    def __init__(
        self,
        endpoint_id: str,
        settings: PlatformSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        on_final: Callable[[Job], None] = lambda _: None,
    ) -> None:
        self.endpoint_id = endpoint_id
        self.settings = settings
        self.clock = clock
        self.changed = Bell()
        self.roster = Roster()
        self.closed = False
        self._on_final = on_final
        self._jobs: dict[str, Job] = {}
        self._waiting: deque[Job] = deque()
        self._ended: Counter[str] = Counter()
        self._down: str | None = None

    def submit(self, job: Job) -> None:
        """Queue a new job; raises EndpointBusyError when the platform holds as much as it may."""
        limits = self.settings
        stored_bytes = sum(held.size_bytes + held.result_bytes for held in self._jobs.values())
        if len(self._jobs) >= limits.max_jobs or stored_bytes + job.size_bytes > limits.stored_max_bytes:
            raise EndpointBusyError(
                "the endpoint holds too many jobs; wait until earlier ones have ended and expired",
                endpoint=self.endpoint_id,
            )
        self._jobs[job.id] = job
        self._waiting.append(job)
        if self._down is not None:
            self._end(job, JobState.FAILED, error=self._down)
        self.changed.ring()

    def get(self, job_id: str) -> Job:
        """Return a job; raises EndpointNotFoundError when it never was or has expired."""
        self.sweep_jobs()
        if job_id not in self._jobs:
            raise EndpointNotFoundError("the job does not exist or has expired", endpoint=self.endpoint_id)
        return self._jobs[job_id]

    def cancel(self, job_id: str) -> Job:
        """Cancel a queued or running job; one that has ended stays as it is."""
        job = self.get(job_id)
        if not job.is_final:
            self._end(job, JobState.CANCELLED)
        return job

    def retry(self, job_id: str) -> Job:
        """Queue a failed or timed-out job again; raises InvalidInputError for any other."""
        job = self.get(job_id)
        if job.state not in RETRYABLE_STATES:
            raise InvalidInputError("only a job that is FAILED or TIMED_OUT can be retried")
        job.submitted_at = self.clock()
        job.losses = 0
        self._queue_again(job)
        if self._down is not None:
            self._end(job, JobState.FAILED, error=self._down)
        return job

    def purge(self) -> int:
        """Cancel all jobs that no worker has taken yet; returns how many."""
        waiting = list(self._waiting)
        for job in waiting:
            self._end(job, JobState.CANCELLED)
        return len(waiting)

    async def wait_final(self, job: Job, *, timeout_s: float) -> None:
        """Return as soon as the job has ended, at the latest after `timeout_s` seconds."""
        deadline = self.clock() + timeout_s
        while not (job.is_final or self.closed):
            if not await self.changed.wait(deadline - self.clock()):
                return

    def read_stream(self, job: Job) -> list[dict[str, Any]]:
        """Take out the partial results that nobody has fetched yet."""
        chunks = list(job.stream)
        job.stream.clear()
        if not job.is_final:
            job.result_bytes = 0
        return chunks

    def health(self) -> dict[str, Any]:
        """Return the body of `/health`."""
        running = self._running()
        return {
            "jobs": {
                "completed": self._ended[JobState.COMPLETED],
                "failed": self._ended[JobState.FAILED] + self._ended[JobState.TIMED_OUT],
                "inProgress": len(running),
                "inQueue": len(self._waiting),
                "retried": self._ended["retried"],
            },
            "workers": self.roster.counts({job.worker_id or "" for job in running}),
        }

    def fail(self, job: Job, code: str, message: str) -> None:
        """End a job whose result cannot be used."""
        self._end(job, JobState.FAILED, error=failure(code, message))

    def shut(self, message: str) -> None:
        """Fail all jobs, now and from now on: no worker will come."""
        self._down = failure("configuration_error", message)
        for job in list(self._waiting):
            self._end(job, JobState.FAILED, error=self._down)

    def close(self) -> None:
        """Let go of everybody who waits."""
        self.closed = True
        self.changed.ring()

    def sweep_jobs(self) -> None:
        """End jobs that ran out of time, forget those that have expired."""
        now = self.clock()
        for job in list(self._jobs.values()):
            if job.finished_at is not None:
                if now >= job.finished_at + job.conditions.kept_s:
                    del self._jobs[job.id]
            elif now >= job.submitted_at + job.conditions.ttl_s:
                self._time_out(job, "the job's ttl ended before it did; raise policy.ttl")
                del self._jobs[job.id]
            elif job.started_at is not None and now >= job.started_at + job.conditions.execution_timeout_s:
                self._time_out(job, "the job ran longer than its execution timeout; raise policy.executionTimeout")

    def _running(self, worker_id: str | None = None) -> list[Job]:
        running = [job for job in self._jobs.values() if job.state is JobState.IN_PROGRESS]
        return [job for job in running if worker_id in (None, job.worker_id)]

    def _queue_again(self, job: Job, *, first: bool = False) -> None:
        job.queue_again(self.clock())
        self._waiting.insert(0 if first else len(self._waiting), job)
        self._ended["retried"] += 1
        self.changed.ring()

    def _time_out(self, job: Job, message: str) -> None:
        self._end(job, JobState.TIMED_OUT, error=failure("deadline_exceeded", message, retryable=True))

    def _order_stop(self, job: Job) -> None:
        worker = self.roster.get(job.worker_id)
        if worker is not None and job.started_at is not None:
            # the SDK drops a stop that comes before it has started the job's task
            tell_at = max(self.clock(), job.started_at + self.settings.stop_settle_s)
            worker.order_stop(job.id, tell_at=tell_at, deadline=tell_at + self.settings.stop_deadline_s)

    def _end(self, job: Job, state: JobState, *, output: object = None, error: str | None = None) -> None:
        if job.state is JobState.IN_QUEUE:
            self._waiting.remove(job)
        elif state in (JobState.CANCELLED, JobState.TIMED_OUT):
            self._order_stop(job)
        job.finish(state, self.clock(), output=output, error=error)
        self._ended[state] += 1
        self._on_final(job)
        self.changed.ring()
