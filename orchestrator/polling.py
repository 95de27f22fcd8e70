"""A job watched until it ends: polled at growing intervals, or held by a platform that can hold its answer."""

import asyncio
import logging
import time
from typing import Any

from common.errors import (
    EndpointBusyError,
    EndpointNotFoundError,
    EndpointUnreachableError,
    ResultExpiredError,
)
from common.logs import log_event
from common.progress import OnProgress
from orchestrator.endpoint_http import Answer, EndpointHttp

REQUEST_TIMEOUT_S = 30.0
FIRST_POLL_S, LAST_POLL_S, POLL_GROWTH = 0.1, 2.0, 1.06  # a result is found at most 6 % late
HELD_POLL_MS = 1000  # how long a platform that can is asked to hold its answer for the job's end
LONGEST_PAUSE_S = 15.0  # whatever `Retry-After` says: RunPod forgets what came by /runsync after a minute
POLL_PATIENCE_S = 120.0  # how long an endpoint may answer nothing sensible
FINAL_STATES = frozenset({"COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT"})

logger = logging.getLogger(__name__)


class Polling:
    """How one endpoint is asked what became of its jobs."""

    def __init__(self, http: EndpointHttp, *, name: str) -> None:
        self._http = http
        self._name = name
        self._holds_answers = False  # known once the endpoint has answered

    def note(self, answer: Answer) -> None:
        """Take note of what an answer tells of the endpoint."""
        self._holds_answers = self._holds_answers or answer.honours_keys

    async def final_status(self, accepted: dict[str, Any], on_progress: OnProgress | None) -> dict[str, Any]:
        """Return the final status of the job that was `accepted`; that answer may be it already.

        Passing faults are survived for `POLL_PATIENCE_S` seconds. Raises EndpointAuthError and ResultExpiredError at
        once.
        """
        job_id, status = accepted["id"], accepted
        if status.get("status") == "COMPLETED" and "output" not in status:  # found by its key: /run tells no result
            status = {}
        pause_s, answered_at = FIRST_POLL_S, time.monotonic()
        while not is_final(status):
            asked_at, least_s = time.monotonic(), 0.0
            try:
                status = await self._status(job_id)
                answered_at = time.monotonic()
            except (EndpointBusyError, EndpointUnreachableError) as error:
                log_event(logger, "poll_failed", endpoint=self._name, job_id=job_id, code=error.code)
                least_s = max(min(error.retry_after_s or 0.0, LONGEST_PAUSE_S), pause_s)
                if time.monotonic() - answered_at > POLL_PATIENCE_S:
                    raise
            if not is_final(status):
                _tell(on_progress, status)
                await asyncio.sleep(max(least_s, pause_s - (time.monotonic() - asked_at)))
                pause_s = min(pause_s * POLL_GROWTH, LAST_POLL_S)
        return {**status, "id": job_id}

    async def _status(self, job_id: str) -> dict[str, Any]:
        held = f"?wait={HELD_POLL_MS}" if self._holds_answers else ""
        try:
            answer = await self._http.ask("GET", f"status/{job_id}{held}", timeout_s=REQUEST_TIMEOUT_S)
        except EndpointNotFoundError:
            raise ResultExpiredError(
                f"the {self._name} endpoint knows its job no more: it took longer than its ttl, or its result was not "
                "fetched in time; send it again",
                endpoint=self._name,
            ) from None
        if not isinstance(answer.body.get("status"), str):
            raise EndpointUnreachableError(f"the {self._name} endpoint sent no job status", endpoint=self._name)
        return answer.body


def is_final(status: dict[str, Any]) -> bool:
    """Tell whether a job has ended; a state that RunPod may have some day counts as running."""
    return status.get("status") in FINAL_STATES


def _tell(on_progress: OnProgress | None, status: dict[str, Any]) -> None:
    if on_progress is None or not isinstance(status.get("output"), dict):
        return
    try:
        on_progress(status["output"])
    except Exception:  # the caller's own code: its faults must not end a job that is paid for
        logger.exception("progress_callback_failed")
