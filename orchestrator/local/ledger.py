"""The jobs of one endpoint and what callers do with them. In memory, on one event loop, no I/O."""

import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any

from common.errors import EndpointBusyError, EndpointNotFoundError, IdempotencyConflictError, InvalidInputError
from orchestrator.endpoint_http import KEY_HEADER
from orchestrator.local.bell import Bell
from orchestrator.local.due_times import DueTimes
from orchestrator.local.idempotency import JobsByKey, check_same_input
from orchestrator.local.jobs import RETRYABLE_STATES, Job, JobState, failure
from orchestrator.local.running import RunningJobs
from orchestrator.local.settings import PlatformSettings
from orchestrator.local.workers import Roster


class JobLedger:
    """All jobs of one endpoint; `offered` rings when a worker may find a job, `on_final` is called as each job ends."""

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
        self.offered = Bell()
        self.roster = Roster()
        self.closed = False
        self._on_final = on_final
        self._jobs: dict[str, Job] = {}
        self._keys = JobsByKey()
        self._waiting: OrderedDict[str, Job] = OrderedDict()
        self._running = RunningJobs()
        self._due = DueTimes()
        self._stored_bytes = 0
        self._ended: Counter[str] = Counter()
        self._down: str | None = None

    def submit(self, job: Job) -> Job:
        """Queue a new job and return it, or the earlier one that its idempotency key stands for.

        Raises EndpointBusyError when the platform holds as much as it may, IdempotencyConflictError when the key
        stands for another input.
        """
        if (earlier := self._key_holder(job)) is not None:
            check_same_input(job, earlier)
            return earlier
        limits = self.settings
        if len(self._jobs) >= limits.max_jobs or self._stored_bytes + job.size_bytes > limits.stored_max_bytes:
            raise EndpointBusyError(
                "the endpoint holds too many jobs; wait until earlier ones have ended and expired",
                endpoint=self.endpoint_id,
            )
        self._jobs[job.id] = job
        self._keys.put(job)
        self._count_bytes(job)
        self._due.note(job)
        self._waiting[job.id] = job
        self._offer(job)
        return job

    def get(self, job_id: str) -> Job:
        """Return a job; raises EndpointNotFoundError when it never was or has expired."""
        if job_id in self._jobs:
            self._pass_time(self._jobs[job_id])
        if job_id not in self._jobs:
            raise EndpointNotFoundError("the job does not exist or has expired", endpoint=self.endpoint_id)
        return self._jobs[job_id]

    def with_key(self, key: str) -> Job:
        """Return the latest job that was submitted under `key`; raises EndpointNotFoundError as `get` does."""
        job = self._keys.get(key)
        return self.get("" if job is None else job.id)

    def cancel(self, job_id: str) -> Job:
        """Cancel a queued or running job; one that has ended stays as it is."""
        job = self.get(job_id)
        if not job.is_final:
            self._end(job, JobState.CANCELLED)
        return job

    def retry(self, job_id: str) -> Job:
        """Queue a failed or timed-out job again; raises InvalidInputError for any other.

        Raises IdempotencyConflictError when its key has passed to a newer job which has not failed: both would run.
        """
        job = self.get(job_id)
        if job.state not in RETRYABLE_STATES:
            raise InvalidInputError("only a job that is FAILED or TIMED_OUT can be retried")
        if (newer := self._key_holder(job)) is not None:
            raise IdempotencyConflictError(
                f"the job's idempotency key belongs to the newer job {newer.id}; wait for that one", param=KEY_HEADER
            )
        self._keys.put(job)
        job.submitted_at = self.clock()
        job.losses = 0
        self._queue_again(job)
        return job

    def purge(self) -> int:
        """Cancel all jobs that no worker has taken yet; returns how many."""
        waiting = list(self._waiting.values())
        for job in waiting:
            self._end(job, JobState.CANCELLED)
        return len(waiting)

    async def wait_final(self, job: Job, *, timeout_s: float) -> None:
        """Return as soon as the job has ended, at the latest after `timeout_s` seconds."""
        deadline = self.clock() + timeout_s
        while not (job.is_final or self.closed):
            if not await job.ended.wait(deadline - self.clock()):
                return

    def read_stream(self, job: Job) -> list[dict[str, Any]]:
        """Take out the partial results that nobody has fetched yet."""
        chunks = list(job.stream)
        job.stream.clear()
        if not job.is_final:
            job.result_bytes = 0
            self._count_bytes(job)
        return chunks

    def health(self) -> dict[str, Any]:
        """Return the body of `/health`."""
        return {
            "jobs": {
                "completed": self._ended[JobState.COMPLETED],
                "failed": self._ended[JobState.FAILED] + self._ended[JobState.TIMED_OUT],
                "inProgress": len(self._running),
                "inQueue": len(self._waiting),
                "retried": self._ended["retried"],
            },
            "workers": self.roster.counts(self._running.worker_ids),
        }

    def fail(self, job: Job, code: str, message: str) -> None:
        """End a job whose result cannot be used."""
        self._end(job, JobState.FAILED, error=failure(code, message))

    def forget(self, job: Job) -> None:
        """Drop a job with its result and its key."""
        if self._jobs.pop(job.id, None) is not None:
            self._stored_bytes -= job.counted_bytes
            self._keys.drop(job)

    def shut(self, message: str) -> None:
        """Fail all jobs, now and from now on: no worker will come."""
        self._down = failure("configuration_error", message)
        for job in list(self._waiting.values()):
            self._end(job, JobState.FAILED, error=self._down)

    def close(self) -> None:
        """Let go of everybody who waits."""
        self.closed = True
        self.offered.ring()
        for worker in self.roster.all():
            worker.stopping.ring()
        for job in self._jobs.values():
            job.ended.ring()

    def sweep_jobs(self) -> None:
        """End jobs that ran out of time, forget those that have expired."""
        for job in self._due.pop_due(self._jobs, self.clock()):
            self._pass_time(job)

    def _key_holder(self, job: Job) -> Job | None:
        if (latest := self._keys.get(job.key)) is not None:
            self._pass_time(latest)
        return self._keys.holder(job)

    def _pass_time(self, job: Job) -> None:
        now = self.clock()
        if now < job.due_at:
            return
        if now < job.expires_at:
            self._time_out(job, "the job ran longer than its execution timeout; raise policy.executionTimeout")
            return
        if not job.is_final:
            self._time_out(job, "the job's ttl ended before it did; raise policy.ttl")
        self.forget(job)

    def _count_bytes(self, job: Job) -> None:
        held_bytes = job.size_bytes + job.result_bytes
        self._stored_bytes += held_bytes - job.counted_bytes
        job.counted_bytes = held_bytes

    def _queue_again(self, job: Job, *, first: bool = False) -> None:
        self._running.discard(job)
        job.queue_again(self.clock())
        self._count_bytes(job)
        self._due.note(job)
        self._waiting[job.id] = job
        self._waiting.move_to_end(job.id, last=not first)
        self._ended["retried"] += 1
        self._offer(job)

    def _offer(self, job: Job) -> None:
        if self._down is not None:
            self._end(job, JobState.FAILED, error=self._down)
        self.offered.ring()

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
            del self._waiting[job.id]
        elif state in (JobState.CANCELLED, JobState.TIMED_OUT):
            self._order_stop(job)
        self._running.discard(job)
        job.finish(state, self.clock(), output=output, error=error)
        self._count_bytes(job)
        self._due.note(job)
        self._ended[state] += 1
        self._on_final(job)
        job.ended.ring()
