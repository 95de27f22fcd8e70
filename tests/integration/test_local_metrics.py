"""The platform's `/metrics` over HTTP, as Prometheus reads it."""

import asyncio

import aiohttp
import pytest

from orchestrator.local.platform import LocalPlatform, PlatformSettings
from tests.support.metric_lines import samples_in, types_in
from tests.support.platform_client import API_KEY, Caller


@pytest.fixture
async def jobs():
    async with (
        LocalPlatform(("jobs", "other"), PlatformSettings(api_key=API_KEY)) as platform,
        aiohttp.ClientSession() as session,
    ):
        yield Caller(platform, "jobs", session)


async def page(jobs):
    async with jobs.session.get(f"{jobs.platform.base_url.removesuffix('/v2')}/metrics") as answer:
        assert (answer.status, answer.headers["Content-Type"].split(";")[0]) == (200, "text/plain")
        return await answer.text()


async def take(jobs, worker_id):
    """Take a job as a worker does; returns its id and what posts its result."""
    env = jobs.platform.worker_environment("jobs", worker_id)

    def url(name, job_id=""):
        return env[name].replace("$RUNPOD_POD_ID", worker_id).replace("$ID", job_id or worker_id)

    key = {"Authorization": env["RUNPOD_AI_API_KEY"]}
    async with jobs.session.get(url("RUNPOD_WEBHOOK_GET_JOB"), headers=key) as answer:
        job_id = (await answer.json())["id"]

    async def finish(result):
        async with jobs.session.post(url("RUNPOD_WEBHOOK_POST_OUTPUT", job_id), json=result, headers=key) as answer:
            assert answer.status == 200

    return job_id, finish


async def test_jobs_are_counted_where_they_are_and_how_they_end(jobs):
    jobs.platform.worker_started("jobs", "worker-1", kill=lambda: None)
    for number in range(4):
        await jobs.submit({"number": number})
    _, finish = await take(jobs, "worker-1")
    during = samples_in(await page(jobs))
    assert during["parley_platform_jobs_in_queue", "jobs"] == 3
    assert during["parley_platform_jobs_in_progress", "jobs"] == 1
    assert during["parley_platform_workers", "jobs", "running"] == 1
    assert during["parley_platform_jobs_in_queue", "other"] == 0
    await asyncio.sleep(0.06)
    await finish({"output": {"text": "hi"}})
    _, finish = await take(jobs, "worker-1")
    await finish({"error": "broken"})
    await jobs.ok("POST", "purge-queue")
    after = samples_in(await page(jobs))
    assert after["parley_platform_jobs_total", "jobs", "COMPLETED"] == 1
    assert after["parley_platform_jobs_total", "jobs", "FAILED"] == 1
    assert after["parley_platform_jobs_total", "jobs", "CANCELLED"] == 2
    assert after["parley_platform_jobs_in_queue", "jobs"] == 0
    assert after["parley_platform_job_queue_seconds_count", "jobs"] == 2  # what no worker took waited for none
    assert after["parley_platform_job_execution_seconds_bucket", "jobs", "0.05"] == 1
    assert 0.06 <= after["parley_platform_job_execution_seconds_sum", "jobs"] < 5


async def test_worker_processes_are_counted_as_they_come_and_go(jobs):
    for number in (1, 2):
        jobs.platform.worker_started("jobs", f"worker-{number}", kill=lambda: None)
    jobs.platform.worker_gone("jobs", "worker-1")
    found = samples_in(await page(jobs))
    assert found["parley_platform_worker_starts_total", "jobs"] == 2
    assert found["parley_platform_worker_exits_total", "jobs"] == 1
    assert found["parley_platform_workers", "jobs", "initializing"] == 1
    assert found["parley_platform_workers", "jobs", "idle"] == 0


async def test_names_and_types_are_as_prometheus_wants_them(jobs):
    assert types_in(await page(jobs)) == {
        "parley_platform_jobs": "counter",
        "parley_platform_jobs_in_queue": "gauge",
        "parley_platform_jobs_in_progress": "gauge",
        "parley_platform_workers": "gauge",
        "parley_platform_job_queue_seconds": "histogram",
        "parley_platform_job_execution_seconds": "histogram",
        "parley_platform_worker_starts": "counter",
        "parley_platform_worker_exits": "counter",
    }
