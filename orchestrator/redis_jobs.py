"""What those who wait for jobs do with the queue in Redis: hand one over, look at it, read its result, cancel it."""

import asyncio
import logging
import math
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from common import redis_scripts
from common.errors import EndpointAuthError, EndpointUnreachableError, IdempotencyConflictError
from common.logs import log_event
from common.redis_queue import (
    QueueNames,
    QueueRules,
    channel,
    fingerprint,
    iso_now,
    job_fields,
    job_key,
    refuses,
    results_key,
    sweep_arguments,
)
from common.retries import backoffs
from orchestrator.endpoints import EndpointHealth, JobOptions

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.client import PubSub

FIRST_PAUSE_S, LAST_PAUSE_S = 0.1, 2.0
TTL_MARGIN_S = 60.0  # a job is not forgotten before its caller has given it up
STATE = ("status", "progress", "queued_at", "begun_at", "finished_at", "worker_name")

logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Submission:
    """One job to be handed over; `joined` when another caller has made it, who may also end it."""

    job_id: str
    fields: dict[str, str | bytes]
    fingerprint: str
    ttl_s: int
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    joined: bool = False

    def renew(self) -> None:
        """Make another job of it."""
        self.token, self.joined = uuid.uuid4().hex, False


class WaitedJobs:
    """The jobs of one kind as those see them who wait for them.

    All methods wait for a Redis that is away, for up to `patience_s`; then they raise EndpointUnreachableError, and
    EndpointAuthError at once.
    """

    def __init__(self, client: "Redis", *, kind: str, rules: QueueRules) -> None:
        self.rules = rules
        self._client = client
        self._kind = kind
        self._names = QueueNames(kind)
        self._submit = client.register_script(redis_scripts.SUBMIT)
        self._cancel = client.register_script(redis_scripts.CANCEL)
        self._sweep = client.register_script(redis_scripts.SWEEP)

    def bell(self) -> "PubSub":
        """Return what `news` is heard by; an async context manager."""
        return self._client.pubsub()

    def submission(self, job_input: dict[str, Any], *, deadline_s: float, options: JobOptions) -> Submission:
        """Return a job that is ready to be handed over; one key is one job."""
        return Submission(
            job_id=self._names.job_id(options.idempotency_key),
            fields=job_fields(self._kind, job_input, timeout_s=options.execution_timeout_s or deadline_s),
            fingerprint=fingerprint(job_input),
            ttl_s=math.ceil((options.ttl_s or deadline_s) + TTL_MARGIN_S),
        )

    async def hand_over(self, submission: Submission) -> None:
        """Queue the job, or join the one of its key; raises IdempotencyConflictError when that is another request."""
        arguments: list[Any] = [submission.job_id, submission.token, submission.fingerprint, submission.ttl_s]
        arguments += [part for pair in submission.fields.items() for part in pair]
        keys = self._names.keys(submission.job_id)
        answer, token = await self._asked(lambda: self._submit(keys=keys, args=arguments))
        if answer == b"conflict":
            raise IdempotencyConflictError(
                "this idempotency key belongs to another request; use a new one", param="idempotency_key"
            )
        submission.joined = answer == b"joined"
        submission.token = (token or b"").decode()
        log_event(logger, "child_submitted", endpoint=self._kind, job_id=submission.job_id, joined=submission.joined)

    async def state(self, job_id: str) -> dict[str, str]:
        """Return what is known of a job, by the names in STATE; empty where nothing is."""
        values: Any = await self._asked(lambda: self._client.hmget(job_key(job_id), list(STATE)))
        return {name: (value or b"").decode() for name, value in zip(STATE, values, strict=True)}

    async def entry(self, job_id: str) -> dict[bytes, bytes]:
        """Return what `read_result` reads; empty where there is no result."""
        entries: Any = await self._asked(lambda: self._client.xrevrange(results_key(job_id), count=1))
        return dict(entries[0][1]) if entries else {}

    async def forget_soon(self, job_id: str) -> None:
        """Keep what was read only for an orchestration that is begun again right now."""
        await self._asked(lambda: self._client.expire(job_key(job_id), self.rules.read_ttl_s))
        await self._asked(lambda: self._client.expire(results_key(job_id), self.rules.read_ttl_s))

    async def sweep(self, job_id: str) -> None:
        """Queue the jobs of lost workers again, and `job_id` should it be missing from its queue."""
        keys, arguments = self._names.keys(), sweep_arguments(job_id, self.rules)
        requeued, lost = await self._asked(lambda: self._sweep(keys=keys, args=arguments))
        if requeued or lost:
            log_event(logger, "workers_lost", endpoint=self._kind, requeued=requeued, failed=lost)

    async def cancel(self, submission: Submission) -> None:
        """Take the job out of its queue, or tell its worker to stop; one that has ended is left as it is."""
        job_id = submission.job_id
        keys = self._names.keys(job_id)
        arguments: list[Any] = [job_id, submission.token, iso_now(), self.rules.read_ttl_s]
        was = await self._asked(lambda: self._cancel(keys=keys, args=arguments))
        log_event(logger, "child_cancelled", endpoint=self._kind, job_id=job_id, was=(was or b"gone").decode())

    async def health(self) -> EndpointHealth:
        """Return how many jobs wait and run and how many workers there are; not patient."""
        health: EndpointHealth = await self._asked(self._counted, patience_s=0.0)
        return health

    async def _counted(self) -> EndpointHealth:
        _, queue, intermediate, started, *_ = self._names.keys()
        async with self._client.pipeline(transaction=False) as pipe:
            pipe.llen(queue)
            pipe.llen(intermediate)
            pipe.zcard(started)
            pipe.smembers(self._names.workers)
            waiting, taken, running, workers = await pipe.execute()
        async with self._client.pipeline(transaction=False) as pipe:
            for worker in workers:
                pipe.hget(worker, "state")
            states = await pipe.execute()
        return EndpointHealth(
            jobs_in_queue=waiting + taken,
            jobs_in_progress=running,
            workers_ready=sum(state in {b"idle", b"started"} for state in states),
            workers_running=sum(state == b"busy" for state in states),
            workers_initializing=0,  # a worker registers once its model is loaded
        )

    async def _asked(self, call: Callable[[], Any], *, patience_s: float | None = None) -> Any:  # noqa: ANN401 - whatever Redis answers
        """Return what `call` returns, once Redis is there again; a call whose answer was lost is made again."""
        from redis.exceptions import RedisError  # noqa: PLC0415 - only those who have a queue have the package

        pauses = backoffs(first_s=FIRST_PAUSE_S, last_s=LAST_PAUSE_S)
        patient_until = time.monotonic() + (self.rules.patience_s if patience_s is None else patience_s)
        while True:
            try:
                return await call()
            except RedisError as error:
                if refuses(error):
                    raise EndpointAuthError(
                        "Redis refuses the server; check the user and the password in QUEUE_URL", endpoint=self._kind
                    ) from None
                log_event(logger, "queue_unreachable", endpoint=self._kind, error=type(error).__name__)
                if time.monotonic() >= patient_until:
                    raise EndpointUnreachableError(
                        f"the {self._kind} queue does not answer; see whether Redis runs, and QUEUE_URL",
                        endpoint=self._kind,
                    ) from None
            await asyncio.sleep(next(pauses))


async def news(bell: "PubSub", job_id: str, *, timeout_s: float) -> None:
    """Return when something was published of a job, or after `timeout_s` seconds."""
    from redis.exceptions import RedisError  # noqa: PLC0415 - as above

    try:
        if not bell.subscribed:
            await bell.subscribe(channel(job_id))
        await bell.get_message(ignore_subscribe_messages=True, timeout=timeout_s)
    except RedisError:  # a look at the job tells more
        await asyncio.sleep(timeout_s)
