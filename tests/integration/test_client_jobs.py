import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from common.errors import (
    ConfigurationError,
    DeadlineExceededError,
    EndpointError,
    EndpointUnreachableError,
    IdempotencyConflictError,
    InvalidInputError,
    JobCancelledError,
)
from common.settings import load_settings
from orchestrator.client import AsyncParley
from tests.support.fake_endpoint import HEARD
from tests.support.quick_platform import quick_platform
from tests.support.scripted_server import scripted_server

CHILDREN = ["diarization", "transcription"]


@asynccontextmanager
async def clients(quick, count):
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(AsyncParley(quick.settings())) for _ in range(count)]


async def test_a_submitted_job_tells_its_progress_and_ends_with_its_result():
    async with quick_platform() as quick, AsyncParley(quick.settings()) as parley:
        job = await parley.submit(b"wait a moment", num_speakers=2)
        told = job.stream()
        assert await anext(told) == {"stage": "decoding", "progress": 0.5}
        assert not job.done()
        quick.release.set()
        assert [progress async for progress in told] == []
        assert (await job.result())["text"] == "Heard wait a moment."
        assert job.done()
    assert [job.id] == quick.ids["orchestrator"]
    assert quick.inputs["orchestrator"][0]["num_speakers"] == 2


async def test_who_listens_late_gets_the_latest_progress_and_the_error():
    async with quick_platform() as quick, AsyncParley(quick.settings()) as parley:
        job = await parley.submit(b"bad")
        with pytest.raises(EndpointError, match="this is not audio"):
            await job.result()
        with pytest.raises(EndpointError, match="this is not audio"):
            [_ async for _ in job.stream()]


async def test_cancelling_stops_the_remote_job():
    async with quick_platform() as quick, AsyncParley(quick.settings()) as parley:
        job = await parley.submit(b"wait")
        await job.cancel()
        await job.cancel()
        with pytest.raises(JobCancelledError, match="the job was cancelled"):
            await job.result()
        assert (await quick.caller("orchestrator").status(job.id))["status"] == "CANCELLED"


async def test_another_client_finds_a_job_after_the_first_was_closed():
    async with quick_platform() as quick:
        async with AsyncParley(quick.settings()) as parley:
            job = await parley.submit(b"wait")
            await quick.until_given("orchestrator", 1)
        with pytest.raises(EndpointUnreachableError, match="it goes on: another client finds it by its id"):
            await job.result()
        async with AsyncParley(quick.settings()) as other:
            found = other.job(job.id)
            quick.release.set()
            assert (await found.result())["text"] == "Heard wait."
    assert len(quick.ids["orchestrator"]) == 1


async def test_another_client_cancels_a_job_at_once():
    async with (
        quick_platform() as quick,
        AsyncParley(quick.settings()) as parley,
        AsyncParley(quick.settings()) as other,
    ):
        job = await parley.submit(b"wait")
        await other.job(job.id).cancel()
        with pytest.raises(JobCancelledError):
            await job.result()


async def test_a_job_without_an_orchestrator_ends_with_its_client():
    async with quick_platform() as quick:
        async with AsyncParley(quick.settings(orchestrator=False)) as parley:
            job = await parley.submit(b"wait")
            assert job.id.startswith("local-")
            for child in CHILDREN:
                await quick.until_given(child, 1)
            with pytest.raises(ConfigurationError, match="set ORCHESTRATOR_ENDPOINT_ID"):
                parley.job(job.id)
        with pytest.raises(JobCancelledError):
            await job.result()
        assert [await quick.states(child) for child in CHILDREN] == [["CANCELLED"], ["CANCELLED"]]


async def test_a_job_without_an_orchestrator_has_progress_and_a_result():
    async with quick_platform() as quick, AsyncParley(quick.settings(orchestrator=False)) as parley:
        job = await parley.submit(b"wait", response_format="text")
        quick.release.set()
        told = [progress async for progress in job.stream()]
        assert told[-1]["progress"] == 1.0
        assert (await job.result())["text"] == "SPEAKER_00: Hello there.\nSPEAKER_01: Hi."


async def test_a_deadline_of_a_call_stops_the_remote_job():
    async with quick_platform() as quick, AsyncParley(quick.settings()) as parley:
        started = time.monotonic()
        with pytest.raises(DeadlineExceededError, match=r"did not answer within 0\.\d+ s and is told to stop"):
            await parley.transcribe(b"wait", deadline_s=0.4)
        assert time.monotonic() - started < 2
        assert await quick.states("orchestrator") == ["CANCELLED"]


