"""One remote endpoint that speaks RunPod's HTTP: submit, wait with progress, cancel, health."""

import asyncio
import contextlib
import json
import logging
import time
import uuid
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp

from common.errors import (
    ConfigurationError,
    DeadlineExceededError,
    EndpointBusyError,
    EndpointError,
    EndpointNotFoundError,
    EndpointUnreachableError,
    InputTooLargeError,
    JobCancelledError,
    ParleyError,
    parse_runpod_error,
)
from common.logs import log_event
from common.packed_results import FETCH_TIMEOUT_S, unpacked
from common.progress import OnProgress
from common.retries import backoffs
from common.settings import EndpointSettings
from orchestrator.endpoint_http import EndpointHttp
from orchestrator.polling import Polling
from orchestrator.submission import Submission, job_id_in

HEALTH_TIMEOUT_S = 5.0
CANCEL_TIMEOUT_S = 10.0  # kept of a deadline to stop what does not end, or a fifth of it
CANCEL_SHARE = 0.2
SHORT_CANCEL_S = 1.0  # of a short one up to this, or the half of it
STOPPING_SHARE = 0.9  # of that, so that the deadline is not passed by a moment
RUN_BODY_BYTES = 10 * 1000 * 1000  # what RunPod takes at /run
RUNSYNC_BODY_BYTES = 20 * 1000 * 1000  # and at /runsync
RUNSYNC_PATH = "runsync?wait=1000"  # answers within a second, so that the job can be polled and cancelled
SHORTEST_EXECUTION_MS, SHORTEST_TTL_MS, LONGEST_MS = 5_000, 10_000, 7 * 24 * 3600 * 1000  # RunPod's own bounds

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """What the platform is told of a job beside its input.

    `idempotency_key` makes submissions with one key one job, where the platform knows keys. Seconds left out are the
    deadline; `webhook` is a URL that the platform itself tells of the job's end, without a signature.
    """

    idempotency_key: str | None = None
    execution_timeout_s: float | None = None
    ttl_s: float | None = None
    low_priority: bool = False
    webhook: str | None = None


PLAIN = JobOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """A completed job: what the worker returned, and the platform's queue and execution times in seconds."""

    job_id: str
    output: Any
    queue_s: float
    execution_s: float
    worker_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointHealth:
    """How many jobs and workers an endpoint has."""

    jobs_in_queue: int
    jobs_in_progress: int
    workers_ready: int
    workers_running: int
    workers_initializing: int


class Endpoint(Protocol):
    """Something that takes an input and returns a result, later."""

    name: str

    async def run(
        self,
        job_input: dict[str, Any],
        *,
        deadline_s: float,
        on_progress: OnProgress | None = None,
        options: JobOptions = PLAIN,
    ) -> JobResult:
        """Return the result within `deadline_s` seconds; cancels the remote job when it cannot, or when cancelled.

        Raises EndpointError and its kin, JobCancelledError, DeadlineExceededError.
        """
        ...


