"""A worker for jobs that come through Redis: `python -m handlers.redis_worker diarization|transcription`."""

import argparse
import logging
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Any, NoReturn

from common.errors import ConfigurationError
from common.job import boundary_of
from common.logs import log_event
from common.metrics import serve_metrics
from common.redis_queue import KINDS, QUEUE_URL, RULES, QueueRules, connect, refuses
from common.settings import ALLOW_PRIVATE, Settings
from handlers.device import let_others_compute
from handlers.worker import Worker, load_engine, load_or_exit, settings_of_process

Post = Callable[[dict[str, Any], dict[str, Any]], Awaitable[None]]
Build = Callable[[Settings, Post], Worker[Any]]

logger = logging.getLogger(__name__)


def perform(_job_input: dict[str, Any]) -> NoReturn:
    """Refuse to run: jobs name this function, but only a worker that has loaded the models can answer them."""
    raise ConfigurationError("jobs of this queue are for `parley worker`, not for `rq worker`")


def diarization(settings: Settings, post: Post) -> Worker[Any]:
    """Return the diarization endpoint's handler with its model loaded; raises ConfigurationError."""
    from handlers.diarization.engines import find_engine  # noqa: PLC0415 - the other model's packages may be missing
    from handlers.diarization.handler import diarization_worker  # noqa: PLC0415

    engine = load_engine(find_engine(settings.diarization))
    return diarization_worker(engine, limits=settings.limits, boundary=boundary_of(settings), post=post)


def transcription(settings: Settings, post: Post) -> Worker[Any]:
    """Return the transcription endpoint's handler with its model loaded; raises ConfigurationError."""
    from handlers.transcription.handler import find_engine, transcription_worker  # noqa: PLC0415 - as above

    engine = load_engine(find_engine(settings.transcription))
    return transcription_worker(engine, limits=settings.limits, boundary=boundary_of(settings), post=post)


BUILDERS: dict[str, Build] = {"diarization": diarization, "transcription": transcription}


def serve_queue(kind: str, settings: Settings, build: Build, *, url: str, rules: QueueRules = RULES) -> int:
    """Load the model and answer the jobs of `kind` at `url` until told to end; returns the process's exit code.

    Raises ConfigurationError where that can never work; a Redis that is not there yet is waited for.
    """
    from redis.exceptions import RedisError  # noqa: PLC0415 - see common.redis_queue.connect

    from handlers.redis_loop import ModelWorker  # noqa: PLC0415

    client = connect(url)
    try:
        client.ping()
    except RedisError as error:
        _check_worth_waiting(error)
    queue_worker = ModelWorker(client, kind=kind, rules=rules)
    worker = build(settings, queue_worker.jobs.post_progress)
    with ExitStack() as while_serving:
        if settings.reports.metrics_port:
            metrics = serve_metrics(worker.boundary.metrics, port=settings.reports.metrics_port)
            while_serving.enter_context(metrics)
        worker.ready()
        log_event(logger, "worker_ready", worker=kind, worker_id=queue_worker.name)
        return queue_worker.serve(worker)


def _check_worth_waiting(error: Exception) -> None:
    if refuses(error):
        raise ConfigurationError(
            "Redis refuses this worker; check the user and the password in QUEUE_URL", param=QUEUE_URL.name
        ) from None
    log_event(logger, "queue_unreachable", error=type(error).__name__)


def main() -> None:
    """Run the worker until it is told to stop."""
    parser = argparse.ArgumentParser(prog="parley worker", description=__doc__)
    parser.add_argument("kind", choices=KINDS, help="which jobs it takes")
    kind = parser.parse_args().kind
    if not os.environ.get(ALLOW_PRIVATE.name, "").strip():
        os.environ[ALLOW_PRIVATE.name] = "1"  # the audio comes from one's own server, which is on one's own network
    settings = settings_of_process()
    let_others_compute()
    sys.exit(load_or_exit(lambda: _served(kind, settings)))


def _served(kind: str, settings: Settings) -> int:
    url = QUEUE_URL.read(os.environ, laptop=False)
    if not url:
        raise ConfigurationError("a worker needs QUEUE_URL, the address of Redis", param=QUEUE_URL.name)
    return serve_queue(kind, settings, BUILDERS[kind], url=url)


if __name__ == "__main__":
    main()
