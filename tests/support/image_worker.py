"""A worker started as a container of its image would start, behind the local platform."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Protocol

import psutil

from orchestrator.local.platform import LocalPlatform


class Container(Protocol):
    """Where an image's steps were run."""

    def command(self, argv: list[str], env: Mapping[str, str]) -> list[str]:
        """Return what starts `argv` as a container of the image would."""


class Started:
    """A started container: its first process, inside those that made the place for it."""

    def __init__(self, outer: asyncio.subprocess.Process, log: Path) -> None:
        self._outer = outer
        self._log = log

    @property
    def said(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def first_process(self) -> psutil.Process:
        """The process that gets the signals meant for the container."""
        outer = psutil.Process(self._outer.pid)
        return outer.children()[0] if outer.name() == "unshare" else outer

    async def stop(self, *, timeout_s: float = 60) -> int:
        """Stop it as a container is stopped; returns the exit status."""
        self.first_process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(timeout_s):
            return await self._outer.wait()

    async def wait_while(self, waiting: asyncio.Task[None], *, timeout_s: float) -> None:
        """Wait for the task, not longer than the container lives."""
        ended = asyncio.create_task(self._outer.wait())
        await asyncio.wait([waiting, ended], timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if not waiting.done():
            waiting.cancel()
            raise AssertionError(f"it has ended, or did not get ready in {timeout_s} s:\n{self.said[-4000:]}")
        await waiting


@asynccontextmanager
async def started(argv: list[str], log: Path) -> AsyncIterator[Started]:
    """Start what a container is made by; with the block it ends, and all that it has started."""
    with log.open("wb") as output:
        outer = await asyncio.create_subprocess_exec(
            *argv, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield Started(outer, log)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(outer.pid, signal.SIGKILL)
        await outer.wait()


@asynccontextmanager
async def image_worker(
    root: Container, command: list[str], platform: LocalPlatform, endpoint: str, *, env: Mapping[str, str], log: Path
) -> AsyncIterator[Started]:
    """Start the image's `command` as the worker of `endpoint` and wait until it has asked for a job."""
    worker_id = platform.new_worker_id(endpoint)
    argv = root.command(command, {**env, **platform.worker_environment(endpoint, worker_id)})
    async with started(argv, log) as worker:
        platform.worker_started(endpoint, worker_id, kill=lambda: None)
        await worker.wait_while(asyncio.create_task(_ready(platform, endpoint, worker_id)), timeout_s=300)
        try:
            yield worker
        finally:
            platform.release_worker(endpoint, worker_id)
            platform.worker_gone(endpoint, worker_id)


async def _ready(platform: LocalPlatform, endpoint: str, worker_id: str) -> None:
    while not platform.worker_is_ready(endpoint, worker_id):
        await asyncio.sleep(0.05)
