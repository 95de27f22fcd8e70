"""An RQ worker whose models stay in memory: one process, one asyncio handler, one job at a time, no fork."""

import asyncio
import logging
import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

from redis.exceptions import RedisError
from rq import Queue, SimpleWorker, worker_registration
from rq.serializers import JSONSerializer
from rq.utils import now
from rq.worker import WorkerStatus

from common.logs import log_event
from common.redis_queue import QueueNames, QueueRules
from common.retries import backoffs
from handlers.redis_execution import CANCELLED, GIVEN_BACK, LAST_PAUSE_S, LOST, Handler, JobRunner
from handlers.redis_jobs import QueueJobs

if TYPE_CHECKING:
    from redis import Redis

EX_DEVICE_LOST, EX_STUCK, EX_INTERRUPTED = 1, 70, 130

logger = logging.getLogger(__name__)


class ModelWorker(SimpleWorker):
    """An RQ worker in what it registers and in the commands it hears; how it gets and runs jobs is its own.

    RQ's SimpleWorker lets two workers answer one job, ends when its connection does, runs out of time by an exception
    in mid-inference, and does not look after its heart while a job runs.
    """

    def __init__(self, client: "Redis", *, kind: str, rules: QueueRules) -> None:
        name = f"{kind}-{uuid.uuid4().hex[:12]}"
        queue = Queue(QueueNames(kind).queue, connection=client, serializer=JSONSerializer)
        super().__init__([queue], name=name, connection=client, serializer=JSONSerializer, prepare_for_work=False)
        self.hostname, self.pid = socket.gethostname(), os.getpid()
        self.birth_date = self.last_heartbeat = now()
        self.rules = rules
        self.jobs = QueueJobs(client, kind=kind, worker=name, rules=rules)
        self._runner: JobRunner
        self._state = WorkerStatus.IDLE
        self._told_to_end_at: float | None = None
        self._ended = threading.Event()
        logging.getLogger("rq.worker").setLevel(logging.ERROR)  # it logs the server's address

    def serve(self, handler: Handler) -> int:
        """Answer jobs until told to end; returns the exit code of the process.

        SIGTERM and SIGINT let the job at hand end first, for up to `grace_s`; a second SIGINT does not.
        """
        self._runner = JobRunner(self.jobs, handler, worker=self.name, on_started=self._beat_safely)
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        pulse = threading.Thread(target=self._keep_alive, name="pulse", daemon=True)
        pulse.start()
        with asyncio.Runner() as loop:
            self._take_jobs(loop)
        self._ended.set()
        pulse.join()
        self._safely(self.register_death)
        log_event(logger, "worker_ended", worker_id=self.name)
        return EX_DEVICE_LOST if self._runner.device_lost else 0

    def _take_jobs(self, loop: asyncio.Runner) -> None:
        pauses = backoffs(first_s=0.1, last_s=LAST_PAUSE_S)
        while self._told_to_end_at is None and not self._runner.device_lost:
            try:
                self._take_one(loop)
                pauses = backoffs(first_s=0.1, last_s=LAST_PAUSE_S)
            except RedisError as error:
                log_event(logger, "queue_unreachable", error=type(error).__name__)
                time.sleep(next(pauses))

    def _take_one(self, loop: asyncio.Runner) -> None:
        if self.pubsub_thread is None or not self.pubsub_thread.is_alive():
            self.subscribe()  # type: ignore[no-untyped-call]  # RQ's own
        job_id = self.jobs.take()
        if job_id is None:
            return
        if self._told_to_end_at is not None:
            self.jobs.put_back(job_id)
            return
        claim = self.jobs.claim(job_id)
        if claim is None:
            return
        log_event(logger, "job_taken", job_id=job_id, attempt=claim.attempt, worker_id=self.name)
        self._state = WorkerStatus.BUSY
        try:
            loop.run(self._runner.run(claim))
        finally:
            self._state = WorkerStatus.IDLE
            self._beat_safely()

    def _keep_alive(self) -> None:
        """Beat, sweep and end what is overdue, until the worker has ended."""
        swept_at = -self.rules.sweep_s
        while True:
            self._beat_safely()
            if time.monotonic() - swept_at >= self.rules.sweep_s:
                swept_at = time.monotonic()
                self._safely(self._sweep)
            self._end_what_is_overdue()
            if self._ended.wait(self.rules.beat_s):
                return

    def _beat_safely(self) -> None:
        self._safely(self._beat)

    def _safely(self, call: Callable[[], None]) -> None:
        try:
            call()
        except RedisError as error:
            log_event(logger, "queue_unreachable", error=type(error).__name__)
        except Exception:  # the thread's boundary: without its pulse the worker would lose every job
            logger.exception("pulse_failed")

    def _beat(self) -> None:
        """Hold the job at hand for longer, and register anew, for Redis may have been emptied."""
        execution = self._runner.running
        if execution is not None:
            answer = self.jobs.renew(execution.claim)
            if answer != "held" and not execution.task.done():
                execution.stop(CANCELLED if answer == "stop" else LOST)
        self.last_heartbeat = now()
        with self.connection.pipeline() as pipe:
            pipe.hset(self.key, mapping={**self.serialize(), "state": WorkerStatus(self.get_state()).value})
            pipe.expire(self.key, max(1, round(self.rules.lease_s)))
            worker_registration.register(self, pipe)
            pipe.execute()

    def _sweep(self) -> None:
        requeued, lost = self.jobs.sweep()
        worker_registration.clean_worker_registry(self.queues[0])
        if requeued or lost:
            log_event(logger, "workers_lost", requeued=requeued, failed=lost)

    def _end_what_is_overdue(self) -> None:
        execution, at = self._runner.running, time.monotonic()
        if execution is None or execution.task.done():
            return
        if self._told_to_end_at is not None and at - self._told_to_end_at > self.rules.grace_s:
            execution.stop(GIVEN_BACK)
        if execution.why is not None and at - execution.stopped_at > self.rules.stuck_s:
            log_event(logger, "engine_stuck", job_id=execution.claim.job_id)
            self._leave_at_once(EX_STUCK)

    def _leave_at_once(self, exit_code: int) -> None:
        execution = self._runner.running
        try:
            if execution is not None:
                outcome = self._runner.outcome_of_stop(execution)
                if outcome is None:
                    self.jobs.give_back(execution.claim)
                else:
                    self.jobs.finish(execution.claim, *outcome)
            self._safely(self.register_death)
        except RedisError as error:
            log_event(logger, "job_not_given_back", error=type(error).__name__)
        finally:
            os._exit(exit_code)  # a thread that is inside the engine cannot be ended otherwise

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._told_to_end_at is None:
            self._told_to_end_at = time.monotonic()
        elif number == signal.SIGINT:  # in a thread: this one may be inside the client, whose locks it has then
            threading.Thread(target=self._leave_at_once, args=[EX_INTERRUPTED]).start()

    def request_stop_execution(self, execution_id: str) -> None:
        """Stop the job at hand, for RQ's command `stop-execution`; that of an earlier one comes too late."""
        execution = self._runner.running
        if execution is not None and execution.claim.execution == execution_id:
            execution.stop(CANCELLED)

    def get_current_job_id(self) -> str | None:
        """Return the id of the job at hand, for RQ's command `stop-job`."""
        execution = self._runner.running
        return execution.claim.job_id if execution is not None else None

    def kill_horse(self, sig: signal.Signals = signal.SIGTERM) -> None:  # noqa: ARG002 - RQ's signature
        """Stop the job at hand, for RQ's command `stop-job`: there is no other process that could be killed."""
        execution = self._runner.running
        if execution is not None:
            execution.stop(CANCELLED)

    def _pubsub_exception_handler(self, exc: Exception, *_: object) -> None:
        if not isinstance(exc, RedisError):
            raise exc
        log_event(logger, "queue_unreachable", error=type(exc).__name__)
        self._ended.wait(1.0)  # what was published meanwhile is found at the next beat
