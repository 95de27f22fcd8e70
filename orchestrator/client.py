"""Parley from Python: one orchestrator endpoint, or two endpoints orchestrated by the client itself."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, TypedDict, TypeVar, Unpack

import aiohttp

from common.contract import DiarizationRequest, OrchestrationRequest, RequestT, parse_request
from common.naming.unnamed_speakers import names_asked_of
from common.results import DiarizationResult, WorkerReport
from common.settings import Settings, load_settings
from orchestrator.blocking import finished
from orchestrator.children import checked_output
from orchestrator.endpoints import Endpoint, OnProgress, configured_endpoint
from orchestrator.pipeline import orchestrate
from orchestrator.request_parts import Audio, carried_words, with_recordings

ResultT = TypeVar("ResultT")


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
        self._naming = settings.naming
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

        `options` are the fields of OrchestrationRequest (`num_speakers`, `language`, `hotwords`, `diarize`, …); the
        `audio` of `known_speakers` is as flexible as `audio`. `response_format` is `verbose_json` here unless given.
        Raises the ParleyError that tells what went wrong.
        """
        request = await self._request(OrchestrationRequest, audio, {"response_format": "verbose_json", **options})
        if self._settings.orchestrator_id:
            answer = await self._one("orchestrator", _orchestrator_input(request), on_progress)
            return checked_output("orchestrator", answer, WorkerReport)
        return await orchestrate(
            request,
            diarization=self._endpoint("diarization") if request.diarize else None,
            transcription=self._endpoint("transcription") if request.words is None else None,
            deadline_s=self._settings.deadline_s,
            naming=names_asked_of(self._naming, self._connections()),
            on_progress=on_progress,
        )

    async def rediarize(
        self, result: Mapping[str, Any], audio: Audio, *, on_progress: OnProgress | None = None, **options: object
    ) -> dict[str, Any]:
        """Return an earlier `verbose_json` result of `audio` with its speakers found anew; its words stay as they are.

        `options` are as for `transcribe`, e.g. another `num_speakers`; the language is the earlier result's unless
        given. Raises InvalidInputError when the result has no words with their times.
        """
        return await self.transcribe(audio, on_progress=on_progress, **{**carried_words(result), **options})

    async def diarize(
        self, audio: Audio, *, on_progress: OnProgress | None = None, **options: object
    ) -> dict[str, Any]:
        """Return who spoke when in `audio`; `options` are the fields of DiarizationRequest."""
        request = await self._request(DiarizationRequest, audio, options)
        answer = await self._one("diarization", request.model_dump(exclude_defaults=True), on_progress)
        expected = DiarizationResult if request.response_format == "json" else WorkerReport
        return checked_output("diarization", answer, expected)

    async def _request(self, kind: type[RequestT], audio: Audio, options: Mapping[str, object]) -> RequestT:
        unsent = () if self._settings.orchestrator_id else ("words",)  # merged on this side, no endpoint gets them
        fields = await asyncio.to_thread(with_recordings, audio, options, limits=self._limits, unsent=unsent)
        return parse_request(kind, fields)

    async def _one(self, name: str, job_input: dict[str, Any], on_progress: OnProgress | None) -> object:
        result = await self._endpoint(name).run(
            job_input, deadline_s=self._settings.deadline_s, on_progress=on_progress
        )
        return result.output

    def _endpoint(self, name: str) -> Endpoint:
        return configured_endpoint(self._settings, name, self._connections())

    def _connections(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(trust_env=True)
        return self._session


def _orchestrator_input(request: OrchestrationRequest) -> dict[str, Any]:
    """Return `request` as JSON; of many words, only what is no default."""
    words = request.model_dump(include={"words"}, exclude_defaults=True)
    return request.model_dump(exclude={"words"}, exclude_none=True) | words


class Parley:
    """The same client for code that is not async; Ctrl-C cancels the remote jobs."""

    def __init__(self, settings: Settings | None = None, **overrides: Unpack[Overrides]) -> None:
        self._client: Callable[[], AsyncParley] = lambda: AsyncParley(settings, **overrides)

    def transcribe(self, audio: Audio, *, on_progress: OnProgress | None = None, **options: object) -> dict[str, Any]:
        """Return who said what; see AsyncParley.transcribe."""
        return self._result(lambda client: client.transcribe(audio, on_progress=on_progress, **options))

    def rediarize(
        self, result: Mapping[str, Any], audio: Audio, *, on_progress: OnProgress | None = None, **options: object
    ) -> dict[str, Any]:
        """Return an earlier result with its speakers found anew; see AsyncParley.rediarize."""
        return self._result(lambda client: client.rediarize(result, audio, on_progress=on_progress, **options))

    def diarize(self, audio: Audio, *, on_progress: OnProgress | None = None, **options: object) -> dict[str, Any]:
        """Return who spoke when; see AsyncParley.diarize."""
        return self._result(lambda client: client.diarize(audio, on_progress=on_progress, **options))

    def _result(self, call: Callable[[AsyncParley], Awaitable[ResultT]]) -> ResultT:
        async def called() -> ResultT:
            async with self._client() as client:
                return await call(client)

        return finished(called())
