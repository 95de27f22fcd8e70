"""Parley from Python: one orchestrator endpoint, or two endpoints orchestrated by the client itself."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypedDict, TypeVar, Unpack

import aiohttp

from common.contract import DiarizationRequest, DiarizationResult, OrchestrationRequest, WorkerReport, parse_request
from common.settings import Settings, load_settings
from orchestrator.children import checked_output
from orchestrator.endpoints import Endpoint, OnProgress, configured_endpoint
from orchestrator.pipeline import orchestrate
from orchestrator.upload import request_audio

ResultT = TypeVar("ResultT")
Audio = str | Path | bytes


class Overrides(TypedDict, total=False):
    """Settings given in code instead of the environment; see EndpointSettings."""

    base_url: str
    api_key: str
    diarization_id: str
    transcription_id: str
    orchestrator_id: str
    deadline_s: float


class AsyncParley:
    """An async client; use it as a context manager so that its connections are closed.

    Settings left out come from the environment (`RUNPOD_API_KEY`, `ORCHESTRATOR_ENDPOINT_ID`, …).
    """

    def __init__(self, settings: Settings | None = None, **overrides: Unpack[Overrides]) -> None:
        settings = settings or load_settings(os.environ)
        if {"diarization_id", "transcription_id"} & overrides.keys():
            overrides.setdefault("orchestrator_id", "")  # ids given in code beat an orchestrator in the environment
        self._settings = replace(settings.endpoints, **overrides)
        self._limits = settings.limits
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def transcribe(
        self, audio: Audio, *, on_progress: OnProgress | None = None, **options: object
    ) -> dict[str, Any]:
        """Return who said what in `audio`: a local path, an http(s) URL, or the recording's bytes.

        `options` are the fields of OrchestrationRequest (`num_speakers`, `language`, `hotwords`, `diarize`, …);
        `response_format` is `verbose_json` here unless given. Raises the ParleyError that tells what went wrong.
        """
        request = parse_request(
            OrchestrationRequest, {"response_format": "verbose_json", **options, "audio": await self._audio(audio)}
        )
        if self._settings.orchestrator_id:
            answer = await self._one("orchestrator", request.model_dump(exclude_none=True), on_progress)
            return checked_output("orchestrator", answer, WorkerReport)
        return await orchestrate(
            request,
            diarization=self._endpoint("diarization") if request.diarize else None,
            transcription=self._endpoint("transcription"),
            deadline_s=self._settings.deadline_s,
            on_progress=on_progress,
        )

    async def diarize(
        self, audio: Audio, *, on_progress: OnProgress | None = None, **options: object
    ) -> dict[str, Any]:
        """Return who spoke when in `audio`; `options` are the fields of DiarizationRequest."""
        request = parse_request(DiarizationRequest, {**options, "audio": await self._audio(audio)})
        answer = await self._one("diarization", request.model_dump(exclude_none=True), on_progress)
        return checked_output("diarization", answer, DiarizationResult)

    async def _audio(self, audio: Audio) -> str:
        return await asyncio.to_thread(request_audio, audio, limits=self._limits)

    async def _one(self, name: str, job_input: dict[str, Any], on_progress: OnProgress | None) -> object:
        result = await self._endpoint(name).run(
            job_input, deadline_s=self._settings.deadline_s, on_progress=on_progress
        )
        return result.output

    def _endpoint(self, name: str) -> Endpoint:
        if self._session is None:
            self._session = aiohttp.ClientSession(trust_env=True)
        return configured_endpoint(self._settings, name, self._session)


class Parley:
    """The same client for code that is not async; Ctrl-C cancels the remote jobs."""

    def __init__(self, settings: Settings | None = None, **overrides: Unpack[Overrides]) -> None:
        self._client: Callable[[], AsyncParley] = lambda: AsyncParley(settings, **overrides)

    def transcribe(self, audio: Audio, *, on_progress: OnProgress | None = None, **options: object) -> dict[str, Any]:
        """Return who said what; see AsyncParley.transcribe."""

        async def call() -> dict[str, Any]:
            async with self._client() as client:
                return await client.transcribe(audio, on_progress=on_progress, **options)

        return _finish(call())

    def diarize(self, audio: Audio, *, on_progress: OnProgress | None = None, **options: object) -> dict[str, Any]:
        """Return who spoke when; see AsyncParley.diarize."""

        async def call() -> dict[str, Any]:
            async with self._client() as client:
                return await client.diarize(audio, on_progress=on_progress, **options)

        return _finish(call())


def _finish(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    return _finish_beside(work)


def _finish_beside(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run `work` in a thread, for a notebook has a loop of its own in this one; Ctrl-C cancels it there."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(work)
    with ThreadPoolExecutor(max_workers=1) as pool:
        running = pool.submit(_run_to_end, loop, task)
        try:
            return running.result()
        except BaseException:
            if not running.done():
                loop.call_soon_threadsafe(task.cancel)
            raise


def _run_to_end(loop: asyncio.AbstractEventLoop, task: "asyncio.Task[ResultT]") -> ResultT:
    try:
        return loop.run_until_complete(task)
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
