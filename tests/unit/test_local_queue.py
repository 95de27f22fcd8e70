"""The queue's rules, without processes, sockets or real time."""

import asyncio
import json

import pytest

from common.errors import EndpointBusyError, EndpointNotFoundError, InvalidInputError
from orchestrator.local.jobs import JobState
from tests.support.job_queue import QueueBench


async def test_jobs_are_handed_out_in_order_and_once():
    bench = QueueBench()
    for name in "abc":
        bench.submit(name)
    assert await bench.take(count=2) == ["a", "b"]
    assert await bench.take("w2") == ["c"]
    assert await bench.take("w2") == []


async def test_waiting_worker_gets_the_job_that_comes():
    bench = QueueBench()
    waiting = asyncio.ensure_future(bench.take(hold_s=5))
    await asyncio.sleep(0)
    bench.submit("a")
    assert await waiting == ["a"]


async def test_one_job_goes_to_one_of_many_waiting_workers():
    bench = QueueBench()
    waiting = [asyncio.ensure_future(bench.take(f"w{number}", hold_s=0.2)) for number in range(5)]
    await asyncio.sleep(0)
    bench.submit("a")
    assert sorted(await asyncio.gather(*waiting)) == [[], [], [], [], ["a"]]


async def test_worker_that_has_hung_up_gets_no_job():
    bench = QueueBench()
    bench.submit("a")
    assert await bench.take(connected=lambda: False) == []
    assert await bench.take("w2") == ["a"]


async def test_undelivered_job_goes_back_to_the_front():
    bench = QueueBench()
    bench.submit("a")
    bench.submit("b")
    jobs = await bench.queue.take("w1")
    bench.queue.give_back("w1", jobs)
    assert jobs[0].view() == {"id": "a", "status": "IN_QUEUE"}
    assert await bench.take("w2", count=2) == ["a", "b"]


async def test_undelivered_job_that_was_cancelled_stays_cancelled():
    bench = QueueBench()
    bench.submit("a")
    jobs = await bench.queue.take("w1")
    bench.queue.cancel("a")
    bench.queue.give_back("w1", jobs)
    assert await bench.take("w2") == []


async def test_times_of_a_completed_job_are_told_in_ms():
    bench = QueueBench()
    job = bench.submit("a")
    bench.clock.now += 1.5
    await bench.take()
    bench.clock.now += 2.25
    assert bench.queue.finish("w1", "a", output={"x": 1})
    assert job.view() == {
        "id": "a",
        "status": "COMPLETED",
        "delayTime": 1500,
        "executionTime": 2250,
        "workerId": "w1",
        "output": {"x": 1},
    }
    assert job.input is None


async def test_only_the_owner_can_report():
    bench = QueueBench()
    job = bench.submit("a")
    assert not bench.queue.finish("w1", "a", output=1)
    await bench.take("w1")
    assert not bench.queue.finish("w2", "a", output=1)
    assert not bench.queue.progress("w2", "a", 1)
    assert not bench.queue.stream("w2", "a", {"output": 1}, size_bytes=1)
    assert bench.queue.finish("w1", "a", output=2)
    assert not bench.queue.finish("w1", "a", error="late")
    assert not bench.queue.progress("w1", "a", "late")
    assert (job.state, job.output, job.error) == (JobState.COMPLETED, 2, None)


async def test_cancelled_queued_job_never_runs():
    bench = QueueBench()
    bench.submit("a")
    assert bench.queue.cancel("a").view() == {"id": "a", "status": "CANCELLED"}
    assert await bench.take() == []
    assert bench.ended == [("a", "CANCELLED")]


async def test_cancelled_running_job_is_told_to_its_worker_once():
    bench = QueueBench()
    bench.submit("a")
    await bench.take()
    bench.clock.now += 1
    bench.queue.cancel("a")
    assert await bench.queue.next_stops("w2") == []
    assert await bench.queue.next_stops("w1") == ["a"]
    assert await bench.queue.next_stops("w1") == []
    assert not bench.queue.finish("w1", "a", output=1)


