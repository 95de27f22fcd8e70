"""One remote endpoint that speaks RunPod's HTTP: submit, wait with progress, cancel."""

import asyncio
import contextlib
import io
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp

from common.errors import (
    ConfigurationError,
    DeadlineExceededError,
    EndpointAuthError,
    EndpointBusyError,
    EndpointError,
    EndpointNotFoundError,
    EndpointUnreachableError,
    InputTooLargeError,
    JobCancelledError,
    parse_runpod_error,
)
from common.logs import log_event
from common.settings import EndpointSettings

OnProgress = Callable[[dict[str, Any]], None]

SUBMIT_TIMEOUT_S = 120.0  # the body may be 10 MB over a slow line
REQUEST_TIMEOUT_S = 30.0
CANCEL_TIMEOUT_S = 10.0
SUBMIT_ATTEMPTS, FIRST_BACKOFF_S = 4, 0.5
FIRST_POLL_S, LAST_POLL_S, POLL_GROWTH = 0.1, 2.0, 1.06  # a result is found at most 6 % late
POLL_PATIENCE_S = 120.0  # how long an endpoint may answer nothing sensible
RUN_BODY_BYTES = 10 * 1000 * 1000  # what RunPod takes at /run
RUNSYNC_BODY_BYTES = 20 * 1000 * 1000  # and at /runsync
RUNSYNC_PATH = "runsync?wait=1000"  # answers within a second, so that the job can be polled and cancelled
FINAL_STATES = {"COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT"}
SHORTEST_EXECUTION_MS, SHORTEST_TTL_MS, LONGEST_MS = 5_000, 10_000, 7 * 24 * 3600 * 1000  # RunPod's own bounds

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """A completed job: what the worker returned, and the platform's queue and execution times in seconds."""

    job_id: str
    output: Any
    queue_s: float
    execution_s: float


class Endpoint(Protocol):
    """Something that takes an input and returns a result, later."""

    name: str

    async def run(
        self, job_input: dict[str, Any], *, deadline_s: float, on_progress: OnProgress | None = None
    ) -> JobResult:
        """Return the result within `deadline_s` seconds; cancels the remote job when it cannot, or when cancelled.

        Raises EndpointError and its kin, JobCancelledError, DeadlineExceededError.
        """
        ...


class _NeverSentError(EndpointUnreachableError):
    """No connection was made, so that the request may be sent again without running a job twice."""


