"""A job's way through Redis, step by step against a real one: held by one worker, joined by key, never ended twice."""

import asyncio
import dataclasses
import json
import time

import pytest
from rq.job import Job
from rq.registry import FailedJobRegistry

from common.errors import EndpointAuthError, EndpointError, IdempotencyConflictError, ResultExpiredError
from common.redis_queue import called_with, connect, failure_fields, success_fields
from handlers.redis_jobs import QueueJobs
from orchestrator.endpoints import JobOptions
from orchestrator.redis_endpoint import redis_endpoints
from tests.support.redis_farm import QUICK, Farm
from tests.support.redis_server import redis_server

GIVEN = {"audio": "https://host/a?signed=1", "n": 1}
KEY = JobOptions(idempotency_key="a key")
BRIEF = dataclasses.replace(QUICK, lease_s=0.05)


@pytest.fixture(scope="module")
def server():
    with redis_server() as server:
        while server.client.info("server")["uptime_in_seconds"] < 1:  # before that leases are not over
            time.sleep(0.05)
        yield server


@pytest.fixture
def farm(server, tmp_path):
    return Farm(server, tmp_path)


def worker_of(farm, name="w1", rules=QUICK):
    return QueueJobs(farm.server.client, kind=farm.kind, worker=name, rules=rules)


async def begun(endpoint, worker, given=GIVEN, options=KEY):
    """Start a run; returns its task and the claim of the worker that has taken the job."""
    task = asyncio.create_task(endpoint.run(given, deadline_s=30, options=options))
    return task, await taken(worker)


async def taken(worker):
    job_id = None
    while job_id is None:
        job_id = await asyncio.to_thread(worker.take)
    return worker.claim(job_id)


def finish(worker, claim, output):
    return worker.finish(claim, "finished", success_fields(output, worker="w1"))


async def test_a_job_from_hand_to_hand(farm):
    worker = worker_of(farm)
    async with farm.endpoint() as endpoint:
        task, claim = await begun(endpoint, worker, options=JobOptions(execution_timeout_s=7.5))
        assert called_with(claim.data) == GIVEN
        assert (claim.timeout_s, claim.attempt, worker.renew(claim)) == (7.5, 1, "held")
        assert finish(worker, claim, {"text": "hé"})
        result = await task
    assert (result.output, result.worker_id) == ({"text": "hé"}, "w1")
    job = Job.fetch(result.job_id, connection=farm.server.client, serializer="json")
    assert (job.return_value(), job.is_finished, job.description) == ({"text": "hé"}, True, farm.kind)
    assert 0 < farm.server.client.ttl(f"rq:results:{job.id}") <= QUICK.read_ttl_s


async def test_every_step_may_be_said_twice(farm):
    worker = worker_of(farm)
    async with farm.endpoint() as endpoint:
        task, claim = await begun(endpoint, worker)
        assert finish(worker, claim, {"n": 1})
        assert finish(worker, claim, {"n": 1})
        assert not worker.finish(claim, "failed", failure_fields("{}", worker="w1"))
        assert worker.claim(claim.job_id) is None
        assert (await task).output == {"n": 1}
    assert farm.server.client.xlen(f"rq:results:{claim.job_id}") == 1


async def test_one_key_is_one_job_also_for_those_who_come_at_once_or_later(farm):
    worker = worker_of(farm)
    async with farm.endpoint() as endpoint:
        runs = [asyncio.create_task(endpoint.run(GIVEN, deadline_s=30, options=KEY)) for _ in range(5)]
        claim = await taken(worker)
        again = {**GIVEN, "audio": "https://host/a?signed=2", "request_id": "second-try"}
        runs.append(asyncio.create_task(endpoint.run(again, deadline_s=30, options=KEY)))
        await asyncio.sleep(0.1)
        finish(worker, claim, {"n": 1})
        results = [await run for run in runs]
        results.append(await endpoint.run(again, deadline_s=30, options=KEY))
        assert {json.dumps(result.output) for result in results} == {'{"n": 1}'}
        assert {result.job_id for result in results} == {claim.job_id}
        with pytest.raises(IdempotencyConflictError):
            await endpoint.run({**GIVEN, "n": 2}, deadline_s=30, options=KEY)
        assert (await endpoint.health()).jobs_in_queue == 0


async def test_a_failed_job_frees_its_key(farm):
    worker = worker_of(farm)
    async with farm.endpoint() as endpoint:
        task, claim = await begun(endpoint, worker)
        worker.finish(claim, "failed", failure_fields('{"code": "engine_failed", "message": "no"}', worker="w1"))
        with pytest.raises(EndpointError, match="no"):
            await task
        assert claim.job_id in FailedJobRegistry(f"parley-{farm.kind}", connection=farm.server.client).get_job_ids()
        task, second = await begun(endpoint, worker, {**GIVEN, "n": 2})
        assert (second.job_id, second.attempt) == (claim.job_id, 1)
        assert not finish(worker, claim, {"n": 1})  # the first execution is known no more
        finish(worker, second, {"n": 2})
        assert (await task).output == {"n": 2}


