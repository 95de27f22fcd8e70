"""An endpoint whose workers get their jobs through Redis: submit, wait with progress, cancel, health."""

import asyncio
import itertools
import json
import logging
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from common.errors import (
    DeadlineExceededError,
    EndpointError,
    EndpointUnreachableError,
    JobCancelledError,
    ParleyError,
    ResultExpiredError,
    parse_runpod_error,
)
from common.logs import log_event
from common.packed_results import FETCH_TIMEOUT_S, unpacked
from common.progress import OnProgress
from common.redis_queue import KINDS, RULES, QueueRules, connect_async, read_result, worker_lost
from orchestrator.endpoints import PLAIN, EndpointHealth, JobOptions, JobResult, kept_for_stopping_s
from orchestrator.redis_jobs import Submission, WaitedJobs, news

if TYPE_CHECKING:
    from redis.asyncio import Redis

POLL_S = 1.0  # between two looks at a job of which nothing is published
SUBMISSIONS = 3  # of a job that Redis has forgotten
CANCEL_AGAIN_S = 0.1
STOPPING_SHARE = 0.9  # of the time kept for it
HEALTH_TIMEOUT_S = 5.0
ENDED = frozenset({"finished", "failed", "stopped", "canceled"})
GIVEN_UP = frozenset({"stopped", "canceled"})

logger = logging.getLogger(__name__)


