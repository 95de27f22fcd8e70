"""One job that came through Redis, from its claim to its end: run by the handler, stopped, timed, told."""

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from common.errors import (
    DeadlineExceededError,
    EngineError,
    InvalidInputError,
    ParleyError,
    StorageError,
    runpod_error,
)
from common.logs import log_event
from common.redis_queue import called_with, failure_fields, success_fields
from common.retries import backoffs
from handlers.redis_jobs import Claim, QueueJobs

CANCELLED, TIMED_OUT, LOST, GIVEN_BACK = "cancelled", "timed_out", "lost", "given_back"
LAST_PAUSE_S = 5.0

Handler = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Execution:
    """The job at hand, and why it is to stop if it is."""

    claim: Claim
    loop: asyncio.AbstractEventLoop
    task: "asyncio.Future[dict[str, Any]]"
    why: str | None = None
    stopped_at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def stop(self, why: str) -> None:
        """Cancel the handler's task; called from any thread, and only the first time does anything."""
        with self._lock:
            if self.why is not None:
                return
            self.why, self.stopped_at = why, time.monotonic()
        log_event(logger, "job_stopping", job_id=self.claim.job_id, reason=why)
        self.loop.call_soon_threadsafe(self.task.cancel)


class JobRunner:
    """Runs the jobs of one worker, one at a time, and tells Redis how each ended, however long that takes.

    `running` is the job at hand, for the threads that may stop it; `device_lost` is set when the process is no good
    for another. `on_started` is called, in a thread, when a job can be stopped.
    """

    def __init__(self, jobs: QueueJobs, handler: Handler, *, worker: str, on_started: Callable[[], None]) -> None:
        self.running: Execution | None = None
        self.device_lost = False
        self._jobs = jobs
        self._handler = handler
        self._worker = worker
        self._on_started = on_started

    async def run(self, claim: Claim) -> None:
        """Answer one job; returns when the model is free for the next one."""
        try:
            job = {"id": claim.job_id, "input": called_with(claim.data), "execution": claim.execution}
        except ValueError as error:
            await self._end(claim, "failed", self._failed(InvalidInputError(str(error))))
            return
        task = asyncio.ensure_future(self._handler(job))
        execution = self.running = Execution(claim, asyncio.get_running_loop(), task)
        try:
            await asyncio.to_thread(self._on_started)
            await asyncio.wait([task], timeout=claim.timeout_s)
            if not task.done():
                execution.stop(TIMED_OUT)
                await asyncio.wait([task])
            await self._end_as(execution)
        finally:
            self.running = None

    def outcome_of_stop(self, execution: Execution) -> tuple[str, list[str]] | None:
        """Return the status and the result's entry of a job that was stopped; None if it is to be begun again."""
        if execution.why == CANCELLED:
            return "stopped", []
        if execution.why != TIMED_OUT:
            return None
        message = f"the job ran for {execution.claim.timeout_s:.0f} s, as long as it may; raise its execution timeout"
        return "failed", [*self._failed(DeadlineExceededError(message)), "timed_out", "1"]

    async def _end_as(self, execution: Execution) -> None:
        claim = execution.claim
        if not execution.task.cancelled():
            await self._end(claim, *await asyncio.to_thread(self._outcome, execution.task))
        elif outcome := self.outcome_of_stop(execution):
            await self._end(claim, *outcome)
        elif execution.why != LOST:
            given_back = await asyncio.to_thread(self._insist, lambda: self._jobs.give_back(claim))
            log_event(logger, "job_given_back" if given_back else "job_was_lost", job_id=claim.job_id)

    def _outcome(self, task: "asyncio.Future[dict[str, Any]]") -> tuple[str, list[str]]:
        failure = task.exception()
        if failure is not None:  # the handler's boundary lets nothing through, so that this is a mistake in it
            logger.error("handler_failed", exc_info=failure)
            return "failed", self._failed(EngineError("the worker failed; its log has the cause"))
        output = task.result()
        if "error" not in output:
            return "finished", success_fields(output, worker=self._worker)
        self.device_lost = self.device_lost or bool(output.get("refresh_worker"))
        return "failed", failure_fields(str(output["error"]), worker=self._worker)

    async def _end(self, claim: Claim, status: str, entry: list[str]) -> None:
        try:
            kept = await asyncio.to_thread(self._insist, lambda: self._jobs.finish(claim, status, entry))
        except ResponseError as error:
            log_event(logger, "result_refused", job_id=claim.job_id, error=type(error).__name__)
            refused = self._failed(StorageError("the queue's Redis did not take the result; has it memory left?"))
            status = "failed"
            kept = await asyncio.to_thread(self._insist, lambda: self._jobs.finish(claim, "failed", refused))
        log_event(logger, "job_ended" if kept else "job_was_lost", job_id=claim.job_id, status=status)

    def _insist(self, call: Callable[[], bool]) -> bool:
        """Return what `call` returns, once Redis is there again; False when that takes too long."""
        pauses = backoffs(first_s=0.1, last_s=LAST_PAUSE_S)
        patient_until = time.monotonic() + self._jobs.rules.finishing_patience_s
        while True:
            try:
                return call()
            except (RedisConnectionError, RedisTimeoutError) as error:
                log_event(logger, "queue_unreachable", error=type(error).__name__)
                if time.monotonic() > patient_until:
                    return False
                time.sleep(next(pauses))

    def _failed(self, error: ParleyError) -> list[str]:
        return failure_fields(str(runpod_error(error)["error"]), worker=self._worker)
