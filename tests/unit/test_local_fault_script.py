"""Which calls a fault script strikes, without sockets."""

from orchestrator.local.faults import Answer, Delay, Drop, FaultScript, HalfBody, html_page
from tests.support.fault_calls import call_route


async def struck(script: FaultScript, route: str = "run", *, calls: int = 6, endpoint: str = "jobs") -> list[int]:
    """Return the numbers of the calls, from 1, which got a 5xx instead of their answer."""
    return [
        number
        for number in range(1, calls + 1)
        if (await call_route(script, endpoint, route)).status in range(500, 600)
    ]


async def test_first_call_by_default_then_those_asked_for():
    script = FaultScript()
    script.add("jobs", "run", Answer(status=503))
    script.add("jobs", "status", Answer(status=503), call=3, times=2)
    script.add("jobs", "cancel", Answer(status=503), call=5, times=None)
    assert await struck(script, "run") == [1]
    assert await struck(script, "status") == [3, 4]
    assert await struck(script, "cancel") == [5, 6]
    assert await struck(script, "health") == []


async def test_endpoints_and_routes_are_counted_apart():
    script = FaultScript()
    script.add("*", "run", Answer(status=500), call=2)
    script.add("jobs", "*", Answer(status=500), call=4)
    assert await struck(script, "run", endpoint="others") == [2]
    assert await struck(script, "run") == [2, 4]
    assert await struck(script, "status") == [4]


async def test_probability_is_seeded():
    def script(seed: int) -> FaultScript:
        script = FaultScript(seed=seed)
        script.add("jobs", "run", Answer(status=500), times=None, probability=0.3)
        return script

    first, again, other = [await struck(script(seed), calls=100) for seed in (1, 1, 2)]
    assert first == again != other
    assert 15 < len(first) < 45


async def test_one_rules_dice_do_not_move_with_anothers_calls():
    def script() -> FaultScript:
        script = FaultScript(seed=3)
        script.add("jobs", "run", Answer(status=500), times=None, probability=0.5)
        script.add("jobs", "status", Answer(status=500), times=None, probability=0.5)
        return script

    alone, mixed = script(), script()
    expected = await struck(alone, calls=20)
    await struck(mixed, "status", calls=7)
    assert await struck(mixed, calls=20) == expected


async def test_record_says_what_was_injected_in_order():
    script = FaultScript()
    script.add("jobs", "run", Delay(seconds=0.0))
    script.add("jobs", "run", Answer(status=429, retry_after="3", after=True))
    script.add("jobs", "status", html_page(), call=2)
    answers = [await call_route(script, "jobs", route) for route in ("run", "status", "status", "run")]
    assert script.injected == [("jobs", "run", "delay"), ("jobs", "run", "answer_429"), ("jobs", "status", "page_200")]
    assert [answer.status for answer in answers] == [429, 200, 200, 200]
    assert (answers[0].headers["Retry-After"], answers[2].content_type) == ("3", "text/html")


async def test_several_faults_strike_one_call_until_one_answers():
    script = FaultScript()
    for fault in (Delay(seconds=0.0), Answer(status=502), Answer(status=503)):
        script.add("jobs", "run", fault)
    assert (await call_route(script, "jobs", "run")).status == 502
    assert [name for *_, name in script.injected] == ["delay", "answer_502"]


def test_names_of_faults():
    faults = (Drop(after=False), Drop(after=True), HalfBody(), html_page(status=503))
    assert [fault.name for fault in faults] == ["drop_before", "drop_after", "half_body", "page_503"]
