"""A job's end on the worker: told to Redis until that has heard it, and told once; mistakes become errors."""

import asyncio
import json
import zlib
from base64 import b64decode
from dataclasses import replace

import pytest

from common.redis_queue import RULES, job_fields
from handlers.redis_jobs import Claim
from tests.support.optional import needed

redis = needed("redis.exceptions")
execution = needed("handlers.redis_execution")

CLAIM = Claim(
    job_id="j1",
    execution="e1",
    data=job_fields("toy", {"n": 1}, timeout_s=5)["data"],
    timeout_s=5.0,
    attempt=1,
)


class Ledger:
    """What Redis would be told; raises `faults` first."""

    def __init__(self, *faults, rules=RULES):
        self.faults = list(faults)
        self.rules = rules
        self.told = []

    def finish(self, claim, status, entry=()):
        self._tell(status, dict(zip(entry[::2], entry[1::2], strict=True)))
        return True

    def give_back(self, claim):
        self._tell("given back", {})
        return True

    def _tell(self, status, entry):
        if self.faults:
            raise self.faults.pop(0)
        self.told.append((status, entry))


def runner_of(ledger, handler):
    return execution.JobRunner(ledger, handler, worker="w1", on_started=lambda: None)


def error_in(entry):
    return json.loads(zlib.decompress(b64decode(entry["exc_string"])))


async def answer(job):
    return {"n": job["input"]["n"], "by": job["execution"]}


async def test_a_result_is_told_until_redis_has_heard_it():
    ledger = Ledger(redis.ConnectionError(), redis.TimeoutError(), redis.BusyLoadingError())
    await runner_of(ledger, answer).run(CLAIM)
    ((status, entry),) = ledger.told
    assert (status, json.loads(b64decode(entry["return_value"]))) == ("finished", {"n": 1, "by": "e1"})


async def test_a_redis_that_stays_away_ends_the_patience():
    ledger = Ledger(*[redis.ConnectionError()] * 99, rules=replace(RULES, finishing_patience_s=0.3))
    await runner_of(ledger, answer).run(CLAIM)
    assert ledger.told == []


async def test_a_result_that_redis_refuses_is_a_storage_failure():
    ledger = Ledger(redis.OutOfMemoryError("OOM command not allowed"))
    await runner_of(ledger, answer).run(CLAIM)
    ((status, entry),) = ledger.told
    assert (status, error_in(entry)["code"], error_in(entry)["retryable"]) == ("failed", "storage_failed", True)


async def test_a_mistake_in_the_handler_is_an_error_without_its_text(caplog):
    async def broken(job):
        raise RuntimeError("secret /path")

    ledger = Ledger()
    await runner_of(ledger, broken).run(CLAIM)
    ((status, entry),) = ledger.told
    assert (status, error_in(entry)["message"]) == ("failed", "the worker failed; its log has the cause")
    assert "secret /path" in caplog.text


@pytest.mark.parametrize(
    ("why", "told"),
    [("cancelled", ["stopped"]), ("given_back", ["given back"]), ("lost", []), ("timed_out", ["failed"])],
)
async def test_what_a_stopped_job_ends_as(why, told):
    async def endless(job):
        await asyncio.sleep(60)

    ledger = Ledger()
    runner = runner_of(ledger, endless)
    task = asyncio.create_task(runner.run(CLAIM))
    while runner.running is None:
        await asyncio.sleep(0)
    runner.running.stop(why)
    runner.running.stop("lost")  # only the first word counts
    await task
    assert [status for status, _ in ledger.told] == told
    assert runner.running is None
    if why == "timed_out":
        assert (error_in(ledger.told[0][1])["code"], ledger.told[0][1]["timed_out"]) == ("deadline_exceeded", "1")


async def test_a_result_that_came_before_the_stop_counts():
    async def stubborn(job):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return {"n": 2}

    ledger = Ledger()
    await runner_of(ledger, stubborn).run(replace(CLAIM, timeout_s=0.05))
    assert [status for status, _ in ledger.told] == ["finished"]
