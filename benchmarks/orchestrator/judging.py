"""What came of many orchestrations: their ends, what was executed for them, the figures of the report."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from common.errors import ParleyError

COMPLETED, DEGRADED, CANCELLED, LOST = "completed", "degraded", "cancelled", "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One orchestration: how it ended (an error's code where it failed), when, and by when it had to; seconds.

    `left` counts its child jobs that still ran some time after its end.
    """

    outcome: str
    took_s: float
    deadline_s: float
    left: int = 0

    @property
    def late(self) -> bool:
        """Whether it ended after its deadline."""
        return self.took_s > self.deadline_s


@dataclass(slots=True, kw_only=True)
class Executions:
    """Which jobs were begun for which inputs, how often each, and how often a fault had each begun again."""

    jobs: dict[tuple[str, str], Counter[str]]
    explained: Counter[str] = field(default_factory=Counter)  # by job

    def again(self) -> list[str]:
        """Return the jobs that were begun more than once."""
        return [job_id for begun in self.jobs.values() for job_id, times in begun.items() if times > 1]

    def doubled(self) -> int:
        """Return the executions too many: second jobs for an input, and what no lost worker or fault explains."""
        second_jobs = sum(len(begun) - 1 for begun in self.jobs.values())
        times = [(job_id, count) for begun in self.jobs.values() for job_id, count in begun.items()]
        return second_jobs + sum(max(count - 1 - self.explained[job_id], 0) for job_id, count in times)


def outcome_of(answer: Mapping[str, Any], *, words: int) -> str:
    """Return how an orchestration with a result ended; one that lacks words, speakers or a reason is lost."""
    if len(answer["words"]) != words:
        return LOST
    spoken = {word.get("speaker") for word in answer["words"]}
    if answer["diarization"] == "completed":
        return COMPLETED if None not in spoken else LOST
    return DEGRADED if any("diarization failed" in text for text in answer["warnings"]) else LOST


def outcome_of_error(error: BaseException) -> str:
    """Return the code of an error that says what happened; any other is a loss."""
    return str(error.envelope()["code"]) if isinstance(error, ParleyError) and error.message else LOST


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest of `values` that `percent` of them do not exceed (nearest rank); 0 without any."""
    ordered = sorted(values)
    return ordered[max(math.ceil(len(ordered) * percent / 100), 1) - 1] if ordered else 0.0


def overhead_s(took_s: float, timings: Mapping[str, float]) -> float:
    """Return the seconds above the slower child's queue and execution time, as the platform reports them."""
    children = [
        timings[f"{child}_queue_s"] + timings[f"{child}_execution_s"] for child in ("diarization", "transcription")
    ]
    return took_s - max(children)


def table(runs: Mapping[str, Iterable[Run]]) -> list[str]:
    """Return lines that say how often each outcome was the end under each fault."""
    counts = {fault: Counter(run.outcome for run in ended) for fault, ended in runs.items()}
    seen = sum(counts.values(), Counter[str]())
    first = [name for name in (COMPLETED, DEGRADED, CANCELLED, LOST) if name in seen]
    outcomes = [*first, *sorted(set(seen) - set(first), key=lambda name: -seen[name])]
    width = max(len(fault) for fault in [*counts, "in all"]) + 2
    head = " " * width + "  ".join(outcomes)
    rows = [
        fault.ljust(width) + "  ".join(f"{count[name] or '.':>{len(name)}}" for name in outcomes)
        for fault, count in [*counts.items(), ("in all", seen)]
    ]
    return [head, *rows]
