"""A start of a real worker's process: the RunPod SDK's loop behind the local platform, and a job that waits for it."""

import asyncio
import base64
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.orchestrator.answers import answering, diarization_answer, transcription_answer
from benchmarks.orchestrator.workers import fast_workers
from orchestrator.local.platform import LocalPlatform, PlatformSettings

API_KEY = "benchmark"
CHILDREN = {"children-diarization": diarization_answer(), "children-transcription": transcription_answer()}
LOOK_S = 0.005
WAIT_MS = 30_000
PATIENCE_S = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A worker's module, its settings, and the audio of its first job."""

    module: str
    audio: bytes
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Seconds from the process's start until it asked for a job, and until that job's result was there.

    `stages` are those that the worker itself tells; `libraries` the names of shared libraries that it has loaded.
    """

    ready_s: float
    first_result_s: float
    stages: Mapping[str, float]
    libraries: frozenset[str]


@asynccontextmanager
async def platform(names: Iterable[str]) -> AsyncIterator[LocalPlatform]:
    """Yield a platform with an endpoint for each name, and the children that an orchestrator calls."""
    endpoints = (*names, *CHILDREN)
    behaviours = {name: answering(answer, pause_s=lambda: 0.0) for name, answer in CHILDREN.items()}
    async with (
        LocalPlatform(endpoints, PlatformSettings(api_key=API_KEY)) as running,
        fast_workers(running, behaviours),
    ):
        yield running


async def started(running: LocalPlatform, name: str, worker: Worker, folder: Path) -> Start:
    """Start the worker of endpoint `name`, let it answer one job, and stop it; its log goes to `folder`."""
    worker_id, log = running.new_worker_id(name), folder / f"{name}.log"
    env = _environment(running, worker) | running.worker_environment(name, worker_id)
    headers = {"Authorization": f"Bearer {API_KEY}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        job_id = await _submit(session, f"{running.base_url}/{name}", worker.audio)
        began = time.perf_counter()
        process = await _spawn(worker.module, env, log)
        running.worker_started(name, worker_id, kill=lambda: _kill(process))
        try:
            async with asyncio.timeout(PATIENCE_S):
                await _until_ready(running, name, worker_id, process, log)
                ready_s = time.perf_counter() - began
                await _result(session, f"{running.base_url}/{name}/status/{job_id}", log)
                first_result_s = time.perf_counter() - began
            libraries = _libraries(process.pid)
        finally:
            running.release_worker(name, worker_id)
            await _end(process)
            running.worker_gone(name, worker_id)
    return Start(ready_s=ready_s, first_result_s=first_result_s, stages=told_stages(log), libraries=libraries)


def told_stages(log: Path) -> dict[str, float]:
    """Return the seconds of the stages in a worker's log of JSON lines; empty where it tells none."""
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        with contextlib.suppress(ValueError):  # the SDK prints lines of its own
            event = json.loads(line) if line.startswith("{") else {}
            if event.get("event") == "cold_start":
                return {key: value for key, value in event.items() if key.endswith("_s") and key != "total_s"}
    return {}


def _environment(running: LocalPlatform, worker: Worker) -> dict[str, str]:
    diarization, transcription = CHILDREN
    children = {
        "RUNPOD_BASE_URL": running.base_url,
        "RUNPOD_API_KEY": API_KEY,
        "DIARIZATION_ENDPOINT_ID": diarization,
        "TRANSCRIPTION_ENDPOINT_ID": transcription,
    }
    others = {"LOG_FORMAT": "json", "METRICS_PORT": "0", "PYTHONUNBUFFERED": "1"}
    return {**os.environ, **children, **others, **worker.environment}


async def _spawn(module: str, env: Mapping[str, str], log: Path) -> asyncio.subprocess.Process:
    with log.open("wb") as file:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            env=env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=file,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )


async def _submit(session: aiohttp.ClientSession, endpoint: str, audio: bytes) -> str:
    job_input = {"audio": base64.b64encode(audio).decode()}
    async with session.post(f"{endpoint}/run", json={"input": job_input}) as answer:
        answer.raise_for_status()
        return str((await answer.json())["id"])


async def _until_ready(
    running: LocalPlatform, name: str, worker_id: str, process: asyncio.subprocess.Process, log: Path
) -> None:
    while not running.worker_is_ready(name, worker_id):
        if process.returncode is not None:
            raise SystemExit(f"the {name} worker did not start:\n{_end_of(log)}")
        await asyncio.sleep(LOOK_S)


async def _result(session: aiohttp.ClientSession, url: str, log: Path) -> None:
    view: dict[str, Any] = {"status": "IN_QUEUE"}
    while view["status"] in {"IN_QUEUE", "IN_PROGRESS"}:
        async with session.get(url, params={"wait": str(WAIT_MS)}) as answer:
            view = await answer.json()
    if view["status"] != "COMPLETED":
        raise SystemExit(f"the first job ended as {view['status']}: {view.get('error')}\n{_end_of(log)}")


def _libraries(pid: int) -> frozenset[str]:
    """Return the names of the files that a process has mapped; none where there is no /proc."""
    maps = Path(f"/proc/{pid}/maps")
    lines = maps.read_text().splitlines() if maps.exists() else []
    return frozenset(Path(line.split(maxsplit=5)[5]).name for line in lines if "/" in line)


def _end_of(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-2000:]


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), 10)
    _kill(process)
    await process.wait()


def _kill(process: asyncio.subprocess.Process) -> None:
    """Kill the process with all it has started: the SDK's heartbeat is a process too."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
