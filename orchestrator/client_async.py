"""The async client: one orchestrator endpoint, or two endpoints orchestrated by the client itself."""

import asyncio
import os
import re
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Any, Self, TypedDict, Unpack

from common.errors import ConfigurationError, IdempotencyConflictError, InvalidInputError
from common.progress import OnProgress
from common.settings import Settings, load_settings
from orchestrator.batch import DEFAULT_CONCURRENCY, Outcome, outcomes
from orchestrator.client_call import Terms, fingerprint
from orchestrator.client_job import JobRun, TranscriptionJob
from orchestrator.client_work import Work
from orchestrator.endpoints import EndpointHealth
from orchestrator.preparation import prepared
from orchestrator.request_parts import Audio, carried_words

JOB_ID = re.compile(r"[A-Za-z0-9._-]{1,200}")


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

    The `options` of its methods are the fields of the request and those of Terms: `deadline_s`, `low_priority`,
    `execution_timeout_s`, `ttl_s`.
    """

    def __init__(self, settings: Settings | None = None, **overrides: Unpack[Overrides]) -> None:
        settings = settings or load_settings(os.environ)
        if {"diarization_id", "transcription_id"} & overrides.keys():
            overrides.setdefault("orchestrator_id", "")  # ids given in code beat an orchestrator in the environment
        self._work = Work(settings, replace(settings.endpoints, **overrides))
        self._runs: set[JobRun] = set()
        self._keyed: dict[str, JobRun] = {}
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop what runs, but for jobs that were submitted to an orchestrator endpoint, and close the connections.

        Calls that wait raise JobCancelledError, later ones ConfigurationError.
        """
        self._closed = True
        await asyncio.gather(*(run.leave() for run in tuple(self._runs)))
        await self._work.close()

    async def transcribe(
        self, audio: Audio, *, on_progress: OnProgress | None = None, **options: object
    ) -> dict[str, Any]:
        """Return who said what in `audio`: a local path, an http(s) URL, or the recording's bytes.

        `options` are the fields of OrchestrationRequest (`num_speakers`, `language`, `hotwords`, `diarize`, …); the
        `audio` of `known_speakers` is as flexible as `audio`. `response_format` is `verbose_json` here unless given.
        Calls of this client with one `idempotency_key` are one job while it runs.
        Raises the ParleyError that tells what went wrong; the remote jobs are stopped then, and when this is cancelled.
        """
        run = await self._run(audio, options)
        async with run.wanted():
            return await run.result(on_progress)

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
        terms, fields = Terms.split(options, deadline_s=self._work.endpoints.deadline_s)
        run = self._started(lambda run: self._work.diarized(audio, fields, terms, run))
        async with run.wanted():
            return await run.result(on_progress)

    async def submit(self, audio: Audio, **options: object) -> TranscriptionJob:
        """Return a job that does as `transcribe`, once it is accepted.

        With an orchestrator endpoint the job goes on when this client is closed, and `job` finds it again; a recording
        that had to be uploaded for it is deleted if this client sees the job end, else it stays in the storage.
        Where the client orchestrates by itself, closing it stops the job.
        """
        run = await self._run(audio, options)
        async with run.wanted():
            job_id = await run.accepted()
            run.kept = True
        return TranscriptionJob(job_id, run)

    def job(self, job_id: str, *, deadline_s: float | None = None) -> TranscriptionJob:
        """Return the job that another client, or this one, submitted to the orchestrator endpoint.

        It is stopped when it has no result `deadline_s` seconds from now. Raises ConfigurationError where the client
        orchestrates by itself: such jobs are known to nobody else.
        """
        if not self._work.endpoints.orchestrator_id:
            raise ConfigurationError(
                "only jobs of an orchestrator endpoint can be found again; set ORCHESTRATOR_ENDPOINT_ID",
                param="ORCHESTRATOR_ENDPOINT_ID",
            )
        if not JOB_ID.fullmatch(job_id):
            raise InvalidInputError("this is no job id; pass the `id` of a submitted job", param="job_id")
        terms, _ = Terms.split({"deadline_s": deadline_s}, deadline_s=self._work.endpoints.deadline_s)
        run = self._started(partial(self._work.watched, job_id, deadline_s=terms.deadline_s))
        run.kept = True
        run.accept(job_id, outlives=True)
        return TranscriptionJob(job_id, run)

    def transcribe_many(
        self,
        audios: Iterable[Audio],
        *,
        concurrency: int = DEFAULT_CONCURRENCY,
        on_event: Callable[[Audio, dict[str, Any]], None] | None = None,
        **options: object,
    ) -> AsyncGenerator[Outcome[Audio], None]:
        """Yield the outcome of each of `audios` as it ends: its result or its error; see `transcribe` for `options`.

        No more than `concurrency` recordings are read at a time; `on_event` is called with a recording and
        `{"stage", "progress"}` of it. An error of one does not end the others, but one that all would meet (a wrong
        key, a missing endpoint) does: what was not begun then has neither result nor error. Leaving the iteration
        (`contextlib.aclosing`) stops what runs.
        """

        async def transcribed(audio: Audio) -> dict[str, Any]:
            def tell(progress: dict[str, Any]) -> None:
                if on_event is not None:
                    on_event(audio, progress)

            return await self.transcribe(audio, on_progress=tell, **options)

        return outcomes(audios, transcribed, concurrency=concurrency)

    async def health(self) -> dict[str, EndpointHealth]:
        """Return how many jobs and workers each configured endpoint has, by its name."""
        run = self._started(lambda _: self._work.health())
        async with run.wanted():
            return await run.result()

    async def _run(self, audio: Audio, options: Mapping[str, object]) -> JobRun:
        """Start the work, or join that of another call with the same key; nothing is awaited after that."""
        started = time.monotonic()
        terms, given = Terms.split(options, deadline_s=self._work.endpoints.deadline_s)
        fields = {"response_format": "verbose_json", **given}
        key = fields.get("idempotency_key")
        content = await self._content(audio, fields, terms) if isinstance(key, str) else None
        terms = terms.after(time.monotonic() - started)
        running = self._keyed.get(str(key)) if content else None
        if running is None or running.stopping:
            return self._started(
                lambda run: self._work.transcribed(audio, fields, terms, run), key=key, content=content
            )
        if running.content != content:
            raise IdempotencyConflictError(
                "this idempotency key belongs to another request that is running; use a new one",
                param="idempotency_key",
            )
        return running

    async def _content(self, audio: Audio, fields: Mapping[str, object], terms: Terms) -> str:
        async def hashed(_: JobRun) -> dict[str, Any]:
            content = await prepared(lambda check: fingerprint(audio, fields, check=check), deadline_s=terms.deadline_s)
            return {"content": content}

        run = self._started(hashed)
        async with run.wanted():
            return str((await run.result())["content"])

    def _started(
        self,
        work: Callable[[JobRun], Coroutine[Any, Any, dict[str, Any]]],
        *,
        key: object = None,
        content: str | None = None,
    ) -> JobRun:
        if self._closed:
            raise ConfigurationError("this client was closed; make a new one")
        run = JobRun(work, content=content)
        self._runs.add(run)
        if isinstance(key, str):
            self._keyed[key] = run

        def forget(_: object) -> None:
            self._runs.discard(run)
            if isinstance(key, str) and self._keyed.get(key) is run:
                del self._keyed[key]

        run.task.add_done_callback(forget)
        return run
