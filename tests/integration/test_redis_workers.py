"""Real worker processes and a real Redis: jobs are done, stopped, timed, told of; results and errors come back."""

import asyncio
import contextlib
import random
import signal
import socket
from dataclasses import replace

import pytest
import requests
from rq.command import send_stop_job_command
from rq.job import Job
from rq.queue import Queue

from common.errors import DeadlineExceededError, EndpointError, JobCancelledError
from common.redis_queue import PERFORM
from orchestrator.endpoints import EndpointHealth, JobOptions
from tests.support.redis_farm import AUDIO, QUICK, Farm, asked
from tests.support.redis_server import redis_server

PATIENT = replace(QUICK, lease_s=20.0)  # no worker is lost here, however busy the machine is


@pytest.fixture(scope="module")
def farm(tmp_path_factory):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
    folder = tmp_path_factory.mktemp("farm")
    with redis_server() as server, contextlib.closing(Farm(server, folder, rules=PATIENT, METRICS_PORT=port)) as farm:
        farm.have(1)
        yield farm


async def refused(work):
    with pytest.raises(EndpointError) as caught:
        await work
    return caught.value


async def test_a_job_is_answered_with_its_times_and_its_worker(farm):
    async with farm.endpoint() as endpoint:
        result = await endpoint.run(asked(1, seconds=0.3, request_id="given-1"), deadline_s=20)
        assert await endpoint.health() == EndpointHealth(
            jobs_in_queue=0, jobs_in_progress=0, workers_ready=1, workers_running=0, workers_initializing=0
        )
    assert (result.output["n"], result.output["request_id"]) == (1, "given-1")
    assert 0.0 <= result.queue_s < 10.0
    assert 0.3 <= result.execution_s < 10.0
    assert result.worker_id.startswith(farm.kind)
    assert result.output["timings"]["cold_start_s"] > 0.0
    line = next(line for line in farm.log.splitlines() if "job_done" in line)
    assert "request_id=given-1" in line
    assert AUDIO not in farm.log


async def test_progress_comes_in_order_and_not_after_the_result(farm):
    seen = []
    async with farm.endpoint() as endpoint:
        await endpoint.run(asked(2, seconds=1.8), deadline_s=20, on_progress=seen.append)
        known = len(seen)
        await asyncio.sleep(0.3)
    steps = [step["progress"] for step in seen if step["stage"] == "working"]
    assert len(steps) >= 2
    assert steps == sorted(steps)
    assert 0.0 < steps[0] < steps[-1] <= 1.0
    assert len(seen) == known