class RunPodEndpoint:
    """A RunPod serverless endpoint, or one of the local platform.

    `submit_by` is `run` or `runsync`. Bodies above what /run takes go by /runsync, which takes 20 MB but keeps the
    result for a minute only. A result that was too big is fetched from where the worker has put it.
    """

    def __init__(
        self,
        *,
        name: str,
        endpoint_id: str,
        base_url: str,
        api_key: str,
        session: aiohttp.ClientSession,
        submit_by: str = "run",
        allow_private_addresses: bool = False,
    ) -> None:
        self.name = name
        self._allow_private_addresses = allow_private_addresses
        self._submit_by = submit_by
        url = f"{base_url.rstrip('/')}/{endpoint_id}"
        self._http = EndpointHttp(name=name, url=url, api_key=api_key, session=session)
        self._polling = Polling(self._http, name=name)

    async def run(
        self,
        job_input: dict[str, Any],
        *,
        deadline_s: float,
        on_progress: OnProgress | None = None,
        options: JobOptions = PLAIN,
    ) -> JobResult:
        """Submit, poll with growing intervals, return the result; see Endpoint.run."""
        if deadline_s <= 0:
            raise DeadlineExceededError(f"no time is left for the {self.name} endpoint; raise JOB_DEADLINE_SECONDS")
        submission = self._submission(job_input, deadline_s, options)
        accepted = asyncio.ensure_future(self._accepted(submission, job_input))
        ends_at, kept_s = time.monotonic() + deadline_s, kept_for_stopping_s(deadline_s)
        stopping_s = kept_s * STOPPING_SHARE
        try:
            async with asyncio.timeout(deadline_s - kept_s):
                final = await self._polling.final_status(await asyncio.shield(accepted), on_progress)
                while final["status"] == "CANCELLED" and submission.joined:  # by whom it was begun, and not for us
                    submission = self._submission(job_input, deadline_s, options)
                    accepted = asyncio.ensure_future(self._accepted(submission, job_input))
                    final = await self._polling.final_status(await asyncio.shield(accepted), on_progress)
        except TimeoutError:
            await _to_its_end(self._abandon(submission, accepted, within_s=stopping_s))
            where = await self._whereabouts(within_s=ends_at - time.monotonic())
            raise self._too_late(deadline_s, where) from None
        except BaseException:
            await _to_its_end(self._abandon(submission, accepted, within_s=stopping_s))
            raise
        return await self._result(final, ends_at=ends_at)

    async def submit(self, job_input: dict[str, Any], *, deadline_s: float, options: JobOptions = PLAIN) -> str:
        """Queue a job and return its id; it may take until `deadline_s` seconds after that.

        A job that may have been accepted is never submitted twice. Raises SubmissionUnknownError when the answer was
        lost and it cannot be found out whether there is a job.
        """
        submission = self._submission(job_input, deadline_s, options)
        accepted = asyncio.ensure_future(self._accepted(submission, job_input))
        try:
            return str((await asyncio.shield(accepted))["id"])
        except asyncio.CancelledError:
            await _to_its_end(self._abandon(submission, accepted, within_s=CANCEL_TIMEOUT_S))
            raise

    async def wait(self, job_id: str, *, deadline_s: float, on_progress: OnProgress | None = None) -> JobResult:
        """Return the result of a job that was submitted before; the job runs on when this gives up or is cancelled."""
        ends_at = time.monotonic() + deadline_s
        try:
            async with asyncio.timeout(deadline_s):
                final = await self._polling.final_status({"id": job_id}, on_progress)
        except TimeoutError:
            raise self._too_late(deadline_s, "; it still runs") from None
        return await self._result(final, ends_at=ends_at)

    async def cancel(self, job_id: str) -> None:
        """Stop a job; one that has already ended is left as it is.

        Asked again until it is answered, for that does no harm. Raises EndpointError when it never is.
        """
        pauses = backoffs()
        patient_until = time.monotonic() + CANCEL_TIMEOUT_S
        while True:
            try:
                with contextlib.suppress(EndpointNotFoundError):
                    await self._http.ask("POST", f"cancel/{job_id}", timeout_s=CANCEL_TIMEOUT_S / 2)
            except (EndpointBusyError, EndpointUnreachableError) as error:
                pause_s = max(next(pauses), error.retry_after_s or 0.0)
                if time.monotonic() + pause_s > patient_until:
                    raise
                await asyncio.sleep(pause_s)
                continue
            log_event(logger, "child_cancelled", endpoint=self.name, job_id=job_id)
            return

    async def health(self) -> EndpointHealth:
        """Return how many jobs wait and run and how many workers there are."""
        body = (await self._http.ask("GET", "health", timeout_s=HEALTH_TIMEOUT_S)).body
        jobs, workers = _counts(body.get("jobs")), _counts(body.get("workers"))
        return EndpointHealth(
            jobs_in_queue=jobs.get("inQueue", 0),
            jobs_in_progress=jobs.get("inProgress", 0),
            workers_ready=workers.get("ready", workers.get("idle", 0)),
            workers_running=workers.get("running", 0),
            workers_initializing=workers.get("initializing", 0),
        )

    def _submission(self, job_input: dict[str, Any], deadline_s: float, options: JobOptions) -> Submission:
        body = json.dumps({"input": job_input, **_platform_fields(options, deadline_s)}).encode()
        path = RUNSYNC_PATH if self._submit_by == "runsync" or len(body) > RUN_BODY_BYTES else "run"
        key = options.idempotency_key or uuid.uuid4().hex
        return Submission(self._http, name=self.name, path=path, body=body, key=key)

    async def _accepted(self, submission: Submission, job_input: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = await submission.accepted()
        except InputTooLargeError as error:
            raise _blaming_the_largest(error, job_input) from None
        self._polling.note(answer)
        return answer.body

    async def _abandon(
        self, submission: Submission, accepted: "asyncio.Future[dict[str, Any]]", *, within_s: float
    ) -> None:
        """Stop the job that `submission` has made or is about to make, so that nothing runs that nobody waits for."""
        submission.give_up()
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within_s):
                    if job_id := await self._job_made(submission, accepted, within_s / 2):
                        await self.cancel(job_id)
                        return
        except ParleyError as error:
            log_event(logger, "job_abandoned", endpoint=self.name, code=error.code)
        finally:
            accepted.cancel()
            await asyncio.wait([accepted])
            if not accepted.cancelled():
                accepted.exception()  # retrieved: nobody asks for it any more

    async def _job_made(
        self, submission: Submission, accepted: "asyncio.Future[dict[str, Any]]", patience_s: float
    ) -> str | None:
        await asyncio.wait([accepted], timeout=patience_s)
        if not accepted.done():
            found = await submission.found()  # what was sent may have arrived all the same
            return job_id_in(found.body) if found else None
        return None if accepted.cancelled() or accepted.exception() else job_id_in(accepted.result())

    async def _result(self, final: dict[str, Any], *, ends_at: float) -> JobResult:
        state = final["status"]
        if state == "COMPLETED":
            return JobResult(
                job_id=final["id"],
                output=await self._unpacked(final.get("output"), within_s=ends_at - time.monotonic()),
                queue_s=_seconds(final.get("delayTime")),
                execution_s=_seconds(final.get("executionTime")),
                worker_id=final.get("workerId"),
            )
        if state == "CANCELLED":
            raise JobCancelledError(f"the job was cancelled on the {self.name} endpoint")
        remote, execution_s = parse_runpod_error(final.get("error")), _seconds(final.get("executionTime"))
        if state == "TIMED_OUT":
            reason = f": {remote['message']}" if final.get("error") else "; raise JOB_DEADLINE_SECONDS"
            raise DeadlineExceededError(f"the job ran out of time on the {self.name} endpoint{reason}")
        raise EndpointError(str(remote["message"]), endpoint=self.name, remote=remote, execution_s=execution_s)

    async def _unpacked(self, output: object, *, within_s: float) -> object:
        patience_s = min(FETCH_TIMEOUT_S, max(within_s, 0.0))
        try:
            return await unpacked(
                output, allow_private_addresses=self._allow_private_addresses, fetch_timeout_s=patience_s
            )
        except ValueError as error:
            raise EndpointError(
                f"the {self.name} endpoint's result cannot be used: {error}", endpoint=self.name
            ) from None

    def _too_late(self, deadline_s: float, where: str) -> DeadlineExceededError:
        return DeadlineExceededError(
            f"the {self.name} endpoint did not answer within {deadline_s:.0f} s{where}; "
            "look at its queue and workers, or raise JOB_DEADLINE_SECONDS"
        )

    async def _whereabouts(self, *, within_s: float) -> str:
        """Return what the endpoint's health says of a job that did not end, as part of a sentence."""
        try:
            async with asyncio.timeout(within_s):
                health = await self.health()
        except (ParleyError, TimeoutError):
            return ""
        return (
            f" (beside it {health.jobs_in_queue} jobs wait there, {health.jobs_in_progress} run; "
            f"{health.workers_ready + health.workers_running} workers are up, {health.workers_initializing} start)"
        )


