import asyncio
from contextlib import aclosing

import pytest

from common.errors import (
    ConfigurationError,
    EndpointAuthError,
    EndpointError,
    InvalidInputError,
    ResultExpiredError,
)
from orchestrator.batch import outcomes


async def collected(items, call, **options):
    return [outcome async for outcome in outcomes(items, call, **options)]


async def test_outcomes_come_in_the_order_in_which_they_end():
    gates = {name: asyncio.Event() for name in "abc"}

    async def call(name):
        await gates[name].wait()
        return {"name": name}

    async with aclosing(outcomes("abc", call, concurrency=3)) as found:
        for name in "bca":
            gates[name].set()
            outcome = await anext(found)
            assert (outcome.audio, outcome.result, outcome.error) == (name, {"name": name}, None)


@pytest.mark.parametrize("concurrency", [1, 3, 50])
async def test_no_more_than_asked_for_run_or_are_taken_at_once(concurrency):
    taken, running, most = 0, 0, 0

    def items():
        nonlocal taken
        for number in range(20):
            taken += 1
            yield number

    async def call(number):
        nonlocal running, most
        running += 1
        most = max(most, running)
        assert taken <= number + concurrency + 1
        await asyncio.sleep(0)
        running -= 1
        return {}

    assert {outcome.audio for outcome in await collected(items(), call, concurrency=concurrency)} == set(range(20))
    assert most == min(concurrency, 20)


async def test_an_error_of_one_does_not_end_the_others():
    async def call(number):
        if number == 1:
            raise InvalidInputError("not this one")
        if number == 2:
            raise ResultExpiredError("gone", endpoint="orchestrator")
        return {"number": number}

    found = await collected(range(4), call, concurrency=1)
    assert [outcome.result and outcome.result["number"] for outcome in found] == [0, None, None, 3]
    assert [str(outcome.error) for outcome in found] == ["None", "not this one", "gone", "None"]


REMOTE = {"code": "configuration_error", "message": "no token", "param": None, "retryable": False}


@pytest.mark.parametrize(
    "error",
    [
        ConfigurationError("set it"),
        EndpointAuthError("wrong key", endpoint="orchestrator"),
        EndpointError("no token", endpoint="diarization", remote=REMOTE),
    ],
)
async def test_an_error_that_all_would_meet_ends_it_early(error):
    begun = []

    async def call(number):
        begun.append(number)
        if number == 1:
            raise error
        await asyncio.sleep(0.01)
        return {"number": number}

    found = await collected(range(5), call, concurrency=2)
    assert begun == [0, 1]
    assert [outcome.error for outcome in found if outcome.audio == 1] == [error]
    assert [outcome.result for outcome in found if outcome.audio == 0] == [{"number": 0}]
    assert [outcome.audio for outcome in found if outcome.result is None and outcome.error is None] == [2, 3, 4]


async def test_leaving_cancels_what_runs():
    ended = []

    async def call(number):
        try:
            await asyncio.sleep(60 if number else 0)
        finally:
            ended.append(number)
        return {}

    async with aclosing(outcomes(range(9), call, concurrency=3)) as found:
        assert (await anext(found)).audio == 0
    assert sorted(ended) == [0, 1, 2]


async def test_a_concurrency_below_one_is_refused():
    with pytest.raises(InvalidInputError, match="concurrency"):
        await collected([], None, concurrency=0)
    assert await collected([], None, concurrency=1) == []
