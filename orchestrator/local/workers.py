"""What the platform knows of the workers of one endpoint, and the stop signals they are to get."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from orchestrator.local.bell import Bell


@dataclass(slots=True, kw_only=True)
class Worker:
    """One worker process; points in time are seconds of the queue's clock."""

    id: str
    last_seen: float
    ready: bool = False
    draining: bool = False
    lost: bool = False
    unhealthy: bool = False
    kill: Callable[[], None] | None = None
    stops: dict[str, float] = field(default_factory=dict)  # job id -> when to tell
    stop_deadlines: dict[str, float] = field(default_factory=dict)  # job id -> by when the job must be gone
    reported_jobs: frozenset[str] = frozenset()
    reported_at: float = float("-inf")
    stopping: Bell = field(default_factory=Bell)  # rings when there is a stop to tell, or no use in waiting for one

    def order_stop(self, job_id: str, *, tell_at: float, deadline: float) -> None:
        """Note that the worker is to stop a job; it is told once."""
        self.stops[job_id] = tell_at
        self.stop_deadlines[job_id] = deadline
        self.stopping.ring()

    def drain(self) -> None:
        """Give the worker nothing more, and let go of its poll for stops."""
        self.draining = True
        self.stopping.ring()

    def due_stops(self, now: float) -> list[str]:
        """Take out the jobs which the worker is to be told to stop."""
        due = [job_id for job_id, tell_at in self.stops.items() if tell_at <= now]
        for job_id in due:
            del self.stops[job_id]
        return due

    def next_stop_at(self) -> float:
        """When the next stop is due; infinite when none is."""
        return min(self.stops.values(), default=float("inf"))

    def forget_stop(self, job_id: str) -> None:
        """Drop a stop that was meant for an earlier attempt at the job."""
        self.stops.pop(job_id, None)
        self.stop_deadlines.pop(job_id, None)

    def report(self, job_ids: Collection[str], now: float) -> None:
        """Take note of the jobs that the worker's ping says it runs."""
        self.reported_jobs = frozenset(job_ids)
        self.reported_at = now
        self.stop_deadlines = {job_id: end for job_id, end in self.stop_deadlines.items() if job_id in job_ids}

    def is_stuck(self, now: float) -> bool:
        """Whether the worker still runs a job long after it was told to stop it."""
        return any(now > self.stop_deadlines.get(job_id, float("inf")) for job_id in self.reported_jobs)


class Roster:
    """The workers of one endpoint by id."""

    def __init__(self) -> None:
        self._workers: dict[str, Worker] = {}
        self._gone: set[str] = set()

    def seen(self, worker_id: str, now: float) -> Worker:
        """Return the worker, known or new, after a sign of life; one that was removed stays out of the roster."""
        if worker_id in self._gone:
            return Worker(id=worker_id, last_seen=now, draining=True)
        worker = self._workers.setdefault(worker_id, Worker(id=worker_id, last_seen=now))
        worker.last_seen = now
        worker.lost = False
        return worker

    def get(self, worker_id: str | None) -> Worker | None:
        """Return the worker, if it is known."""
        return self._workers.get(worker_id or "")

    def remove(self, worker_id: str) -> None:
        """Forget a worker whose process is gone, and let go of its polls."""
        self._gone.add(worker_id)
        worker = self._workers.pop(worker_id, None)
        if worker is not None:
            worker.drain()

    def all(self) -> list[Worker]:
        """Return the workers, the oldest first."""
        return list(self._workers.values())

    def counts(self, running_ids: Collection[str]) -> dict[str, int]:
        """Return the `workers` of `/health`."""
        running = sum(worker.id in running_ids for worker in self._workers.values())
        unhealthy = sum(worker.lost or worker.unhealthy for worker in self._workers.values())
        initializing = sum(not worker.ready for worker in self._workers.values())
        idle = sum(
            worker.ready and not worker.lost and worker.id not in running_ids for worker in self._workers.values()
        )
        return {
            "idle": idle,
            "initializing": initializing,
            "ready": idle,
            "running": running,
            "throttled": 0,
            "unhealthy": unhealthy,
        }
