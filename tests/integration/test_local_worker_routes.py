"""The routes of the worker loop, called by hand: keys, long polls, results that come too late or too large."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from orchestrator.local.platform import LocalPlatform, PlatformSettings
from tests.support.hand_worker import HandWorker
from tests.support.platform_client import API_KEY, Caller

SETTINGS = PlatformSettings(api_key=API_KEY, poll_hold_s=0.3, stop_settle_s=0.0, result_max_bytes=1000)


@pytest.fixture
async def jobs() -> AsyncIterator[Caller]:
    async with LocalPlatform(("jobs",), SETTINGS) as platform, aiohttp.ClientSession() as session:
        yield Caller(platform, "jobs", session)


@pytest.fixture
async def worker(jobs: Caller) -> HandWorker:
    return HandWorker(jobs)


async def test_worker_routes_want_the_worker_key(jobs: Caller, worker: HandWorker):
    url = worker.env["RUNPOD_WEBHOOK_GET_JOB"].partition("?")[0]
    assert (await worker.call("GET", url, headers={}))[0] == 401
    assert (await worker.call("GET", url, headers={"Authorization": f"Bearer {API_KEY}"}))[0] == 401
    assert (await worker.call("GET", f"{url}?token=wrong", headers={}))[0] == 401
    assert (await worker.call("GET", worker.env["RUNPOD_WEBHOOK_GET_JOB"], headers={}))[0] == 204
    assert (await worker.call("GET", url.replace("/jobs/", "/other/")))[0] == 404


async def test_poll_without_a_job_is_held_then_204(worker: HandWorker):
    started = time.monotonic()
    assert await worker.take() == (204, None)
    assert 0.25 < time.monotonic() - started < 3


async def test_take_one_and_batch(jobs: Caller, worker: HandWorker):
    ids = [await jobs.submit({"n": number}) for number in range(4)]
    assert await worker.take() == (200, {"id": ids[0], "input": {"n": 0}})
    batch_url = worker.env["RUNPOD_WEBHOOK_GET_JOB"].replace("job-take", "job-take-batch").replace("$ID", "w2")
    expected = [{"id": job_id, "input": {"n": number}} for number, job_id in enumerate(ids)]
    assert await worker.call("GET", f"{batch_url}&batch_size=2&job_in_progress=0") == (200, expected[1:3])
    assert await worker.call("GET", f"{batch_url}&batch_size=x&job_in_progress=1") == (200, expected[3:])


async def test_cancel_reaches_a_held_stop_poll_at_once(jobs: Caller, worker: HandWorker):
    job_id = await jobs.submit({})
    await worker.take()
    poll = asyncio.ensure_future(worker.stops())
    await asyncio.sleep(0.05)
    started = time.monotonic()
    await jobs.ok("POST", f"cancel/{job_id}")
    assert await poll == (200, {"jobsToStop": [job_id]})
    assert time.monotonic() - started < 0.2
    assert await worker.stops() == (204, None)


async def test_job_for_a_worker_that_has_hung_up_goes_to_the_next(jobs: Caller, worker: HandWorker):
    poll = asyncio.ensure_future(worker.take())
    await asyncio.sleep(0.05)
    poll.cancel()
    await asyncio.wait([poll])
    job_id = await jobs.submit({"n": 1})
    assert await HandWorker(jobs, "w2").take() == (200, {"id": job_id, "input": {"n": 1}})
    assert (await jobs.status(job_id))["workerId"] == "w2"


async def test_result_after_cancel_and_progress_after_result_are_ignored(jobs: Caller, worker: HandWorker):
    first, second = await jobs.submit({}), await jobs.submit({})
    await worker.take()
    await jobs.ok("POST", f"cancel/{first}")
    assert await worker.done(first, {"output": 1}) == {"accepted": False}
    assert (await jobs.status(first))["status"] == "CANCELLED"
    await worker.take()
    assert await worker.done(second, {"status": "IN_PROGRESS", "output": "half"}) == {"accepted": True}
    assert (await jobs.status(second))["output"] == "half"
    assert await worker.done(second, {"output": "whole"}) == {"accepted": True}
    assert await worker.done(second, {"status": "IN_PROGRESS", "output": "late"}) == {"accepted": False}
    assert (await jobs.status(second))["output"] == "whole"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"output": "x" * 1000}, "output_too_large"),
        ("{", "engine_failed"),
        ('{"output": NaN}', "engine_failed"),
        ({"error": {"code": "own"}}, "own"),
    ],
)
async def test_unusable_results_fail_the_job(jobs: Caller, worker: HandWorker, body: Any, error: str):
    job_id = await jobs.submit({})
    await worker.take()
    await worker.done(job_id, body)
    status = await jobs.status(job_id)
    assert status["status"] == "FAILED"
    assert f'"code": "{error}"' in status["error"]


async def test_unhealthy_ping_shows_in_health(jobs: Caller, worker: HandWorker):
    assert await worker.ping() == 200
    assert (await jobs.ok("GET", "health"))["workers"]["unhealthy"] == 0
    await worker.ping("&status=unhealthy&reason=x")
    assert (await jobs.ok("GET", "health"))["workers"]["unhealthy"] == 1


async def test_released_worker_gets_no_job_and_its_polls_end(jobs: Caller, worker: HandWorker):
    polls = [asyncio.ensure_future(worker.take()), asyncio.ensure_future(worker.stops())]
    await asyncio.sleep(0.05)
    jobs.platform.release_worker("jobs", "w1")
    job_id = await jobs.submit({})
    assert await asyncio.gather(*polls) == [(204, None), (204, None)]
    assert await worker.take() == (204, None)
    assert (await jobs.status(job_id))["status"] == "IN_QUEUE"


async def test_stop_answers_everybody_who_waits():
    settings = PlatformSettings(api_key=API_KEY, poll_hold_s=60)
    async with aiohttp.ClientSession() as session, LocalPlatform(("jobs",), settings) as platform:
        jobs = Caller(platform, "jobs", session)
        poll = asyncio.ensure_future(HandWorker(jobs).take())
        await asyncio.sleep(0.05)
        started = time.monotonic()
        await platform.stop()
        assert await poll == (204, None)
        assert time.monotonic() - started < 1.5
