"""Worker processes on this machine: all of them started, kept running and stopped together."""

import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from common.errors import ConfigurationError
from orchestrator.local import reaper
from orchestrator.local.platform import LocalPlatform
from orchestrator.local.worker_log import new_run_folder
from orchestrator.local.worker_process import RestartRules, WorkerCommand, WorkerProcess

__all__ = ["RestartRules", "Supervisor", "WorkerCommand"]

READY_POLL_S = 0.05


class Supervisor:
    """Runs one worker process for each command; an async context manager.

    Logs go to `<endpoint>-<n>.log` in a folder of this run inside `log_folder`. A worker that dies is restarted and
    the platform is told; one that exits with code 78, or dies again and again before it asks for a job, is given up,
    and its endpoint with it when it was the last.
    """

    def __init__(
        self,
        platform: LocalPlatform,
        commands: Sequence[WorkerCommand],
        *,
        log_folder: Path,
        rules: RestartRules | None = None,
    ) -> None:
        self._platform = platform
        self._log_folder = log_folder
        self._reaper: asyncio.subprocess.Process | None = None
        self._tasks: list[asyncio.Task[None]] = []
        numbers: Counter[str] = Counter()
        self._workers: list[WorkerProcess] = []
        for command in commands:
            name = f"{command.endpoint_id}-{numbers[command.endpoint_id]}"
            numbers[command.endpoint_id] += 1
            self._workers.append(
                WorkerProcess(
                    platform,
                    command,
                    name=name,
                    rules=rules or RestartRules(),
                    note_group=self._note_group,
                )
            )

    @property
    def restarts(self) -> dict[str, int]:
        """How often workers were restarted, by endpoint."""
        counts: dict[str, int] = {}
        for worker in self._workers:
            counts[worker.endpoint_id] = counts.get(worker.endpoint_id, 0) + worker.restarts
        return counts

    @property
    def pids(self) -> dict[str, list[int]]:
        """The ids of the running processes, by endpoint."""
        ids: dict[str, list[int]] = {worker.endpoint_id: [] for worker in self._workers}
        for worker in self._workers:
            if worker.pid is not None:
                ids[worker.endpoint_id].append(worker.pid)
        return ids

    async def start(self) -> None:
        """Start all workers; returns at once, see `wait_ready`. Raises ConfigurationError if no logs can be written."""
        run_folder = await asyncio.to_thread(new_run_folder, self._log_folder)
        self._reaper = await asyncio.create_subprocess_exec(
            sys.executable, "-I", str(reaper.__file__), stdin=asyncio.subprocess.PIPE, start_new_session=True
        )
        self._tasks = [asyncio.create_task(self._keep(worker, run_folder)) for worker in self._workers]

    async def stop(self) -> None:
        """Stop all workers: SIGTERM, after a grace SIGKILL, for each with all the processes it has started."""
        await asyncio.gather(*(worker.stop() for worker in self._workers))
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._reaper is not None and self._reaper.stdin is not None:
            self._reaper.stdin.close()
            await self._reaper.wait()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.shield(asyncio.ensure_future(self.stop()))

    async def wait_ready(self, timeout_s: float) -> None:
        """Return when every worker has asked for a job.

        Raises ConfigurationError with the worker's own words when one cannot start or `timeout_s` seconds pass.
        """
        deadline = asyncio.get_running_loop().time() + timeout_s
        while waiting := [worker for worker in self._workers if not worker.is_ready]:
            for worker in waiting:
                if worker.failure is not None:
                    raise ConfigurationError(worker.failure)
            if asyncio.get_running_loop().time() >= deadline:
                raise ConfigurationError(
                    f"the {waiting[0].endpoint_id} worker was not ready within {timeout_s:.0f} s; its log has the cause"
                )
            await asyncio.sleep(READY_POLL_S)

    async def _keep(self, worker: WorkerProcess, run_folder: Path) -> None:
        try:
            await worker.run(run_folder)
        except OSError:
            worker.failure = f"the {worker.endpoint_id} worker cannot start: its program cannot be run"
        same_endpoint = [other for other in self._workers if other.endpoint_id == worker.endpoint_id]
        if all(other.failure is not None for other in same_endpoint):
            self._platform.shut_endpoint(worker.endpoint_id, worker.failure or "")

    def _note_group(self, sign: str, pid: int) -> None:
        if self._reaper is not None and self._reaper.stdin is not None:
            self._reaper.stdin.write(f"{sign}{pid}\n".encode())