class RedisEndpoint:
    """The workers of one kind (diarization, transcription) that are started with `parley worker`, on any machines.

    Jobs of lost workers are begun again, also from here: who waits for a job looks after the workers'. Of the options,
    `low_priority` and `webhook` mean nothing here.
    """

    def __init__(
        self, *, name: str, client: "Redis", rules: QueueRules = RULES, allow_private_addresses: bool = True
    ) -> None:
        self.name = name
        self._jobs = WaitedJobs(client, kind=name, rules=rules)
        self._allow_private_addresses = allow_private_addresses
        self._stopping: set[asyncio.Task[None]] = set()

    async def run(
        self,
        job_input: dict[str, Any],
        *,
        deadline_s: float,
        on_progress: OnProgress | None = None,
        options: JobOptions = PLAIN,
    ) -> JobResult:
        """Return the result within `deadline_s` seconds; see Endpoint.run.

        With `options.idempotency_key` a job that waits, runs or has ended well is waited for, whoever began it.
        Raises IdempotencyConflictError when that was another request.
        """
        if deadline_s <= 0:
            raise DeadlineExceededError(f"no time is left for the {self.name} endpoint; raise JOB_DEADLINE_SECONDS")
        ends_at, kept_s = time.monotonic() + deadline_s, kept_for_stopping_s(deadline_s)
        submission = await asyncio.to_thread(self._jobs.submission, job_input, deadline_s=deadline_s, options=options)
        work, late = asyncio.create_task(self._ended(submission, on_progress)), True
        try:
            left_s = ends_at - time.monotonic() - kept_s
            late = work not in (await asyncio.wait([work], timeout=min(left_s, options.ttl_s or math.inf)))[0]
        finally:
            if late or work.exception() is not None:
                await self._stop(submission, work, within_s=kept_s * STOPPING_SHARE)
        if late:
            raise self._too_late(deadline_s, await self._whereabouts(ends_at - time.monotonic()))
        return await self._result(submission.job_id, *work.result(), ends_at=ends_at)

    async def health(self) -> EndpointHealth:
        """Return how many jobs wait and run and how many workers there are; raises EndpointUnreachableError."""
        try:
            async with asyncio.timeout(HEALTH_TIMEOUT_S):
                return await self._jobs.health()
        except TimeoutError:
            raise EndpointUnreachableError(
                f"the {self.name} queue does not answer; see whether Redis runs, and QUEUE_URL", endpoint=self.name
            ) from None

    async def close(self) -> None:
        """Wait for jobs that are being stopped; the client is closed by whoever has made it."""
        await asyncio.gather(*self._stopping)

    async def _ended(
        self, submission: Submission, on_progress: OnProgress | None
    ) -> tuple[dict[str, str], dict[bytes, bytes]]:
        """Hand the job over; returns what is known of it once it has ended, and the entry of its result."""
        jobs, job_id, told, submissions, swept_at = self._jobs, submission.job_id, "", 1, time.monotonic()
        await jobs.hand_over(submission)
        async with jobs.bell() as bell:
            while True:
                state = await jobs.state(job_id)
                status = state["status"]
                forgotten = not status and submissions < SUBMISSIONS
                if forgotten or (status in GIVEN_UP and submission.joined):  # by whom it was begun, and not for us
                    submissions += forgotten
                    submission.renew()
                    await jobs.hand_over(submission)
                    continue
                if status in ENDED:
                    return state, await jobs.entry(job_id)
                if not status:
                    raise self._expired()
                if state["progress"] != told:
                    told = state["progress"]
                    _tell(on_progress, told)
                await news(bell, job_id, timeout_s=POLL_S)
                if time.monotonic() - swept_at > jobs.rules.sweep_s:
                    swept_at = time.monotonic()
                    await jobs.sweep(job_id)

    async def _stop(self, submission: Submission, work: "asyncio.Task[Any]", *, within_s: float) -> None:
        """Stop the job, so that nothing runs that nobody waits for; goes on when this task is cancelled once more."""
        task = asyncio.create_task(self._stopped(submission, work, within_s))
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)
        await asyncio.shield(task)

    async def _stopped(self, submission: Submission, work: "asyncio.Task[Any]", within_s: float) -> None:
        try:
            async with asyncio.timeout(within_s):
                while not work.done():
                    work.cancel()  # again and again: redis-py forgets it where it comes as a connection is made
                    await asyncio.wait([work], timeout=CANCEL_AGAIN_S)
                await self._jobs.cancel(submission)
        except (ParleyError, TimeoutError) as error:
            job_id = submission.job_id
            log_event(logger, "job_abandoned", endpoint=self.name, job_id=job_id, error=type(error).__name__)

    async def _result(
        self, job_id: str, state: dict[str, str], entry: dict[bytes, bytes], *, ends_at: float
    ) -> JobResult:
        if state["status"] in GIVEN_UP:
            raise JobCancelledError(f"the job was cancelled on the {self.name} endpoint")
        if not entry:
            raise self._expired()
        times = [float(state[name] or 0) for name in ("queued_at", "begun_at", "finished_at")]
        queue_s, execution_s = (round(max(0.0, end - start), 4) for start, end in itertools.pairwise(times))
        output, error = await asyncio.to_thread(read_result, entry)
        if error is not None:
            raise self._failure(error, timed_out=b"timed_out" in entry, execution_s=execution_s)
        output = await self._unpacked(output, within_s=ends_at - time.monotonic())
        await self._jobs.forget_soon(job_id)
        worker_id = state["worker_name"] or None
        return JobResult(job_id=job_id, output=output, queue_s=queue_s, execution_s=execution_s, worker_id=worker_id)

    async def _unpacked(self, output: object, *, within_s: float) -> object:
        patience_s = min(FETCH_TIMEOUT_S, max(within_s, 0.0))
        try:
            return await unpacked(
                output, allow_private_addresses=self._allow_private_addresses, fetch_timeout_s=patience_s
            )
        except ValueError as error:
            message = f"the {self.name} endpoint's result cannot be used: {error}"
            raise EndpointError(message, endpoint=self.name) from None

    def _failure(self, error: str, *, timed_out: bool, execution_s: float) -> ParleyError:
        abandoned = "AbandonedJobError" in error  # by RQ itself: `rq info` looks after lost workers, too
        remote = parse_runpod_error(worker_lost() if abandoned else error)
        if timed_out:
            return DeadlineExceededError(f"the job ran out of time on the {self.name} endpoint: {remote['message']}")
        return EndpointError(str(remote["message"]), endpoint=self.name, remote=remote, execution_s=execution_s)

    def _expired(self) -> ResultExpiredError:
        return ResultExpiredError(
            f"the {self.name} queue knows its job no more: Redis was emptied, or the result was not fetched in time; "
            "send it again",
            endpoint=self.name,
        )

    def _too_late(self, deadline_s: float, where: str) -> DeadlineExceededError:
        return DeadlineExceededError(
            f"the {self.name} endpoint did not answer within {deadline_s:.0f} s{where}; look at its queue and its "
            "workers (`parley worker`), or raise JOB_DEADLINE_SECONDS"
        )

    async def _whereabouts(self, within_s: float) -> str:
        """Return what the queue tells of a job that did not end, as part of a sentence."""
        try:
            async with asyncio.timeout(within_s):
                health = await self.health()
        except (ParleyError, TimeoutError):
            return ""
        return (
            f" (beside it {health.jobs_in_queue} jobs wait there, {health.jobs_in_progress} run; "
            f"{health.workers_ready + health.workers_running} workers are up)"
        )


@asynccontextmanager
async def redis_endpoints(
    url: str, *, rules: QueueRules = RULES, allow_private_addresses: bool = True
) -> AsyncIterator[dict[str, RedisEndpoint]]:
    """Yield the endpoints of the queue at `url` by name: diarization, transcription; raises ConfigurationError."""
    client = connect_async(url)
    endpoints = {
        kind: RedisEndpoint(name=kind, client=client, rules=rules, allow_private_addresses=allow_private_addresses)
        for kind in KINDS
    }
    try:
        yield endpoints
    finally:
        await asyncio.gather(*(endpoint.close() for endpoint in endpoints.values()))
        await client.aclose()


def _tell(on_progress: OnProgress | None, progress: str) -> None:
    if on_progress is None or not progress:
        return
    try:
        on_progress(json.loads(progress))
    except Exception:  # the caller's own code: its faults must not end a job that is paid for
        logger.exception("progress_callback_failed")
