"""Killing and stopping real SDK workers: no job is lost, none hangs, no process stays behind."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from orchestrator.local.platform import LocalPlatform, PlatformSettings
from orchestrator.local.supervisor import RestartRules, Supervisor
from tests.support.platform_client import API_KEY, Caller, sdk_worker
from tests.support.processes import group_members, wait_gone

pytestmark = pytest.mark.asyncio(loop_scope="module")

SETTINGS = PlatformSettings(
    api_key=API_KEY, ping_interval_s=1, lost_after_s=2.5, stop_deadline_s=0.5, execution_timeout_bounds_s=(0.1, 600.0)
)
RULES = RestartRules(first_backoff_s=0.05)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform() -> AsyncIterator[LocalPlatform]:
    async with LocalPlatform(("jobs",), SETTINGS) as platform:
        yield platform


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def supervisor(platform: LocalPlatform, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Supervisor]:
    log_folder: Path = tmp_path_factory.mktemp("logs")
    async with Supervisor(platform, [sdk_worker("jobs")], log_folder=log_folder, rules=RULES) as supervisor:
        await supervisor.wait_ready(60)
        yield supervisor


@pytest_asyncio.fixture(loop_scope="module")
async def jobs(platform: LocalPlatform, supervisor: Supervisor) -> AsyncIterator[Caller]:
    async with aiohttp.ClientSession() as session:
        yield Caller(platform, "jobs", session)


async def test_killed_worker_is_restarted_and_its_job_runs_again(jobs: Caller, supervisor: Supervisor):
    job_id = await jobs.submit({"sleep": 0.9})
    await jobs.wait_for(job_id, "IN_PROGRESS")
    [pid] = supervisor.pids["jobs"]
    assert len(group_members(pid)) == 2  # the worker and the SDK's heartbeat
    os.kill(pid, signal.SIGKILL)
    done = await jobs.wait_for(job_id, timeout_s=30)
    assert (done["status"], done["output"], done["retries"]) == ("COMPLETED", {"slept": 0}, 1)
    assert supervisor.restarts == {"jobs": 1}
    assert group_members(pid) == []


async def test_job_that_kills_every_worker_fails(jobs: Caller, supervisor: Supervisor):
    answer = await jobs.runsync({"die": True})
    assert answer["status"] == "FAILED"
    assert '"code": "worker_lost"' in answer["error"]
    assert answer["retries"] == 1
    assert (await jobs.ok("GET", "health"))["jobs"]["failed"] == 1
    assert (await jobs.runsync({"echo": "alive"}))["output"]["echo"] == "alive"


async def test_silent_worker_loses_its_job_and_is_replaced(jobs: Caller, supervisor: Supervisor):
    job_id = await jobs.submit({"sleep": 0.5})
    await jobs.wait_for(job_id, "IN_PROGRESS")
    [pid] = supervisor.pids["jobs"]
    os.killpg(pid, signal.SIGSTOP)
    done = await jobs.wait_for(job_id, timeout_s=30)
    assert (done["status"], done["retries"]) == ("COMPLETED", 1)
    assert supervisor.pids["jobs"] != [pid]


async def test_worker_that_cannot_be_stopped_is_replaced(jobs: Caller, supervisor: Supervisor):
    [pid] = supervisor.pids["jobs"]
    answer = await jobs.runsync({"block": 60}, policy={"executionTimeout": 1500})
    assert answer["status"] == "TIMED_OUT"
    assert (await jobs.runsync({"echo": "next"}))["output"]["echo"] == "next"
    assert supervisor.pids["jobs"] != [pid]


async def test_stop_ends_the_worker_within_seconds_and_leaves_no_process(supervisor: Supervisor):
    [pid] = supervisor.pids["jobs"]
    started = time.monotonic()
    await supervisor.stop()
    assert time.monotonic() - started < 5  # half the grace: it was not killed
    assert group_members(pid) == []


async def test_workers_die_with_a_supervisor_that_is_killed(tmp_path: Path):
    script = Path(__file__).parent.parent / "support" / "supervise_for_ever.py"
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), str(tmp_path), stdout=asyncio.subprocess.PIPE, cwd=Path.cwd()
    )
    pid = int(await asyncio.wait_for(process.stdout.readline(), 30))
    assert group_members(pid) != []
    process.kill()
    await process.wait()
    await wait_gone(pid, timeout_s=5)
