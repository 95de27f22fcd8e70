"""The boundary of every worker: one job in, one result or one error envelope out, whatever happens inside."""

import asyncio
import logging
import math
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from common.cold_start import ColdStart, stages
from common.contract import OrchestrationRequest
from common.errors import (
    EngineError,
    InvalidInputError,
    JobCancelledError,
    ParleyError,
    StorageError,
    parse_runpod_error,
    runpod_error,
)
from common.field_values import REQUEST_ID
from common.idempotency import content_digest
from common.logs import log_event, request_context
from common.metrics import OK, JobMetrics
from common.object_store import ObjectStore
from common.packed_results import packed
from common.settings import Settings
from common.webhook import deliver, webhook_url
from common.webhook_signature import signing_key

RUN_RESULT_BYTES = 10 * 1000 * 1000
RUNSYNC_RESULT_BYTES = 20 * 1000 * 1000
WEBHOOK_DEADLINE_S = 20.0
WEBHOOK_SHARE = 0.1
STORING_S = 60.0
WARNING_BYTES = 500  # of a result whose webhook may yet fail

logger = logging.getLogger(__name__)

Answer = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


@dataclass(slots=True)
class Timings:
    """Seconds spent per stage of one job."""

    started: float = field(default_factory=time.perf_counter)
    stages: dict[str, float] = field(default_factory=dict)

    def elapsed_s(self) -> float:
        """Seconds since the job began."""
        return time.perf_counter() - self.started

    def mark(self, stage: str) -> None:
        """Book the time since the last mark to `stage`."""
        self.stages[stage] = round(self.elapsed_s() - sum(self.stages.values()), 4)

    def report(self) -> dict[str, float]:
        """Return the stages and their total, in seconds."""
        return {**self.stages, "total_s": round(self.elapsed_s(), 4)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Boundary:
    """What a process has for all its jobs: where results go that are too big, its metrics, how webhooks are signed.

    Without a `webhook_secret` none is posted. `deadline_s` is for a whole job.
    """

    store: ObjectStore | None = None
    metrics: JobMetrics = field(default_factory=JobMetrics)
    webhook_secret: str = field(default="", repr=False)
    allow_private_addresses: bool = False
    deadline_s: float = math.inf

    def ready(self, worker: str, cold_start: ColdStart) -> None:
        """Take note that the first job may come: it gets the cold start, the log what that is made of."""
        cold_start_s = cold_start.ready()
        self.metrics.process_ready(worker=worker, cold_start_s=cold_start_s)
        log_event(logger, "cold_start", worker=worker, total_s=round(cold_start_s, 2), **stages())


def boundary_of(settings: Settings, *, webhooks: bool = False) -> Boundary:
    """Return the boundary that `settings` ask for; `webhooks` where requests may have one.

    Raises ConfigurationError for a secret that cannot sign.
    """
    if webhooks and settings.webhook_secret:
        signing_key(settings.webhook_secret)
    return Boundary(
        store=ObjectStore(settings.storage) if settings.storage.bucket else None,
        webhook_secret=settings.webhook_secret if webhooks else "",
        allow_private_addresses=settings.limits.allow_private_addresses,
        deadline_s=settings.endpoints.deadline_s,
    )


def kept_for_webhook_s(deadline_s: float) -> float:
    """Return how many seconds of a job's deadline are kept for its webhook."""
    return min(WEBHOOK_DEADLINE_S, deadline_s * WEBHOOK_SHARE)


def check_webhook(request: OrchestrationRequest, boundary: Boundary) -> None:
    """Raise InvalidInputError for a request whose `webhook` could not be told."""
    if request.webhook is None:
        return
    if not boundary.webhook_secret:
        raise InvalidInputError(
            "this worker cannot sign webhooks; set WEBHOOK_SECRET there, or use the platform's own `webhook` beside "
            "`input`",
            param="webhook",
        )
    webhook_url(request.webhook)


async def answer_job(job: dict[str, Any], answer: Answer, *, worker: str, boundary: Boundary) -> dict[str, Any]:
    """Return `answer(job)`, or `{"error": …}` for whatever goes wrong in it; only cancellation passes through.

    A request's `webhook` is told before the answer is returned: what runs after that may never run on a serverless
    platform. It does not keep the answer for longer than WEBHOOK_DEADLINE_S, nor beyond the boundary's `deadline_s`.
    """
    with request_context(request_id=request_id_of(job), job_id=str(job["id"])), _counted(worker, boundary) as note:
        timings = Timings()
        try:
            result = await _answered(job, answer, worker=worker, boundary=boundary)
            result = await _told(job, result, boundary, elapsed_s=timings.elapsed_s())
        except asyncio.CancelledError:
            log_event(logger, "job_stopped", worker=worker)
            note(JobCancelledError.code)
            raise
        note(str(parse_runpod_error(result["error"])["code"]) if "error" in result else OK)
        return result


@contextmanager
def _counted(worker: str, boundary: Boundary) -> Iterator[Callable[[str], None]]:
    """Count one job; yields what is to be told how it ended."""
    timings = Timings()
    boundary.metrics.job_started(worker=worker)

    def note(code: str) -> None:
        boundary.metrics.job_ended(worker=worker, code=code, execution_s=timings.elapsed_s())

    yield note


def request_id_of(job: dict[str, Any]) -> str:
    """Return the request's own id, else one made of its idempotency key, else the job's."""
    fields = job["input"] if isinstance(job.get("input"), dict) else {}
    given, key = fields.get("request_id"), fields.get("idempotency_key")
    if isinstance(given, str) and re.fullmatch(REQUEST_ID, given):
        return given
    return content_digest(key)[:32] if isinstance(key, str) else str(job["id"])  # a job begun again has the same


async def _answered(job: dict[str, Any], answer: Answer, *, worker: str, boundary: Boundary) -> dict[str, Any]:
    try:
        result = {**await answer(job), "request_id": request_id_of(job)}
        sent = await _fitted(job, result, boundary.store)
    except ParleyError as error:
        log_event(logger, "job_failed", worker=worker, code=error.envelope()["code"])
        return runpod_error(error)
    except Exception:  # the process boundary: no traceback may reach the caller
        logger.exception("job_crashed worker=%s", worker)
        return runpod_error(EngineError(f"the {worker} worker failed; its log has the cause"))
    log_event(logger, "job_done", worker=worker, **result.get("timings", {}))
    return sent


async def _fitted(job: dict[str, Any], result: dict[str, Any], store: ObjectStore | None) -> dict[str, Any]:
    limit_bytes = RUNSYNC_RESULT_BYTES if str(job["id"]).startswith("sync-") else RUN_RESULT_BYTES
    limit_bytes -= WARNING_BYTES if "webhook" in (job.get("input") or ()) else 0
    fitting = asyncio.to_thread(fitting_result, result, limit_bytes=limit_bytes, store=store)
    try:
        return await asyncio.wait_for(fitting, STORING_S)
    except TimeoutError:
        raise StorageError("the storage did not take the result in time; try again") from None


def fitting_result(result: dict[str, Any], *, limit_bytes: int, store: ObjectStore | None) -> dict[str, Any]:
    """Return `result`, packed where it is above the platform's limit, which loses larger ones in silence.

    Raises EngineError for NaN and non-JSON values, OutputTooLargeError for what cannot be made to fit.
    """
    try:
        return packed(result, limit_bytes=limit_bytes, store=store)
    except (TypeError, ValueError):
        raise EngineError("the model returned a value that is not valid JSON, such as NaN") from None


async def _told(job: dict[str, Any], result: dict[str, Any], boundary: Boundary, *, elapsed_s: float) -> dict[str, Any]:
    """Post the final state to the request's `webhook`; where it is not taken the answer has a warning."""
    given = job.get("input")
    url = given.get("webhook") if isinstance(given, dict) else None
    if not (isinstance(url, str) and boundary.webhook_secret):
        return result
    state = {"status": "FAILED", "error": result["error"]} if "error" in result else {"status": "COMPLETED"}
    output = {} if "error" in result else {"output": result}
    delivery = await deliver(
        url,
        {"id": str(job["id"]), "request_id": request_id_of(job), **state, **output},
        secret=boundary.webhook_secret,
        message_id=str(job["id"]),
        allow_private_addresses=boundary.allow_private_addresses,
        deadline_s=min(WEBHOOK_DEADLINE_S, boundary.deadline_s - elapsed_s),
    )
    if delivery.delivered or "error" in result:
        return result
    warning = f"the webhook did not take the result: {delivery.reason}"
    return {**result, "warnings": [*result.get("warnings", ()), warning]}
