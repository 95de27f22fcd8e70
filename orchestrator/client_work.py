"""What the client does for a call: the recording into a request, the request to its endpoints, the answer checked."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import aiohttp

from common.contract import DiarizationRequest, OrchestrationRequest, RequestT, parse_request
from common.errors import (
    DeadlineExceededError,
    EndpointError,
    InvalidInputError,
    JobCancelledError,
    ParleyError,
)
from common.naming.unnamed_speakers import check_naming, names_asked_of
from common.results import DiarizationResult, WorkerReport
from common.settings import EndpointSettings, Settings
from orchestrator.children import checked_output
from orchestrator.client_call import EndpointOnTerms, Terms
from orchestrator.client_job import JobRun
from orchestrator.endpoints import (
    CANCEL_SHARE,
    CANCEL_TIMEOUT_S,
    EndpointHealth,
    JobOptions,
    RunPodEndpoint,
    configured_endpoint,
)
from orchestrator.pipeline import orchestrate, orchestration_of
from orchestrator.preparation import prepared
from orchestrator.request_parts import Audio, with_recordings
from orchestrator.uploads import Uploads

ENDPOINTS = ("diarization", "transcription", "orchestrator")


class Work:
    """The work of one client, over one set of connections."""

    def __init__(self, settings: Settings, endpoints: EndpointSettings) -> None:
        self.endpoints = endpoints
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the connections; a later call makes new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def transcribed(self, audio: Audio, fields: Mapping[str, Any], terms: Terms, run: JobRun) -> dict[str, Any]:
        """Return the speaker-attributed result, by the orchestrator endpoint if there is one."""
        started = time.monotonic()
        uploads = Uploads(self._settings.storage, deadline_s=terms.deadline_s)
        try:
            request = await self._request(OrchestrationRequest, audio, fields, uploads, terms)
            left = terms.after(time.monotonic() - started)
            carry_out = self._remotely if self.endpoints.orchestrator_id else self._here
            return await carry_out(request, left, run)
        finally:
            if not run.leaving:  # else the job that goes on needs them
                await uploads.close()

    async def diarized(self, audio: Audio, fields: Mapping[str, Any], terms: Terms, run: JobRun) -> dict[str, Any]:
        """Return the diarization endpoint's result."""
        started = time.monotonic()
        async with Uploads(self._settings.storage, deadline_s=terms.deadline_s) as uploads:
            request = await self._request(DiarizationRequest, audio, fields, uploads, terms)
            result = await self._endpoint("diarization").run(
                request.model_dump(exclude_defaults=True),
                deadline_s=terms.after(time.monotonic() - started).deadline_s,
                on_progress=run.tell,
                options=terms.job_options(),
            )
        expected = DiarizationResult if request.response_format == "json" else WorkerReport
        return checked_output("diarization", result.output, expected)

    async def watched(self, job_id: str, run: JobRun, *, deadline_s: float) -> dict[str, Any]:
        """Return the result of a job of the orchestrator endpoint, which is stopped when this is."""
        orchestrator = self._endpoint("orchestrator")
        try:
            async with _in_time(deadline_s):
                result = await orchestrator.wait(job_id, deadline_s=deadline_s, on_progress=run.tell)
        except BaseException as error:
            if not (run.leaving or _has_ended(error)):
                await _stopped(orchestrator, job_id)
            raise
        return checked_output("orchestrator", result.output, WorkerReport)

    async def health(self) -> dict[str, EndpointHealth]:
        """Return the health of each endpoint that is configured."""
        names = [name for name in ENDPOINTS if getattr(self.endpoints, f"{name}_id")]
        if not names:
            self._endpoint("orchestrator")  # raises what to set
        found = await asyncio.gather(*(self._endpoint(name).health() for name in names))
        return dict(zip(names, found, strict=True))

    async def _remotely(self, request: OrchestrationRequest, terms: Terms, run: JobRun) -> dict[str, Any]:
        started = time.monotonic()
        options = terms.job_options(JobOptions(idempotency_key=request.idempotency_key))
        orchestrator, job_input = self._endpoint("orchestrator"), _orchestrator_input(request)
        async with _in_time(terms.deadline_s):
            job_id = await orchestrator.submit(job_input, deadline_s=terms.deadline_s, options=options)
        run.accept(job_id, outlives=True)
        return await self.watched(job_id, run, deadline_s=terms.deadline_s - (time.monotonic() - started))

    async def _here(self, request: OrchestrationRequest, terms: Terms, run: JobRun) -> dict[str, Any]:
        if request.webhook is not None:
            raise InvalidInputError(
                "a webhook is called by the orchestrator endpoint; set ORCHESTRATOR_ENDPOINT_ID", param="webhook"
            )
        naming = names_asked_of(self._settings.naming, self._connections())
        check_naming(request, available=naming is not None)
        needed = {"diarization": request.diarize, "transcription": request.words is None}
        called = {name: EndpointOnTerms(self._endpoint(name), terms) if needed[name] else None for name in needed}
        run.accept(f"local-{uuid.uuid4().hex}")
        return await orchestrate(
            request,
            diarization=called["diarization"],
            transcription=called["transcription"],
            deadline_s=terms.deadline_s,
            naming=naming,
            on_progress=run.tell,
            run=orchestration_of(request, prices=replace(self._settings.prices, orchestrator=0.0)),  # on this machine
        )

    async def _request(
        self, kind: type[RequestT], audio: Audio, fields: Mapping[str, object], uploads: Uploads, terms: Terms
    ) -> RequestT:
        unsent = () if self.endpoints.orchestrator_id else ("words",)  # merged on this side, no endpoint gets them
        limits = self._settings.limits
        embedded = partial(with_recordings, audio, fields, limits=limits, unsent=unsent, uploads=uploads)
        found = await prepared(
            lambda check: embedded(check=check), deadline_s=terms.deadline_s, granted_s=terms.granted_s
        )
        return parse_request(kind, found)

    def _endpoint(self, name: str) -> RunPodEndpoint:
        return configured_endpoint(self.endpoints, name, self._connections())

    def _connections(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0)  # jobs that wait must not keep others from being cancelled
            self._session = aiohttp.ClientSession(connector=connector, trust_env=True)
        return self._session


def _orchestrator_input(request: OrchestrationRequest) -> dict[str, Any]:
    """Return `request` as JSON; of many words, only what is no default."""
    words = request.model_dump(include={"words"}, exclude_defaults=True)
    return request.model_dump(exclude={"words"}, exclude_none=True) | words


@contextlib.asynccontextmanager
async def _in_time(deadline_s: float) -> AsyncGenerator[None, None]:
    """Raise DeadlineExceededError so long before the deadline that the job can be stopped within it."""
    try:
        async with asyncio.timeout(deadline_s - min(CANCEL_TIMEOUT_S, deadline_s * CANCEL_SHARE)):
            yield
    except TimeoutError:
        raise DeadlineExceededError(
            f"the orchestrator endpoint did not answer within {deadline_s:g} s and is told to stop the job; "
            "look at its queue and workers (parley health), or raise JOB_DEADLINE_SECONDS"
        ) from None


def _has_ended(error: BaseException) -> bool:
    """Tell whether `error` is how the remote job ended by itself."""
    return isinstance(error, JobCancelledError) or (isinstance(error, EndpointError) and error.remote is not None)


async def _stopped(endpoint: RunPodEndpoint, job_id: str) -> None:
    with contextlib.suppress(ParleyError):  # it was tried for long; what is raised is why the job was to stop
        await endpoint.cancel(job_id)
