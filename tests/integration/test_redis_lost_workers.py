"""Workers that die, hang or are interrupted, and a Redis that goes away: every job has one result all the same."""

import asyncio
import contextlib
import dataclasses
import signal
import time
from collections import Counter

import pytest

from common.errors import EndpointError, EndpointUnreachableError
from orchestrator.endpoints import JobOptions
from tests.support.redis_farm import QUICK, Farm, asked
from tests.support.redis_server import redis_server


@pytest.fixture(scope="module")
def farm(tmp_path_factory):
    rules = dataclasses.replace(QUICK, grace_s=1.0, stuck_s=2.5)
    with (
        redis_server() as server,
        contextlib.closing(Farm(server, tmp_path_factory.mktemp("farm"), rules=rules)) as farm,
    ):
        yield farm


async def test_a_killed_workers_job_is_done_by_the_other_once(farm):
    farm.have(2)
    async with farm.endpoint() as endpoint:
        task = asyncio.create_task(endpoint.run(asked(1, seconds=0.5), deadline_s=60))
        first = await farm.began(1)
        farm.kill(first)
        killed_at = time.monotonic()
        second = await farm.began(1, times=2)
        noticed_s = time.monotonic() - killed_at
        result = await task
        health = await endpoint.health()
    assert result.output["pid"] == second != first
    assert noticed_s < 15.0  # a lease of 2.5 s
    assert farm.diary() == Counter({("began", 1): 2, ("ended", 1): 1})
    assert (health.jobs_in_queue, health.jobs_in_progress) == (0, 0)


async def test_a_worker_that_hung_delivers_no_second_result(farm):
    farm.have(2)
    async with farm.endpoint() as endpoint:
        task = asyncio.create_task(endpoint.run(asked(3, seconds=0.5), deadline_s=60))
        first = await farm.began(3)
        farm.pick(first).send_signal(signal.SIGSTOP)  # all its threads, as a machine that was cut off
        second = await farm.began(3, times=2)
        result = await task
        farm.pick(first).send_signal(signal.SIGCONT)
        await farm.ended(3, times=2)
        async with asyncio.timeout(10):
            while "job_was_lost" not in farm.log and "reason=lost" not in farm.log:
                await asyncio.sleep(0.02)
    assert result.output["pid"] == second
    assert farm.server.client.xlen(f"rq:results:{result.job_id}") == 1


async def test_a_hundred_jobs_through_three_workers(farm):
    workers = farm.have(3)
    async with farm.endpoint() as endpoint:
        results = await asyncio.gather(*(endpoint.run(asked(n), deadline_s=120) for n in range(100, 200)))
    assert [result.output["n"] for result in results] == list(range(100, 200))
    assert {result.output["pid"] for result in results} == {worker.pid for worker in workers}
    diary = farm.diary()
    assert all(diary["began", n] == diary["ended", n] == 1 for n in range(100, 200))


async def test_no_job_is_lost_or_begun_again_while_redis_restarts(farm):
    farm.have(2)
    async with farm.endpoint() as endpoint:
        work = [asyncio.create_task(endpoint.run(asked(n, seconds=0.7), deadline_s=60)) for n in range(200, 205)]
        await farm.began(200)
        farm.server.kill()
        await asyncio.sleep(0.5)
        farm.server.start()
        results = await asyncio.gather(*work)
    assert [result.output["n"] for result in results] == list(range(200, 205))
    assert [farm.diary()["began", n] for n in range(200, 205)] == [1] * 5


async def test_a_job_that_redis_has_forgotten_is_handed_over_again(farm):
    farm.have(1)
    async with farm.endpoint() as endpoint:
        task = asyncio.create_task(endpoint.run(asked(300, seconds=0.7), deadline_s=60))
        await farm.began(300)
        farm.server.forget_everything()
        farm.server.start()
        assert (await task).output["n"] == 300
        assert (await endpoint.health()).jobs_in_progress == 0


async def test_the_second_interrupt_leaves_at_once_and_gives_the_job_back(farm):
    farm.have(2)
    async with farm.endpoint() as endpoint:
        task = asyncio.create_task(endpoint.run(asked(5, "hang", seconds=1.5), deadline_s=60))
        first = farm.pick(await farm.began(5))
        first.send_signal(signal.SIGINT)
        await asyncio.sleep(0.2)
        assert first.poll() is None
        first.send_signal(signal.SIGINT)
        assert await asyncio.to_thread(first.wait, 30) == 130
        await farm.began(5, times=2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        lines = [line for line in farm.log.splitlines() if "job_taken" in line]
    assert "attempt=1" in lines[-1]  # what was given back is no loss


async def test_a_lost_device_ends_the_process(farm):
    farm.have(1)
    async with farm.endpoint() as endpoint:
        with pytest.raises(EndpointError) as caught:
            await endpoint.run(asked(8, "lose_device"), deadline_s=20)
        ended = farm.pick(await farm.began(8))
    assert caught.value.envelope()["code"] == "device_lost"
    assert await asyncio.to_thread(ended.wait, 30) == 1


async def test_a_worker_told_to_end_gives_back_what_takes_too_long(farm):
    farm.have(2)
    async with farm.endpoint() as endpoint:
        task = asyncio.create_task(endpoint.run(asked(6, seconds=2), deadline_s=60))
        first = farm.pick(await farm.began(6))
        first.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(first.wait, 30) == 0
        assert (await task).output["pid"] != first.pid


async def test_a_worker_whose_model_cannot_be_stopped_ends_itself(farm):
    farm.have(1)
    async with farm.endpoint() as endpoint:
        options = JobOptions(idempotency_key="stuck")
        task = asyncio.create_task(endpoint.run(asked(7, "hang", seconds=60), deadline_s=60, options=options))
        stuck = farm.pick(await farm.began(7))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(stuck.wait, 30) == 70
        assert (await endpoint.health()).jobs_in_progress == 0


async def test_a_redis_that_stays_away_is_unreachable(tmp_path):
    with redis_server() as server:
        farm = Farm(server, tmp_path)
        server.kill()
        async with farm.endpoint(patience_s=0.3) as endpoint:
            with pytest.raises(EndpointUnreachableError, match="see whether Redis runs") as caught:
                await endpoint.run(asked(9), deadline_s=30)
            with pytest.raises(EndpointUnreachableError):
                await endpoint.health()
    assert str(server.folder) not in str(caught.value)
