"""Both child jobs at once: the failure of one stops the other, unless the request can do without speakers."""

import asyncio
from collections.abc import Mapping
from typing import Any

from common.answer import Spoken, diarized_turns
from common.contract import OrchestrationRequest
from common.errors import JobCancelledError, ParleyError
from common.results import DiarizationResult, WorkerReport
from orchestrator.child_jobs import diarization_input, transcription_input
from orchestrator.children import Children
from orchestrator.endpoints import Endpoint
from orchestrator.off_loop import items_of, off_loop


async def both(
    children: Children, request: OrchestrationRequest, diarization: Endpoint | None, transcription: Endpoint
) -> tuple[Mapping[str, Any], Spoken | None]:
    """Return the results of both endpoints; without `diarization` there is none of it. Raises the first failure."""
    spoken: asyncio.Task[Spoken] | None = None
    try:
        async with asyncio.TaskGroup() as group:
            asked = transcription_input(request)
            heard = group.create_task(children.run("transcription", transcription, asked, WorkerReport))
            if diarization is not None:
                spoken = group.create_task(diarized(children, request, diarization))
    except* ParleyError as failures:
        raise _first(failures) from None
    return heard.result(), spoken.result() if spoken else None


async def diarized(children: Children, request: OrchestrationRequest, endpoint: Endpoint) -> Spoken:
    """Return the diarization endpoint's result, or its error where the request says `degrade`; else raises it.

    More speakers than words can be merged with are an error, too. A job that somebody has cancelled is always raised.
    """
    try:
        result = await children.run("diarization", endpoint, diarization_input(request), DiarizationResult)
        await off_loop(items_of(result), diarized_turns, result)  # raises for too many speakers
    except ParleyError as error:
        if request.on_diarization_failure == "degrade" and not isinstance(error, JobCancelledError):
            return error
        raise
    return result


def _first(group: BaseExceptionGroup[ParleyError]) -> ParleyError:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