async def test_stop_waits_until_the_worker_has_started_the_job():
    bench = QueueBench(stop_settle_s=0.3)
    bench.submit("a")
    await bench.take()
    bench.queue.cancel("a")
    assert await bench.queue.next_stops("w1") == []
    bench.clock.now += 0.3
    assert await bench.queue.next_stops("w1") == ["a"]


async def test_lost_worker_gives_its_jobs_back_once_then_they_fail():
    bench = QueueBench()
    job = bench.submit("a")
    bench.submit("b")
    await bench.take("w1")
    bench.queue.progress("w1", "a", "half")
    bench.queue.lose_worker("w1")
    assert job.view() == {"id": "a", "status": "IN_QUEUE", "retries": 1}
    assert not bench.queue.finish("w1", "a", output=1)
    assert await bench.take("w2") == ["a"]
    bench.queue.lose_worker("w2")
    assert json.loads(job.error or "")["code"] == "worker_lost"
    assert job.state is JobState.FAILED
    assert bench.queue.health()["jobs"] == {"completed": 0, "failed": 1, "inProgress": 0, "inQueue": 1, "retried": 1}


async def test_silent_worker_loses_its_jobs_and_is_killed():
    bench = QueueBench(lost_after_s=10)
    kills: list[str] = []
    job = bench.submit("a")
    await bench.take("w1")
    bench.queue.roster.seen("w1", bench.clock()).kill = lambda: kills.append("w1")
    bench.clock.now += 10
    bench.queue.sweep()
    assert (job.state, kills) == (JobState.IN_PROGRESS, [])
    bench.clock.now += 0.1
    bench.queue.sweep()
    bench.queue.sweep()
    assert (job.state, kills) == (JobState.IN_QUEUE, ["w1"])
    assert bench.queue.health()["workers"]["unhealthy"] == 1


async def test_worker_back_from_silence_is_told_to_stop_and_gets_the_job_only_when_idle():
    bench = QueueBench(lost_after_s=10)
    bench.submit("a")
    await bench.take("w1")
    bench.clock.now += 11
    bench.queue.sweep()
    assert await bench.take("w1", busy=True) == []
    assert await bench.queue.next_stops("w1") == ["a"]
    assert await bench.take("w1") == ["a"]


async def test_stop_meant_for_an_earlier_attempt_does_not_hit_the_next():
    bench = QueueBench()
    bench.submit("a", execution_timeout_s=5)
    await bench.take("w1")
    bench.clock.now += 5
    bench.queue.sweep()
    bench.queue.retry("a")
    assert await bench.take("w1") == ["a"]
    assert await bench.queue.next_stops("w1") == []


@pytest.mark.parametrize(("reported", "expected"), [(["a"], ["w1"]), ([], [])])
async def test_worker_that_does_not_stop_in_time_is_killed(reported: list[str], expected: list[str]):
    bench = QueueBench(stop_deadline_s=5, stop_settle_s=0)
    kills: list[str] = []
    bench.submit("a")
    await bench.take("w1")
    worker = bench.queue.roster.seen("w1", bench.clock())
    worker.kill = lambda: kills.append("w1")
    worker.report(["a"], bench.clock())
    bench.queue.cancel("a")
    bench.clock.now += 5
    bench.queue.sweep()
    assert kills == []
    bench.clock.now += 0.1
    worker.report(reported, bench.clock())
    bench.queue.sweep()
    assert kills == expected


async def test_idle_worker_that_should_be_running_a_job_has_dropped_it():
    bench = QueueBench()
    job = bench.submit("a")
    await bench.take("w1")
    await bench.take("w1", busy=True)
    assert job.state is JobState.IN_PROGRESS
    await bench.take("w1", busy=False)
    assert job.state is JobState.FAILED
    assert json.loads(job.error or "")["code"] == "engine_failed"


async def test_execution_timeout_counts_from_the_start():
    bench = QueueBench()
    job = bench.submit("a", execution_timeout_s=5)
    bench.clock.now += 20
    await bench.take()
    bench.clock.now += 4.9
    bench.queue.sweep()
    assert job.state is JobState.IN_PROGRESS
    bench.clock.now += 0.1
    bench.queue.sweep()
    assert (job.state, job.view()["executionTime"]) == (JobState.TIMED_OUT, 5000)


