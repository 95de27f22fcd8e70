"""What every model worker shares: check the request, get the audio, run off the event loop, stop, answer."""

import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, NoReturn, TypeVar

import numpy as np
from common.audio.decode import decode_audio
from common.audio.fetch import fetch_audio
from common.audio.job_folder import job_folder
from common.audio.limits import AudioLimits
from numpy.typing import NDArray

from common.contract import AudioRequest, parse_request
from common.errors import ConfigurationError, EngineError, OutputTooLargeError, ParleyError, runpod_error
from common.logs import log_event, set_up_logs
from handlers.progress import Progress, Tick

RequestT = TypeVar("RequestT", bound=AudioRequest)
EngineT = TypeVar("EngineT")
Samples = NDArray[np.float32]
Post = Callable[[dict[str, Any], dict[str, Any]], Awaitable[None]]

RUN_RESULT_BYTES = 10 * 1000 * 1000
RUNSYNC_RESULT_BYTES = 20 * 1000 * 1000
EX_CONFIG = 78  # sysexits.h: do not start me again before the configuration is mended

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Timings:
    """Seconds spent per stage of one job."""

    started: float = field(default_factory=time.perf_counter)
    stages: dict[str, float] = field(default_factory=dict)

    def mark(self, stage: str) -> None:
        """Book the time since the last mark to `stage`."""
        total = time.perf_counter() - self.started
        self.stages[stage] = round(total - sum(self.stages.values()), 4)

    def report(self) -> dict[str, float]:
        """Return the stages and their total, in seconds."""
        return {**self.stages, "total_s": round(time.perf_counter() - self.started, 4)}


@dataclass(kw_only=True)
class Worker(Generic[RequestT]):
    """One RunPod handler: an async callable that runs one inference at a time.

    `infer(request, samples, tick)` runs in a thread and returns the result without its `timings`.
    """

    name: str
    request_type: type[RequestT]
    infer: Callable[[RequestT, Samples, Tick], dict[str, Any]]
    limits: AudioLimits
    post_progress: Post
    gpu: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __call__(self, job: dict[str, Any]) -> dict[str, Any]:
        """Answer one job with its result or `{"error": …}`; a stop request ends it within one engine step."""
        timings = Timings()
        try:
            request = parse_request(self.request_type, job.get("input"))
            answer = await self._answer(job, request, timings)
            check_result(answer, job_id=str(job["id"]))
        except ParleyError as error:
            log_event(logger, "job_failed", job_id=job["id"], worker=self.name, code=error.code)
            return runpod_error(error)
        except asyncio.CancelledError:
            log_event(logger, "job_stopped", job_id=job["id"], worker=self.name)
            raise
        except Exception:  # the process boundary: no traceback may reach the caller
            logger.exception("job_crashed job_id=%s", job["id"])
            return runpod_error(EngineError(f"the {self.name} worker failed; its log has the cause"))
        log_event(logger, "job_done", job_id=job["id"], worker=self.name, **answer["timings"])
        return answer

    async def _answer(self, job: dict[str, Any], request: RequestT, timings: Timings) -> dict[str, Any]:
        async with Progress(partial(self.post_progress, job)) as progress:
            samples = await self._samples(request, timings)
            async with self.gpu:
                timings.mark("wait_s")
                answer = await run_stoppable(progress, self.infer, request, samples, progress.tick)
                timings.mark("inference_s")
        return {**answer, "timings": timings.report()}

    async def _samples(self, request: RequestT, timings: Timings) -> Samples:
        with job_folder() as folder:
            path = await fetch_audio(request.audio, folder, limits=self.limits)
            timings.mark("fetch_s")
            samples = await asyncio.to_thread(decode_audio, path, limits=self.limits)
            timings.mark("decode_s")
        return samples


async def run_stoppable(progress: Progress, function: Callable[..., dict[str, Any]], *args: object) -> dict[str, Any]:
    """Run `function` in a thread; when this task is cancelled, stop it and wait until the thread has left the GPU."""
    work = asyncio.ensure_future(asyncio.to_thread(function, *args))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        progress.stop()
        await asyncio.wait([work])
        if not work.cancelled():
            work.exception()  # retrieved: the job is gone, nobody asks for it
        raise


def check_result(answer: dict[str, Any], *, job_id: str) -> None:
    """Refuse what the SDK would lose in silence.

    Raises EngineError for NaN and non-JSON values, OutputTooLargeError above the platform's limit of
    10 MB after /run and 20 MB after /runsync (whose job ids begin with "sync-").
    """
    try:
        size_bytes = len(json.dumps({"output": answer}, ensure_ascii=False, allow_nan=False).encode())
    except (TypeError, ValueError):
        raise EngineError("the model returned a value that is not valid JSON, such as NaN") from None
    limit_bytes = RUNSYNC_RESULT_BYTES if job_id.startswith("sync-") else RUN_RESULT_BYTES
    if size_bytes > limit_bytes:
        raise OutputTooLargeError(
            f"the result has {size_bytes} bytes, the platform's limit is {limit_bytes}; ask for "
            'response_format "text" or "srt", set "timestamps": false, or send the audio in parts'
        )


async def post_to_platform(job: dict[str, Any], progress: dict[str, Any]) -> None:
    """Send one progress update of `job` to RunPod."""
    from runpod.http_client import AsyncClientSession  # noqa: PLC0415 - runpod is slow to import
    from runpod.serverless.modules.rp_http import send_result  # noqa: PLC0415

    async with AsyncClientSession() as session:
        await send_result(session, {"status": "IN_PROGRESS", "output": progress}, job)


def load_or_exit(load: Callable[[], EngineT]) -> EngineT:
    """Load an engine; a mistake in the configuration ends the process with one clear line and exit code 78."""
    try:
        return load()
    except ConfigurationError as error:
        exit_misconfigured(error)


def exit_misconfigured(error: ConfigurationError) -> NoReturn:
    """Say what is wrong where the platform's log shows it, and leave."""
    sys.stderr.write(f"PARLEY-FATAL {error.message}\n")
    raise SystemExit(EX_CONFIG)


def serve(handler: Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]) -> None:
    """Enter the RunPod worker loop."""
    os.environ.setdefault("RUNPOD_LOG_LEVEL", "INFO")  # at DEBUG the SDK logs outputs: transcripts would leak
    set_up_logs()
    import runpod  # noqa: PLC0415 - slow to import, and it reads its environment at import

    runpod.serverless.start({"handler": handler})