async def test_a_cancelled_call_stops_the_remote_job():
    async with quick_platform() as quick, AsyncParley(quick.settings()) as parley:
        call = asyncio.create_task(parley.transcribe(b"wait"))
        await quick.until_given("orchestrator", 1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await quick.states("orchestrator") == ["CANCELLED"]


@pytest.mark.parametrize("orchestrator", [True, False])
async def test_calls_with_one_key_are_one_job_until_the_last_gives_up(orchestrator):
    endpoint = "orchestrator" if orchestrator else "transcription"
    async with quick_platform() as quick, AsyncParley(quick.settings(orchestrator=orchestrator)) as parley:
        calls = [asyncio.create_task(parley.transcribe(b"wait", idempotency_key="k")) for _ in range(3)]
        await quick.until_given(endpoint, 1)
        calls[0].cancel()
        await asyncio.wait([calls[0]])
        job = await parley.submit(b"wait", idempotency_key="k")
        with pytest.raises(IdempotencyConflictError, match="belongs to another request"):
            await parley.transcribe(b"wait", idempotency_key="k", num_speakers=3)
        quick.release.set()
        first, second, third = [await calls[1], await calls[2], await job.result()]
        assert first == second == third
        assert len(quick.ids[endpoint]) == 1


async def test_the_key_goes_with_the_job():
    async with (
        quick_platform() as quick,
        AsyncParley(quick.settings()) as parley,
        AsyncParley(quick.settings()) as other,
    ):
        jobs = [await client.submit(b"wait", idempotency_key="k") for client in (parley, other)]
        assert jobs[0].id == jobs[1].id
        with pytest.raises(IdempotencyConflictError):
            await other.transcribe(b"wait more", idempotency_key="k", language="en")


@pytest.mark.parametrize("ids", [{"orchestrator_id": "endpoint"}, {"transcription_id": "endpoint"}])
async def test_the_platform_is_told_the_terms(ids):
    final = {"id": "job-1", "status": "COMPLETED", "output": HEARD}
    async with AsyncExitStack() as stack:
        answers = {"run": [{"id": "job-1", "status": "IN_QUEUE"}], "status/job-1": [final]}
        script = await stack.enter_async_context(scripted_server(answers))
        async with AsyncParley(load_settings({}), base_url=script.url, deadline_s=500, **ids) as parley:
            terms = {"low_priority": True, "execution_timeout_s": 50, "ttl_s": 70.5}
            await parley.transcribe("https://example.org/a.wav", diarize=False, **terms)
            with pytest.raises(InvalidInputError, match="ttl_s: Input should be greater than 0"):
                await parley.transcribe("https://example.org/a.wav", ttl_s=0)
    assert script.asked[0][1]["policy"] == {"executionTimeout": 50_000, "ttl": 70_500, "lowPriority": True}
    assert not terms.keys() & script.asked[0][1]["input"].keys()


async def test_health_counts_the_jobs_of_each_endpoint():
    async with quick_platform() as quick, AsyncParley(quick.settings()) as parley:
        await parley.submit(b"wait")
        await quick.until_given("orchestrator", 1)
        health = await parley.health()
    assert list(health) == ["diarization", "transcription", "orchestrator"]
    assert [one.jobs_in_progress for one in health.values()] == [0, 0, 1]


async def test_a_client_without_endpoints_says_what_to_set():
    async with AsyncParley(load_settings({})) as parley:
        with pytest.raises(ConfigurationError, match="_ENDPOINT_ID"):
            await parley.health()


async def test_a_listener_that_fails_does_not_end_the_job(caplog):
    def fail(progress):
        raise RuntimeError("mine")

    async with quick_platform() as quick, AsyncParley(quick.settings()) as parley:
        job = await parley.submit(b"wait")
        result = asyncio.create_task(job.result(on_progress=fail))
        async for _ in job.stream():
            quick.release.set()
        assert (await result)["text"] == "Heard wait."
    assert "progress_callback_failed" in caplog.text


@pytest.mark.parametrize("job_id", ["", "../run", "a b", "x" * 300])
async def test_what_is_no_job_id_is_never_asked_for(job_id):
    async with quick_platform() as quick, AsyncParley(quick.settings()) as parley:
        with pytest.raises(InvalidInputError, match="no job id"):
            parley.job(job_id)


async def test_a_webhook_needs_an_orchestrator():
    async with quick_platform() as quick, AsyncParley(quick.settings(orchestrator=False)) as parley:
        with pytest.raises(InvalidInputError, match="set ORCHESTRATOR_ENDPOINT_ID"):
            await parley.submit(b"a", webhook="https://example.org/hook")
