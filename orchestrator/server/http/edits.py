"""The transcript as its reader corrected it: kept beside the result, and one version after the other."""

import asyncio
import json
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import Field

from common.contract import Request as Contract
from common.contract import parse_request
from common.errors import EditConflictError, GoneError, InputTooLargeError, ParleyError, RefusedError
from orchestrator.local.http_support import parse_object
from orchestrator.server.context import ServerContext
from orchestrator.server.documents import EditedTranscript, parse_edits
from orchestrator.server.edited import MAX_WORDS
from orchestrator.server.http.bodies import BIG_BYTES, read_json
from orchestrator.server.http.documentation import json_body, refusals
from orchestrator.server.http.intake import new_file_name
from orchestrator.server.http.parameters import Context, JobId, Owner
from orchestrator.server.http.schemas import Edits, EditsVersion
from orchestrator.server.jobs import Job

MAX_BYTES = 32 * 1024 * 1024  # 200,000 words
MAX_OBJECTS, MAX_VALUES = 500_000, 2_500_000  # 200,000 segments of a word each, and what brackets their texts have
READS = 3
MAX_VERSION = 2**31 - 2

router = APIRouter(tags=["edits"])


class NewEdits(Contract):
    """A corrected transcript, and the version that was corrected."""

    version: Annotated[int, Field(ge=0, le=MAX_VERSION)]
    document: dict[str, Any]


BODY = {
    "type": "object",
    "properties": {
        "version": {"type": "integer", "minimum": 0, "maximum": MAX_VERSION},
        "document": {"$ref": "#/components/schemas/EditedTranscript"},
    },
    "required": ["version", "document"],
    "additionalProperties": False,
}


@router.get("/api/jobs/{job_id}/edits", response_model=Edits, responses=refusals(404, 410))
def edits(job_id: JobId, owner: Owner, context: Context) -> Edits:
    """Return the corrected transcript, null where nobody corrected it."""
    version, document = latest_edits(context, context.store.get(job_id, owner=owner))
    return Edits(version=version, document=document)


@router.put(
    "/api/jobs/{job_id}/edits",
    response_model=EditsVersion,
    responses=refusals(404, 409, 413, 415),
    openapi_extra=json_body(BODY),
)
async def save(job_id: JobId, request: Request, owner: Owner, context: Context) -> EditsVersion:
    """Keep a corrected transcript; 409 where it was corrected elsewhere since `version`."""
    await asyncio.to_thread(_editable, context, job_id, owner)  # said before megabytes are sent
    body = await read_json(request, max_bytes=MAX_BYTES)
    async with _turn(request, body):
        return EditsVersion(version=await asyncio.to_thread(_saved, context, job_id, owner, body))


def latest_edits(context: ServerContext, job: Job) -> tuple[int, dict[str, Any] | None]:
    """Return the version of a job's edits and these, None where there are none; blocks."""
    for names_left in range(READS - 1, -1, -1):
        if job.edits is None:
            break
        try:
            with context.files.open(job.edits) as file:
                return job.edits_version, parse_object(file.read())
        except GoneError:  # a newer version took its place this moment
            if not names_left:
                raise
            job = context.store.get(job.id)
    return job.edits_version, None


def _turn(request: Request, body: bytes) -> AbstractAsyncContextManager[Any]:
    """Let big documents be read one after the other: each takes ten times its size, small ones need not wait."""
    lock: asyncio.Lock = request.app.state.big_edits
    return lock if len(body) > BIG_BYTES else nullcontext()


def _editable(context: ServerContext, job_id: str, owner: str) -> Job:
    job = context.store.get(job_id, owner=owner)
    if job.state != "completed" or job.kind != "transcription":
        raise RefusedError("the job has no transcript that could be edited")
    return job


def _parsed(body: bytes) -> tuple[int, EditedTranscript]:
    """Return the version that was edited and the document; refuses what would take a gigabyte before reading it."""
    if body.count(b"{") > MAX_OBJECTS or body.count(b",") + body.count(b"[") > MAX_VALUES:
        raise InputTooLargeError(f"the document has more than the {MAX_WORDS} words that can be kept", param="document")
    given = parse_request(NewEdits, parse_object(body))
    return given.version, parse_edits(given.document)


def _saved(context: ServerContext, job_id: str, owner: str, body: bytes) -> int:
    """Write the document under a new name, then have the job name it, then remove the one before."""
    before, edited = _parsed(body)
    job = _editable(context, job_id, owner)
    name = new_file_name("edits", job_id, ".json")
    content = json.dumps(edited.model_dump(exclude_defaults=True)).encode()
    context.files.put_bytes(content, name)
    try:
        version = context.store.save_edits(job_id, owner=owner, edits=name, version=before)
    except EditConflictError:
        _discard(context, name)
        if _is_latest(context, job_id, content, version=before + 1):
            return before + 1
        raise
    except BaseException:
        _discard(context, name)
        raise
    if job.edits is not None and job.edits_version == before:
        context.files.delete(job.edits)
    return version


def _is_latest(context: ServerContext, job_id: str, content: bytes, *, version: int) -> bool:
    """Tell whether `version` is the latest and this very document: a proxy sends it again if its answer was lost."""
    job = context.store.get(job_id)
    if job.edits is None or job.edits_version != version:
        return False
    with suppress(GoneError), context.files.open(job.edits) as file:
        return file.read() == content
    return False


def _discard(context: ServerContext, name: str) -> None:
    """Remove a document, unless the job names it after all; where the store cannot tell, the janitor will see."""
    with suppress(ParleyError):
        if not context.store.named([name]):
            context.files.delete(name)
