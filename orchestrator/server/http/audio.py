"""Recordings, in ranges, to be played and to be fetched by workers; and how loud they are."""

import asyncio
import hashlib
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Header, Response
from starlette.responses import StreamingResponse

from common.errors import GoneError, JobNotFoundError
from orchestrator.server.context import ServerContext
from orchestrator.server.http.audio_types import OTHER, media_type_in
from orchestrator.server.http.documentation import refusals
from orchestrator.server.http.parameters import Context, JobId, Owner
from orchestrator.server.http.schemas import Peaks
from orchestrator.server.http.stored_ranges import Range, pieces, range_asked

HEAD_BYTES = 16
SOUND = {"schema": {"type": "string", "format": "binary"}}
KINDS: dict[str, Any] = {"audio/*": SOUND, OTHER: SOUND}
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "the recording", "content": KINDS},
    206: {"description": "a part of it", "content": KINDS},
}

AskedRange = Annotated[str | None, Header(alias="Range", description="`bytes=first-last`; one range")]
IfRange = Annotated[str | None, Header(alias="If-Range", description="the ETag of the answer that is gone on with")]

router = APIRouter(tags=["recordings"])


@router.get(
    "/api/jobs/{job_id}/audio", response_class=StreamingResponse, responses={**ANSWERS, **refusals(404, 410, 416)}
)
async def audio(
    job_id: JobId, owner: Owner, context: Context, asked: AskedRange = None, if_range: IfRange = None
) -> Response:
    """Return the recording of a job, or a part of it."""
    job = await asyncio.to_thread(context.store.get, job_id, owner=owner)
    if job.audio is None:
        raise GoneError("the recording is not there: it was erased, or has yet to be fetched")
    return await _sound(context, job.audio, asked, if_range)


@router.get("/internal/audio/{token}", include_in_schema=False)
async def internal_audio(token: str, context: Context, asked: AskedRange = None, if_range: IfRange = None) -> Response:
    """Return a recording to a worker, which has its signed address instead of a key, as long as there is work to do."""
    name = context.audio_links.name(token)
    if not await asyncio.to_thread(context.store.named, [name], by="unfinished"):
        raise JobNotFoundError("there is no such recording, or its job has ended")
    return await _sound(context, name, asked, if_range)


@router.get("/api/jobs/{job_id}/peaks", response_model=Peaks, responses=refusals(404, 410))
def peaks(job_id: JobId, owner: Owner, context: Context) -> Response:
    """Return how loud the recording is, moment by moment."""
    job = context.store.get(job_id, owner=owner)
    if job.peaks is None:
        raise GoneError("there are no peaks of this recording, or none yet")
    with context.files.open(job.peaks) as file:
        return Response(file.read(), media_type="application/json")


async def _sound(context: ServerContext, name: str, asked: str | None, if_range: str | None) -> Response:
    etag = f'"{hashlib.sha256(name.encode()).hexdigest()[:32]}"'  # a file never changes
    file, head, size_bytes = await asyncio.to_thread(_opened, context, name)
    try:
        part = range_asked(asked if if_range in {None, etag} else None, size_bytes=size_bytes)
    except BaseException:
        file.close()
        raise
    sent = part or Range(first=0, last=size_bytes - 1)
    headers = {"Accept-Ranges": "bytes", "Content-Length": str(sent.size_bytes), "ETag": etag}
    if part is not None:
        headers["Content-Range"] = f"bytes {part.first}-{part.last}/{size_bytes}"
    return StreamingResponse(
        pieces(file, sent), status_code=200 if part is None else 206, media_type=media_type_in(head), headers=headers
    )


def _opened(context: ServerContext, name: str) -> tuple[BinaryIO, bytes, int]:
    size_bytes = context.files.size(name)
    file = context.files.open(name)
    return file, file.read(HEAD_BYTES), size_bytes
