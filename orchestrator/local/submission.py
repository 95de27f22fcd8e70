"""The body of `/run` and `/runsync`, checked and turned into a job."""

import uuid
from typing import Annotated, Any

from pydantic import AnyHttpUrl, BaseModel, Field, TypeAdapter, ValidationError

from common.errors import InvalidInputError
from common.idempotency import content_digest
from orchestrator.local.jobs import Conditions, Job
from orchestrator.local.settings import PlatformSettings

_URL = TypeAdapter(AnyHttpUrl)


class Policy(BaseModel):
    """How long a job may live and run, in ms; `lowPriority` concerns scaling and has no effect on one machine."""

    execution_timeout: Annotated[float | None, Field(alias="executionTimeout", strict=True)] = None
    ttl: Annotated[float | None, Field(strict=True)] = None
    low_priority: Annotated[bool, Field(alias="lowPriority", strict=True)] = False


class Submission(BaseModel):
    """A request for a job; keys that the platform does not know are ignored, as on RunPod."""

    input: dict[str, Any]
    policy: Policy = Policy()
    webhook: str | None = None
    s3_config: Annotated[dict[str, Any] | None, Field(alias="s3Config")] = None


def new_job(
    body: dict[str, Any],
    settings: PlatformSettings,
    *,
    is_sync: bool,
    size_bytes: int,
    now: float,
    key: str | None = None,
) -> Job:
    """Return the job that `body` asks for under an idempotency key; raises InvalidInputError naming what is wrong."""
    submission = _checked(body)
    policy = submission.policy
    conditions = Conditions(
        execution_timeout_s=_bounded_s(
            "executionTimeout",
            policy.execution_timeout,
            settings.execution_timeout_s,
            settings.execution_timeout_bounds_s,
        ),
        ttl_s=_bounded_s("ttl", policy.ttl, settings.ttl_s, settings.ttl_bounds_s),
        kept_s=settings.runsync_kept_s if is_sync else settings.run_kept_s,
        webhook=_checked_url(submission.webhook),
        s3_config=submission.s3_config,
    )
    return Job(
        id=f"{'sync-' if is_sync else ''}{uuid.uuid4()}",
        input=submission.input,
        conditions=conditions,
        submitted_at=now,
        queued_at=now,
        size_bytes=size_bytes,
        key=key,
        fingerprint="" if key is None else content_digest(submission.input),
    )


def _checked(body: dict[str, Any]) -> Submission:
    try:
        return Submission.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise InvalidInputError(f"{key}: {first['msg']}", param=key) from None


def _bounded_s(name: str, given_ms: float | None, default_s: float, bounds_s: tuple[float, float]) -> float:
    if given_ms is None:
        return default_s
    seconds = given_ms / 1000
    low_s, high_s = bounds_s
    if not low_s <= seconds <= high_s:
        raise InvalidInputError(
            f"policy.{name} must be from {low_s * 1000:.0f} to {high_s * 1000:.0f} ms", param=f"policy.{name}"
        )
    return seconds


def _checked_url(url: str | None) -> str | None:
    if not url:
        return None
    try:
        return str(_URL.validate_python(url))
    except ValidationError:
        raise InvalidInputError("webhook must be an http or https URL", param="webhook") from None
