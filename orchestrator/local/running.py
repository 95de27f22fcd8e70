"""Which jobs run on which worker."""

from collections.abc import Collection

from orchestrator.local.jobs import Job


class RunningJobs:
    """The jobs in progress, by worker, in the order in which they were handed out."""

    def __init__(self) -> None:
        self._by_worker: dict[str, dict[str, Job]] = {}

    def __len__(self) -> int:
        return sum(len(jobs) for jobs in self._by_worker.values())

    def add(self, job: Job) -> None:
        """Note a job that was handed out to its worker."""
        self._by_worker.setdefault(job.worker_id or "", {})[job.id] = job

    def discard(self, job: Job) -> None:
        """Drop a job, before its worker changes; one that does not run is no matter."""
        jobs = self._by_worker.get(job.worker_id or "", {})
        if jobs.pop(job.id, None) is not None and not jobs:
            del self._by_worker[job.worker_id or ""]

    def of(self, worker_id: str) -> list[Job]:
        """Return the jobs of one worker."""
        return list(self._by_worker.get(worker_id, {}).values())

    @property
    def worker_ids(self) -> Collection[str]:
        """The workers that run a job."""
        return self._by_worker.keys()
