"""Scripted faults of the local platform at the routes of callers, over real sockets."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import aiohttp
import pytest

from orchestrator.local.faults import (
    Answer,
    Delay,
    Drop,
    ExpireResult,
    Fault,
    FaultScript,
    HalfBody,
    LoseWorker,
    Twice,
    html_page,
)
from orchestrator.local.platform import LocalPlatform, PlatformSettings
from tests.support.hand_worker import HandWorker
from tests.support.platform_client import API_KEY, Caller

SETTINGS = PlatformSettings(api_key=API_KEY, poll_hold_s=0.3)
GONE = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)
Struck = Callable[..., AbstractAsyncContextManager[Caller]]


@pytest.fixture
def struck() -> Struck:
    @asynccontextmanager
    async def jobs_with(route: str, fault: Fault, **when: Any) -> AsyncIterator[Caller]:
        script = FaultScript()
        script.add("jobs", route, fault, **when)
        async with (
            LocalPlatform(("jobs",), SETTINGS, faults=script) as platform,
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session,
        ):
            yield Caller(platform, "jobs", session)
        assert script.injected == [("jobs", route, fault.name)] * len(script.injected)
        assert script.injected

    return jobs_with


async def queued(jobs: Caller) -> int:
    return int((await jobs.ok("GET", "health"))["jobs"]["inQueue"])


@pytest.mark.parametrize(("after", "accepted"), [(False, 0), (True, 1)])
async def test_dropped_submission(struck: Struck, after: bool, accepted: int):
    async with struck("run", Drop(after=after)) as jobs:
        with pytest.raises(GONE):
            await jobs.submit({})
        assert await queued(jobs) == accepted
        await jobs.submit({})


@pytest.mark.parametrize(("after", "accepted"), [(False, 0), (True, 1)])
async def test_another_answer_than_the_handlers(struck: Struck, after: bool, accepted: int):
    async with struck("run", Answer(status=429, retry_after="Wed, 21 Oct 2015 07:28:00 GMT", after=after)) as jobs:
        request = jobs.session.post(f"{jobs.url}/run", json={"input": {}}, headers={"Authorization": API_KEY})
        async with request as response:
            assert (response.status, await response.json()) == (429, {"error": "a scripted fault"})
            assert response.headers["Retry-After"] == "Wed, 21 Oct 2015 07:28:00 GMT"
        assert await queued(jobs) == accepted


async def test_page_instead_of_json(struck: Struck):
    async with struck("status", html_page()) as jobs:
        job_id = await jobs.submit({})
        with pytest.raises(aiohttp.ContentTypeError):
            await jobs.status(job_id)
        assert (await jobs.status(job_id))["status"] == "IN_QUEUE"


async def test_half_a_body(struck: Struck):
    async with struck("run", HalfBody()) as jobs:
        request = jobs.session.post(f"{jobs.url}/run", json={"input": {}}, headers={"Authorization": API_KEY})
        async with request as response:
            assert (response.status, response.content_type) == (200, "application/json")
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()
        assert await queued(jobs) == 1


async def test_delay(struck: Struck):
    async with struck("health", Delay(seconds=0.2)) as jobs:
        started = time.monotonic()
        await jobs.ok("GET", "health")
        assert 0.2 <= time.monotonic() - started < 2


async def test_expired_result_is_never_seen(struck: Struck):
    async with struck("status", ExpireResult()) as jobs:
        job_id = await jobs.submit({})
        worker = HandWorker(jobs)
        poll = asyncio.ensure_future(jobs.call("GET", f"status/{job_id}?wait=30000"))
        await worker.take()
        await worker.done(job_id, {"output": "lost"})
        assert await poll == (404, {"error": "the job does not exist or has expired"})
        assert (await jobs.call("GET", f"status/{job_id}"))[0] == 404


async def test_lost_worker_at_a_callers_route(struck: Struck):
    async with struck("status", LoseWorker(after=False)) as jobs:
        job_id = await jobs.submit({"n": 1})
        worker = HandWorker(jobs)
        await worker.take()
        assert await jobs.status(job_id) == {"id": job_id, "status": "IN_QUEUE", "retries": 1}
        assert await worker.done(job_id, {"output": "late"}) == {"accepted": False}
        assert await HandWorker(jobs, "w2").take() == (200, {"id": job_id, "input": {"n": 1}})


async def test_submission_that_arrives_twice_is_one_job_by_its_key(struck: Struck):
    async with struck("run", Twice(), times=None) as jobs:
        headers = {"Authorization": API_KEY, "Idempotency-Key": "k"}
        async with jobs.session.post(f"{jobs.url}/run", json={"input": {}}, headers=headers) as response:
            assert response.headers["Idempotency-Replayed"] == "true"
        assert await queued(jobs) == 1
        await jobs.submit({})
        assert await queued(jobs) == 3


async def test_calls_that_are_not_struck_are_answered_exactly_as_without_a_script():
    script = FaultScript()
    script.add("jobs", "*", Drop(after=False), call=100)
    answers: list[list[tuple[int, bytes, str]]] = []
    for faults in (None, script):
        platform = LocalPlatform(("jobs",), SETTINGS, faults=faults)
        async with platform, aiohttp.ClientSession() as session:
            seen = []
            for method, path in [
                ("GET", "health"),
                ("GET", "status/x"),
                ("POST", "run"),
                ("GET", "nothing/here"),
                ("GET", "../nothing"),
                ("POST", "../../metrics"),
            ]:
                request = session.request(
                    method, f"{platform.base_url}/jobs/{path}", headers={"Authorization": API_KEY}
                )
                async with request as response:
                    seen.append((response.status, await response.read(), response.content_type))
            answers.append(seen)
    assert answers[0] == answers[1]
    assert script.injected == []
