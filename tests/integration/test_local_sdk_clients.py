"""The runpod SDK's own clients, `Endpoint` and `AsyncioEndpoint`, on the local platform with a real SDK worker."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import runpod

from orchestrator.local.platform import LocalPlatform, PlatformSettings
from orchestrator.local.supervisor import Supervisor
from tests.support.platform_client import API_KEY, Caller, sdk_worker

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalPlatform]:
    log_folder: Path = tmp_path_factory.mktemp("logs")
    async with (
        LocalPlatform(("jobs",), PlatformSettings(api_key=API_KEY)) as platform,
        Supervisor(platform, [sdk_worker("jobs")], log_folder=log_folder) as supervisor,
    ):
        await supervisor.wait_ready(60)
        yield platform


@pytest_asyncio.fixture(loop_scope="module")
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def endpoint(platform: LocalPlatform, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(runpod, "endpoint_url_base", platform.base_url)
    endpoint = runpod.Endpoint("jobs", api_key=API_KEY)
    yield endpoint
    endpoint.rp_client.rp_session.close()


@pytest.fixture
def asyncio_endpoint(platform: LocalPlatform, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(runpod, "endpoint_url_base", platform.base_url)
    return runpod.AsyncioEndpoint("jobs", session, api_key=API_KEY)


@pytest.fixture
def jobs(platform: LocalPlatform, session: aiohttp.ClientSession) -> Caller:
    return Caller(platform, "jobs", session)


async def test_run_sync_returns_the_output(endpoint: Any):
    output = await asyncio.to_thread(endpoint.run_sync, {"input": {"echo": "sdk"}}, timeout=20)
    assert output == {"echo": "sdk", "s3": None}


async def test_run_then_status_and_output(endpoint: Any):
    job = await asyncio.to_thread(endpoint.run, {"echo": "bare"})  # wrapped into an input by the SDK
    assert await asyncio.to_thread(job.output, timeout=20) == {"echo": "bare", "s3": None}
    assert job.status() == "COMPLETED"


async def test_health_purge_and_cancel(endpoint: Any, jobs: Caller):
    running = await asyncio.to_thread(endpoint.run, {"input": {"sleep": 60}})
    await jobs.wait_for(running.job_id, "IN_PROGRESS")
    waiting = [await asyncio.to_thread(endpoint.run, {"input": {"echo": number}}) for number in range(2)]
    health = await asyncio.to_thread(endpoint.health)
    assert (health["jobs"]["inProgress"], health["jobs"]["inQueue"], health["workers"]["running"]) == (1, 2, 1)
    assert await asyncio.to_thread(endpoint.purge_queue) == {"removed": 2, "status": "completed"}
    assert [await asyncio.to_thread(job.status) for job in waiting] == ["CANCELLED"] * 2
    assert await asyncio.to_thread(running.cancel) == {"id": running.job_id, "status": "CANCELLED"}
    assert await asyncio.to_thread(running.status) == "CANCELLED"


async def test_wrong_key_is_told(platform: LocalPlatform, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(runpod, "endpoint_url_base", platform.base_url)
    endpoint = runpod.Endpoint("jobs", api_key="wrong")
    with pytest.raises(RuntimeError, match="401 Unauthorized"):
        await asyncio.to_thread(endpoint.run, {"input": {"echo": 1}})
    endpoint.rp_client.rp_session.close()


async def test_asyncio_run_status_and_output(asyncio_endpoint: Any, jobs: Caller):
    job = await asyncio_endpoint.run({"echo": "async"})
    await jobs.wait_for(job.job_id)
    assert await job.status() == "COMPLETED"
    assert await job.output(timeout=20) == {"echo": "async", "s3": None}


async def test_asyncio_health_purge_and_cancel(asyncio_endpoint: Any, jobs: Caller):
    running = await asyncio_endpoint.run({"sleep": 60})
    await jobs.wait_for(running.job_id, "IN_PROGRESS")
    waiting = await asyncio_endpoint.run({"echo": 1})
    assert (await asyncio_endpoint.health())["jobs"]["inQueue"] == 1
    assert await asyncio_endpoint.purge_queue() == {"removed": 1, "status": "completed"}
    assert await waiting.status() == "CANCELLED"
    assert await running.cancel() == {"id": running.job_id, "status": "CANCELLED"}
