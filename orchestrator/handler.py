"""The orchestrator worker: RunPod's loop around the pipeline, many jobs at once on one CPU."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import aiohttp

from common.contract import OrchestrationRequest, parse_request
from common.errors import ConfigurationError
from common.job import answer_job
from common.naming.unnamed_speakers import names_asked_of
from common.progress import Progress
from common.runpod_loop import exit_misconfigured, post_progress, serve
from common.settings import EndpointSettings, NamingSettings, load_settings
from orchestrator.endpoints import configured_endpoint
from orchestrator.pipeline import orchestrate


class Orchestrator:
    """An async RunPod handler around the pipeline."""

    def __init__(
        self,
        settings: EndpointSettings,
        *,
        naming: NamingSettings | None = None,
        post: Callable[[dict[str, Any], dict[str, Any]], Awaitable[None]] = post_progress,
    ) -> None:
        self._settings = settings
        self._naming = naming or NamingSettings()
        self._post = post

    async def __call__(self, job: dict[str, Any]) -> dict[str, Any]:
        """Answer one job with its result or `{"error": …}`; a stop request cancels its child jobs."""
        return await answer_job(job, self._answer, worker="orchestrator")

    async def _answer(self, job: dict[str, Any]) -> dict[str, Any]:
        request = await asyncio.to_thread(parse_request, OrchestrationRequest, job.get("input"))
        async with Progress(partial(self._post, job)) as progress, aiohttp.ClientSession(trust_env=True) as session:
            return await orchestrate(
                request,
                diarization=configured_endpoint(self._settings, "diarization", session),
                transcription=configured_endpoint(self._settings, "transcription", session),
                deadline_s=self._settings.deadline_s,
                naming=names_asked_of(self._naming, session),
                on_progress=progress.note,
            )


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
        check_endpoints(settings.endpoints)
    except ConfigurationError as error:
        exit_misconfigured(error)
    serve(Orchestrator(settings.endpoints, naming=settings.naming), concurrency=settings.endpoints.concurrency)


if __name__ == "__main__":
    main()