def configured_endpoint(
    settings: EndpointSettings, name: str, session: aiohttp.ClientSession, *, submit_by: str = "run"
) -> RunPodEndpoint:
    """Return the endpoint `name` (diarization, transcription, orchestrator) of `settings`.

    Raises ConfigurationError when its id is not set.
    """
    endpoint_id: str = getattr(settings, f"{name}_id")
    if not endpoint_id:
        variable = f"{name.upper()}_ENDPOINT_ID"
        raise ConfigurationError(
            f"no {name} endpoint is configured; set {variable}, or work locally: parley up", param=variable
        )
    return RunPodEndpoint(
        name=name,
        endpoint_id=endpoint_id,
        base_url=settings.base_url,
        api_key=settings.api_key,
        session=session,
        submit_by=submit_by,
        allow_private_addresses=settings.allow_private_addresses,
    )


def _platform_fields(options: JobOptions, deadline_s: float) -> dict[str, Any]:
    policy: dict[str, Any] = {
        "executionTimeout": _bounded_ms(options.execution_timeout_s or deadline_s, SHORTEST_EXECUTION_MS),
        "ttl": _bounded_ms(options.ttl_s or deadline_s, SHORTEST_TTL_MS),
    }
    if options.low_priority:
        policy["lowPriority"] = True
    return {"policy": policy, "webhook": options.webhook} if options.webhook else {"policy": policy}


def kept_for_stopping_s(deadline_s: float) -> float:
    """Return how many seconds of a deadline are kept to stop what does not end."""
    return min(CANCEL_TIMEOUT_S, max(deadline_s * CANCEL_SHARE, min(SHORT_CANCEL_S, deadline_s / 2)))


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Wait for `work`, which is bounded, however often this task is cancelled meanwhile; raises that only then."""
    task, cancelled = asyncio.create_task(work), False
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            cancelled = True
    task.result()
    if cancelled:
        raise asyncio.CancelledError


def _blaming_the_largest(error: InputTooLargeError, job_input: dict[str, Any]) -> InputTooLargeError:
    largest = max(job_input, key=lambda name: len(json.dumps(job_input[name])), default="audio")
    if largest != "words":
        return error
    return InputTooLargeError(f"{error.message}, or fewer words: these are most of it", param="words")


def _counts(given: object) -> dict[str, int]:
    counts = given if isinstance(given, dict) else {}
    return {name: value for name, value in counts.items() if isinstance(value, int)}


def _seconds(milliseconds: object) -> float:
    return milliseconds / 1000 if isinstance(milliseconds, (int, float)) else 0.0


def _bounded_ms(seconds: float, least_ms: int) -> int:
    return min(max(round(seconds * 1000), least_ms), LONGEST_MS)
