"""A job as its owner is told of it."""

from datetime import UTC, datetime

from orchestrator.server.context import ServerContext
from orchestrator.server.http.schemas import Accepted, ErrorDetail, JobStatus
from orchestrator.server.jobs import Job


def status_of(context: ServerContext, job: Job, *, position: int | None = None) -> JobStatus:
    """Return how far a job is; `position` is that of a job that waits."""
    return JobStatus(
        job_id=job.id,
        kind=job.kind,
        status=job.state,
        progress=round(job.progress * 100),
        step=job.step,
        position=position,
        eta_s=context.runner.eta_s(job, position),
        error=None if job.error is None else ErrorDetail.model_validate(job.error),
        filename=job.filename,
        created_at=moment(job.created_at),
        started_at=None if job.started_at is None else moment(job.started_at),
        finished_at=None if job.finished_at is None else moment(job.finished_at),
        duration=job.duration_s,
        cached=job.cached,
        edits_version=job.edits_version,
        has_audio=job.audio is not None,
    )


def status_now(context: ServerContext, job_id: str, *, owner: str | None = None) -> JobStatus:
    """Return how far a job is by the store; blocks, raises JobNotFoundError."""
    job = context.store.get(job_id, owner=owner)
    return status_of(context, job, position=context.store.position(job))


def accepted(context: ServerContext, job: Job) -> Accepted:
    """Return what is said of a job that was just queued; blocks."""
    return Accepted(job_id=job.id, status=job.state, filename=job.filename, position=context.store.position(job))


def moment(seconds: float) -> str:
    """Return a time, seconds since 1970, as ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