async def test_a_running_job_is_stopped_within_a_step_when_nobody_waits_for_it(farm):
    async with farm.endpoint() as endpoint:
        task = asyncio.create_task(endpoint.run(asked(3, seconds=60), deadline_s=90))
        await farm.began(3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await farm.ended(3, timeout_s=3)
        assert (await endpoint.run(asked(4), deadline_s=20)).output["n"] == 4


async def test_a_job_still_queued_is_removed_at_once(farm):
    async with farm.endpoint() as endpoint:
        first = asyncio.create_task(endpoint.run(asked(5, seconds=0.8), deadline_s=20))
        await farm.began(5)
        second = asyncio.create_task(endpoint.run(asked(6), deadline_s=20))
        while (await endpoint.health()).jobs_in_queue == 0:
            await asyncio.sleep(0.01)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        assert (await endpoint.health()).jobs_in_queue == 0
        assert (await first).output["n"] == 5
        await endpoint.run(asked(7), deadline_s=20)
    assert ("began", 6) not in farm.diary()


async def test_the_callers_deadline_stops_the_job(farm):
    async with farm.endpoint() as endpoint:
        with pytest.raises(DeadlineExceededError, match=r"did not answer within 2 s \(beside it 0 jobs wait there"):
            await endpoint.run(asked(8, seconds=60), deadline_s=2)
        await farm.ended(8, timeout_s=5)


async def test_an_execution_that_takes_too_long_is_stopped_by_the_worker_which_lives_on(farm):
    async with farm.endpoint() as endpoint:
        with pytest.raises(DeadlineExceededError, match="ran out of time"):
            await endpoint.run(asked(9, seconds=60), deadline_s=30, options=JobOptions(execution_timeout_s=0.5))
        result = await endpoint.run(asked(10), deadline_s=20)
    pids = {pid for event, n, pid in farm.entries() if n in {9, 10}}
    assert pids == {result.output["pid"]}


async def test_the_workers_own_error_comes_back(farm):
    async with farm.endpoint() as endpoint:
        failed = await refused(endpoint.run(asked(11, "fail"), deadline_s=20))
        wrong = await refused(endpoint.run({"audio": AUDIO, "voice": 1}, deadline_s=20))
    assert failed.envelope() == {
        "code": "engine_failed",
        "message": "the model cannot do this",
        "param": None,
        "retryable": True,
        "endpoint": farm.kind,
    }
    assert (wrong.envelope()["code"], wrong.envelope()["param"]) == ("unknown_field", "voice")


def test_jobs_are_counted_in_the_metrics(farm):
    metrics = requests.get(f"http://127.0.0.1:{farm.env['METRICS_PORT']}/metrics", timeout=10).text
    assert 'parley_cold_start_seconds_count{worker="toy"} 1.0' in metrics
    assert 'parley_jobs_total{outcome="engine_failed",worker="toy"} 1.0' in metrics
    assert 'parley_jobs_in_progress{worker="toy"} 0.0' in metrics


async def test_a_result_above_the_platforms_limit_comes_whole(farm):
    async with farm.endpoint() as endpoint:
        result = await endpoint.run(asked(12, "big"), deadline_s=60)
    assert result.output["words"] == random.Random(12).choices(range(1000), k=2_200_000)


async def test_rq_itself_can_enqueue_read_and_stop(farm):
    queue = Queue(f"parley-{farm.kind}", connection=farm.server.client, serializer="json")
    job = queue.enqueue(PERFORM, asked(13))
    await farm.ended(13)
    running = queue.enqueue(PERFORM, asked(14, seconds=60))
    assert job.latest_result(timeout=10).return_value["n"] == 13
    assert (job.get_status().value, job.id in queue.finished_job_registry) == ("finished", True)
    await farm.began(14)
    send_stop_job_command(farm.server.client, running.id, serializer="json")
    await farm.ended(14, timeout_s=3)
    async with asyncio.timeout(5):
        while Job.fetch(running.id, connection=farm.server.client, serializer="json").get_status() != "stopped":
            await asyncio.sleep(0.02)
    strange = queue.enqueue("os.system", "true")
    assert "the job does not call" in strange.latest_result(timeout=10).exc_string


async def test_a_job_stopped_by_others_is_a_cancelled_one(farm):
    async with farm.endpoint() as endpoint:
        options = JobOptions(idempotency_key="stopped")
        task = asyncio.create_task(endpoint.run(asked(15, seconds=60), deadline_s=60, options=options))
        await farm.began(15)
        (job_id,) = (key.decode() for key in farm.server.client.zrange(f"rq:wip:parley-{farm.kind}", 0, -1))
        send_stop_job_command(farm.server.client, job_id.partition(":")[0], serializer="json")
        with pytest.raises(JobCancelledError):
            await task


async def test_a_worker_told_to_end_finishes_its_job_and_takes_no_other(farm):
    """The last test of this file: its worker is gone."""
    (worker,) = farm.workers
    async with farm.endpoint() as endpoint:
        first = asyncio.create_task(endpoint.run(asked(16, seconds=1), deadline_s=20))
        await farm.began(16)
        second = asyncio.create_task(endpoint.run(asked(17), deadline_s=60))
        worker.send_signal(signal.SIGTERM)
        assert (await first).output["n"] == 16
        assert await asyncio.to_thread(worker.wait, 30) == 0
        assert await endpoint.health() == EndpointHealth(
            jobs_in_queue=1, jobs_in_progress=0, workers_ready=0, workers_running=0, workers_initializing=0
        )
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
