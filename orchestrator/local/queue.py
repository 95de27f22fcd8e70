"""What workers and time do to the jobs of one endpoint: handed out, ended, lost. On one event loop, no I/O."""

from collections.abc import Callable, Collection
from itertools import islice
from typing import Any

from orchestrator.local.jobs import Job, JobState, failure
from orchestrator.local.ledger import JobLedger
from orchestrator.local.workers import Worker

MOST_REPORTED = 100  # more job ids may not fit into the ping's URL
LOST_KEPT_S = 600.0  # a silent worker may come back, and is then to be told which jobs it has lost


class EndpointQueue(JobLedger):
    """The ledger of one endpoint with the workers that serve it."""

    async def take(
        self,
        worker_id: str,
        *,
        count: int = 1,
        busy: bool = False,
        hold_s: float = 0.0,
        connected: Callable[[], bool] = lambda: True,
    ) -> list[Job]:
        """Hand out up to `count` jobs, waiting up to `hold_s` seconds for the first; `busy`: the worker has jobs."""
        worker = self.roster.seen(worker_id, self.clock())
        worker.ready = True
        if not busy:
            self._fail_dropped(worker_id)
        deadline = self.clock() + hold_s
        while not (self.closed or worker.draining) and connected():
            if jobs := self._assign(worker, count, busy=busy):
                return jobs
            if not await self.offered.wait(deadline - self.clock()):
                break
        return []

    def give_back(self, worker_id: str, jobs: list[Job]) -> None:
        """Take back jobs that never reached the worker; those that have gone to another meanwhile stay there."""
        for job in reversed(jobs):
            if self.owned(worker_id, job.id) is job:
                self._running.discard(job)
                job.hand_back()
                self._due.note(job)
                self._waiting[job.id] = job
                self._waiting.move_to_end(job.id, last=False)
        self.offered.ring()

    async def next_stops(
        self, worker_id: str, *, hold_s: float = 0.0, connected: Callable[[], bool] = lambda: True
    ) -> list[str]:
        """Return the jobs that the worker is to stop, waiting up to `hold_s` seconds for one; each is told once.

        A worker that is to end is not held, but for stops that are ordered already: it would wait for those jobs.
        """
        worker = self.roster.seen(worker_id, self.clock())
        deadline = self.clock() + hold_s
        while not self.closed and connected():
            if due := worker.due_stops(self.clock()):
                return due
            if self.clock() >= deadline or (worker.draining and not worker.stops):
                break
            await worker.stopping.wait(min(deadline, worker.next_stop_at()) - self.clock())
        return []

    def tell_stops_again(self, worker_id: str, job_ids: list[str]) -> None:
        """Take back stop signals that never reached the worker."""
        if worker := self.roster.get(worker_id):
            worker.stops.update(dict.fromkeys(job_ids, self.clock()))
            worker.stopping.ring()

    def ping(self, worker_id: str, job_ids: Collection[str], *, unhealthy: bool = False) -> None:
        """Take note that the worker lives and which jobs it says it runs, and settle what differs from the ledger.

        No ids told means no word about jobs. One ping alone proves nothing: it may have been on its way meanwhile.
        """
        now = self.clock()
        worker = self.roster.seen(worker_id, now)
        worker.unhealthy = unhealthy
        self._fail_untold(worker, job_ids)
        for job_id in worker.reported_jobs.intersection(job_ids):
            if self.owned(worker_id, job_id) is None and job_id not in worker.stops:
                deadline = worker.stop_deadlines.get(job_id, now + self.settings.stop_deadline_s)
                worker.order_stop(job_id, tell_at=now, deadline=deadline)  # the first may not have arrived
        worker.report(job_ids, now)

    def finish(
        self, worker_id: str, job_id: str, *, output: object = None, error: str | None = None, size_bytes: int = 0
    ) -> bool:
        """End a job with its result; False, and nothing changes, when the worker does not own the job any more."""
        job = self.owned(worker_id, job_id)
        if job is None:
            return False
        job.result_bytes = size_bytes
        self._end(job, JobState.COMPLETED if error is None else JobState.FAILED, output=output, error=error)
        return True

    def progress(self, worker_id: str, job_id: str, output: object) -> bool:
        """Show `output` as the progress of a running job; False when the worker does not own the job."""
        job = self.owned(worker_id, job_id)
        if job is None:
            return False
        job.output = output
        return True

    def stream(self, worker_id: str, job_id: str, chunk: dict[str, Any], *, size_bytes: int) -> bool:
        """Keep a partial result until `/stream` fetches it; False when the worker does not own the job."""
        job = self.owned(worker_id, job_id)
        if job is None:
            return False
        job.stream.append(chunk)
        job.result_bytes += size_bytes
        self._count_bytes(job)
        if job.result_bytes > self.settings.result_max_bytes:
            self.fail_oversize(job)
        return True

    def owned(self, worker_id: str, job_id: str) -> Job | None:
        """Return the job if this worker is the one that runs it."""
        job = self._jobs.get(job_id)
        running = job is not None and job.state is JobState.IN_PROGRESS and job.worker_id == worker_id
        return job if running else None

    def fail_oversize(self, job: Job) -> None:
        """End a job whose result is above the limit, and stop it."""
        self._order_stop(job)
        limit_bytes = self.settings.result_max_bytes
        self.fail(job, "output_too_large", f"the result is above the platform's limit of {limit_bytes} bytes")

    def lose_worker(self, worker_id: str) -> None:
        """Queue the jobs of a worker that is gone again, at the front; fail those that have lost one too many."""
        for job in reversed(self._running.of(worker_id)):
            job.losses += 1
            if job.losses <= self.settings.loss_retries:
                self._queue_again(job, first=True)
                continue
            message = f"the worker ended or fell silent {job.losses} times while it ran this job; its log has the cause"
            self._end(job, JobState.FAILED, error=failure("worker_lost", message, retryable=True))
        self.offered.ring()  # a poll of this worker that is still held is let go

    def sweep(self) -> None:
        """End what ran out of time, forget what has expired, give up on workers that fell silent or hang."""
        self.sweep_jobs()
        now = self.clock()
        for worker in self.roster.all():
            silent = worker.ready and not worker.lost and now - worker.last_seen > self.settings.lost_after_s
            if silent:
                worker.lost = True
                for job in self._running.of(worker.id):
                    self._order_stop(job)
                self.lose_worker(worker.id)
            if (silent or worker.is_stuck(now)) and worker.kill is not None:
                worker.kill()
            if worker.lost and now - worker.last_seen > LOST_KEPT_S + self.settings.lost_after_s:
                self.roster.remove(worker.id)

    def _assign(self, worker: Worker, count: int, *, busy: bool) -> list[Job]:
        # a busy worker may still be running its earlier attempt at a job: the results could not be told apart
        free = (job for job in self._waiting.values() if not (busy and job.previous_worker_id == worker.id))
        jobs = list(islice(free, count))
        for job in jobs:
            del self._waiting[job.id]
            job.start(worker.id, self.clock())
            self._running.add(job)
            self._due.note(job)
            worker.forget_stop(job.id)
        return jobs

    def _fail_dropped(self, worker_id: str) -> None:
        """Fail what an idle worker should be running: the SDK posts nothing when a result cannot be serialised."""
        for job in self._running.of(worker_id):
            self._fail_without_result(job)

    def _fail_untold(self, worker: Worker, job_ids: Collection[str]) -> None:
        """Fail jobs that a busy worker had before its last ping and does not tell of now.

        They did not arrive, or ended and their result did not arrive; the worker would keep them for ever.
        """
        if not 0 < len(job_ids) <= MOST_REPORTED:
            return
        for job in self._running.of(worker.id):
            if job.id not in job_ids and job.started_at is not None and job.started_at <= worker.reported_at:
                self._fail_without_result(job)

    def _fail_without_result(self, job: Job) -> None:
        self.fail(job, "engine_failed", "the worker ended the job without a result, perhaps one that is not JSON")
