"""Workers that cannot start, and how the supervisor says so."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from common.errors import ConfigurationError
from orchestrator.local.platform import LocalPlatform, PlatformSettings
from orchestrator.local.supervisor import RestartRules, Supervisor, WorkerCommand
from tests.support.platform_client import Caller
from tests.support.processes import command_lines_with, group_members

QUICK = RestartRules(first_backoff_s=0.01, stop_grace_s=0.3)


@pytest.fixture
async def platform() -> AsyncIterator[LocalPlatform]:
    async with LocalPlatform(("jobs",), PlatformSettings()) as platform:
        yield platform


def shell(script: str) -> WorkerCommand:
    return WorkerCommand(endpoint_id="jobs", argv=("/bin/sh", "-c", script), env={"PATH": "/usr/bin:/bin"})


def logged(folder: Path) -> str:
    return "".join(log.read_text() for log in folder.glob("run-*/jobs-0.log"))


async def failure_of(platform: LocalPlatform, command: WorkerCommand, folder: Path) -> tuple[str, int]:
    async with Supervisor(platform, [command], log_folder=folder, rules=QUICK) as supervisor:
        with pytest.raises(ConfigurationError) as caught:
            await supervisor.wait_ready(10)
        return caught.value.message, supervisor.restarts["jobs"]


async def test_exit_78_is_final_and_its_message_is_passed_on(platform: LocalPlatform, tmp_path: Path):
    command = shell("echo noise; echo 'PARLEY-FATAL set HF_TOKEN' >&2; echo more; exit 78")
    assert await failure_of(platform, command, tmp_path) == ("the jobs worker cannot start: set HF_TOKEN", 0)


async def test_worker_that_keeps_dying_is_given_up_with_its_last_line(platform: LocalPlatform, tmp_path: Path):
    command = shell("echo 'Traceback'; echo '  File x'; echo \"ImportError: no model $RUNPOD_POD_ID\"; echo; exit 1")
    assert await failure_of(platform, command, tmp_path) == (
        "the jobs worker cannot start: ImportError: no model jobs-3",
        2,
    )


async def test_program_that_is_not_there(platform: LocalPlatform, tmp_path: Path):
    command = WorkerCommand(endpoint_id="jobs", argv=("/no/such/program",), env={})
    message, _ = await failure_of(platform, command, tmp_path)
    assert message == "the jobs worker cannot start: its program cannot be run"


async def test_jobs_of_an_endpoint_without_workers_fail_at_once(platform: LocalPlatform, tmp_path: Path):
    async with aiohttp.ClientSession() as session:
        jobs = Caller(platform, "jobs", session)
        before = await jobs.submit({"a": 1})
        await failure_of(platform, shell("echo 'PARLEY-FATAL no token'; exit 78"), tmp_path)
        after = await jobs.runsync({"a": 2})
        errors = [(await jobs.status(before))["error"], after["error"]]
    message = '"message": "the jobs worker cannot start: no token"'
    assert all('"code": "configuration_error"' in error and message in error for error in errors)


async def test_worker_that_never_asks_for_a_job(platform: LocalPlatform, tmp_path: Path):
    async with Supervisor(platform, [shell("sleep 60")], log_folder=tmp_path, rules=QUICK) as supervisor:
        with pytest.raises(ConfigurationError, match="the jobs worker was not ready within 0 s"):
            await supervisor.wait_ready(0.2)


async def test_deaf_worker_is_killed_after_the_grace_with_its_children(platform: LocalPlatform, tmp_path: Path):
    script = "trap '' TERM; sleep 60 & echo started; while :; do sleep 1; done"
    async with Supervisor(platform, [shell(script)], log_folder=tmp_path, rules=QUICK) as supervisor:
        async with asyncio.timeout(10):
            while "started" not in logged(tmp_path):
                await asyncio.sleep(0.01)
        [pid] = supervisor.pids["jobs"]
        assert len(group_members(pid)) >= 2
        started = time.monotonic()
    assert 0.3 <= time.monotonic() - started < 3
    assert group_members(pid) == []


async def test_stop_right_after_start_leaves_nothing(platform: LocalPlatform, tmp_path: Path):
    command = WorkerCommand(
        endpoint_id="jobs", argv=(sys.executable, "-c", "import time; time.sleep(60)", str(tmp_path)), env={}
    )
    async with asyncio.timeout(5):
        async with Supervisor(platform, [command], log_folder=tmp_path, rules=QUICK) as supervisor:
            await asyncio.sleep(0)
    assert supervisor.pids == {"jobs": []}
    assert command_lines_with(str(tmp_path)) == []


async def test_worker_environment_is_added_to_the_command(platform: LocalPlatform, tmp_path: Path):
    command = shell('echo "PARLEY-FATAL $RUNPOD_POD_ID $RUNPOD_ENDPOINT_ID $RUNPOD_LOG_LEVEL $HOME"; exit 78')
    message, _ = await failure_of(platform, command, tmp_path)
    assert message == "the jobs worker cannot start: jobs-1 jobs INFO"
