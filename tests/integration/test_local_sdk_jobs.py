"""The real SDK worker loop behind the local platform, called as RunPod is called."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from orchestrator.local.platform import LocalPlatform, PlatformSettings
from orchestrator.local.supervisor import Supervisor
from tests.support.platform_client import API_KEY, Caller, sdk_worker

pytestmark = pytest.mark.asyncio(loop_scope="module")

SETTINGS = PlatformSettings(
    api_key=API_KEY,
    result_max_bytes=100_000,
    execution_timeout_bounds_s=(0.1, 600.0),
    ttl_bounds_s=(0.1, 600.0),
    runsync_wait_bounds_s=(0.1, 300.0),
    webhook_pauses_s=(0.05, 0.05),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalPlatform]:
    log_folder: Path = tmp_path_factory.mktemp("logs")
    async with LocalPlatform(("jobs", "streams"), SETTINGS) as platform:
        commands = [sdk_worker("jobs"), sdk_worker("streams", "stream")]
        async with Supervisor(platform, commands, log_folder=log_folder) as supervisor:
            await supervisor.wait_ready(60)
            yield platform


@pytest_asyncio.fixture(loop_scope="module")
async def jobs(platform: LocalPlatform) -> AsyncIterator[Caller]:
    async with aiohttp.ClientSession() as session:
        yield Caller(platform, "jobs", session)


async def test_runsync_answers_with_the_handler_output(jobs: Caller):
    answer = await jobs.runsync({"echo": "héllo"}, s3Config={"bucketName": "b"})
    assert answer["status"] == "COMPLETED"
    assert answer["output"] == {"echo": "héllo", "s3": {"bucketName": "b"}}
    assert answer["id"].startswith("sync-")
    assert answer["workerId"] == "jobs-1"
    assert answer["delayTime"] >= 0
    assert 0 <= answer["executionTime"] < 5000


async def test_run_is_queued_then_completed(jobs: Caller):
    queued = await jobs.ok("POST", "run", json={"input": {"echo": 1}})
    assert queued["status"] == "IN_QUEUE"
    done = await jobs.wait_for(queued["id"])
    assert (done["status"], done["output"]) == ("COMPLETED", {"echo": 1, "s3": None})
    assert await jobs.ok("POST", f"status/{queued['id']}") == done


@pytest.mark.parametrize("value", [0, False])
async def test_falsy_outputs_arrive_as_they_were(jobs: Caller, value: object):
    answer = await jobs.runsync({"value": value})
    assert (answer["status"], answer["output"]) == ("COMPLETED", value)


async def test_runsync_may_return_before_the_end(jobs: Caller):
    answer = await jobs.ok("POST", "runsync?wait=100", json={"input": {"sleep": 0.9}})
    assert answer["status"] in ("IN_QUEUE", "IN_PROGRESS")
    assert "output" not in answer
    assert (await jobs.wait_for(answer["id"]))["output"] == {"slept": 0}


async def test_error_envelope_of_the_handler(jobs: Caller):
    answer = await jobs.runsync({"fail": '{"code": "invalid_input"}'})
    assert (answer["status"], answer["error"]) == ("FAILED", '{"code": "invalid_input"}')
    assert "output" not in answer


async def test_raising_handler_fails_the_job(jobs: Caller):
    answer = await jobs.runsync({"crash": "went wrong"})
    assert answer["status"] == "FAILED"
    assert "went wrong" in answer["error"]


async def test_oversize_result_fails_with_a_clear_error(jobs: Caller):
    answer = await jobs.runsync({"big": 150_000})
    assert answer["status"] == "FAILED"
    assert '"code": "output_too_large"' in answer["error"]
    assert (await jobs.runsync({"big": 90_000}))["output"]["text"] == "x" * 90_000


@pytest.mark.parametrize("kind", ["nan", "object"])
async def test_result_that_is_not_json_fails_instead_of_hanging(jobs: Caller, kind: str):
    answer = await jobs.runsync({"not_json": kind})
    assert answer["status"] == "FAILED"
    assert '"code": "engine_failed"' in answer["error"]


async def test_progress_is_seen_and_then_replaced_by_the_result(jobs: Caller):
    job_id = await jobs.submit({"progress": [{"progress": 0.5}, {"progress": 0.9}]})
    seen: list[object] = []
    async with asyncio.timeout(10):
        while (view := await jobs.status(job_id))["status"] in ("IN_QUEUE", "IN_PROGRESS"):
            if view.get("output") not in (None, *seen):
                seen.append(view["output"])
            await asyncio.sleep(0.02)
    assert seen == [{"progress": 0.5}, {"progress": 0.9}]
    assert view["output"] == {"steps": 2}


async def test_late_progress_does_not_overwrite_the_result(jobs: Caller):
    answer = await jobs.runsync({"late_progress": 7})
    async with asyncio.timeout(10):
        while f"posted late {answer['id']}" not in (await jobs.runsync({"events": 1}))["output"]["events"]:
            pass
    status = await jobs.status(answer["id"])
    assert (status["status"], status["output"]) == ("COMPLETED", {"result": 7})


async def test_cancelled_handler_is_stopped_and_the_worker_goes_on(jobs: Caller):
    job_id = await jobs.submit({"sleep": 60})
    await jobs.wait_for(job_id, "IN_PROGRESS")
    cancelled = await jobs.ok("POST", f"cancel/{job_id}")
    assert cancelled == {"id": job_id, "status": "CANCELLED"}
    answer = await jobs.runsync({"events": 1})
    assert f"cancelled {job_id}" in answer["output"]["events"]
    assert answer["delayTime"] < 5000
    assert (await jobs.status(job_id))["status"] == "CANCELLED"


async def test_execution_timeout_stops_the_handler(jobs: Caller):
    answer = await jobs.runsync({"sleep": 60}, policy={"executionTimeout": 500})
    assert answer["status"] == "TIMED_OUT"
    assert '"code": "deadline_exceeded"' in answer["error"]
    assert 500 <= answer["executionTime"] < 3000
    assert f"cancelled {answer['id']}" in (await jobs.runsync({"events": 1}))["output"]["events"]


async def test_ttl_ends_a_running_job_which_is_then_gone(jobs: Caller):
    answer = await jobs.runsync({"sleep": 60}, policy={"ttl": 1500})
    assert answer["status"] == "TIMED_OUT"
    status, body = await jobs.call("GET", f"status/{answer['id']}")
    assert (status, body) == (404, {"error": "the job does not exist or has expired"})
    assert f"cancelled {answer['id']}" in (await jobs.runsync({"events": 1}))["output"]["events"]


async def test_retry_runs_a_failed_job_again(jobs: Caller):
    first = await jobs.runsync({"fail": "no"})
    assert await jobs.ok("POST", f"retry/{first['id']}") == {"id": first["id"], "status": "IN_QUEUE"}
    again = await jobs.wait_for(first["id"])
    assert (again["status"], again["error"], again["retries"]) == ("FAILED", "no", 1)


async def test_webhook_gets_the_final_state_and_is_repeated(jobs: Caller):
    calls: asyncio.Queue[dict[str, object]] = asyncio.Queue()
    statuses = [500, 200]

    async def receive(request: web.Request) -> web.Response:
        await calls.put(await request.json())
        return web.Response(status=statuses.pop(0))

    app = web.Application()
    app.router.add_post("/hook", receive)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    job_id = await jobs.submit({"echo": "hi"}, webhook=url)
    bodies = [await asyncio.wait_for(calls.get(), 10) for _ in range(2)]
    await runner.cleanup()
    assert bodies == [await jobs.status(job_id)] * 2
    assert bodies[0]["output"] == {"echo": "hi", "s3": None}


async def test_purge_and_cancel_of_queued_jobs(jobs: Caller):
    running = await jobs.submit({"sleep": 60})
    await jobs.wait_for(running, "IN_PROGRESS")
    queued = [await jobs.submit({"echo": number}) for number in range(3)]
    assert (await jobs.ok("POST", f"cancel/{queued[0]}"))["status"] == "CANCELLED"
    health = await jobs.ok("GET", "health")
    assert (health["jobs"]["inProgress"], health["jobs"]["inQueue"]) == (1, 2)
    assert (health["workers"]["running"], health["workers"]["idle"]) == (1, 0)
    assert await jobs.ok("POST", "purge-queue") == {"removed": 2, "status": "completed"}
    assert [(await jobs.status(job_id))["status"] for job_id in queued] == ["CANCELLED"] * 3
    assert (await jobs.status(running))["status"] == "IN_PROGRESS"
    await jobs.ok("POST", f"cancel/{running}")


async def test_generator_handler_streams(platform: LocalPlatform, jobs: Caller):
    streams = Caller(platform, "streams", jobs.session)
    job_id = await streams.submit({"chunks": ["a", {"b": 1}, 3]})
    chunks: list[object] = []
    async with asyncio.timeout(10):
        while True:
            answer = await streams.ok("GET", f"stream/{job_id}")
            chunks += [chunk["output"] for chunk in answer["stream"]]
            if answer["status"] == "COMPLETED" and not answer["stream"]:
                break
            await asyncio.sleep(0.02)
    assert chunks == ["a", {"b": 1}, 3]
    assert (await streams.status(job_id))["output"] == ["a", {"b": 1}, 3]
