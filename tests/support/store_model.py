"""What a store of jobs must do, in memory and one thing after the other: what a real one is compared with."""

from dataclasses import dataclass

from tests.support.job_stores import LEASE_S, LIMITS


@dataclass
class ModelJob:
    """A job that is not erased."""

    id: str
    owner: str
    number: int
    state: str = "queued"
    runner: str | None = None
    leased_until: float = 0.0
    not_before: float = 0.0
    attempts: int = 0
    progress: float = 0.0
    cancel_requested: bool = False
    result: str | None = None


class StoreModel:
    """Jobs by their ids, and when each owner was served."""

    def __init__(self) -> None:
        self.jobs: dict[str, ModelJob] = {}
        self.served: dict[str, int] = {}
        self.claims = 0
        self.added = 0

    def in_state(self, state: str, owner: str | None = None) -> list[ModelJob]:
        return [job for job in self.jobs.values() if job.state == state and owner in (None, job.owner)]

    def may_add(self, owner: str) -> bool:
        queued = self.in_state("queued")
        mine = [job for job in queued if job.owner == owner]
        return len(queued) < LIMITS["max_queued"] and len(mine) < LIMITS["max_queued_per_owner"]

    def add(self, job_id: str, owner: str) -> None:
        self.added += 1
        self.jobs[job_id] = ModelJob(job_id, owner, self.added)

    def next(self, now: float) -> ModelJob | None:
        ready = [job for job in self.in_state("queued") if job.not_before <= now]
        return min(ready, key=self._turn, default=None)

    def claim(self, runner: str, now: float) -> ModelJob | None:
        job = self.next(now)
        if job is not None:
            self.claims += 1
            self.served[job.owner] = self.claims
            job.state, job.runner, job.leased_until, job.progress = "running", runner, now + LEASE_S, 0.0
            job.attempts += 1
            job.not_before = 0.0
        return job

    def _turn(self, job: ModelJob) -> tuple[int, int, int]:
        return len(self.in_state("running", job.owner)), self.served.get(job.owner, 0), job.number

    def held(self, job_id: str, runner: str) -> ModelJob | None:
        job = self.jobs.get(job_id)
        return job if job is not None and job.state == "running" and job.runner == runner else None

    def end(self, job: ModelJob, state: str, result: str | None = None) -> None:
        job.state, job.runner, job.result = state, None, result

    def requeue(self, job: ModelJob, not_before: float = 0.0) -> None:
        self.end(job, "cancelled" if job.cancel_requested else "queued")
        job.progress, job.not_before = 0.0, not_before

    def reclaim(self, now: float) -> list[str]:
        silent = [job for job in self.in_state("running") if job.leased_until < now]
        for job in silent:
            if job.cancel_requested or job.attempts < LIMITS["max_attempts"]:
                self.requeue(job)
            else:
                self.end(job, "failed")
        return [job.id for job in silent]
