"""One orchestration on a stage: real endpoints, the local platform with scripted faults, fast workers, a clean exit."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import aiohttp
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from benchmarks.orchestrator.answers import Behave
from benchmarks.orchestrator.workers import FastWorkers, fast_workers
from common.errors import ParleyError
from orchestrator.endpoint_http import KEY_HEADER
from orchestrator.endpoints import RunPodEndpoint
from orchestrator.local.faults import Fault, FaultScript
from orchestrator.local.platform import LocalPlatform, PlatformSettings
from orchestrator.local.queue import EndpointQueue

ENDPOINTS = ("diarization", "transcription", "orchestrator")
SETTINGS = PlatformSettings(
    sweep_interval_s=0.02, stop_settle_s=0.0, poll_hold_s=5.0, execution_timeout_bounds_s=(0.05, 600.0)
)
PING_S = 0.05
PATIENCE_S = 3.0
Kind = TypeVar("Kind", bound=RunPodEndpoint)
TAKES_NO_PART = ("run", "job-take")  # routes at which the struck child cannot have begun


class Strike(NamedTuple):
    """Where and when a fault strikes."""

    endpoint: str
    route: str
    fault: Fault
    call: int = 1
    times: int | None = 1


class StagedFaults(FaultScript):
    """The faults of one row; `held` names a route that waits until all children which can have begun."""

    def __init__(self, strikes: tuple[Strike, ...], *, knows_keys: bool, held: bool) -> None:
        super().__init__()
        for strike in strikes:
            self.add(strike.endpoint, strike.route, strike.fault, call=strike.call, times=strike.times)
        self.begun: Callable[[str], bool] = lambda _: True
        self._held = strikes[0][:2] if held and strikes else None
        self._knows_keys = knows_keys

    def middleware(self, queues: Mapping[str, EndpointQueue]) -> Middleware:
        """Return the faults, behind a platform that may not know idempotency keys, as RunPod does not."""
        struck = super().middleware(queues)

        @web.middleware
        async def staged(request: web.Request, handler: Handler) -> web.StreamResponse:
            endpoint, route = request.match_info.get("endpoint", ""), _route(request)
            if (endpoint, route) == self._held:
                waited = [name for name in queues if name != endpoint or route not in TAKES_NO_PART]
                await until(lambda: all(self.begun(name) for name in waited))
            if self._knows_keys:
                return await struck(request, handler)
            if route == "idempotency":
                return web.json_response({"error": "not found"}, status=404)
            return await struck(_without_key(request), handler)

        return staged


def _route(request: web.Request) -> str:
    return (request.path.split("/") + [""] * 4)[3].removesuffix("-batch")


def _without_key(request: web.Request) -> web.Request:
    headers = request.headers.copy()
    headers.popall(KEY_HEADER, None)
    return request.clone(headers=headers)


async def until(holds: Callable[[], bool], *, timeout_s: float = PATIENCE_S) -> bool:
    """Wait for a condition; returns whether it came to hold."""
    ends_at = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > ends_at:
            return False
        await asyncio.sleep(0.002)
    return True


@dataclass(kw_only=True)
class Stage:
    """What a row plays on, and what can be seen of it."""

    platform: LocalPlatform
    workers: FastWorkers
    session: aiohttp.ClientSession
    faults: StagedFaults

    def endpoint(self, name: str, *, kind: type[Kind]) -> Kind:
        return kind(name=name, endpoint_id=name, base_url=self.platform.base_url, api_key="key", session=self.session)

    def executed(self, *names: str) -> tuple[int, ...]:
        """How often a job of each endpoint was begun."""
        return tuple(sum(self.workers.executed[name].values()) for name in names)

    async def open_jobs(self) -> int:
        """How many jobs wait or run, on the platform or on a worker."""
        counted = 0
        for name in self.workers.executed:
            async with self.session.get(f"{self.platform.base_url}/{name}/health") as answer:
                jobs = (await answer.json())["jobs"]
                counted += jobs["inQueue"] + jobs["inProgress"]
        return max(counted, self.workers.running)

    async def settled(self, expected: int) -> int:
        """Return how many jobs are open once `expected` are, or after all patience."""
        ends_at = time.monotonic() + PATIENCE_S
        while (found := await self.open_jobs()) != expected and time.monotonic() < ends_at:
            await asyncio.sleep(0.005)
        return found


@asynccontextmanager
async def stage(
    strikes: tuple[Strike, ...],
    behaviours: Mapping[str, Behave],
    *,
    knows_keys: bool = True,
    held: bool = False,
    settings: PlatformSettings = SETTINGS,
) -> AsyncIterator[Stage]:
    """Set the stage, and clear it."""
    faults = StagedFaults(strikes, knows_keys=knows_keys, held=held)
    async with (
        LocalPlatform(tuple(behaviours), settings, faults=faults) as platform,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
        fast_workers(platform, behaviours, workers_each=2, ping_s=PING_S) as workers,
    ):
        faults.begun = lambda name: bool(workers.executed[name])
        yield Stage(platform=platform, workers=workers, session=session, faults=faults)


def told_by(error: ParleyError) -> str:
    """Return `code@endpoint` of an error, by its envelope or else by the endpoint that its message names."""
    envelope = error.envelope()
    named = envelope.get("endpoint") or next((name for name in ENDPOINTS if name in error.message), "")
    return f"{envelope['code']}@{named}"
