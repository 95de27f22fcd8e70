"""The child jobs of one orchestration: their clock, their times, their merged progress, their answers checked."""

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from common.coverage import Span, duration_s, union
from common.errors import EndpointError
from common.metrics import JobMetrics
from common.progress import OnProgress
from common.results import WorkerReport
from orchestrator.endpoints import Endpoint, JobOptions, JobResult

KEPT_S = 10.0  # of the deadline, to stop what does not end and to answer with what there is
OnFound = Callable[[str, Mapping[str, Any]], None]  # told of a child's name and its result
MERGE_SHARE, MERGE_S = 0.02, 2.0  # of the deadline, at most, kept for what comes after the children


@dataclass(slots=True)
class Children:
    """The child jobs of one orchestration; `shares` are the parts of them in the whole progress, by name.

    All of them carry `request_id`; `key` makes each one job only, also where the orchestration is begun again after
    its worker was lost. `on_found` is told of each result as it is there.
    """

    deadline_s: float
    on_progress: OnProgress | None
    shares: Mapping[str, float]
    request_id: str
    key: str
    metrics: JobMetrics | None = None
    on_found: OnFound | None = None
    started: float = field(default_factory=time.monotonic)
    timings: dict[str, float] = field(default_factory=dict)
    progress: dict[str, float] = field(default_factory=dict)
    billed_s: dict[str, float] = field(default_factory=dict)
    _busy: list[Span] = field(default_factory=list)

    def elapsed_s(self) -> float:
        """Seconds since the orchestration began."""
        return time.monotonic() - self.started

    def left_s(self) -> float:
        """Seconds until its deadline."""
        return self.deadline_s - self.elapsed_s()

    def idle_s(self) -> float:
        """Seconds in which no child was running: what the orchestrator itself took."""
        return self.elapsed_s() - duration_s(union(self._busy))

    async def run(
        self,
        name: str,
        endpoint: Endpoint,
        job_input: dict[str, Any],
        expected: type[WorkerReport],
        *,
        deadline_s: float | None = None,
    ) -> Mapping[str, Any]:
        """Run one child job and book its times as `name`'s; a result not as `expected` is the endpoint's fault."""
        started_s = self.elapsed_s()
        self.progress[name] = 0.0
        self.timings[f"{name}_start_s"] = round(started_s, 4)
        try:
            result = await endpoint.run(
                {**job_input, "request_id": self.request_id},
                deadline_s=deadline_s or self.left_s() - min(MERGE_S, self.deadline_s * MERGE_SHARE),
                on_progress=lambda part: self._advance(name, part.get("progress")),
                options=JobOptions(idempotency_key=child_key(self.key, name)),
            )
        except EndpointError as error:
            self._bill(endpoint.name, error.execution_s)
            raise
        finally:
            self._busy.append((started_s, self.elapsed_s()))
        self._advance(name, 1.0)
        output = checked_output(endpoint.name, result.output, expected)
        self._book(name, endpoint.name, result, cold_start_s=output["timings"].get("cold_start_s", 0.0))
        if self.on_found is not None:
            self.on_found(name, output)
        return output

    def _book(self, name: str, endpoint: str, result: JobResult, *, cold_start_s: float) -> None:
        self.timings[f"{name}_end_s"] = round(self.elapsed_s(), 4)
        self.timings[f"{name}_queue_s"] = result.queue_s
        self.timings[f"{name}_cold_start_s"] = cold_start_s
        self.timings[f"{name}_execution_s"] = result.execution_s
        self._bill(endpoint, cold_start_s + result.execution_s)
        if self.metrics is not None:
            self.metrics.child_ended(endpoint=endpoint, queue_s=result.queue_s, execution_s=result.execution_s)

    def _bill(self, endpoint: str, seconds: float) -> None:
        self.billed_s[endpoint] = self.billed_s.get(endpoint, 0.0) + seconds

    @contextlib.contextmanager
    def waiting(self, name: str) -> Iterator[None]:
        """Book the time of something else that is waited for, no child job, as `name`'s."""
        started_s = self.elapsed_s()
        self.progress[name] = 0.0
        self._advance(name, 0.0)
        try:
            yield
        finally:
            self._busy.append((started_s, self.elapsed_s()))
            self.timings[f"{name}_s"] = round(self.elapsed_s() - started_s, 4)
        self._advance(name, 1.0)

    def finish(self) -> None:
        """Report that all is done, whichever children there were."""
        if self.on_progress is not None:
            self.on_progress({"stage": " · ".join(self.progress), "progress": 1.0, **self.progress})

    def _advance(self, name: str, fraction: object) -> None:
        if self.on_progress is None or not isinstance(fraction, (int, float)):
            return
        self.progress[name] = max(self.progress[name], min(float(fraction), 1.0))
        total = sum(self.shares[child] * done for child, done in self.progress.items())
        self.on_progress({"stage": " · ".join(self.progress), "progress": round(total, 3), **self.progress})


def child_key(key: str, name: str) -> str:
    """Return the idempotency key of a child job, of any length of the orchestration's own `key`."""
    return f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.{name}"


def checked_output(name: str, output: object, expected: type[WorkerReport]) -> dict[str, Any]:
    """Return `output`; raises EndpointError when it is not the result that the endpoint `name` should give."""
    try:
        report = expected.model_validate(output)
    except ValidationError:
        raise foreign_output(name) from None
    return {**output, "timings": report.timings} if isinstance(output, dict) else {}


def foreign_output(name: str) -> EndpointError:
    """Return the error for a result that is not that of the endpoint `name`."""
    return EndpointError(
        f"the {name} endpoint returned something else than its result; check {name.upper()}_ENDPOINT_ID",
        endpoint=name,
    )
