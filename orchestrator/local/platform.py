"""A RunPod-compatible serverless platform in one process: queues, both HTTP sides, the passing of time."""

import asyncio
import ipaddress
import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Self

from aiohttp import web

from common.errors import ConfigurationError
from orchestrator.local.faults import FaultScript, FaultyQueue
from orchestrator.local.http_support import errors_as_json
from orchestrator.local.jobs import Job
from orchestrator.local.metrics import PlatformMetrics
from orchestrator.local.public_api import PublicApi
from orchestrator.local.queue import EndpointQueue
from orchestrator.local.settings import PlatformSettings
from orchestrator.local.webhook import WebhookSender
from orchestrator.local.worker_api import WorkerApi

__all__ = ["LocalPlatform", "PlatformSettings"]

MAX_PORT = 65_535
SHUTDOWN_S = 2.0  # for answers that are on their way


class LocalPlatform:
    """Serves the given endpoints on loopback; an async context manager, in memory, empty at every start.

    `faults` makes it fail as scripted, for tests.
    """

    def __init__(
        self, endpoint_ids: Sequence[str], settings: PlatformSettings, *, faults: FaultScript | None = None
    ) -> None:
        _check(settings)
        self._settings = settings
        self._worker_key = secrets.token_urlsafe(24)
        self._webhooks = WebhookSender(pauses_s=settings.webhook_pauses_s, timeout_s=settings.webhook_timeout_s)
        self._faults = faults
        new_queue = EndpointQueue if faults is None else FaultyQueue
        self._queues = {
            name: new_queue(name, settings, on_final=partial(self._announce, name)) for name in endpoint_ids
        }
        self._metrics = PlatformMetrics(self._queues)
        self._runner: web.AppRunner | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._port = 0
        self._worker_numbers: Counter[str] = Counter()

    async def start(self) -> None:
        """Listen; raises ConfigurationError when the address cannot be had."""
        # a caller or worker that has hung up waits for nothing any more
        runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=SHUTDOWN_S, handler_cancellation=True)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._settings.host, self._settings.port).start()
        except OSError:
            await runner.cleanup()
            raise ConfigurationError(
                f"cannot listen on port {self._settings.port} of {self._settings.host}; choose another port"
            ) from None
        self._runner, self._port = runner, runner.addresses[0][1]
        self._sweeper = asyncio.create_task(self._sweep())

    async def stop(self) -> None:
        """Answer all who wait, then stop listening."""
        for queue in self._queues.values():
            queue.close()
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.wait([self._sweeper])
        await self._webhooks.stop()
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def base_url(self) -> str:
        """What callers put before `/{endpoint}/run`."""
        return f"{self._root}/v2"

    def new_worker_id(self, endpoint_id: str) -> str:
        """Return an id that no worker of this platform has had."""
        self._worker_numbers[endpoint_id] += 1
        return f"{endpoint_id}-{self._worker_numbers[endpoint_id]}"

    def worker_environment(self, endpoint_id: str, worker_id: str) -> dict[str, str]:
        """Return the variables that make an SDK worker work for this platform."""
        root = f"{self._root}/worker/{endpoint_id}"
        token = f"token={self._worker_key}"
        return {
            "RUNPOD_WEBHOOK_GET_JOB": f"{root}/job-take/$ID?{token}",
            "RUNPOD_WEBHOOK_POST_OUTPUT": f"{root}/job-done/$RUNPOD_POD_ID/$ID?{token}",
            "RUNPOD_WEBHOOK_POST_STREAM": f"{root}/job-stream/$RUNPOD_POD_ID/$ID?{token}",
            "RUNPOD_WEBHOOK_PING": f"{root}/ping/$RUNPOD_POD_ID?{token}",
            "RUNPOD_PING_INTERVAL": str(self._settings.ping_interval_s * 1000),
            "RUNPOD_POD_ID": worker_id,
            "RUNPOD_ENDPOINT_ID": endpoint_id,
            "RUNPOD_AI_API_KEY": self._worker_key,
            "RUNPOD_LOG_LEVEL": "INFO",
            "RUNPOD_REALTIME_PORT": "0",
            # they ask for 4 GB of free memory and the internet
            "RUNPOD_SKIP_AUTO_SYSTEM_CHECKS": "true",
            "RUNPOD_SKIP_GPU_CHECK": "true",
        }

    def worker_started(self, endpoint_id: str, worker_id: str, *, kill: Callable[[], None]) -> None:
        """Take note of a new worker process; `kill` is called when it hangs or falls silent."""
        queue = self._queues[endpoint_id]
        queue.roster.seen(worker_id, queue.clock()).kill = kill
        self._metrics.worker_started(endpoint_id)

    def worker_is_ready(self, endpoint_id: str, worker_id: str) -> bool:
        """Whether the worker has asked for a job."""
        worker = self._queues[endpoint_id].roster.get(worker_id)
        return worker is not None and worker.ready

    def release_worker(self, endpoint_id: str, worker_id: str) -> None:
        """Give the worker no more jobs and answer the polls it holds, so that its SIGTERM ends it soon."""
        queue = self._queues[endpoint_id]
        if worker := queue.roster.get(worker_id):
            worker.drain()
            queue.offered.ring()

    def worker_gone(self, endpoint_id: str, worker_id: str) -> None:
        """Queue or fail the jobs of a process that has ended."""
        queue = self._queues[endpoint_id]
        queue.roster.remove(worker_id)
        queue.lose_worker(worker_id)
        self._metrics.worker_gone(endpoint_id)

    def shut_endpoint(self, endpoint_id: str, message: str) -> None:
        """Fail all jobs of an endpoint, present and future, because it will have no workers."""
        self._queues[endpoint_id].shut(message)

    @property
    def _root(self) -> str:
        host = self._settings.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self._port}"

    def _app(self) -> web.Application:
        faults = [] if self._faults is None else [self._faults.middleware(self._queues)]
        app = web.Application(middlewares=[*faults, errors_as_json])
        app.add_subapp("/v2", PublicApi(self._queues, self._settings).app())
        app.add_subapp("/worker", WorkerApi(self._queues, self._settings, key=self._worker_key).app())
        app.router.add_get("/metrics", self._metrics.page)
        return app

    def _announce(self, endpoint_id: str, job: Job) -> None:
        self._metrics.job_ended(endpoint_id, job)
        if job.conditions.webhook is not None:
            self._webhooks.send(job.conditions.webhook, job.view())

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self._settings.sweep_interval_s)
            for queue in self._queues.values():
                queue.sweep()


def _check(settings: PlatformSettings) -> None:
    if settings.api_key == "":
        raise ConfigurationError("the platform's API key is empty; set one, or none at all", param="api_key")
    if not 0 <= settings.port <= MAX_PORT:
        raise ConfigurationError(
            f"{settings.port} is not a port; choose one from 1 to {MAX_PORT}, or 0 for any free one", param="port"
        )
    try:
        is_local = settings.host == "localhost" or ipaddress.ip_address(settings.host).is_loopback
    except ValueError:
        is_local = False
    if not is_local:
        raise ConfigurationError("the platform serves this machine only; listen on 127.0.0.1", param="host")
