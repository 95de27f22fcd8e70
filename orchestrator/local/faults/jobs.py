"""Faults of jobs and workers: results that expire, workers that die, jobs that are delivered twice."""

from dataclasses import dataclass

from aiohttp import web

from orchestrator.local.faults.call import Call
from orchestrator.local.jobs import Job
from orchestrator.local.queue import EndpointQueue
from orchestrator.local.workers import Worker

PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireResult:
    """The job of the path is forgotten as soon as it has ended, before anybody has seen its result.

    At a caller's route the call is held until then, and gets the 404. At `job-done` say `after=True`: the result is
    taken in, then lost to all who do not wait for it already.
    """

    after: bool = False
    name: str = "expire_result"

    async def strike(self, call: Call) -> None:
        """Forget the job."""
        job = call.job()
        if job is not None:
            await call.queue.wait_final(job, timeout_s=PATIENCE_S)
            if job.is_final:
                call.queue.forget(job)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoseWorker:
    """The process of the worker dies: the worker that calls, or the one which runs the job of a caller's path.

    `after=True` at `job-take`: it has just taken a job; `after=False` at `job-done`: its result never arrived.
    """

    after: bool
    name: str = "lose_worker"

    async def strike(self, call: Call) -> web.Response | None:
        """Kill the worker, where it can be, and give its jobs to others."""
        worker_id = call.request.match_info.get("worker")
        job = call.job() if worker_id is None else None
        _lose(call.queue, worker_id or (job.worker_id if job is not None else None))
        return None if worker_id is None else call.hang_up()


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubleDelivery:
    """At `job-take`: the jobs that were handed out are handed out to another worker as well."""

    after: bool = True
    name: str = "double_delivery"

    async def strike(self, call: Call) -> None:
        """Note the jobs for the next other worker that asks."""
        if isinstance(call.queue, FaultyQueue):
            call.queue.double(call.delivered_ids())


class FaultyQueue(EndpointQueue):
    """A queue that can hand out a job twice."""

    _doubled: tuple[str, ...] = ()

    def double(self, job_ids: list[str]) -> None:
        """Hand these running jobs to another worker as well."""
        self._doubled += tuple(job_ids)
        self.offered.ring()

    def _assign(self, worker: Worker, count: int, *, busy: bool) -> list[Job]:
        for job_id in self._doubled:
            job = self._jobs.get(job_id)
            if job is not None and job.worker_id != worker.id and job.input is not None:
                self._doubled = tuple(other for other in self._doubled if other != job_id)
                return [job]
        return super()._assign(worker, count, busy=busy)


def _lose(queue: EndpointQueue, worker_id: str | None) -> None:
    worker = queue.roster.get(worker_id)
    if worker is None:
        return
    if worker.kill is not None:
        worker.kill()
    queue.roster.remove(worker.id)
    queue.lose_worker(worker.id)
