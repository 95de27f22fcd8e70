"""What every model worker shares: check the request, get the audio, run off the event loop, stop, answer."""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

from common.audio.blocks import Samples
from common.audio.decode import decode_audio
from common.audio.fetch import fetch_audio
from common.audio.job_folder import job_folder
from common.audio.limits import SAMPLE_RATE, AudioLimits
from common.cold_start import ColdStart, begin, growing, stage_passed
from common.contract import AudioRequest, parse_request
from common.errors import ConfigurationError
from common.idempotency import SharedRuns
from common.job import Boundary, Timings, answer_job
from common.logs import set_up_logs
from common.progress import Progress
from common.runpod_loop import exit_misconfigured, serve
from common.settings import Settings, load_settings
from handlers.device import report_to_nobody
from handlers.further_audio import FurtherAudio, fetch_further, usable

RequestT = TypeVar("RequestT", bound=AudioRequest)
EngineT = TypeVar("EngineT")


@dataclass(kw_only=True)
class Worker(Generic[RequestT]):
    """One RunPod handler: an async callable that runs one inference at a time.

    `infer(request, samples, tick)` runs in a thread and returns the result without its `timings`. `check(request)`
    raises InvalidInputError for what cannot be met, before anything is fetched.

    With `further_audio(request)`, other audio by the name of its field in the request, `infer` gets a fourth argument:
    what `fetch_further` found. Its error ends the job before the job's audio is fetched, unless
    `without_further(request)` says that there is something to do without; `infer` is then given the error.

    With `runs` requests with one `idempotency_key` are one run.
    """

    name: str
    request_type: type[RequestT]
    infer: Callable[..., dict[str, Any]]
    limits: AudioLimits
    post_progress: Callable[[dict[str, Any], dict[str, Any]], Awaitable[None]]
    check: Callable[[RequestT], None] | None = None
    further_audio: Callable[[RequestT], Mapping[str, str]] | None = None
    without_further: Callable[[RequestT], bool] | None = None
    gpu: asyncio.Lock = field(default_factory=asyncio.Lock)
    boundary: Boundary = field(default_factory=Boundary)
    runs: SharedRuns | None = None
    cold_start: ColdStart = field(default_factory=ColdStart)

    async def __call__(self, job: dict[str, Any]) -> dict[str, Any]:
        """Answer one job with its result or `{"error": …}`; a stop request ends it within one engine step."""
        return await answer_job(job, self._answer, worker=self.name, boundary=self.boundary)

    def ready(self) -> None:
        """Take note that the first job may come; its result gets the cold start."""
        self.boundary.ready(self.name, self.cold_start)

    async def _answer(self, job: dict[str, Any]) -> dict[str, Any]:
        request = parse_request(self.request_type, job.get("input"))
        if self.check is not None:
            self.check(request)
        key = getattr(request, "idempotency_key", None)
        if self.runs is None or key is None:
            return await self._answered(job, request)
        content = request.model_dump(exclude={"idempotency_key", "request_id"})
        return await self.runs.run(key, content, lambda _: self._answered(job, request), on_progress=lambda _: None)

    async def _answered(self, job: dict[str, Any], request: RequestT) -> dict[str, Any]:
        timings, cold_start_s = Timings(), self.cold_start.take_s()
        async with Progress(partial(self.post_progress, job)) as progress:
            further = await self._further(request, progress, timings)
            samples = await self._samples(request, progress, timings)
            async with self.gpu:
                timings.mark("wait_s")
                answer = await run_stoppable(progress, self.infer, request, samples, progress.tick, *further)
                timings.mark("inference_s")
        self.boundary.metrics.audio_processed(worker=self.name, audio_s=len(samples) / SAMPLE_RATE)
        return {**answer, "timings": {"cold_start_s": cold_start_s, **timings.report()}}

    async def _samples(self, request: RequestT, progress: Progress, timings: Timings) -> Samples:
        progress.tick("fetching", 0.0)
        with job_folder() as folder:
            path = await fetch_audio(request.audio, folder, limits=self.limits)
            timings.mark("fetch_s")
            samples = await asyncio.to_thread(decode_audio, path, limits=self.limits)
            timings.mark("decode_s")
        return samples

    async def _further(
        self, request: RequestT, progress: Progress, timings: Timings
    ) -> tuple[()] | tuple[FurtherAudio]:
        """Before the job's audio is fetched: at most one file is in memory as a whole."""
        if self.further_audio is None:
            return ()
        sources = self.further_audio(request)
        found = await fetch_further(sources, limits=self.limits, tick=partial(progress.tick, "fetching", 0.0))
        if self.without_further is None or not self.without_further(request):
            usable(found)
        if found:
            timings.mark("further_audio_s")
        return (found,)


async def run_stoppable(progress: Progress, function: Callable[..., dict[str, Any]], *args: object) -> dict[str, Any]:
    """Run `function` in a thread; when this task is cancelled, stop it and wait until the thread has left the GPU."""
    work = asyncio.ensure_future(asyncio.to_thread(function, *args))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        progress.stop()
        while not work.done():  # however often the job is cancelled: the thread still has the GPU
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([work])
        if not work.cancelled():
            work.exception()  # retrieved: the job is gone, nobody asks for it
        raise


def settings_of_process() -> Settings:
    """Begin the process: read the settings from the environment, set up the log by them; exits as `load_or_exit`."""
    begin()
    report_to_nobody()
    set_up_logs()
    settings = load_or_exit(lambda: load_settings(os.environ))
    set_up_logs(log_format=settings.reports.log_format)
    return settings


def serve_worker(worker: Worker[RequestT], settings: Settings) -> None:
    """Let the worker take jobs until it is told to stop."""
    serve(worker, reports=settings.reports, metrics=worker.boundary.metrics, on_ready=worker.ready)


def load_engine(load: Callable[[], EngineT]) -> EngineT:
    """Load an engine that was found, in a process that does nothing else yet; errors pass through."""
    stage_passed("find")
    with growing():
        engine = load()
    stage_passed("load")
    return engine


def load_or_exit(load: Callable[[], EngineT]) -> EngineT:
    """Load an engine; a mistake in the configuration ends the process with one clear line and exit code 78."""
    try:
        return load()
    except ConfigurationError as error:
        exit_misconfigured(error)