@pytest.mark.parametrize("running", [False, True])
async def test_ttl_counts_from_submission_and_removes_the_job(running: bool):
    bench = QueueBench()
    bench.submit("a", ttl_s=10)
    if running:
        await bench.take()
    bench.clock.now += 10
    with pytest.raises(EndpointNotFoundError, match="the job does not exist or has expired"):
        bench.queue.get("a")
    assert bench.ended == [("a", "TIMED_OUT")]
    assert await bench.take("w2") == []


async def test_results_are_kept_for_their_time_then_forgotten():
    bench = QueueBench()
    bench.submit("a", kept_s=30, ttl_s=40)
    await bench.take()
    bench.clock.now += 35
    bench.queue.finish("w1", "a", output=1)
    bench.clock.now += 29.9
    assert bench.queue.get("a").output == 1
    bench.clock.now += 0.1
    with pytest.raises(EndpointNotFoundError):
        bench.queue.get("a")


async def test_retry_gives_a_fresh_start():
    bench = QueueBench()
    job = bench.submit("a", ttl_s=10)
    await bench.take()
    bench.queue.finish("w1", "a", error="no")
    bench.clock.now += 20
    assert bench.queue.retry("a").view() == {"id": "a", "status": "IN_QUEUE", "retries": 1}
    assert job.input == {"n": 1}
    assert await bench.take() == ["a"]


async def test_completed_job_cannot_be_retried():
    bench = QueueBench()
    bench.submit("a")
    await bench.take()
    bench.queue.finish("w1", "a", output=1)
    with pytest.raises(InvalidInputError, match="only a job that is FAILED or TIMED_OUT can be retried"):
        bench.queue.retry("a")


async def test_stream_is_read_once_and_bounded():
    bench = QueueBench(result_max_bytes=100)
    job = bench.submit("a")
    await bench.take()
    bench.queue.stream("w1", "a", {"output": 1}, size_bytes=60)
    assert bench.queue.read_stream(job) == [{"output": 1}]
    assert bench.queue.read_stream(job) == []
    bench.queue.stream("w1", "a", {"output": 2}, size_bytes=60)
    assert job.state is JobState.IN_PROGRESS
    bench.queue.stream("w1", "a", {"output": 3}, size_bytes=60)
    assert json.loads(job.error or "")["code"] == "output_too_large"


async def test_stored_bytes_are_bounded_and_freed():
    bench = QueueBench(stored_max_bytes=25)
    bench.submit("a")
    bench.submit("b")
    with pytest.raises(EndpointBusyError):
        bench.submit("c")
    bench.queue.cancel("a")
    bench.submit("c")


async def test_waiting_caller_sees_the_end_or_gives_up():
    bench = QueueBench()
    job = bench.submit("a")
    await bench.queue.wait_final(job, timeout_s=0.01)
    assert job.state is JobState.IN_QUEUE
    waiting = asyncio.ensure_future(bench.queue.wait_final(job, timeout_s=5))
    await bench.take()
    bench.queue.finish("w1", "a", output=1)
    await asyncio.wait_for(waiting, 1)


async def test_close_lets_everybody_go():
    bench = QueueBench()
    polls = [
        asyncio.ensure_future(bench.take(hold_s=60)),
        asyncio.ensure_future(bench.queue.next_stops("w1", hold_s=60)),
    ]
    await asyncio.sleep(0)
    bench.queue.close()
    assert await asyncio.wait_for(asyncio.gather(*polls), 1) == [[], []]


async def test_worker_that_is_gone_stays_gone():
    bench = QueueBench()
    poll = asyncio.ensure_future(bench.take(hold_s=60))
    await asyncio.sleep(0)
    bench.queue.roster.remove("w1")
    bench.submit("a")
    assert await asyncio.wait_for(poll, 1) == []
    assert await bench.take("w1") == []
    assert bench.queue.roster.all() == []
    assert await bench.take("w2") == ["a"]


async def test_endpoint_that_is_shut_fails_old_and_new_jobs():
    bench = QueueBench()
    old = bench.submit("a")
    bench.queue.shut("no token")
    new = bench.submit("b")
    assert [json.loads(job.error or "")["message"] for job in (old, new)] == ["no token"] * 2
    assert bench.queue.retry("a").state is JobState.FAILED
