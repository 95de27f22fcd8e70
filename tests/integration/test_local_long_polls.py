"""`status/{job}?wait=`: an answer that is held until the job has ended."""

import asyncio
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest

from orchestrator.local.platform import LocalPlatform, PlatformSettings
from tests.support.hand_worker import HandWorker
from tests.support.platform_client import API_KEY, Caller


@pytest.fixture
async def jobs() -> AsyncIterator[Caller]:
    settings = PlatformSettings(api_key=API_KEY, poll_hold_s=0.3)
    async with LocalPlatform(("jobs",), settings) as platform, aiohttp.ClientSession() as session:
        yield Caller(platform, "jobs", session)


def waiters(jobs: Caller, job_id: str) -> int:
    return len(jobs.platform._queues["jobs"].get(job_id).ended._waiting)


async def until_waiting(jobs: Caller, job_id: str, count: int) -> None:
    async with asyncio.timeout(5):
        while waiters(jobs, job_id) != count:
            await asyncio.sleep(0.005)


async def test_all_waiters_get_the_result_at_once(jobs: Caller):
    job_id = await jobs.submit({})
    worker = HandWorker(jobs)
    polls = [asyncio.ensure_future(jobs.ok("GET", f"status/{job_id}?wait=30000")) for _ in range(3)]
    await until_waiting(jobs, job_id, 3)
    await worker.take()
    await worker.done(job_id, {"status": "IN_PROGRESS", "output": "half"})
    assert not any(poll.done() for poll in polls)
    started = time.monotonic()
    await worker.done(job_id, {"output": "whole"})
    answers = await asyncio.gather(*polls)
    assert [(answer["status"], answer["output"]) for answer in answers] == [("COMPLETED", "whole")] * 3
    assert time.monotonic() - started < 1


async def test_cancel_ends_the_wait(jobs: Caller):
    job_id = await jobs.submit({})
    poll = asyncio.ensure_future(jobs.ok("GET", f"status/{job_id}?wait=30000"))
    await until_waiting(jobs, job_id, 1)
    await jobs.ok("POST", f"cancel/{job_id}")
    assert await poll == {"id": job_id, "status": "CANCELLED"}


async def test_wait_that_is_over_tells_the_state_so_far(jobs: Caller):
    job_id = await jobs.submit({})
    started = time.monotonic()
    assert await jobs.ok("GET", f"status/{job_id}?wait=150") == {"id": job_id, "status": "IN_QUEUE"}
    assert 0.14 < time.monotonic() - started < 2
    assert waiters(jobs, job_id) == 0


async def test_no_wait_answers_at_once(jobs: Caller):
    job_id = await jobs.submit({})
    started = time.monotonic()
    assert (await jobs.ok("GET", f"status/{job_id}?wait=0"))["status"] == "IN_QUEUE"
    assert (await jobs.ok("POST", f"status/{job_id}"))["status"] == "IN_QUEUE"
    assert time.monotonic() - started < 1


@pytest.mark.parametrize("wait", ["30001", "-1", "x", "1e3", "", "9" * 5000, "٣"])
async def test_bad_wait(jobs: Caller, wait: str):
    job_id = await jobs.submit({})
    answer = await jobs.call("GET", f"status/{job_id}", params={"wait": wait})
    assert answer == (400, {"error": "wait must be from 0 to 30000 ms"})


async def test_unknown_job_is_not_waited_for(jobs: Caller):
    assert (await jobs.call("GET", "status/none?wait=30000"))[0] == 404


@pytest.mark.parametrize("path", ["status", "runsync"])
async def test_waiter_that_hangs_up_is_let_go(jobs: Caller, path: str):
    if path == "status":
        job_id = await jobs.submit({})
        poll = asyncio.ensure_future(jobs.ok("GET", f"status/{job_id}?wait=30000"))
    else:
        poll = asyncio.ensure_future(jobs.runsync({}))
        async with asyncio.timeout(5):
            while not (known := jobs.platform._queues["jobs"]._jobs):
                await asyncio.sleep(0.005)
        job_id = next(iter(known))
    await until_waiting(jobs, job_id, 1)
    poll.cancel()
    await asyncio.wait([poll])
    await until_waiting(jobs, job_id, 0)
    assert (await jobs.status(job_id))["status"] == "IN_QUEUE"


async def test_shutdown_answers_all_waiters(jobs: Caller):
    job_id = await jobs.submit({})
    polls = [asyncio.ensure_future(jobs.ok("GET", f"status/{job_id}?wait=30000")) for _ in range(3)]
    await until_waiting(jobs, job_id, 3)
    started = time.monotonic()
    await jobs.platform.stop()
    assert await asyncio.gather(*polls) == [{"id": job_id, "status": "IN_QUEUE"}] * 3
    assert time.monotonic() - started < 1.5
