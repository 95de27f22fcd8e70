"""One job of the local platform: its record, its states, what callers are told of it; no clock, no I/O."""

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from orchestrator.local.bell import Bell


class JobState(StrEnum):
    """The states of a job under RunPod's names."""

    IN_QUEUE = "IN_QUEUE"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    TIMED_OUT = "TIMED_OUT"


FINAL_STATES = frozenset({JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED, JobState.TIMED_OUT})
RETRYABLE_STATES = frozenset({JobState.FAILED, JobState.TIMED_OUT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What a caller asked for beside the input: times in seconds, `kept_s` counts from the end of the job."""

    execution_timeout_s: float
    ttl_s: float
    kept_s: float
    webhook: str | None = None
    s3_config: dict[str, Any] | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class Job:
    """One submission and all that became of it; points in time are seconds of one monotonic clock."""

    id: str
    input: dict[str, Any] | None
    conditions: Conditions
    submitted_at: float
    queued_at: float
    key: str | None = None  # the caller's idempotency key
    fingerprint: str = ""  # of the input, where there is a key
    size_bytes: int = 0
    result_bytes: int = 0
    counted_bytes: int = 0  # what the ledger has counted of the two
    state: JobState = JobState.IN_QUEUE
    worker_id: str | None = None
    previous_worker_id: str | None = None
    started_at: float | None = None
    finished_at: float | None = None
    output: Any = None
    error: str | None = None
    stream: list[dict[str, Any]] = field(default_factory=list)
    losses: int = 0
    retries: int = 0
    ended: Bell = field(default_factory=Bell)  # rings when the job has ended

    @property
    def expires_at(self) -> float:
        """When the job is forgotten: its result's time is over, or its own."""
        if self.finished_at is not None:
            return self.finished_at + self.conditions.kept_s
        return self.submitted_at + self.conditions.ttl_s

    @property
    def due_at(self) -> float:
        """When time changes the job: it is forgotten, or its execution takes too long."""
        if self.state is not JobState.IN_PROGRESS or self.started_at is None:
            return self.expires_at
        return min(self.expires_at, self.started_at + self.conditions.execution_timeout_s)

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen to the job by itself."""
        return self.state in FINAL_STATES

    def start(self, worker_id: str, now: float) -> None:
        """Hand the job to a worker."""
        self.state = JobState.IN_PROGRESS
        self.worker_id = worker_id
        self.started_at = now

    def hand_back(self) -> None:
        """Put the job back as if it had never been handed out."""
        self.state = JobState.IN_QUEUE
        self.worker_id = None
        self.started_at = None

    def queue_again(self, now: float) -> None:
        """Start over: the output so far is dropped, the next attempt is counted as a retry."""
        self.previous_worker_id = self.worker_id
        self.hand_back()
        self.queued_at = now
        self.finished_at = self.output = self.error = None
        self.result_bytes = 0
        self.stream.clear()
        self.retries += 1

    def finish(self, state: JobState, now: float, *, output: object = None, error: str | None = None) -> None:
        """End the job; the input is kept only where a retry may need it."""
        self.state = state
        self.finished_at = now
        self.output = output
        self.error = error
        if state not in RETRYABLE_STATES:
            self.input = None
            self.size_bytes = 0

    def view(self) -> dict[str, Any]:
        """Return the body of `/status`: id and state, then what is known; times in ms."""
        body: dict[str, Any] = {"id": self.id, "status": self.state.value}
        if self.started_at is not None:
            body["delayTime"] = _milliseconds(self.started_at - self.queued_at)
            if self.finished_at is not None:
                body["executionTime"] = _milliseconds(self.finished_at - self.started_at)
        known = {"workerId": self.worker_id, "retries": self.retries or None, "error": self.error}
        body |= {key: value for key, value in known.items() if value is not None}
        return body if self.output is None else {**body, "output": self.output}


def failure(code: str, message: str, *, retryable: bool = False) -> str:
    """Return the `error` of a job that the platform itself ended, in the form in which Parley's workers send theirs."""
    return json.dumps({"code": code, "message": message, "param": None, "retryable": retryable})


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
