"""Jobs that live as long as their request: answered when they are done, stopped when the caller goes, then erased."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from common.errors import (
    DeadlineExceededError,
    JobCancelledError,
    JobNotFoundError,
    ParleyError,
    ServerStoppingError,
)
from common.logs import log_event
from orchestrator.server.context import ServerContext
from orchestrator.server.http.errors import error_answer, job_error_answer
from orchestrator.server.http.intake import FormFields, queued, received
from orchestrator.server.jobs import Job, Kind
from orchestrator.server.store.erasing import erase_job

RESTART_S = 10.0  # by then a server that is only restarted should answer again
ERASING: set[asyncio.Task[None]] = set()

logger = logging.getLogger(__name__)


@asynccontextmanager
async def ephemeral_job(
    request: Request,
    context: ServerContext,
    *,
    owner: str,
    kind: Kind = "transcription",
    accept: Callable[[FormFields], dict[str, Any]] | None = None,
) -> AsyncIterator[Job]:
    """Yield the job that a request asks for, in the queue; in the end it is stopped if need be, and erased.

    Raises as `received` and `queued`.
    """
    new = await received(request, context, owner=owner, kind=kind, accept=accept, ephemeral=True)
    job = await queued(context, new)
    try:
        yield job
    finally:
        erasing = asyncio.create_task(_erase(context, job))
        ERASING.add(erasing)  # event loops hold their tasks by weak references only
        erasing.add_done_callback(ERASING.discard)
        await asyncio.shield(erasing)  # it goes on where the caller's going away cancels this


async def ended_job(request: Request, context: ServerContext, job: Job) -> Job:
    """Return the job once it is final.

    Raises ClientDisconnect as soon as the caller goes, ServerStoppingError as soon as the server is to stop, and
    DeadlineExceededError after JOB_DEADLINE_SECONDS.
    """
    limit_s = context.settings.endpoints.deadline_s
    ended = asyncio.ensure_future(context.runner.ended(job.id))
    unanswered = asyncio.ensure_future(why_unanswered(request))
    try:
        done, _ = await asyncio.wait({ended, unanswered}, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await stopped(ended, unanswered)
    if ended in done:
        return ended.result()
    raise unanswered.result() if unanswered in done else too_late(limit_s)


async def why_unanswered(request: Request) -> ClientDisconnect | ServerStoppingError:
    """Return, when it is so, that the caller, whose request was read to its end, has gone, or the server will stop."""
    gone = asyncio.ensure_future(_caller_gone(request))
    closing = asyncio.ensure_future(request.app.state.streams.closing.wait())
    try:
        done, _ = await asyncio.wait({gone, closing}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await stopped(gone, closing)
    return ClientDisconnect() if gone in done else stopping()


async def stopped(*tasks: "asyncio.Future[Any]") -> None:
    """Cancel tasks and wait for them; what they raise is not of interest any more."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def stopping() -> ServerStoppingError:
    """Return what is said of a job that was not done when the server was to stop."""
    return ServerStoppingError("the server is being stopped; send the recording again", retry_after_s=RESTART_S)


def too_late(limit_s: float) -> DeadlineExceededError:
    """Return what is said of a job that was not done in time."""
    return DeadlineExceededError(
        f"the recording was not done within {limit_s:.0f} s, waiting for its turn included; send it to /api/upload, "
        "which answers at once"
    )


def refusal(job: Job) -> Response | None:
    """Return the answer of a job that ended without a result, None for one that has one."""
    if job.state == "failed":
        return job_error_answer(job.error or ParleyError("the job failed").envelope())
    return error_answer(JobCancelledError("the job was cancelled")) if job.state == "cancelled" else None


def stored_result(context: ServerContext, job: Job) -> bytes:
    """Return the JSON of a completed job's result; blocks. Raises JobNotFoundError when it was erased meanwhile."""
    if job.result is None:
        raise JobNotFoundError("the job was erased")
    with context.files.open(job.result) as file:
        return file.read()


async def _caller_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _erase(context: ServerContext, job: Job) -> None:
    try:
        await asyncio.to_thread(erase_job, context.store, context.files, job.id, owner=job.owner)
    except JobNotFoundError:
        return
    except (SQLAlchemyError, ParleyError) as error:
        log_event(logger, "job_not_erased_yet", job_id=job.id, error=type(error).__name__)
    else:
        context.runner.stop(job.id)
