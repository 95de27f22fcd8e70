"""Requests with one key are one run, whoever waits for it."""

import asyncio

import pytest

from common.errors import EngineError, IdempotencyConflictError
from common.idempotency import SharedRuns, content_digest


class Work:
    """Counts its runs and ends when told."""

    def __init__(self, error=None):
        self.begun = 0
        self.cancelled = 0
        self.error = error
        self.go = asyncio.Event()

    async def __call__(self, on_progress):
        self.begun += 1
        on_progress({"progress": 0.5})
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error:
            raise self.error
        return {"run": self.begun}


def asked(runs, work, *, key="k", content="same", seen=None, **options):
    told = (lambda _: None) if seen is None else seen.append
    return asyncio.create_task(runs.run(key, content, work, on_progress=told, **options))


async def settled():
    for _ in range(20):
        await asyncio.sleep(0.002)


async def test_duplicates_at_the_same_time_are_one_run_and_all_hear_of_its_progress():
    runs, work, seen = SharedRuns(), Work(), []
    tasks = [asked(runs, work, seen=seen) for _ in range(5)]
    await settled()
    work.go.set()
    assert await asyncio.gather(*tasks) == [{"run": 1}] * 5
    assert work.begun == 1
    assert {"progress": 0.5} in seen


async def test_a_later_request_gets_the_result_that_is_kept():
    runs, work = SharedRuns(), Work()
    work.go.set()
    assert await asked(runs, work) == await asked(runs, work) == {"run": 1}


async def test_without_keep_a_later_request_is_a_run_of_its_own():
    runs, work = SharedRuns(), Work()
    work.go.set()
    assert [(await asked(runs, work, keep=False))["run"] for _ in range(2)] == [1, 2]


async def test_another_key_is_another_run():
    runs, work = SharedRuns(), Work()
    work.go.set()
    assert [(await asked(runs, work, key=key))["run"] for key in "ab"] == [1, 2]


async def test_a_key_with_another_content_is_refused_while_it_runs_and_after():
    runs, work = SharedRuns(), Work()
    first = asked(runs, work)
    await settled()
    with pytest.raises(IdempotencyConflictError, match="belongs to another request") as caught:
        await asked(runs, work, content="other")
    assert caught.value.param == "idempotency_key"
    work.go.set()
    await first
    with pytest.raises(IdempotencyConflictError):
        await asked(runs, work, content="other")
    assert work.begun == 1


async def test_a_failure_reaches_all_who_wait_and_frees_the_key():
    runs, work = SharedRuns(), Work(error=EngineError("broken"))
    tasks = [asked(runs, work) for _ in range(2)]
    await settled()
    work.go.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["broken", "broken"]
    work.error = None
    assert await asked(runs, work, content="other") == {"run": 2}


async def test_one_who_is_cancelled_leaves_the_run_to_the_others():
    runs, work = SharedRuns(), Work()
    first, second = asked(runs, work), asked(runs, work)
    await settled()
    first.cancel()
    await settled()
    work.go.set()
    assert await second == {"run": 1}
    assert (first.cancelled(), work.cancelled) == (True, 0)


async def test_when_all_are_cancelled_the_run_is_and_has_ended():
    runs, work = SharedRuns(), Work()
    tasks = [asked(runs, work) for _ in range(2)]
    await settled()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert work.cancelled == 1


async def test_who_comes_while_a_run_is_being_cancelled_gets_a_run_of_its_own():
    runs, slow = SharedRuns(), asyncio.Event()

    async def stubborn(_):
        try:
            await asyncio.Event().wait()
        finally:
            await slow.wait()

    first = asked(runs, stubborn)
    await settled()
    first.cancel()
    await settled()
    work = Work()
    work.go.set()
    assert await asked(runs, work) == {"run": 1}
    first.cancel()  # once more, in the middle of it
    slow.set()
    await asyncio.wait([first])
    assert first.cancelled()


async def test_results_are_forgotten_by_age_and_by_number():
    runs, work = SharedRuns(kept_s=0.05), Work()
    work.go.set()
    await asked(runs, work)
    await asyncio.sleep(0.06)
    assert await asked(runs, work, content="other") == {"run": 2}
    few = SharedRuns(kept_runs=2)
    for key in "abcd":
        await asked(few, work, key=key)
    assert await asked(few, work, key="d") == {"run": 6}
    assert await asked(few, work, key="a") == {"run": 7}


def test_a_digest_does_not_depend_on_the_order_of_keys():
    assert content_digest({"a": 1, "b": [2]}) == content_digest({"b": [2], "a": 1})
    assert content_digest({"a": 1}) != content_digest({"a": 2})
    assert len(content_digest("\ud800")) == 64
