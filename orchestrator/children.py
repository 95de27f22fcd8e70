"""The child jobs of one orchestration: their clock, their times, their merged progress, their answers checked."""

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from common.coverage import Span, duration_s, union
from common.errors import EndpointError
from common.results import WorkerReport
from orchestrator.endpoints import Endpoint, OnProgress

KEPT_S = 10.0  # of the deadline, to stop what does not end and to answer with what there is


@dataclass(slots=True)
class Children:
    """The child jobs of one orchestration; `shares` are the parts of them in the whole progress, by name."""

    deadline_s: float
    on_progress: OnProgress | None
    shares: Mapping[str, float]
    started: float = field(default_factory=time.monotonic)
    timings: dict[str, float] = field(default_factory=dict)
    progress: dict[str, float] = field(default_factory=dict)
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
                job_input,
                deadline_s=deadline_s or self.left_s(),
                on_progress=lambda part: self._advance(name, part.get("progress")),
            )
        finally:
            self._busy.append((started_s, self.elapsed_s()))
        self._advance(name, 1.0)
        self.timings[f"{name}_end_s"] = round(self.elapsed_s(), 4)
        self.timings[f"{name}_queue_s"] = result.queue_s
        self.timings[f"{name}_execution_s"] = result.execution_s
        return checked_output(endpoint.name, result.output, expected)

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


def checked_output(name: str, output: object, expected: type[WorkerReport]) -> dict[str, Any]:
    """Return `output`; raises EndpointError when it is not the result that the endpoint `name` should give."""
    try:
        expected.model_validate(output)
    except ValidationError:
        raise foreign_output(name) from None
    return dict(output) if isinstance(output, dict) else {}


def foreign_output(name: str) -> EndpointError:
    """Return the error for a result that is not that of the endpoint `name`."""
    return EndpointError(
        f"the {name} endpoint returned something else than its result; check {name.upper()}_ENDPOINT_ID",
        endpoint=name,
    )
