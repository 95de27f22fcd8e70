"""The caller's jobs: how far they are, all of them, cancelling and erasing."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Response

from orchestrator.server.http.documentation import refusals
from orchestrator.server.http.parameters import Context, JobId, Owner
from orchestrator.server.http.schemas import JobList, JobStatus
from orchestrator.server.http.statuses import status_now, status_of
from orchestrator.server.jobs import State
from orchestrator.server.store.erasing import erase_job

MAX_PAGE = 200

router = APIRouter(tags=["jobs"])


@router.get("/api/status/{job_id}", response_model=JobStatus, responses=refusals(404))
async def status(job_id: JobId, owner: Owner, context: Context) -> JobStatus:
    """Tell how far a job is."""
    return await asyncio.to_thread(status_now, context, job_id, owner=owner)


@router.get("/api/jobs", response_model=JobList, responses=refusals(422))
def jobs(
    owner: Owner,
    context: Context,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    cursor: Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before")] = None,
    status: Annotated[State | None, Query(description="only those in this state")] = None,
) -> JobList:
    """List the caller's jobs, newest first."""
    page = context.store.page(owner, limit=limit, cursor=cursor, state=status)
    waiting = any(job.state == "queued" for job in page.jobs)
    positions = context.store.positions() if waiting else {}
    shown = [status_of(context, job, position=positions.get(job.id)) for job in page.jobs]
    return JobList(jobs=shown, next_cursor=page.next_cursor)


@router.post("/api/jobs/{job_id}/cancel", status_code=202, response_model=JobStatus, responses=refusals(404))
async def cancel(job_id: JobId, owner: Owner, context: Context) -> JobStatus:
    """Cancel a job that waits or runs; one that has ended stays as it is."""
    await asyncio.to_thread(context.store.cancel, job_id, owner=owner)
    context.runner.stop(job_id)
    return await asyncio.to_thread(status_now, context, job_id, owner=owner)


@router.delete("/api/jobs/{job_id}", status_code=204, response_class=Response, responses=refusals(404))
async def erase(job_id: JobId, owner: Owner, context: Context) -> None:
    """Cancel a job and erase its recording, its result and its edits."""
    await asyncio.to_thread(erase_job, context.store, context.files, job_id, owner=owner)
    context.runner.stop(job_id)
