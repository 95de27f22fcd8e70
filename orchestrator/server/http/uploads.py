"""New jobs: of a recording that is sent or named, and of one that is there, to find its speakers anew."""

import asyncio
from typing import Any

from fastapi import APIRouter, Request, Response

from common.errors import GoneError, RefusedError, UnknownFieldError
from orchestrator.server.context import ServerContext
from orchestrator.server.http.bodies import read_object
from orchestrator.server.http.documentation import json_body, refusals, upload_body
from orchestrator.server.http.intake import new_job_id, queued, received
from orchestrator.server.http.multipart import MAX_TEXT_BYTES
from orchestrator.server.http.parameters import Context, JobId, NewJobOwner
from orchestrator.server.http.request_fields import checked, schema_of
from orchestrator.server.http.schemas import Accepted
from orchestrator.server.http.statuses import accepted
from orchestrator.server.jobs import Job, NewJob

OF_SPEAKERS = (
    "num_speakers", "min_speakers", "max_speakers", "known_speakers", "known_speaker_threshold", "return_embeddings",
    "speaker_names", "name_speakers", "speaker_confidence",
)  # fmt: skip
KEPT = ("language", "subtitles", "speaker_confidence")  # of the earlier job's request, where nothing else is asked

router = APIRouter(tags=["jobs"])


@router.post(
    "/api/upload",
    status_code=202,
    response_model=Accepted,
    responses=refusals(413, 415, 422),
    openapi_extra=upload_body(),
)
async def upload(request: Request, response: Response, owner: NewJobOwner, context: Context) -> Accepted:
    """Queue a recording, sent as a form or named by its URL, to be transcribed."""
    return await _queued(context, await received(request, context, owner=owner), response)


@router.post(
    "/api/jobs/{job_id}/rediarize",
    status_code=202,
    response_model=Accepted,
    responses=refusals(404, 409, 410, 413, 415, 422),
    openapi_extra=json_body({
        "type": "object",
        "properties": {name: schema_of("transcription")[name] for name in OF_SPEAKERS},
        "additionalProperties": False,
    }),
)  # fmt: skip
async def rediarize(
    job_id: JobId, request: Request, response: Response, owner: NewJobOwner, context: Context
) -> Accepted:
    """Queue a new job that finds the speakers of an ended one anew and keeps its words."""
    asked = await read_object(request, max_bytes=MAX_TEXT_BYTES)
    if unknown := sorted(asked.keys() - set(OF_SPEAKERS)):
        raise UnknownFieldError(
            f"unknown field {unknown[0]!r}; known fields: {', '.join(sorted(OF_SPEAKERS))}", param=unknown[0]
        )
    job = await asyncio.to_thread(context.store.get, job_id, owner=owner)
    allow_private = context.settings.limits.allow_private_addresses
    new = _anew(job, asked, request_id=request.state.request_id, allow_private=allow_private)
    return await _queued(context, new, response)


async def _queued(context: ServerContext, new: NewJob, response: Response) -> Accepted:
    job = await queued(context, new)
    response.headers["Location"] = f"/api/status/{job.id}"
    return await asyncio.to_thread(accepted, context, job)


def _anew(job: Job, asked: dict[str, Any], *, request_id: str, allow_private: bool) -> NewJob:
    """Return the job; the files of the earlier one are those of both, and stay as long as one of them does."""
    if job.state != "completed":
        raise RefusedError("the job has no result yet, or none at all; speakers are found anew in one that has")
    if job.audio is None:
        raise GoneError("the recording was erased, as KEEP_AUDIO or the retention asks for; send it again")
    kept = {name: job.fields[name] for name in KEPT if name in job.fields and job.kind == "transcription"}
    return NewJob(
        id=new_job_id(),
        owner=job.owner,
        kind=job.kind,
        filename=job.filename,
        fields=checked({**kept, **asked}, kind=job.kind, allow_private=allow_private),
        request_id=request_id,
        audio=job.audio,
        audio_sha256=job.audio_sha256,
        audio_bytes=job.audio_bytes,
        earlier=job.result if job.kind == "transcription" else None,
    )
