"""What came of a crowd's recordings: times by route, the order, how many ran at once, what the server took itself."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from statistics import median
from typing import Any

from benchmarks.orchestrator.judging import overhead_s, percentile

HEADER = f"{'':>8}{'answers':>9}{'p50':>9}{'p95':>9}{'most':>9}{'p95 when idle':>16}{'ratio':>8}   (ms)"
Job = Mapping[str, Any]


def route_line(route: str, seconds: Sequence[float], idle: Sequence[float]) -> str:
    """Return a row of the table under HEADER."""
    p50, p95, most = (1000 * percentile(seconds, percent) for percent in (50, 95, 100))
    line = f"{route:>8}{len(seconds):9}{p50:9.1f}{p95:9.1f}{most:9.1f}"
    if not idle:
        return line
    before = 1000 * percentile(idle, 95)
    return f"{line}{before:16.1f}{p95 / before:8.1f}"


def span_s(job: Job) -> tuple[float, float]:
    """Return when a job began and when it ended, in seconds since 1970."""
    return moment_s(job["started_at"]), moment_s(job["finished_at"])


def moment_s(text: str) -> float:
    """Return a time as the server writes it as seconds since 1970."""
    return datetime.fromisoformat(text).timestamp()


def most_at_once(spans: Iterable[tuple[float, float]]) -> int:
    """Return how many of half-open stretches of time there are at once at most."""
    changes = sorted(change for start, end in spans for change in ((start, 1), (end, -1)))
    running = most = 0
    for _, change in changes:
        running += change
        most = max(most, running)
    return most


def out_of_order(jobs: Iterable[Job]) -> list[str]:
    """Return the jobs that began before one that had come earlier."""
    begun = [job for job in jobs if job["started_at"] is not None]
    came = sorted(begun, key=lambda job: (job["created_at"], job["started_at"]))
    return [
        later["job_id"]
        for number, later in enumerate(came)
        if any(later["started_at"] < earlier["started_at"] for earlier in came[:number])
    ]


def moved_back(places: Mapping[str, Sequence[int]]) -> list[str]:
    """Return the jobs that were told a place in the queue behind one that they had before."""
    return [job_id for job_id, told in places.items() if any(after > before for before, after in pairwise(told))]


def overheads_s(jobs: Iterable[Job], timings: Mapping[str, Mapping[str, float]]) -> list[float]:
    """Return what each job took above its slower worker's queue and execution, in seconds."""
    ended = [job for job in jobs if job["job_id"] in timings]
    return [overhead_s(end - start, timings[job["job_id"]]) for job in ended for start, end in [span_s(job)]]


def job_lines(seen: Mapping[str, Any]) -> list[str]:
    """Return what is said of a crowd's jobs."""
    jobs = [job for job in seen["jobs"] if job["status"] == "completed"]
    wrong = ", ".join([*out_of_order(seen["jobs"]), *moved_back(seen["places"])])
    order = f"out of order: {wrong}" if wrong else "in the order in which they came"
    lines = [f"{len(jobs)} of {len(seen['jobs'])} recordings done, {max_running(seen)} at once at most, {order}"]
    if jobs:
        took_s = [end - start for start, end in map(span_s, jobs)]
        own_s = overheads_s(jobs, seen["timings"])
        took = f"a job took {median(took_s):.2f} s, the longest {max(took_s):.2f} s"
        lines.append(f"{took}; the server's own share of it {median(own_s):.2f} s, at most {max(own_s):.2f} s")
    return lines


def max_running(seen: Mapping[str, Any]) -> int:
    """Return how many jobs ran at once at most, by their own times and by what the server said meanwhile."""
    spans = [span_s(job) for job in seen["jobs"] if job["started_at"] and job["finished_at"]]
    told: Sequence[int] = seen["active"]
    return max(most_at_once(spans), *told, 0)
