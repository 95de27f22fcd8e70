"""A stream whose reader is slow, or gone."""

import asyncio
from types import SimpleNamespace

from orchestrator.server.events import Event
from orchestrator.server.http.openai_stream import WAITING_EVENTS, _lines, _Telling
from tests.support.server_documents import job_of


class Telling:
    """A runner of a job with more words than a reader who reads nothing is sent."""

    def __init__(self):
        self.left = False

    async def subscribe(self, job_id):
        try:
            segments = [{"words": [{"word": f"w{number}"}]} for number in range(10 * WAITING_EVENTS)]
            yield Event("partial", {"kind": "words", "segments": segments})
            await asyncio.sleep(60)
        finally:
            self.left = True


async def test_what_nobody_reads_ends_when_it_is_told_to():
    runner = Telling()
    endpoints = SimpleNamespace(deadline_s=60.0)
    context = SimpleNamespace(runner=runner, settings=SimpleNamespace(endpoints=endpoints))
    telling = _Telling(context, job_of(), SimpleNamespace(speakers=False))
    async with asyncio.timeout(20):
        while not telling.items.full():
            await asyncio.sleep(0.01)
        await telling.stop()
    assert runner.left


async def test_what_was_there_when_the_server_stops_is_told_before_that():
    items, closing = asyncio.Queue(), asyncio.Event()
    for number in range(3):
        items.put_nowait({"number": number})
    closing.set()
    lines = [line async for line in _lines(asyncio.ensure_future(items.get()), items, closing)]
    assert lines[:3] == [f'data: {{"number": {number}}}\n\n' for number in range(3)]
    assert '"code":"server_stopping"' in lines[3]
    assert lines[4:] == ["data: [DONE]\n\n"]
