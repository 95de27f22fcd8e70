"""The fast workers of the benchmark behind the local platform."""

import asyncio
from collections.abc import Mapping
from typing import Any

import aiohttp

from benchmarks.orchestrator.answers import PostProgress, answering, diarization_answer, transcription_answer
from benchmarks.orchestrator.workers import fast_workers
from common.errors import UnreadableAudioError
from common.results import DiarizationResult, VerboseTranscription
from orchestrator.local.faults import DoubleDelivery, Drop, FaultScript, LoseWorker
from orchestrator.local.platform import LocalPlatform, PlatformSettings
from tests.support.platform_client import API_KEY, Caller

SETTINGS = PlatformSettings(api_key=API_KEY, stop_settle_s=0.0)
QUICK = answering({"text": "hello"}, pause_s=lambda: 0.01)
FOR_EVER = answering({}, pause_s=lambda: 60.0)


def platform(faults: FaultScript | None = None) -> LocalPlatform:
    return LocalPlatform(("jobs",), SETTINGS, faults=faults)


def tasks_left(before: set["asyncio.Task[Any]"]) -> list[str]:
    return [str(task.get_coro()) for task in asyncio.all_tasks() - before]


async def test_answers_are_valid_results():
    turns = DiarizationResult.model_validate(diarization_answer(duration_s=9.0, speakers=3))
    assert [(turn.start, turn.end, turn.speaker) for turn in turns.segments] == [
        (0.0, 3.0, "SPEAKER_00"),
        (3.0, 6.0, "SPEAKER_01"),
        (6.0, 9.0, "SPEAKER_02"),
    ]
    words = VerboseTranscription.model_validate(transcription_answer(duration_s=9.0)).words or []
    assert (len(words), words[0].start, words[-1].end) == (18, 0.0, 9.0)


async def test_many_jobs_at_once_run_once_each():
    before = asyncio.all_tasks()
    async with platform() as server, aiohttp.ClientSession() as session:
        jobs = Caller(server, "jobs", session)
        async with fast_workers(server, {"jobs": QUICK}, concurrency=20) as workers:
            answers = await asyncio.gather(*(jobs.runsync({"n": number}) for number in range(100)))
            assert {answer["status"] for answer in answers} == {"COMPLETED"}
            assert workers.executed["jobs"] == workers.ended["jobs"] == {answer["id"]: 1 for answer in answers}
            assert (len(workers.inputs["jobs"]), max(workers.inputs["jobs"].values())) == (100, 1)
            assert workers.running == 0
    await asyncio.sleep(0)
    assert tasks_left(before) == []


async def test_concurrency_is_a_limit():
    most = running = 0

    async def behave(_: str, __: Mapping[str, Any], ___: PostProgress) -> dict[str, Any]:
        nonlocal most, running
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.02)
        running -= 1
        return {"done": True}

    async with platform() as server, aiohttp.ClientSession() as session:
        jobs = Caller(server, "jobs", session)
        async with fast_workers(server, {"jobs": behave}, concurrency=3, workers_each=2):
            await asyncio.gather(*(jobs.runsync({"n": number}) for number in range(20)))
    assert most == 6


async def test_stop_signal_ends_the_job():
    async with platform() as server, aiohttp.ClientSession() as session:
        jobs = Caller(server, "jobs", session)
        async with fast_workers(server, {"jobs": FOR_EVER}) as workers:
            job_id = await jobs.submit({})
            await jobs.wait_for(job_id, "IN_PROGRESS")
            await jobs.ok("POST", f"cancel/{job_id}")
            async with asyncio.timeout(5):
                while workers.running:
                    await asyncio.sleep(0.005)
            assert (workers.stopped, workers.ended["jobs"]) == ([("jobs", job_id)], {})


async def test_stop_signal_that_was_lost_is_told_again_after_two_pings():
    script = FaultScript()
    script.add("jobs", "job-stop", Drop(after=True), times=2)  # aiohttp's client asks once more by itself
    async with platform(script) as server, aiohttp.ClientSession() as session:
        jobs = Caller(server, "jobs", session)
        async with fast_workers(server, {"jobs": FOR_EVER}, ping_s=0.05) as workers:
            job_id = await jobs.submit({})
            await jobs.wait_for(job_id, "IN_PROGRESS")
            await jobs.ok("POST", f"cancel/{job_id}")
            async with asyncio.timeout(5):
                while workers.running:
                    await asyncio.sleep(0.005)
    assert script.injected == [("jobs", "job-stop", "drop_after")] * 2


async def test_progress_and_errors_are_those_of_a_worker():
    async def behave(_: str, job_input: Mapping[str, Any], post_progress: PostProgress) -> dict[str, Any]:
        await post_progress({"progress": 0.5})
        await go.wait()
        raise UnreadableAudioError("no audio")

    go = asyncio.Event()
    async with platform() as server, aiohttp.ClientSession() as session:
        jobs = Caller(server, "jobs", session)
        async with fast_workers(server, {"jobs": behave}):
            job_id = await jobs.submit({})
            async with asyncio.timeout(5):
                while (await jobs.status(job_id)).get("output") != {"progress": 0.5}:
                    await asyncio.sleep(0.005)
            go.set()
            status = await jobs.ok("GET", f"status/{job_id}?wait=5000")
            assert (status["status"], '"code": "unreadable_audio"' in status["error"]) == ("FAILED", True)


async def test_result_is_posted_again_until_it_is_taken():
    script = FaultScript()
    script.add("jobs", "job-done", Drop(after=False), times=2)
    async with (
        platform(script) as server,
        aiohttp.ClientSession() as session,
        fast_workers(server, {"jobs": QUICK}) as workers,
    ):
        answer = await Caller(server, "jobs", session).runsync({})
        assert (answer["output"], workers.executed["jobs"][answer["id"]]) == ({"text": "hello"}, 1)


async def test_lost_worker_is_replaced_and_its_job_runs_again():
    script = FaultScript()
    script.add("jobs", "job-done", LoseWorker(after=False))
    async with (
        platform(script) as server,
        aiohttp.ClientSession() as session,
        fast_workers(server, {"jobs": QUICK}) as workers,
    ):
        answer = await Caller(server, "jobs", session).runsync({})
        assert (answer["status"], answer["retries"], answer["workerId"]) == ("COMPLETED", 1, "jobs-2")
        assert (workers.executed["jobs"][answer["id"]], workers.restarts) == (2, 1)


async def test_doubled_delivery_runs_twice_and_ends_once():
    script = FaultScript()
    script.add("jobs", "job-take", DoubleDelivery())
    async with platform(script) as server, aiohttp.ClientSession() as session:
        jobs = Caller(server, "jobs", session)
        async with fast_workers(server, {"jobs": QUICK}, workers_each=2) as workers:
            answer = await jobs.runsync({})
            async with asyncio.timeout(5):
                while workers.ended["jobs"][answer["id"]] < 2:
                    await asyncio.sleep(0.005)
            assert (await jobs.ok("GET", "health"))["jobs"]["completed"] == 1
