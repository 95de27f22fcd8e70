"""Both endpoints in parallel, the repair of speech without words, the merge: the one place that knows the order."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from common.answer import Heard, diarized_turns, orchestrated_answer
from common.contract import CoverageOut, DiarizationResult, OrchestrationRequest, WorkerReport
from common.coverage import coverage_warnings
from common.errors import DeadlineExceededError, InvalidInputError, ParleyError
from common.formats.verbose_json import transcript_words
from common.repair import REPAIR_SHARE, Repair, after_repair, not_repaired, plan_repair
from common.timeline import Turn
from orchestrator.children import Children, foreign_output
from orchestrator.endpoints import Endpoint, OnProgress

DIARIZATION_FIELDS = {"audio", "num_speakers", "min_speakers", "max_speakers", "return_embeddings"}
TRANSCRIPTION_FIELDS = {"audio", "language", "chunk_duration", "hotwords"}
REPAIR = "transcription_repair"
SHORTEST_REPAIR_S = 5.0  # no job on RunPod may be given less
KEPT_S = 10.0  # of the deadline, to cancel a repair that does not end and to answer with the words there are


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
    request says `degrade`. Speech without words is then transcribed once more, if time is left; a failure of that is
    a warning. Cancelling this call cancels all of them. Raises the first child's ParleyError.
    """
    children = Children(deadline_s=deadline_s, on_progress=on_progress, shares=_shares(request))
    transcribed, spoken = await _both(children, request, diarization, transcription)
    heard = _heard(transcribed)
    if isinstance(spoken, Mapping):
        given = [text for text in transcribed.get("warnings", ()) if text not in coverage_warnings(heard.coverage)]
        heard, warnings = await _repaired(children, request, transcription, heard, diarized_turns(spoken))
        transcribed = {**transcribed, "warnings": [*given, *warnings]}
    children.finish()
    merge_started_s = children.elapsed_s()
    answer = orchestrated_answer(request, heard=heard, transcription=transcribed, diarization=spoken)
    return {**answer, "timings": _timings(children, merge_started_s)}


def _shares(request: OrchestrationRequest) -> dict[str, float]:
    if not request.diarize:
        return {"transcription": 1.0}
    repair = REPAIR_SHARE if request.repair else 0.0
    return {"transcription": (1 - repair) / 2, "diarization": (1 - repair) / 2, REPAIR: repair}


def _timings(children: Children, merge_started_s: float) -> dict[str, float]:
    total_s = children.elapsed_s()
    own = {"merge_s": total_s - merge_started_s, "total_s": total_s, "orchestrator_s": children.idle_s()}
    return children.timings | {name: round(value, 4) for name, value in own.items()}


async def _both(
    children: Children, request: OrchestrationRequest, diarization: Endpoint | None, transcription: Endpoint
) -> tuple[Mapping[str, Any], Mapping[str, Any] | ParleyError | None]:
    spoken: asyncio.Task[Mapping[str, Any] | ParleyError] | None = None
    try:
        async with asyncio.TaskGroup() as group:
            heard = group.create_task(
                children.run("transcription", transcription, _transcription_input(request), WorkerReport)
            )
            if request.diarize and diarization is not None:
                spoken = group.create_task(_diarized(children, diarization, request))
    except* ParleyError as failures:
        raise _first(failures) from None
    return heard.result(), spoken.result() if spoken else None


async def _diarized(
    children: Children, endpoint: Endpoint, request: OrchestrationRequest
) -> Mapping[str, Any] | ParleyError:
    try:
        return await children.run("diarization", endpoint, _pick(request, DIARIZATION_FIELDS), DiarizationResult)
    except ParleyError as error:
        if request.on_diarization_failure == "degrade":
            return error
        raise


def _first(group: BaseExceptionGroup[ParleyError]) -> ParleyError:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


async def _repaired(
    children: Children, request: OrchestrationRequest, endpoint: Endpoint, heard: Heard, turns: Sequence[Turn]
) -> tuple[Heard, list[str]]:
    """Return `heard` with the words found in speech that had none, and a warning where that could not be tried."""
    started_s = children.elapsed_s()
    repair = plan_repair(heard, turns)
    found, warnings = None, []
    if request.repair and repair.spans:
        try:
            found = await _decoded_again(children, request, endpoint, repair)
        except ParleyError as error:
            warnings.append(not_repaired(error))
    heard = after_repair(heard, turns, repair=repair, found=found)
    children.timings["repair_s"] = round(children.elapsed_s() - started_s, 4)
    return heard, warnings


async def _decoded_again(
    children: Children, request: OrchestrationRequest, endpoint: Endpoint, repair: Repair
) -> Heard:
    left_s = children.left_s() - KEPT_S
    if left_s < SHORTEST_REPAIR_S:
        raise DeadlineExceededError("no time is left for it; raise JOB_DEADLINE_SECONDS")
    asked = _transcription_input(request)
    asked["spans"] = [{"start": round(start, 3), "end": round(end, 3)} for start, end in repair.spans]
    if repair.language:
        asked.setdefault("language", repair.language)
    return _heard(await children.run(REPAIR, endpoint, asked, WorkerReport, deadline_s=left_s))


def _transcription_input(request: OrchestrationRequest) -> dict[str, Any]:
    return {**_pick(request, TRANSCRIPTION_FIELDS), "response_format": "verbose_json"}


def _pick(request: OrchestrationRequest, names: set[str]) -> dict[str, Any]:
    return request.model_dump(include=names, exclude_defaults=True)


def _heard(output: Mapping[str, Any]) -> Heard:
    """Read the transcription endpoint's `verbose_json` back; raises EndpointError when it is not that."""
    coverage = output.get("coverage")
    try:
        return Heard(
            words=transcript_words(dict(output)),
            language=str(output["language"]),
            duration_s=float(output["duration"]),
            coverage=None if coverage is None else CoverageOut.model_validate(coverage).coverage(),
        )
    except (KeyError, TypeError, ValueError, InvalidInputError):
        raise foreign_output("transcription") from None
