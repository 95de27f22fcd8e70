"""A client that is closed, or begun, by several at once."""

import asyncio
import threading
import time

import pytest

from common.errors import ConfigurationError, JobCancelledError
from orchestrator import client_async, client_blocking
from orchestrator.client import AsyncParley, Parley
from orchestrator.client_loop import LoopThread
from orchestrator.client_work import Work
from tests.support.quick_platform import quick_platform


async def test_diarizing_is_stopped_when_the_client_is_closed():
    async with quick_platform() as quick:
        async with AsyncParley(quick.settings()) as parley:
            call = asyncio.create_task(parley.diarize(b"wait"))
            await quick.until_given("diarization", 1)
        with pytest.raises(JobCancelledError, match="the job was cancelled"):
            await call
        assert await quick.states("diarization") == ["CANCELLED"]


async def test_health_is_broken_off_when_the_client_is_closed(monkeypatch):
    asked = asyncio.Event()

    async def health(self):
        asked.set()
        await asyncio.sleep(60)

    monkeypatch.setattr(Work, "health", health)
    async with quick_platform() as quick:
        async with AsyncParley(quick.settings()) as parley:
            call = asyncio.create_task(parley.health())
            await asked.wait()
        with pytest.raises(JobCancelledError):
            await asyncio.wait_for(call, 5)


async def test_a_call_that_hashes_its_recording_is_stopped_too(monkeypatch):
    begun = threading.Event()

    def endless(audio, fields, *, check=lambda: None):
        begun.set()
        for _ in range(300):
            check()
            time.sleep(0.01)
        return "content"

    monkeypatch.setattr(client_async, "fingerprint", endless)
    async with quick_platform() as quick:
        async with AsyncParley(quick.settings()) as parley:
            call = asyncio.create_task(parley.transcribe(b"a", idempotency_key="k"))
            await asyncio.to_thread(begun.wait, 5)
        with pytest.raises(JobCancelledError):
            await call
        assert quick.ids["orchestrator"] == []


async def test_a_closed_client_refuses_calls():
    async with quick_platform() as quick:
        parley = AsyncParley(quick.settings())
        await parley.close()
        for call in (parley.health(), parley.diarize(b"a"), parley.transcribe(b"a"), parley.submit(b"a")):
            with pytest.raises(ConfigurationError, match="this client was closed; make a new one"):
                await call
        outcomes = [outcome async for outcome in parley.transcribe_many([b"a", b"b"], concurrency=1)]
        assert [str(outcome.error) for outcome in outcomes] == ["this client was closed; make a new one", "None"]


async def test_threads_that_begin_a_client_at_once_share_one_loop(monkeypatch):
    made, together = [], threading.Barrier(6)

    class SlowThread(LoopThread):
        def __init__(self, at_end):
            made.append(self)
            time.sleep(0.05)
            super().__init__(at_end)

    monkeypatch.setattr(client_blocking, "LoopThread", SlowThread)
    async with quick_platform() as quick:
        with Parley(quick.settings()) as parley:

            def call():
                together.wait(5)
                return parley.transcribe(b"a")["text"]

            texts = await asyncio.gather(*(asyncio.to_thread(call) for _ in range(6)))
            await asyncio.to_thread(parley.close)
    assert texts == ["Heard a."] * 6
    assert len(made) == 1
    assert not [thread for thread in threading.enumerate() if thread.name == "parley"]


async def test_what_other_threads_have_under_way_ends_with_errors_of_parley():
    async with quick_platform() as quick:
        settings, ends = quick.settings(orchestrator=False), []

        def call(client, loop):
            try:
                while True:
                    loop.run(client.health())
            except Exception as error:  # noqa: BLE001 - which one is what is tested
                ends.append(type(error))

        def closed_after(seconds):
            client = AsyncParley(settings)
            loop = LoopThread(client.close)
            threads = [threading.Thread(target=call, args=(client, loop), daemon=True) for _ in range(3)]
            for thread in threads:
                thread.start()
            time.sleep(seconds)
            loop.stop()
            for thread in threads:
                thread.join(5)

        for round_ in range(20):
            await asyncio.to_thread(closed_after, round_ / 2000)
    assert len(ends) == 60
    assert set(ends) <= {JobCancelledError, ConfigurationError}
