"""The work of one job: its recording, an answer that is there already or that of the backend, the result stored."""

import asyncio
import hashlib
import json
import logging
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from common.audio.fetch import fetch_audio
from common.audio.job_folder import job_folder
from common.errors import JobCancelledError, ParleyError
from common.idempotency import content_digest
from common.logs import log_event
from common.settings import Settings
from orchestrator.server.backends import Backend, asked_of
from orchestrator.server.documents import result_document, reused_document
from orchestrator.server.events import Event
from orchestrator.server.jobs import Job
from orchestrator.server.peaks import peaks_of
from orchestrator.server.reporter import Reporter
from orchestrator.server.store.files import FileStore
from orchestrator.server.store.job_store import JobStore
from orchestrator.server.store_calls import StoreCalls
from orchestrator.server.version import parley_version

logger = logging.getLogger(__name__)


class LostJobError(Exception):
    """The job is no longer this runner's: it was erased, or another one has taken it."""


class JobWork:
    """Carries out claimed jobs for one runner."""

    def __init__(self, store: JobStore, files: FileStore, backend: Backend, settings: Settings, *, runner: str) -> None:
        self._store = store
        self._files = files
        self._backend = backend
        self._settings = settings
        self._runner = runner
        self._calls = StoreCalls()
        self._computing: dict[tuple[str, str], asyncio.Event] = {}

    async def carry_out(self, job: Job, tell: Callable[[Event], None]) -> None:
        """Do the job and store its result; raises ParleyError, or LostJobError when it is not ours any more."""

        async def write(step: Any, progress: float) -> None:  # noqa: ANN401 - a Step
            await asyncio.to_thread(self._store.report, job.id, runner=self._runner, step=step, progress=progress)
            tell(Event("status"))

        async with Reporter(write) as reporter:
            job = await self._with_recording(job)
            earlier = None if job.earlier is None else await asyncio.to_thread(self._loaded, job.earlier)
            async with self._alone(job):
                found = await asyncio.to_thread(self._store.cached, job.owner, job.cache_key or "")
                if found is not None and (document := await self._reused(job, found)) is not None:
                    await self._completed(job, document, cached=True)
                    return
                async with self._drawing(job):
                    answer = await self._backend.run(
                        job,
                        earlier=earlier,
                        on_progress=reporter.note,
                        on_found=lambda name, output: tell(_partial(name, output)),
                        deadline_s=self._settings.endpoints.deadline_s,
                    )
                document = await asyncio.to_thread(result_document, job, answer)
                await self._completed(job, document)

    async def _with_recording(self, job: Job) -> Job:
        """Return the job with its recording in the storage and its cache key in the store."""
        stored: dict[str, Any] = {}
        if job.audio is None:
            with job_folder() as folder:
                path = await fetch_audio(job.audio_url or "", folder, limits=self._settings.limits)
                size, digest = path.stat().st_size, await asyncio.to_thread(_digest_of, path)
                name = new_name("audio", job.id)
                await asyncio.to_thread(self._files.put, path, name)
            stored = {"audio": name, "audio_sha256": digest, "audio_bytes": size}
        job = replace(job, **stored)
        job = replace(job, cache_key=await asyncio.to_thread(cache_key, job, self._backend.identity))
        held = await self._calls.keep_trying(
            self._store.hold, job.id, runner=self._runner, cache_key=job.cache_key, **stored
        )
        if not held:
            if stored:
                await asyncio.to_thread(self._files.delete, stored["audio"])
            raise LostJobError
        return job

    @asynccontextmanager
    async def _alone(self, job: Job) -> AsyncIterator[None]:
        """Wait while this process computes the same for another job, whose answer is there then."""
        key = (job.owner, job.cache_key or job.id)
        while (running := self._computing.get(key)) is not None:
            await running.wait()
        self._computing[key] = asyncio.Event()
        try:
            yield
        finally:
            self._computing.pop(key).set()

    async def _reused(self, job: Job, found: Job) -> dict[str, Any] | None:
        """Return the result of another job as this one's, with its peaks; None where its files are gone."""
        try:
            document = await asyncio.to_thread(self._loaded, found.result or "")
            if found.peaks is not None and not job.ephemeral:
                peaks = await asyncio.to_thread(self._loaded, found.peaks)
                await self._put_peaks(job, json.dumps(peaks).encode())
        except (OSError, ParleyError, ValueError):
            return None
        return reused_document(job, document)

    async def _completed(self, job: Job, document: Mapping[str, Any], *, cached: bool = False) -> None:
        name = new_name("results", job.id, suffix=".json")
        content = await asyncio.to_thread(lambda: json.dumps(document).encode())
        await asyncio.to_thread(self._files.put_bytes, content, name)
        done = await self._calls.keep_trying(
            self._store.complete,
            job.id,
            runner=self._runner,
            result=name,
            duration_s=document.get("duration"),
            cached=cached,
        )
        if not done:
            await asyncio.to_thread(self._files.delete, name)
            raise LostJobError

    @asynccontextmanager
    async def _drawing(self, job: Job) -> AsyncIterator[None]:
        """Compute the recording's peaks meanwhile."""
        if job.ephemeral or job.kind != "transcription":
            yield
            return
        stopped = threading.Event()
        drawing = asyncio.create_task(self._draw(job, stopped))
        try:
            yield
            await drawing
        finally:
            stopped.set()
            await drawing

    async def _draw(self, job: Job, stopped: threading.Event) -> None:
        """Store the peaks; a page does without them where that fails."""
        try:
            await self._put_peaks(job, await asyncio.to_thread(self._drawn, job, stopped))
        except (OSError, ParleyError, LostJobError) as error:
            log_event(logger, "no_peaks", error=type(error).__name__)

    def _drawn(self, job: Job, stopped: threading.Event) -> bytes:
        def check() -> None:
            if stopped.is_set():
                raise JobCancelledError("nobody needs the peaks any more")

        with self._files.local_path(job.audio or "") as path:
            return peaks_of(path, limits=self._settings.limits, check=check).model_dump_json().encode()

    async def _put_peaks(self, job: Job, content: bytes) -> None:
        name = new_name("peaks", job.id, suffix=".json")
        await asyncio.to_thread(self._files.put_bytes, content, name)
        if not await self._calls.keep_trying(self._store.hold, job.id, runner=self._runner, peaks=name):
            await asyncio.to_thread(self._files.delete, name)
            raise LostJobError

    def _loaded(self, name: str) -> dict[str, Any]:
        with self._files.open(name) as file:
            document: dict[str, Any] = json.load(file)
        return document


def new_name(folder: str, job_id: str, *, suffix: str = "") -> str:
    """Return the name of a new file of a job, which no file has had before."""
    return f"{folder}/{job_id}-{secrets.token_hex(4)}{suffix}"


def cache_key(job: Job, identity: str) -> str:
    """Return what two jobs share that have one answer: recording, request, earlier words, models, Parley's version."""
    asked = asked_of(job.fields)
    return content_digest([job.kind, job.audio_sha256, asked, job.earlier, identity, parley_version()])


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _partial(name: str, output: Mapping[str, Any]) -> Event:
    if name == "diarization":
        return Event("partial", {"kind": "speakers", "timeline": output.get("segments", [])})
    return Event("partial", {"kind": "words", "segments": output.get("segments", [])})
