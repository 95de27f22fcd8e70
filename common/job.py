"""The boundary of every worker: one job in, one result or one error envelope out, whatever happens inside."""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from common.errors import EngineError, OutputTooLargeError, ParleyError, runpod_error
from common.logs import log_event

RUN_RESULT_BYTES = 10 * 1000 * 1000
RUNSYNC_RESULT_BYTES = 20 * 1000 * 1000

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Timings:
    """Seconds spent per stage of one job."""

    started: float = field(default_factory=time.perf_counter)
    stages: dict[str, float] = field(default_factory=dict)

    def elapsed_s(self) -> float:
        """Seconds since the job began."""
        return time.perf_counter() - self.started

    def mark(self, stage: str) -> None:
        """Book the time since the last mark to `stage`."""
        self.stages[stage] = round(self.elapsed_s() - sum(self.stages.values()), 4)

    def report(self) -> dict[str, float]:
        """Return the stages and their total, in seconds."""
        return {**self.stages, "total_s": round(self.elapsed_s(), 4)}


async def answer_job(
    job: dict[str, Any], answer: Callable[[dict[str, Any]], Awaitable[dict[str, Any]]], *, worker: str
) -> dict[str, Any]:
    """Return `answer(job)`, or `{"error": …}` for whatever goes wrong in it; only cancellation passes through."""
    try:
        result = await answer(job)
        check_result(result, job_id=str(job["id"]))
    except ParleyError as error:
        log_event(logger, "job_failed", job_id=job["id"], worker=worker, code=error.code)
        return runpod_error(error)
    except asyncio.CancelledError:
        log_event(logger, "job_stopped", job_id=job["id"], worker=worker)
        raise
    except Exception:  # the process boundary: no traceback may reach the caller
        logger.exception("job_crashed job_id=%s worker=%s", job["id"], worker)
        return runpod_error(EngineError(f"the {worker} worker failed; its log has the cause"))
    log_event(logger, "job_done", job_id=job["id"], worker=worker, **result.get("timings", {}))
    return result


def check_result(result: dict[str, Any], *, job_id: str) -> None:
    """Refuse what the SDK would lose in silence.

    Raises EngineError for NaN and non-JSON values, OutputTooLargeError above the platform's limit of
    10 MB after /run and 20 MB after /runsync (whose job ids begin with "sync-").
    """
    try:
        size_bytes = len(json.dumps({"output": result}, ensure_ascii=False, allow_nan=False).encode())
    except (TypeError, ValueError):
        raise EngineError("the model returned a value that is not valid JSON, such as NaN") from None
    limit_bytes = RUNSYNC_RESULT_BYTES if job_id.startswith("sync-") else RUN_RESULT_BYTES
    if size_bytes > limit_bytes:
        raise OutputTooLargeError(
            f"the result has {size_bytes} bytes, the platform's limit is {limit_bytes}; ask for "
            'response_format "text" or "srt", set "timestamps": false, or send the audio in parts'
        )
