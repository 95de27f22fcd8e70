"""One worker process, kept running: started, watched, restarted, stopped."""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from common.logs import log_event
from common.runpod_loop import EX_CONFIG
from orchestrator.local.platform import LocalPlatform
from orchestrator.local.worker_log import last_words

SETTLE_S = 0.05  # what a worker sent before it died is read first

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerCommand:
    """How to start a worker of an endpoint; `env` is its whole environment but for the platform's own variables."""

    endpoint_id: str
    argv: tuple[str, ...]
    env: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartRules:
    """How patient the supervisor is; seconds."""

    max_start_failures: int = 3
    first_backoff_s: float = 0.5
    max_backoff_s: float = 10.0
    stop_grace_s: float = 10.0


class WorkerProcess:
    """The current process of one command, and its successors.

    `restarts` counts the successors; `failure` says why there will be no more, once it is so.
    """

    def __init__(
        self,
        platform: LocalPlatform,
        command: WorkerCommand,
        *,
        name: str,
        rules: RestartRules,
        note_group: Callable[[str, int], None],
    ) -> None:
        self.endpoint_id = command.endpoint_id
        self.restarts = 0
        self.failure: str | None = None
        self._platform = platform
        self._command = command
        self._name = name
        self._rules = rules
        self._note_group = note_group
        self._worker_id = ""
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The id of the running process, which leads its own process group."""
        return None if self._process is None else self._process.pid

    @property
    def is_ready(self) -> bool:
        """Whether the running process has asked for a job."""
        return self._process is not None and self._platform.worker_is_ready(self.endpoint_id, self._worker_id)

    async def run(self, log_folder: Path) -> None:
        """Keep a process running until `stop`, or until it is plain that none will run."""
        log_path = log_folder / f"{self._name}.log"
        start_failures = 0
        while not self._stopping.is_set():
            log_start = log_path.stat().st_size if log_path.exists() else 0
            code, was_ready = await self._run_once(log_path)
            start_failures = 0 if was_ready else start_failures + 1
            if self._stopping.is_set():
                return
            log_event(logger, "worker_ended", worker=self._name, code=code, was_ready=was_ready)
            if code == EX_CONFIG or start_failures >= self._rules.max_start_failures:
                words = await asyncio.to_thread(last_words, log_path, since_bytes=log_start)
                self.failure = f"the {self.endpoint_id} worker cannot start: {words}"
                return
            self.restarts += 1
            await self._pause(start_failures)

    async def stop(self) -> None:
        """Ask the process to end, and end it when it takes longer than the grace."""
        self._stopping.set()
        process = self._process
        if process is None or process.returncode is not None:
            return
        self._platform.release_worker(self.endpoint_id, self._worker_id)
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(self._rules.stop_grace_s):
                await process.wait()
        except TimeoutError:
            log_event(logger, "worker_killed", worker=self._name)
            self.kill()

    def kill(self) -> None:
        """Kill the process with all it has started."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def _run_once(self, log_path: Path) -> tuple[int, bool]:
        """Run one process to its end; returns its exit code and whether it ever was ready."""
        self._worker_id = self._platform.new_worker_id(self.endpoint_id)
        process = await self._spawn(log_path)
        self._process = process
        self._note_group("+", process.pid)
        self._platform.worker_started(self.endpoint_id, self._worker_id, kill=self.kill)
        if self._stopping.is_set():  # stop() came while the process was being made
            self.kill()
        try:
            code = await process.wait()
            await asyncio.sleep(SETTLE_S)
            return code, self.is_ready
        finally:
            self.kill()  # the SDK's heartbeat outlives a worker that was killed
            self._process = None
            self._note_group("-", process.pid)
            self._platform.worker_gone(self.endpoint_id, self._worker_id)

    async def _spawn(self, log_path: Path) -> asyncio.subprocess.Process:
        platform_env = self._platform.worker_environment(self.endpoint_id, self._worker_id)
        with log_path.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *self._command.argv,
                env={**self._command.env, **platform_env},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )

    async def _pause(self, start_failures: int) -> None:
        pause_s = self._rules.first_backoff_s * 2 ** max(start_failures - 1, 0)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(pause_s, self._rules.max_backoff_s)):
                await self._stopping.wait()