class RunPodEndpoint:
    """A RunPod serverless endpoint, or one of the local platform.

    `submit_by` is `run` or `runsync`. Bodies above what /run takes go by /runsync, which takes 20 MB but keeps the
    result for a minute only.
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
    ) -> None:
        self.name = name
        self._submit_by = submit_by
        self._url = f"{base_url.rstrip('/')}/{endpoint_id}"
        self._headers = {"Content-Type": "application/json"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._session = session

    async def run(
        self, job_input: dict[str, Any], *, deadline_s: float, on_progress: OnProgress | None = None
    ) -> JobResult:
        """Submit, poll with growing intervals, return the result; see Endpoint.run."""
        submission = asyncio.ensure_future(self.submit(job_input, deadline_s=deadline_s))
        try:
            async with asyncio.timeout(deadline_s):
                job_id = await asyncio.shield(submission)
                final = await self._final_status(job_id, on_progress)
        except TimeoutError:
            await self._abandon(submission)
            raise DeadlineExceededError(
                f"the {self.name} endpoint did not answer within {deadline_s:.0f} s; "
                "look at its queue and workers, or raise JOB_DEADLINE_SECONDS"
            ) from None
        except BaseException:
            await asyncio.shield(self._abandon(submission))
            raise
        return self._result(job_id, final)

    async def submit(self, job_input: dict[str, Any], *, deadline_s: float) -> str:
        """Queue a job by POST and return its id.

        Sent again only after 429 or when no connection was made: a job that may have been accepted is never
        submitted twice.
        """
        policy = {
            "executionTimeout": _bounded_ms(deadline_s, SHORTEST_EXECUTION_MS),
            "ttl": _bounded_ms(deadline_s, SHORTEST_TTL_MS),
        }
        body = json.dumps({"input": job_input, "policy": policy}).encode()
        path = RUNSYNC_PATH if self._submit_by == "runsync" or len(body) > RUN_BODY_BYTES else "run"
        try:
            answer = await self._sent_once(path, body)
        except InputTooLargeError as error:
            raise _blaming_the_largest(error, job_input) from None
        job_id = answer.get("id")
        if not (isinstance(job_id, str) and job_id):
            raise EndpointError(f"the {self.name} endpoint did not accept the job; check its id", endpoint=self.name)
        return job_id

    async def _sent_once(self, path: str, body: bytes) -> dict[str, Any]:
        for attempt in range(1, SUBMIT_ATTEMPTS):
            try:
                return await self._request("POST", path, body, SUBMIT_TIMEOUT_S)
            except (EndpointBusyError, _NeverSentError):
                await asyncio.sleep(FIRST_BACKOFF_S * 2 ** (attempt - 1))
        return await self._request("POST", path, body, SUBMIT_TIMEOUT_S)

    async def cancel(self, job_id: str) -> None:
        """Ask the endpoint to stop a job; a job that has already ended is left as it is."""
        with contextlib.suppress(EndpointNotFoundError):
            await self._request("POST", f"cancel/{job_id}", None, CANCEL_TIMEOUT_S)
        log_event(logger, "child_cancelled", endpoint=self.name, job_id=job_id)

    async def _abandon(self, submission: "asyncio.Future[str]") -> None:
        """Stop the job that `submission` has made or is about to make, so that nothing runs that nobody waits for."""
        await asyncio.wait([submission], timeout=CANCEL_TIMEOUT_S)
        if not submission.done():
            submission.cancel()
            log_event(logger, "submission_abandoned", endpoint=self.name)
        elif not submission.cancelled() and submission.exception() is None:
            with contextlib.suppress(EndpointError):
                await self.cancel(submission.result())

    async def _final_status(self, job_id: str, on_progress: OnProgress | None) -> dict[str, Any]:
        pause_s, last_answer = FIRST_POLL_S, time.monotonic()
        while True:
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * POLL_GROWTH, LAST_POLL_S)
            try:
                status = await self._status(job_id)
            except (EndpointBusyError, EndpointUnreachableError) as error:
                log_event(logger, "poll_failed", endpoint=self.name, job_id=job_id, code=error.code)
                if time.monotonic() - last_answer > POLL_PATIENCE_S:
                    raise
                continue
            last_answer = time.monotonic()
            if status["status"] in FINAL_STATES:
                return status
            if on_progress is not None and isinstance(status.get("output"), dict):
                _tell(on_progress, status["output"])

    async def _status(self, job_id: str) -> dict[str, Any]:
        status = await self._request("GET", f"status/{job_id}", None, REQUEST_TIMEOUT_S)
        if not isinstance(status.get("status"), str):
            raise EndpointUnreachableError(f"the {self.name} endpoint sent no job status", endpoint=self.name)
        return status

    def _result(self, job_id: str, final: dict[str, Any]) -> JobResult:
        state = final["status"]
        if state == "COMPLETED":
            return JobResult(
                job_id=job_id,
                output=final.get("output"),
                queue_s=_seconds(final.get("delayTime")),
                execution_s=_seconds(final.get("executionTime")),
            )
        if state == "CANCELLED":
            raise JobCancelledError(f"the job was cancelled on the {self.name} endpoint")
        if state == "TIMED_OUT":
            raise DeadlineExceededError(f"the job ran out of time on the {self.name} endpoint")
        remote = parse_runpod_error(final.get("error"))
        raise EndpointError(str(remote["message"]), endpoint=self.name, remote=remote)

    async def _request(self, method: str, path: str, body: bytes | None, timeout_s: float) -> dict[str, Any]:
        try:
            async with self._session.request(
                method,
                f"{self._url}/{path}",
                data=None if body is None else io.BytesIO(body),  # streamed: it may have 20 MB
                headers=self._headers,
                timeout=aiohttp.ClientTimeout(total=timeout_s),
            ) as response:
                self._check_status(response.status)
                answer = await response.json(content_type=None)
        except aiohttp.ClientConnectorError:
            raise _NeverSentError(f"the {self.name} endpoint cannot be reached", endpoint=self.name) from None
        except (aiohttp.ClientError, TimeoutError, ValueError):
            raise EndpointUnreachableError(
                f"the {self.name} endpoint broke off its answer", endpoint=self.name
            ) from None
        if not isinstance(answer, dict):
            raise EndpointUnreachableError(f"the {self.name} endpoint sent no JSON object", endpoint=self.name)
        return answer

    def _check_status(self, status: int) -> None:
        if status in (401, 403):
            raise EndpointAuthError(
                f"the {self.name} endpoint refused the API key; set RUNPOD_API_KEY to a key that may use it",
                endpoint=self.name,
            )
        if status == 404:
            raise EndpointNotFoundError(
                f"the {self.name} endpoint, or the job on it, does not exist (any more); check its endpoint id",
                endpoint=self.name,
            )
        if status == 413:
            raise InputTooLargeError(
                f"the request is too large for the {self.name} endpoint; pass recordings as http(s) URLs",
                param="audio",
            )
        if status == 429:
            raise EndpointBusyError(f"the {self.name} endpoint is rate limited", endpoint=self.name)
        if status >= 500:
            raise EndpointUnreachableError(f"the {self.name} endpoint answered {status}", endpoint=self.name)
        if status >= 400:
            raise EndpointError(f"the {self.name} endpoint refused the request ({status})", endpoint=self.name)


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
    )


def _blaming_the_largest(error: InputTooLargeError, job_input: dict[str, Any]) -> InputTooLargeError:
    largest = max(job_input, key=lambda name: len(json.dumps(job_input[name])), default="audio")
    if largest != "words":
        return error
    return InputTooLargeError(f"{error.message}, or fewer words: these are most of it", param="words")


def _tell(on_progress: OnProgress, progress: dict[str, Any]) -> None:
    try:
        on_progress(progress)
    except Exception:  # the caller's own code: its faults must not end a job that is paid for
        logger.exception("progress_callback_failed")


def _seconds(milliseconds: object) -> float:
    return milliseconds / 1000 if isinstance(milliseconds, (int, float)) else 0.0


def _bounded_ms(seconds: float, least_ms: int) -> int:
    return min(max(round(seconds * 1000), least_ms), LONGEST_MS)