async def test_who_joined_a_job_that_its_maker_gave_up_gets_another(farm):
    worker = worker_of(farm)
    async with farm.endpoint() as endpoint:
        maker, claim = await begun(endpoint, worker)
        joined = asyncio.create_task(endpoint.run(GIVEN, deadline_s=30, options=KEY))
        await asyncio.sleep(0.1)
        maker.cancel()
        await asyncio.wait([maker])
        assert worker.renew(claim) == "stop"
        assert worker.finish(claim, "stopped")
        second = await taken(worker)
        finish(worker, second, {"n": 2})
        assert (await joined).output == {"n": 2}


async def test_a_lost_lease_is_another_workers_and_ends_after_two(farm):
    first, second = worker_of(farm, "w1", BRIEF), worker_of(farm, "w2", BRIEF)
    async with farm.endpoint(sweep_s=60.0) as endpoint:
        task, claim = await begun(endpoint, first)
        await asyncio.sleep(0.1)
        assert second.sweep() == (1, 0)
        assert second.sweep() == (0, 0)
        again = await taken(second)
        assert (again.job_id, again.attempt) == (claim.job_id, 2)
        assert (first.renew(claim), finish(first, claim, {"n": 0}), first.give_back(claim)) == ("lost", False, False)
        await first.post_progress({"id": claim.job_id, "execution": claim.execution}, {"stage": "late"})
        assert farm.server.client.hget(f"rq:job:{claim.job_id}", "progress") is None
        await asyncio.sleep(0.1)
        assert first.sweep() == (0, 1)
        with pytest.raises(EndpointError) as caught:
            await task
    assert caught.value.envelope()["code"] == "worker_lost"
    assert caught.value.envelope()["retryable"] is True


async def test_leases_are_not_over_right_after_redis_came_back(tmp_path):
    with redis_server() as server:
        farm = Farm(server, tmp_path)
        worker = worker_of(farm, rules=dataclasses.replace(QUICK, lease_s=30.0))
        async with farm.endpoint(sweep_s=60.0) as endpoint:
            task, claim = await begun(endpoint, worker)
            server.client.zadd(f"rq:wip:parley-{farm.kind}", {f"{claim.job_id}:{claim.execution}": 1.0})
            assert worker.sweep() == (0, 0)
            assert finish(worker, claim, {"n": 1})
            await task


async def test_a_worker_lost_as_it_took_a_job_loses_nothing(farm):
    worker = worker_of(farm, rules=BRIEF)
    async with farm.endpoint(sweep_s=60.0) as endpoint:
        task = asyncio.create_task(endpoint.run(GIVEN, deadline_s=30))
        while (job_id := await asyncio.to_thread(worker.take)) is None:
            pass
        assert worker.sweep() == (0, 0)
        await asyncio.sleep(0.1)
        assert worker.sweep() == (1, 0)
        claim = await taken(worker)
        assert (claim.job_id, claim.attempt) == (job_id, 1)
        finish(worker, claim, {"n": 1})
        assert (await task).output == {"n": 1}


async def test_a_job_missing_from_its_queue_is_put_there_again_by_who_waits(farm):
    worker = worker_of(farm)
    async with farm.endpoint(sweep_s=0.05) as endpoint:
        task = asyncio.create_task(endpoint.run(GIVEN, deadline_s=30))
        while not farm.server.client.delete(f"rq:queue:parley-{farm.kind}"):
            await asyncio.sleep(0.01)
        claim = await taken(worker)
        finish(worker, claim, {"n": 1})
        assert (await task).output == {"n": 1}


async def test_what_was_given_back_or_put_back_is_taken_again_and_is_no_loss(farm):
    worker = worker_of(farm)
    async with farm.endpoint() as endpoint:
        task, claim = await begun(endpoint, worker)
        assert worker.give_back(claim)
        worker.put_back(worker.take())
        second = await taken(worker)
        assert second.attempt == 1
        finish(worker, second, {"n": 1})
        assert (await task).output == {"n": 1}


async def test_a_result_that_is_gone_is_said_to_be(farm):
    worker = worker_of(farm)
    async with farm.endpoint() as endpoint:
        task, claim = await begun(endpoint, worker)
        assert worker.finish(claim, "finished")
        with pytest.raises(ResultExpiredError, match="send it again"):
            await task


async def test_rqs_own_sweep_counts_as_a_lost_worker(farm):
    worker = worker_of(farm)
    async with farm.endpoint(sweep_s=60.0) as endpoint:
        task, claim = await begun(endpoint, worker)
        farm.server.client.zadd(f"rq:wip:parley-{farm.kind}", {f"{claim.job_id}:{claim.execution}": 1.0})
        job = Job.fetch(claim.job_id, connection=farm.server.client, serializer="json")
        assert job.started_job_registry.count == 0  # looks after what is over
        with pytest.raises(EndpointError) as caught:
            await task
    assert caught.value.envelope()["code"] == "worker_lost"


async def test_a_password_is_used_and_a_wrong_one_refused_at_once():
    with redis_server(password="s3cret") as server:
        with connect(server.url) as client:
            assert client.ping()
        async with redis_endpoints(server.url.replace("s3cret", "wrong")) as endpoints:
            started = time.monotonic()
            with pytest.raises(EndpointAuthError, match="check the user and the password") as caught:
                await endpoints["diarization"].run(GIVEN, deadline_s=30)
            assert time.monotonic() - started < 10
        assert "wrong" not in str(caught.value)
        async with redis_endpoints(server.url) as endpoints:
            assert (await endpoints["transcription"].health()).workers_ready == 0
