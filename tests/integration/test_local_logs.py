"""Where workers' logs go, and which of them are kept."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from common.errors import ConfigurationError
from orchestrator.local.platform import LocalPlatform, PlatformSettings
from orchestrator.local.supervisor import RestartRules, Supervisor, WorkerCommand
from orchestrator.local.worker_log import last_words, new_run_folder

RULES = RestartRules(first_backoff_s=0.01, stop_grace_s=0.3)


def ended_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def logged_words(folder: Path) -> list[str]:
    return sorted(log.read_text() for log in folder.glob("run-*/jobs-0.log"))


async def run_saying(words: str, folder: Path) -> str:
    command = WorkerCommand(
        endpoint_id="jobs", argv=("/bin/sh", "-c", f"echo '{words}'; exit 78"), env={"PATH": "/usr/bin:/bin"}
    )
    async with (
        LocalPlatform(("jobs",), PlatformSettings()) as platform,
        Supervisor(platform, [command], log_folder=folder, rules=RULES) as supervisor,
    ):
        with pytest.raises(ConfigurationError) as caught:
            await supervisor.wait_ready(10)
    return caught.value.message


async def test_two_stacks_at_once_keep_their_words_apart(tmp_path: Path):
    messages = await asyncio.gather(run_saying("PARLEY-FATAL one", tmp_path), run_saying("PARLEY-FATAL two", tmp_path))
    assert messages == ["the jobs worker cannot start: one", "the jobs worker cannot start: two"]
    assert logged_words(tmp_path) == ["PARLEY-FATAL one\n", "PARLEY-FATAL two\n"]


async def test_a_run_without_words_does_not_inherit_those_of_the_last(tmp_path: Path):
    await run_saying("PARLEY-FATAL old", tmp_path)
    assert await run_saying("", tmp_path) == "the jobs worker cannot start: it wrote nothing"


def test_old_runs_go_but_not_running_ones_nor_what_is_not_a_run(tmp_path: Path):
    ended = ended_pid()
    old = [tmp_path / f"run-20240101T00000{second}.000000-{ended}" for second in range(7)]
    running = tmp_path / f"run-20230101T000000.000000-{os.getppid()}"
    foreign = tmp_path / "run-mine"
    for folder in (*old, running, foreign):
        folder.mkdir()
        (folder / "jobs-0.log").write_text("words")
    new = new_run_folder(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([*old[-4:], running, foreign, new])
    assert list(new.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told_with_the_cure(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"\(Not a directory\); set PARLEY_LOGS"):
        new_run_folder(tmp_path / "file" / "logs")


def test_last_words_are_those_after_the_start(tmp_path: Path):
    log = tmp_path / "jobs-0.log"
    log.write_text("PARLEY-FATAL before\n")
    start = log.stat().st_size
    with log.open("a") as file:
        file.write("ValueError: now\n  inside\n")
    assert last_words(log, since_bytes=start) == "ValueError: now"
