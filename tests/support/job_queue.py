"""A queue with a clock that only tests move, and jobs for it."""

from typing import Any

from common.idempotency import content_digest
from orchestrator.local.jobs import Conditions, Job
from orchestrator.local.queue import EndpointQueue
from orchestrator.local.settings import PlatformSettings


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class QueueBench:
    """The queue, its clock, and the jobs that have ended in order."""

    def __init__(self, **settings: Any) -> None:
        self.clock = Clock()
        self.ended: list[tuple[str, str]] = []
        self.queue = EndpointQueue(
            "jobs",
            PlatformSettings(**settings),
            clock=self.clock,
            on_final=lambda job: self.ended.append((job.id, job.state.value)),
        )

    def submit(self, job_id: str, *, key: str | None = None, given: object = 1, **conditions: float) -> Job:
        """Queue a job with the input {"n": given}; returns the one that stands for it."""
        times = {"execution_timeout_s": 50.0, "ttl_s": 500.0, "kept_s": 30.0, **conditions}
        now = self.clock()
        job = Job(
            id=job_id,
            input={"n": given},
            conditions=Conditions(**times),
            submitted_at=now,
            queued_at=now,
            size_bytes=10,
            key=key,
            fingerprint=content_digest({"n": given}),
        )
        return self.queue.submit(job)

    async def take(self, worker_id: str = "w1", **options: Any) -> list[str]:
        return [job.id for job in await self.queue.take(worker_id, **options)]
