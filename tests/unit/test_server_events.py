from orchestrator.server.events import LISTENER_EVENTS, Event, Events


def drained(queue):
    return [queue.get_nowait() for _ in range(queue.qsize())]


async def test_every_listener_of_a_job_is_told_and_nobody_elses():
    events = Events()
    with events.listening("a") as one, events.listening("a") as two, events.listening("b") as other:
        events.tell("a", Event("status"))
    assert [drained(queue) for queue in (one, two, other)] == [[Event("status")], [Event("status")], []]


async def test_who_comes_later_gets_the_newest_partial_result_of_each_kind_until_the_job_has_ended():
    events = Events()
    words, speakers = ({"kind": kind, "segments": []} for kind in ("words", "speakers"))
    newer = {"kind": "words", "segments": [1]}
    for data in (words, speakers, newer):
        events.tell("a", Event("partial", data))
    with events.listening("a") as queue:
        assert [event.data for event in drained(queue)] == [newer, speakers]
    events.forget("a")
    with events.listening("a") as queue:
        assert queue.empty()


async def test_a_slow_listener_keeps_the_newest():
    events = Events()
    with events.listening("a") as queue:
        for number in range(LISTENER_EVENTS + 3):
            events.tell("a", Event("status", {"number": number}))
        got = [event.data["number"] for event in drained(queue)]
    assert got == list(range(3, LISTENER_EVENTS + 3))
