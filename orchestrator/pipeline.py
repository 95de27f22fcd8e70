"""Both endpoints in parallel, then the merge: the one place that knows the order of things."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from common.answer import Heard, orchestrated_answer
from common.contract import DiarizationResult, OrchestrationRequest, WorkerReport
from common.errors import EndpointError, InvalidInputError, ParleyError
from common.formats.verbose_json import transcript_words
from orchestrator.endpoints import Endpoint, OnProgress

DIARIZATION_FIELDS = {"audio", "num_speakers", "min_speakers", "max_speakers", "return_embeddings"}
TRANSCRIPTION_FIELDS = {"audio", "language", "chunk_duration"}


@dataclass(slots=True)
class _Run:
    """One orchestration under way: its clock, its children's times, its merged progress."""

    deadline_s: float
    on_progress: OnProgress | None
    started: float = field(default_factory=time.monotonic)
    timings: dict[str, float] = field(default_factory=dict)
    progress: dict[str, float] = field(default_factory=dict)

    def elapsed_s(self) -> float:
        return time.monotonic() - self.started

    async def child(
        self, endpoint: Endpoint, job_input: dict[str, Any], expected: type[WorkerReport]
    ) -> Mapping[str, Any]:
        """Run one child job and book its times; a result that is not as `expected` is the endpoint's fault."""
        name = endpoint.name
        self.progress[name] = 0.0
        self.timings[f"{name}_start_s"] = round(self.elapsed_s(), 4)
        result = await endpoint.run(
            job_input, deadline_s=self.deadline_s - self.elapsed_s(), on_progress=lambda part: self._advance(name, part)
        )
        self._advance(name, {"progress": 1.0})
        self.timings[f"{name}_end_s"] = round(self.elapsed_s(), 4)
        self.timings[f"{name}_queue_s"] = result.queue_s
        self.timings[f"{name}_execution_s"] = result.execution_s
        return checked_output(name, result.output, expected)

    def _advance(self, name: str, part: dict[str, Any]) -> None:
        fraction = part.get("progress")
        if self.on_progress is None or not isinstance(fraction, (int, float)):
            return
        self.progress[name] = max(self.progress[name], min(float(fraction), 1.0))
        total = sum(self.progress.values()) / len(self.progress)
        self.on_progress({"stage": " · ".join(self.progress), "progress": round(total, 3), **self.progress})


async def orchestrate(
    request: OrchestrationRequest,
    *,
    diarization: Endpoint | None,
    transcription: Endpoint,
    deadline_s: float,
    on_progress: OnProgress | None = None,
) -> dict[str, Any]:
    """Return the speaker-attributed result of `request` within `deadline_s` seconds.

    `diarization` is not called, and may be None, where `request.diarize` is false.

    Both children start at once; when one fails the other is cancelled, unless diarization failed and the
    request says `degrade`. Cancelling this call cancels both. Raises the first child's ParleyError.
    """
    run = _Run(deadline_s=deadline_s, on_progress=on_progress)
    heard, spoken = await _children(run, request, diarization, transcription)
    merge_started = time.monotonic()
    answer = orchestrated_answer(request, heard=_heard(heard), transcription=heard, diarization=spoken)
    run.timings["merge_s"] = round(time.monotonic() - merge_started, 4)
    run.timings["total_s"] = round(run.elapsed_s(), 4)
    slowest_s = max(value for name, value in run.timings.items() if name.endswith("_end_s"))
    run.timings["orchestrator_s"] = round(run.timings["total_s"] - slowest_s, 4)
    return {**answer, "timings": run.timings}


async def _children(
    run: _Run, request: OrchestrationRequest, diarization: Endpoint | None, transcription: Endpoint
) -> tuple[Mapping[str, Any], Mapping[str, Any] | ParleyError | None]:
    fields = request.model_dump(exclude_none=True)
    spoken: asyncio.Task[Mapping[str, Any] | ParleyError] | None = None
    try:
        async with asyncio.TaskGroup() as group:
            heard = group.create_task(
                run.child(
                    transcription,
                    {**_pick(fields, TRANSCRIPTION_FIELDS), "response_format": "verbose_json"},
                    WorkerReport,
                )
            )
            if request.diarize and diarization is not None:
                keep = request.on_diarization_failure == "degrade"
                spoken = group.create_task(
                    _diarized(run, diarization, _pick(fields, DIARIZATION_FIELDS), keep_error=keep)
                )
    except* ParleyError as failures:
        raise _first(failures) from None
    return heard.result(), spoken.result() if spoken else None


async def _diarized(
    run: _Run, endpoint: Endpoint, job_input: dict[str, Any], *, keep_error: bool
) -> Mapping[str, Any] | ParleyError:
    try:
        return await run.child(endpoint, job_input, DiarizationResult)
    except ParleyError as error:
        if keep_error:
            return error
        raise


def _first(group: BaseExceptionGroup[ParleyError]) -> ParleyError:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


def _pick(fields: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name in names}


def _heard(output: Mapping[str, Any]) -> Heard:
    """Read the transcription endpoint's `verbose_json` back; raises EndpointError when it is not that."""
    try:
        return Heard(
            words=transcript_words(dict(output)),
            language=str(output["language"]),
            duration_s=float(output["duration"]),
        )
    except (KeyError, TypeError, ValueError, InvalidInputError):
        raise _foreign("transcription") from None


def checked_output(name: str, output: object, expected: type[WorkerReport]) -> dict[str, Any]:
    """Return `output`; raises EndpointError when it is not the result that the endpoint `name` should give."""
    try:
        expected.model_validate(output)
    except ValidationError:
        raise _foreign(name) from None
    return dict(output) if isinstance(output, dict) else {}


def _foreign(name: str) -> EndpointError:
    return EndpointError(
        f"the {name} endpoint returned something else than its result; check {name.upper()}_ENDPOINT_ID",
        endpoint=name,
    )
