"""A recording that had to be uploaded lives as long as its job, and no longer."""

import asyncio

import pytest

from common.errors import EndpointError
from orchestrator import client_work
from orchestrator.client import AsyncParley
from tests.support.quick_platform import quick_platform


class FakeUploads:
    """Uploads that tell when they are closed."""

    def __init__(self, settings, *, deadline_s):
        self.closed = 0
        made.append(self)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.close()

    async def close(self):
        self.closed += 1


made: list[FakeUploads] = []


@pytest.fixture(autouse=True)
def uploads(monkeypatch):
    def uploaded(audio, options, *, limits, unsent, uploads, check):
        assert not uploads.closed
        return {**options, "audio": f"https://storage.example/{audio.decode()}"}

    made.clear()
    monkeypatch.setattr(client_work, "Uploads", FakeUploads)
    monkeypatch.setattr(client_work, "with_recordings", uploaded)


async def ended(quick, call, audio):
    task = asyncio.create_task(call)
    await quick.until_given("orchestrator", 1)
    assert made[0].closed == 0 or "wait" not in audio
    if "cancel" in audio:
        task.cancel()
    quick.release.set()
    await task


@pytest.mark.parametrize(
    ("audio", "error"), [("wait", None), ("wait-bad", EndpointError), ("wait-cancel", asyncio.CancelledError)]
)
async def test_it_is_deleted_however_the_job_ends(audio, error):
    async with quick_platform() as quick, AsyncParley(quick.settings()) as parley:
        call = ended(quick, parley.transcribe(audio.encode()), audio)
        if error is None:
            await call
        else:
            with pytest.raises(error):
                await call
        assert [one.closed for one in made] == [1]


async def test_it_is_deleted_after_a_submitted_job_nobody_waits_for():
    async with quick_platform() as quick, AsyncParley(quick.settings()) as parley:
        job = await parley.submit(b"wait")
        assert made[0].closed == 0
        quick.release.set()
        [_ async for _ in job.stream()]
        assert made[0].closed == 1


async def test_it_stays_for_a_job_that_outlives_its_client():
    async with quick_platform() as quick:
        async with AsyncParley(quick.settings()) as parley:
            await parley.submit(b"wait")
        assert made[0].closed == 0


async def test_diarizing_deletes_it_too():
    async with quick_platform() as quick, AsyncParley(quick.settings()) as parley:
        assert (await parley.diarize(b"a"))["num_speakers"] == 2
        assert made[0].closed == 1
        assert quick.inputs["diarization"] == [{"audio": "https://storage.example/a"}]
