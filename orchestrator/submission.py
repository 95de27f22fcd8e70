"""A job handed over exactly once: sent again only where it surely was not taken, else looked up by its key."""

import asyncio
import contextlib
import logging
from typing import Any
from urllib.parse import quote

from common.errors import (
    EndpointBusyError,
    EndpointError,
    EndpointUnreachableError,
    SubmissionUnknownError,
)
from common.logs import log_event
from common.retries import backoffs
from orchestrator.endpoint_http import KEY_HEADER, Answer, EndpointHttp, NeverSentError

SUBMIT_TIMEOUT_S = 120.0  # the body may be 10 MB over a slow line
LOOKUP_TIMEOUT_S = 10.0
SUBMIT_ATTEMPTS, LOOKUP_ATTEMPTS = 6, 4

logger = logging.getLogger(__name__)


class Submission:
    """One job on its way to one endpoint."""

    def __init__(self, http: EndpointHttp, *, name: str, path: str, body: bytes, key: str) -> None:
        self._http = http
        self._name = name
        self._path = path
        self._body = body
        self._key = key
        self._given_up = asyncio.Event()
        self.joined = False  # a job that another caller has made, who may also end it

    def give_up(self) -> None:
        """Send no more; what is on its way is still waited for."""
        self._given_up.set()

    async def accepted(self) -> Answer:
        """Return the endpoint's answer, which names the job.

        Raises SubmissionUnknownError when the job may have been taken and nobody can tell, else what refused it.
        """
        pauses = backoffs()
        for attempt in range(1, SUBMIT_ATTEMPTS + 1):
            try:
                answer = self._named(await self._post())
            except (EndpointBusyError, NeverSentError) as error:
                failure: EndpointError = error  # surely not taken
            except EndpointUnreachableError as error:
                if found := await self.found():
                    return found
                failure = error
            else:
                self.joined = answer.replayed and attempt == 1
                return answer
            log_event(logger, "submission_failed", endpoint=self._name, attempt=attempt, code=failure.code)
            if attempt == SUBMIT_ATTEMPTS or self._given_up.is_set():
                raise failure
            await self._pause(max(next(pauses), failure.retry_after_s or 0.0))
            if self._given_up.is_set():
                raise failure
        raise AssertionError  # the last attempt has returned or raised

    async def found(self) -> Answer | None:
        """Return the job that an unanswered submission has made, None if it has made none.

        Raises SubmissionUnknownError where that cannot be found out, as on RunPod.
        """
        pauses = backoffs()
        for attempt in range(1, LOOKUP_ATTEMPTS + 1):
            try:
                answer = await self._http.ask(
                    "GET", f"idempotency/{quote(self._key, safe='')}", timeout_s=LOOKUP_TIMEOUT_S, absent_ok=True
                )
            except (EndpointBusyError, EndpointUnreachableError) as error:
                log_event(logger, "lookup_failed", endpoint=self._name, attempt=attempt, code=error.code)
                if attempt < LOOKUP_ATTEMPTS:
                    await asyncio.sleep(max(next(pauses), error.retry_after_s or 0.0))
                continue
            except EndpointError:
                break
            if not answer.honours_keys:
                break
            log_event(logger, "submission_looked_up", endpoint=self._name, found=bool(answer.body))
            return answer if answer.body else None
        raise SubmissionUnknownError(
            f"the {self._name} endpoint's answer to the job was lost: it may or may not run. It was not sent again, "
            "so that nothing is paid for twice; look at the endpoint's requests before you do",
            endpoint=self._name,
        ) from None

    async def _post(self) -> Answer:
        headers = {KEY_HEADER: self._key}
        return await self._http.ask("POST", self._path, self._body, timeout_s=SUBMIT_TIMEOUT_S, headers=headers)

    def _named(self, answer: Answer) -> Answer:
        if job_id_in(answer.body) is None:
            raise EndpointError(f"the {self._name} endpoint did not accept the job; check its id", endpoint=self._name)
        return answer

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._given_up.wait(), seconds)


def job_id_in(body: dict[str, Any]) -> str | None:
    """Return the job's id in an endpoint's answer, None if there is none."""
    job_id = body.get("id")
    return job_id if isinstance(job_id, str) and job_id else None
