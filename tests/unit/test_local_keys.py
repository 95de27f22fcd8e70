"""Idempotency keys in the ledger, without processes, sockets or real time."""

import pytest

from common.errors import EndpointBusyError, EndpointNotFoundError, IdempotencyConflictError
from orchestrator.local.jobs import JobState
from tests.support.job_queue import QueueBench


async def end(bench: QueueBench, job_id: str, state: str) -> None:
    if state == "CANCELLED":
        bench.queue.cancel(job_id)
        return
    assert await bench.take() == [job_id]
    if state == "TIMED_OUT":
        bench.clock.now += 50
        bench.queue.sweep()
    else:
        bench.queue.finish("w1", job_id, output=1, error=None if state == "COMPLETED" else "no")


def test_same_key_and_input_is_one_job_while_it_waits_and_runs():
    bench = QueueBench()
    first = bench.submit("a", key="k")
    assert bench.submit("b", key="k") is first
    assert bench.queue.with_key("k") is first
    with pytest.raises(EndpointNotFoundError):
        bench.queue.get("b")


async def test_completed_job_answers_for_its_key_until_it_expires():
    bench = QueueBench()
    first = bench.submit("a", key="k", kept_s=30)
    await end(bench, "a", "COMPLETED")
    bench.clock.now += 29.9
    assert bench.submit("b", key="k") is first
    bench.clock.now += 0.1
    with pytest.raises(EndpointNotFoundError):
        bench.queue.with_key("k")
    assert bench.submit("c", key="k").id == "c"


@pytest.mark.parametrize("state", ["FAILED", "CANCELLED", "TIMED_OUT"])
async def test_failed_job_frees_its_key_for_any_input(state: str):
    bench = QueueBench()
    first = bench.submit("a", key="k")
    await end(bench, "a", state)
    assert bench.queue.with_key("k") is first
    assert first.state == state
    assert bench.submit("b", key="k", given=2).id == "b"
    assert bench.queue.with_key("k").id == "b"


@pytest.mark.parametrize("state", [None, "COMPLETED"])
async def test_same_key_with_another_input_is_a_conflict(state: str | None):
    bench = QueueBench()
    bench.submit("a", key="k")
    if state is not None:
        await end(bench, "a", state)
    with pytest.raises(IdempotencyConflictError, match="this Idempotency-Key was used for another input before"):
        bench.submit("b", key="k", given=2)
    assert bench.queue.with_key("k").id == "a"


def test_jobs_without_key_or_with_different_keys_are_apart():
    bench = QueueBench()
    assert [bench.submit(name).id for name in "ab"] == ["a", "b"]
    assert [bench.submit(name, key=name).id for name in "cd"] == ["c", "d"]


def test_duplicate_is_answered_even_when_the_endpoint_is_full():
    bench = QueueBench(max_jobs=1)
    first = bench.submit("a", key="k")
    assert bench.submit("b", key="k") is first
    with pytest.raises(EndpointBusyError):
        bench.submit("c", key="other")


def test_job_refused_as_one_too_many_leaves_no_key():
    bench = QueueBench(max_jobs=1)
    bench.submit("a")
    with pytest.raises(EndpointBusyError):
        bench.submit("b", key="k")
    with pytest.raises(EndpointNotFoundError):
        bench.queue.with_key("k")


@pytest.mark.parametrize("newer_state", [None, "COMPLETED"])
async def test_retry_is_refused_while_a_newer_job_holds_the_key(newer_state: str | None):
    bench = QueueBench()
    bench.submit("a", key="k")
    await end(bench, "a", "FAILED")
    bench.submit("b", key="k")
    if newer_state is not None:
        await end(bench, "b", newer_state)
    with pytest.raises(IdempotencyConflictError, match="key belongs to the newer job b; wait for that one"):
        bench.queue.retry("a")
    assert bench.queue.get("a").state is JobState.FAILED


async def test_retry_takes_the_key_back_from_a_newer_job_that_failed_too():
    bench = QueueBench()
    first = bench.submit("a", key="k")
    await end(bench, "a", "FAILED")
    bench.submit("b", key="k")
    await end(bench, "b", "CANCELLED")
    bench.queue.retry("a")
    assert bench.submit("c", key="k") is first
    assert await bench.take() == ["a"]


async def test_no_key_outlives_its_job():
    bench = QueueBench()
    for number in range(50):
        bench.submit(f"a{number}", key=f"k{number}", kept_s=30)
        await end(bench, f"a{number}", "COMPLETED")
    bench.submit("late", key="k0")
    bench.clock.now += 30
    bench.queue.sweep()
    assert (len(bench.queue._jobs), len(bench.queue._keys._jobs), bench.queue._stored_bytes) == (0, 0, 0)


async def test_expiry_of_an_older_job_does_not_take_the_key_of_a_newer():
    bench = QueueBench()
    bench.submit("a", key="k", kept_s=10)
    bench.queue.cancel("a")
    newer = bench.submit("b", key="k")
    bench.clock.now += 10
    bench.queue.sweep()
    assert bench.submit("c", key="k") is newer
