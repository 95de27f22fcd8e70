"""What became of a job: the result, or a file in any format, with the reader's edits."""

from pathlib import PurePosixPath
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query, Response

from common.errors import GoneError, JobCancelledError
from orchestrator.local.http_support import parse_object
from orchestrator.server.context import ServerContext
from orchestrator.server.documents import EditedTranscript, Rendered, parse_edits, rendered
from orchestrator.server.http.answers import JsonAnswer
from orchestrator.server.http.documentation import JOB_FAILED, refusals
from orchestrator.server.http.edits import latest_edits
from orchestrator.server.http.errors import job_error_answer
from orchestrator.server.http.parameters import Context, JobId, Owner
from orchestrator.server.http.schemas import JobStatus, Result
from orchestrator.server.http.statuses import status_now
from orchestrator.server.jobs import Job

Format = Literal["txt", "json", "text", "verbose_json", "diarized_json", "srt", "vtt", "tsv", "rttm", "stm", "ctm"]
DOCUMENTED: dict[str, Any] = {
    "application/json": {},
    **{kind: {"schema": {"type": "string"}} for kind in ("text/plain", "text/vtt", "application/x-subrip")},
    "text/tab-separated-values": {"schema": {"type": "string"}},
}

router = APIRouter(tags=["jobs"])


@router.get(
    "/api/results/{job_id}",
    response_model=Result | dict[str, Any],
    responses={
        200: {"description": "the result; a file with `format`", "content": DOCUMENTED},
        202: {"model": JobStatus, "description": "the job has not ended yet"},
        **refusals(404, 409, 410, *JOB_FAILED),
    },
)
def results(
    job_id: JobId,
    owner: Owner,
    context: Context,
    format: Annotated[Format | None, Query(description="a file in this format")] = None,  # noqa: A002 - its name in URLs
    edited: Annotated[bool, Query(description="false: as it was before the reader's edits")] = True,  # noqa: FBT002
) -> Response:
    """Return a job's result as it was found, or with `format` a file to keep, as the reader left it."""
    job = context.store.get(job_id, owner=owner)
    if job.state == "cancelled":
        raise JobCancelledError("the job was cancelled and has no result")
    if job.state == "failed":
        return job_error_answer(job.error or {})
    if job.state != "completed":
        return JsonAnswer(status_now(context, job_id, owner=owner).model_dump(mode="json"), status_code=202)
    content = _content(context, job)
    if format is None:
        return Response(content, media_type="application/json")
    edits = edits_of(context, job) if edited else None
    return _file(job, rendered(parse_object(content), format, edited=edits))


def edits_of(context: ServerContext, job: Job) -> EditedTranscript | None:
    """Return what the reader made of the transcript, None where nothing; blocks."""
    document = latest_edits(context, job)[1]
    return None if document is None else parse_edits(document)


def attachment(filename: str) -> str:
    """Return the header by which a browser saves an answer under a name, whatever characters that has (RFC 6266)."""
    return f"attachment; filename*=UTF-8''{quote(filename, safe='')}"


def _content(context: ServerContext, job: Job) -> bytes:
    if job.result is None:
        raise GoneError("the result was erased; send the recording again")
    with context.files.open(job.result) as file:
        return file.read()


def _file(job: Job, made: Rendered) -> Response:
    name = f"{PurePosixPath(job.filename).stem}{made.suffix}"
    return Response(made.content, media_type=made.media_type, headers={"Content-Disposition": attachment(name)})
