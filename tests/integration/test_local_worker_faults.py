"""Scripted faults of the local platform at the routes of workers, over real sockets."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import aiohttp
import pytest

from orchestrator.local.faults import (
    DoubleDelivery,
    Drop,
    ExpireResult,
    Fault,
    FaultScript,
    LateProgress,
    LoseWorker,
    Twice,
)
from orchestrator.local.platform import LocalPlatform, PlatformSettings
from tests.support.hand_worker import HandWorker
from tests.support.platform_client import API_KEY, Caller

SETTINGS = PlatformSettings(api_key=API_KEY, poll_hold_s=0.3, stop_settle_s=0.0)
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
        assert set(script.injected) == {("jobs", route, fault.name)}

    return jobs_with


async def test_worker_lost_as_it_takes_a_job(struck: Struck):
    async with struck("job-take", LoseWorker(after=True)) as jobs:
        kills: list[str] = []
        jobs.platform.worker_started("jobs", "w1", kill=lambda: kills.append("w1"))
        job_id = await jobs.submit({"n": 1})
        assert await HandWorker(jobs).take() == (204, None)  # to the GET that aiohttp's client sends again by itself
        assert kills == ["w1"]
        assert await jobs.status(job_id) == {"id": job_id, "status": "IN_QUEUE", "retries": 1}
        assert (await HandWorker(jobs, "w2").take())[1]["id"] == job_id


async def test_empty_polls_do_not_count(struck: Struck):
    async with struck("job-take", LoseWorker(after=True)) as jobs:
        worker = HandWorker(jobs)
        assert await worker.take() == (204, None)
        job_id = await jobs.submit({})
        assert await worker.take() == (204, None)
        assert await jobs.status(job_id) == {"id": job_id, "status": "IN_QUEUE", "retries": 1}


async def test_worker_lost_before_its_result_arrived(struck: Struck):
    async with struck("job-done", LoseWorker(after=False)) as jobs:
        job_id = await jobs.submit({})
        worker = HandWorker(jobs)
        await worker.take()
        with pytest.raises(GONE):
            await worker.done(job_id, {"output": "lost"})
        second = HandWorker(jobs, "w2")
        await second.take()
        assert await second.done(job_id, {"output": "whole"}) == {"accepted": True}
        status = await jobs.status(job_id)
        assert (status["status"], status["output"], status["retries"]) == ("COMPLETED", "whole", 1)


@pytest.mark.parametrize(("after", "repeated"), [(False, True), (True, False)])
async def test_result_whose_answer_was_lost_is_taken_once(struck: Struck, after: bool, repeated: bool):
    async with struck("job-done", Drop(after=after)) as jobs:
        job_id = await jobs.submit({})
        worker = HandWorker(jobs)
        await worker.take()
        with pytest.raises(GONE):
            await worker.done(job_id, {"output": 1})
        assert await worker.done(job_id, {"output": 1}) == {"accepted": repeated}
        assert (await jobs.status(job_id))["output"] == 1


async def test_result_that_comes_twice_ends_the_job_once(struck: Struck):
    async with struck("job-done", Twice()) as jobs:
        job_id = await jobs.submit({})
        worker = HandWorker(jobs)
        await worker.take()
        assert await worker.done(job_id, {"output": 1}) == {"accepted": False}  # what the second was told
        assert (await jobs.status(job_id))["output"] == 1
        assert (await jobs.ok("GET", "health"))["jobs"]["completed"] == 1


async def test_job_delivered_to_two_workers_belongs_to_the_first(struck: Struck):
    async with struck("job-take", DoubleDelivery()) as jobs:
        first, second = HandWorker(jobs), HandWorker(jobs, "w2")
        job_id = await jobs.submit({"n": 1})
        assert await first.take() == await second.take() == (200, {"id": job_id, "input": {"n": 1}})
        assert await second.done(job_id, {"output": "second"}) == {"accepted": False}
        assert await second.take() == (204, None)
        assert (await jobs.status(job_id))["status"] == "IN_PROGRESS"
        assert await first.done(job_id, {"output": "first"}) == {"accepted": True}
        assert (await jobs.status(job_id))["output"] == "first"


async def test_doubled_job_reaches_a_worker_that_waits_already(struck: Struck):
    async with struck("job-take", DoubleDelivery()) as jobs:
        first, second = HandWorker(jobs), HandWorker(jobs, "w2")
        polls = [asyncio.ensure_future(worker.take()) for worker in (first, second)]
        await asyncio.sleep(0.05)
        job_id = await jobs.submit({"n": 1})
        assert await asyncio.gather(*polls) == [(200, {"id": job_id, "input": {"n": 1}})] * 2


async def test_progress_after_the_result_does_not_overwrite_it(struck: Struck):
    async with struck("job-done", LateProgress(), times=None) as jobs:
        job_id = await jobs.submit({})
        worker = HandWorker(jobs)
        await worker.take()
        assert await worker.done(job_id, {"status": "IN_PROGRESS", "output": "half"}) == {"accepted": True}
        assert "output" not in await jobs.status(job_id)
        assert await worker.done(job_id, {"output": "whole"}) == {"accepted": True}
        status = await jobs.status(job_id)
        assert (status["status"], status["output"]) == ("COMPLETED", "whole")


async def test_result_that_is_taken_in_and_expires(struck: Struck):
    async with struck("job-done", ExpireResult(after=True)) as jobs:
        job_id = await jobs.submit({})
        worker = HandWorker(jobs)
        await worker.take()
        assert await worker.done(job_id, {"output": 1}) == {"accepted": True}
        assert (await jobs.call("GET", f"status/{job_id}"))[0] == 404
