"""Routes that answer with the result itself: for short recordings, and for callers who cannot ask again."""

import asyncio

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from orchestrator.server.context import ServerContext
from orchestrator.server.http.documentation import JOB_FAILED, refusals, upload_body
from orchestrator.server.http.ephemeral import ended_job, ephemeral_job, refusal, stored_result
from orchestrator.server.http.parameters import Context, NewJobOwner
from orchestrator.server.http.schemas import Result
from orchestrator.server.jobs import Kind

router = APIRouter(tags=["synchronous"])


@router.post(
    "/api/diarize",
    response_model=Result,
    responses=refusals(*JOB_FAILED, 503),
    openapi_extra=upload_body("diarization"),
)
async def diarize(request: Request, context: Context, owner: NewJobOwner) -> Response:
    """Answer `{speakers, timeline, num_speakers, success, …}` of a recording, of which nothing is kept."""
    return await _answered(request, context, owner=owner, kind="diarization")


@router.post(
    "/api/transcribe-with-diarization",
    response_model=Result,
    responses=refusals(*JOB_FAILED, 503),
    openapi_extra=upload_body(),
)
async def transcribe_with_diarization(request: Request, context: Context, owner: NewJobOwner) -> Response:
    """Answer the words of a recording with their speakers, as `/api/results` does; nothing of it is kept."""
    return await _answered(request, context, owner=owner, kind="transcription")


async def _answered(request: Request, context: ServerContext, *, owner: str, kind: Kind) -> Response:
    async with ephemeral_job(request, context, owner=owner, kind=kind) as waiting:
        job = await ended_job(request, context, waiting)
        return refusal(job) or Response(
            await asyncio.to_thread(stored_result, context, job), media_type="application/json"
        )
