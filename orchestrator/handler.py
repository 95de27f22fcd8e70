"""The orchestrator worker: RunPod's loop around the pipeline, many jobs at once on one CPU."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import aiohttp

from common.cold_start import ColdStart, begin
from common.contract import OrchestrationRequest, parse_request
from common.errors import ConfigurationError
from common.idempotency import SharedRuns
from common.job import answer_job, boundary_of, check_webhook, kept_for_webhook_s, request_id_of
from common.logs import set_up_logs
from common.naming.unnamed_speakers import names_asked_of
from common.progress import OnProgress, Progress
from common.runpod_loop import exit_misconfigured, post_progress, serve
from common.settings import EndpointSettings, Settings, load_settings
from orchestrator.endpoints import configured_endpoint
from orchestrator.pipeline import Orchestration, orchestrate

KEEPERS: set[asyncio.Task[None]] = set()


class Orchestrator:
    """An async RunPod handler around the pipeline."""

    def __init__(
        self,
        settings: Settings,
        *,
        post: Callable[[dict[str, Any], dict[str, Any]], Awaitable[None]] = post_progress,
    ) -> None:
        self._settings = settings
        self.boundary = boundary_of(settings, webhooks=True)
        self._cold_start = ColdStart()
        self._post = post
        self._runs = SharedRuns()
        self._connections = SharedSession()

    async def __call__(self, job: dict[str, Any]) -> dict[str, Any]:
        """Answer one job with its result or `{"error": …}`; a stop request cancels its child jobs."""
        return await answer_job(job, self._answer, worker="orchestrator", boundary=self.boundary)

    def ready(self) -> None:
        """Take note that the first job may come; its cost has the cold start."""
        self.boundary.ready("orchestrator", self._cold_start)

    async def _answer(self, job: dict[str, Any]) -> dict[str, Any]:
        """Return the one result of all jobs that have the request's idempotency key, or this job's id."""
        request = await asyncio.to_thread(parse_request, OrchestrationRequest, job.get("input"))
        check_webhook(request, self.boundary)
        content = request.model_dump(exclude={"idempotency_key", "request_id"})
        async with Progress(partial(self._post, job)) as progress:
            return await self._runs.run(
                request.idempotency_key or f"job {job['id']}",
                content,
                partial(self._orchestrated, job, request),
                on_progress=progress.note,
                keep=request.idempotency_key is not None,
            )

    async def _orchestrated(
        self, job: dict[str, Any], request: OrchestrationRequest, on_progress: OnProgress
    ) -> dict[str, Any]:
        session = await self._connections.get()
        endpoints = self._settings.endpoints
        return await orchestrate(
            request,
            diarization=configured_endpoint(endpoints, "diarization", session),
            transcription=configured_endpoint(endpoints, "transcription", session),
            deadline_s=endpoints.deadline_s - (kept_for_webhook_s(endpoints.deadline_s) if request.webhook else 0.0),
            naming=names_asked_of(self._settings.naming, session),
            on_progress=on_progress,
            run=Orchestration(
                request_id=request_id_of(job),
                key=request.idempotency_key or str(job["id"]),  # a job delivered again finds its children
                prices=self._settings.prices,
                metrics=self.boundary.metrics,
                cold_start_s=self._cold_start.take_s(),
            ),
        )


class SharedSession:
    """One HTTP session for all jobs of this process; it is closed as the event loop ends."""

    def __init__(self) -> None:
        self._opened: asyncio.Future[aiohttp.ClientSession] | None = None

    async def get(self) -> aiohttp.ClientSession:
        """Return the session; the first call opens it."""
        if self._opened is None:
            self._opened = asyncio.get_running_loop().create_future()
            keeper = asyncio.create_task(self._keep(self._opened))
            KEEPERS.add(keeper)  # event loops hold their tasks by weak references only
            keeper.add_done_callback(KEEPERS.discard)
        return await asyncio.shield(self._opened)

    async def _keep(self, opened: "asyncio.Future[aiohttp.ClientSession]") -> None:
        connector = aiohttp.TCPConnector(limit=0)  # each job has up to two requests under way
        async with aiohttp.ClientSession(connector=connector, trust_env=True) as session:
            opened.set_result(session)
            await asyncio.Event().wait()  # until the loop ends and cancels what is left


def check_endpoints(settings: EndpointSettings) -> None:
    """Raise ConfigurationError when the orchestrator does not know its endpoints."""
    needed = {
        "DIARIZATION_ENDPOINT_ID": settings.diarization_id,
        "TRANSCRIPTION_ENDPOINT_ID": settings.transcription_id,
        "RUNPOD_API_KEY": settings.api_key,
    }
    missing = [name for name, value in needed.items() if not value]
    if missing:
        raise ConfigurationError(f"set {', '.join(missing)} in the orchestrator's environment", param=missing[0])


def main() -> None:
    """Run the worker until it is told to stop."""
    try:
        settings = load_settings(os.environ)
        set_up_logs(log_format=settings.reports.log_format)
        check_endpoints(settings.endpoints)
        orchestrator = Orchestrator(settings)
    except ConfigurationError as error:
        exit_misconfigured(error)
    begin()
    serve(
        orchestrator,
        concurrency=settings.endpoints.concurrency,
        reports=settings.reports,
        metrics=orchestrator.boundary.metrics,
        on_ready=orchestrator.ready,
    )


if __name__ == "__main__":
    main()
