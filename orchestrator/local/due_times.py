"""When time itself next changes a job, found without looking at every job."""

import heapq
from collections.abc import Mapping

from orchestrator.local.jobs import Job

SLACK = 64


class DueTimes:
    """Points in time noted for jobs; what was noted may be out of date, the job itself tells."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, str]] = []

    def note(self, job: Job) -> None:
        """Take note of the job's next point in time, after each change of it."""
        heapq.heappush(self._heap, (job.due_at, job.id))

    def pop_due(self, jobs: Mapping[str, Job], now: float) -> list[Job]:
        """Take out the jobs among `jobs` whose time has come."""
        if len(self._heap) > 4 * len(jobs) + SLACK:  # notes of jobs long ended, which would stay until their ttl
            self._heap = [(job.due_at, job.id) for job in jobs.values()]
            heapq.heapify(self._heap)
        due: dict[str, Job] = {}
        later: list[Job] = []
        while self._heap and self._heap[0][0] <= now:
            job = jobs.get(heapq.heappop(self._heap)[1])
            if job is not None:
                if job.due_at <= now:
                    due[job.id] = job
                else:
                    later.append(job)
        for job in later:
            self.note(job)
        return list(due.values())
