"""The orchestrator worker itself behind the platform: each delivery of a job is a process of its own, which can die."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import aiohttp

from benchmarks.orchestrator.answers import PostProgress
from common.errors import EndpointError, parse_runpod_error
from common.settings import load_settings
from orchestrator.endpoints import JobOptions, RunPodEndpoint
from orchestrator.handler import Orchestrator, SharedSession
from tests.support.fault_matrix import Played, Row, ended, moment
from tests.support.fault_stage import Stage, stage
from tests.support.leaks import own_tasks

KEY = "4711"
AUDIO = {"audio": "https://example.org/a.wav", "response_format": "verbose_json"}


class Mortal(SharedSession):
    """The connections of one process; once it is dead, nothing more goes out."""

    def __init__(self) -> None:
        super().__init__()
        self.dead = False

    async def get(self) -> aiohttp.ClientSession:
        return self.session

    @asynccontextmanager
    async def alive(self) -> AsyncIterator["Mortal"]:
        trace = aiohttp.TraceConfig()
        trace.on_request_start.append(self._started)
        async with aiohttp.ClientSession(trace_configs=[trace]) as self.session:
            yield self

    async def _started(self, *_: SimpleNamespace | aiohttp.ClientSession | aiohttp.TraceRequestStartParams) -> None:
        if self.dead:
            raise aiohttp.ClientConnectionError("the process is dead")


class Process(Orchestrator):
    """An orchestrator worker with one job."""

    def __init__(self, base_url: str, connections: Mortal, post: PostProgress, *, deadline_s: float) -> None:
        names = {f"{name.upper()}_ENDPOINT_ID": name for name in ("diarization", "transcription")}
        times = {"JOB_DEADLINE_SECONDS": str(deadline_s)}
        settings = load_settings({"RUNPOD_BASE_URL": base_url, "RUNPOD_API_KEY": "key", **names, **times})
        super().__init__(settings, post=lambda _, progress: post(progress))
        self._connections = connections


class Processes:
    """Starts a process for each delivered job; a kill cuts it off, a stop signal cancels it."""

    def __init__(self, row: Row) -> None:
        self._row = row
        self.scene: Stage | None = None

    async def behave(self, job_id: str, job_input: Mapping[str, Any], post_progress: PostProgress) -> dict[str, Any]:
        scene = self.scene
        assert scene is not None
        async with Mortal().alive() as connections:
            process = Process(scene.platform.base_url, connections, post_progress, deadline_s=self._row.deadline_s)
            work = asyncio.ensure_future(process({"id": job_id, "input": dict(job_input)}))
            try:
                answer = await asyncio.shield(work)
            except asyncio.CancelledError:
                connections.dead = ("orchestrator", job_id) not in scene.workers.stopped
                work.cancel()
                while not work.done():  # a stop may be told twice
                    with contextlib.suppress(asyncio.CancelledError):
                        await asyncio.wait([work])
                raise
        if "error" in answer:
            remote = parse_runpod_error(answer["error"])
            raise EndpointError(remote["message"], endpoint="orchestrator", remote=remote)
        return answer


async def play_outer(row: Row) -> Played:
    """Play a row in which a client calls the orchestrator endpoint; `executed` are the jobs of (o, d, t) begun."""
    processes = Processes(row)
    children = {"diarization": row.d.behaving("diarization"), "transcription": row.t.behaving("transcription")}
    behaviours = {"orchestrator": processes.behave, **children}
    async with stage(row.strikes, behaviours, knows_keys=row.knows_keys, settings=row.settings) as scene:
        processes.scene = scene
        work = asyncio.create_task(_called(row, scene))
        if row.stop is not None:
            await moment(row, scene)
            work.cancel()
        outcome, says, late_s = await ended(row, work)
        left = await scene.settled(row.left)
        executed, tasks = scene.executed("orchestrator", "diarization", "transcription"), own_tasks()
    return Played(outcome=outcome, says=says, executed=executed, left=left, late_s=late_s, tasks=tasks)


async def _called(row: Row, scene: Stage) -> dict[str, Any]:
    degrade = {"on_diarization_failure": "degrade"} if row.degrade else {}
    result = await scene.endpoint("orchestrator", kind=RunPodEndpoint).run(
        {**AUDIO, **degrade, "idempotency_key": KEY},
        deadline_s=row.deadline_s,
        options=JobOptions(idempotency_key=KEY),
    )
    return dict(result.output)
