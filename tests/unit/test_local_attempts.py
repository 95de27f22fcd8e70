"""What reaches the queue late, twice, or not at all: each job ends once, and by its own attempt."""

import asyncio
import json
import time

import pytest

from orchestrator.local.jobs import JobState
from tests.support.job_queue import QueueBench


async def test_undelivered_job_that_another_worker_runs_by_now_stays_there():
    bench = QueueBench()
    job = bench.submit("a")
    undelivered = await bench.queue.take("w1")
    bench.queue.lose_worker("w1")
    assert await bench.take("w2") == ["a"]
    bench.queue.give_back("w1", undelivered)
    assert (job.state, job.worker_id) == (JobState.IN_PROGRESS, "w2")
    assert await bench.take("w3") == []


async def test_result_of_an_attempt_that_was_lost_does_not_end_the_next():
    bench = QueueBench()
    job = bench.submit("a")
    await bench.take("w1")
    bench.queue.lose_worker("w1")
    await bench.take("w2")
    assert not bench.queue.finish("w1", "a", output="first")
    assert not bench.queue.progress("w1", "a", "first")
    assert (job.state, job.output) == (JobState.IN_PROGRESS, None)
    assert bench.queue.finish("w2", "a", output="second")
    assert not bench.queue.finish("w2", "a", output="again")
    assert (job.output, bench.ended) == ("second", [("a", "COMPLETED")])


async def test_busy_worker_is_not_given_the_retry_of_its_own_failed_attempt():
    bench = QueueBench()
    bench.submit("a")
    await bench.take("w1")
    bench.queue.finish("w1", "a", error="no")
    bench.queue.retry("a")
    assert await bench.take("w1", busy=True) == []  # its first result may still come again
    assert not bench.queue.finish("w1", "a", error="no")
    assert await bench.take("w1") == ["a"]


@pytest.mark.parametrize(("told", "state"), [(["b"], "FAILED"), (["a", "b"], "IN_PROGRESS"), ([], "IN_PROGRESS")])
async def test_job_that_a_busy_worker_does_not_tell_of_is_lost(told: list[str], state: str):
    bench = QueueBench()
    jobs = [bench.submit(name) for name in "ab"]
    await bench.take("w1", count=2)
    bench.queue.ping("w1", ["a", "b"])
    bench.clock.now += 10
    bench.queue.ping("w1", told)
    assert [job.state for job in jobs] == [state, "IN_PROGRESS"]
    if state == "FAILED":
        assert json.loads(jobs[0].error or "")["code"] == "engine_failed"


async def test_job_that_never_arrived_at_a_busy_worker_is_found_at_the_second_ping():
    bench = QueueBench()
    bench.submit("a")
    await bench.take("w1")
    bench.queue.ping("w1", ["a"])
    bench.clock.now += 1
    lost = bench.submit("b")
    await bench.take("w1", busy=True)
    bench.clock.now += 9
    bench.queue.ping("w1", ["a"])  # the list may have been made before the job arrived
    assert lost.state is JobState.IN_PROGRESS
    bench.clock.now += 10
    bench.queue.ping("w1", ["a"])
    assert lost.state is JobState.FAILED


async def test_stop_that_did_not_arrive_is_told_again_when_the_worker_goes_on():
    bench = QueueBench(stop_settle_s=0, stop_deadline_s=60)
    kills: list[str] = []
    bench.submit("a")
    await bench.take("w1")
    worker = bench.queue.roster.seen("w1", bench.clock())
    worker.kill = lambda: kills.append("w1")
    bench.queue.ping("w1", ["a"])
    bench.queue.cancel("a")
    assert await bench.queue.next_stops("w1") == ["a"]  # and this answer is lost
    bench.clock.now += 10
    bench.queue.ping("w1", ["a"])
    assert await bench.queue.next_stops("w1") == ["a"]
    assert await bench.queue.next_stops("w1") == []
    bench.clock.now += 50.1
    bench.queue.ping("w1", ["a"])
    bench.queue.sweep()
    assert kills == ["w1"]  # by the deadline of the first


async def test_worker_that_is_to_end_is_still_told_of_the_stops_ordered_before():
    bench = QueueBench(stop_settle_s=0.05)
    bench.queue.clock = time.monotonic
    bench.submit("a", ttl_s=1e9)
    await bench.take("w1")
    poll = asyncio.ensure_future(bench.queue.next_stops("w1", hold_s=60))
    await asyncio.sleep(0)
    bench.queue.cancel("a")
    bench.queue.roster.seen("w1", time.monotonic()).drain()
    assert await asyncio.wait_for(poll, 5) == ["a"]
    assert await asyncio.wait_for(bench.queue.next_stops("w1", hold_s=60), 5) == []


async def test_worker_that_runs_anothers_job_is_told_to_stop_it():
    bench = QueueBench()
    bench.submit("a")
    await bench.take("w1")
    for told in ([], ["a"]):
        bench.queue.ping("w2", ["a"])
        assert await bench.queue.next_stops("w2") == told
    assert await bench.queue.next_stops("w1") == []


async def test_time_is_noticed_in_the_order_of_its_points_not_of_the_jobs():
    bench = QueueBench()
    slow, quick = bench.submit("a", execution_timeout_s=30), bench.submit("b", execution_timeout_s=10)
    await bench.take("w1", count=2)
    bench.clock.now += 10
    bench.queue.sweep()
    assert (slow.state, quick.state) == (JobState.IN_PROGRESS, JobState.TIMED_OUT)
    bench.clock.now += 20
    bench.queue.sweep()
    assert slow.state is JobState.TIMED_OUT


async def test_notes_of_points_in_time_do_not_pile_up():
    bench = QueueBench()
    for number in range(500):
        bench.submit(f"a{number}", kept_s=1, ttl_s=10_000)
        await bench.take("w1")
        bench.queue.finish("w1", f"a{number}", output=1)
        bench.clock.now += 1
        bench.queue.sweep()
    assert len(bench.queue._due._heap) < 100
    assert bench.queue._jobs == {}


async def test_job_given_back_still_ends_with_its_ttl():
    bench = QueueBench()
    bench.submit("a", ttl_s=100, execution_timeout_s=5)
    bench.queue.give_back("w1", await bench.queue.take("w1"))
    bench.clock.now += 99
    bench.queue.sweep()
    assert bench.queue.get("a").state is JobState.IN_QUEUE
    bench.clock.now += 1
    bench.queue.sweep()
    assert bench.ended == [("a", "TIMED_OUT")]


async def test_job_that_returns_to_an_endpoint_without_workers_fails():
    bench = QueueBench()
    job = bench.submit("a")
    await bench.take("w1")
    bench.queue.shut("no token")
    bench.queue.lose_worker("w1")
    assert job.state is JobState.FAILED
    assert json.loads(job.error or "")["message"] == "no token"
