"""Orchestrations against fake workers while everything fails at random: each is to end once, in time, for good."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from benchmarks.orchestrator.answers import Behave, PostProgress, diarization_answer, transcription_answer
from benchmarks.orchestrator.faults import scripted
from benchmarks.orchestrator.judging import CANCELLED, Executions, Run, outcome_of, outcome_of_error
from benchmarks.orchestrator.workers import fast_workers
from common.contract import OrchestrationRequest
from common.errors import UnreadableAudioError
from orchestrator.endpoints import RunPodEndpoint
from orchestrator.local.faults import FaultScript
from orchestrator.local.platform import LocalPlatform, PlatformSettings
from orchestrator.pipeline import Orchestration, orchestrate

AT_A_TIME = 50
ANSWERS = {"diarization": diarization_answer(), "transcription": transcription_answer()}
WORDS = len(ANSWERS["transcription"]["words"])
AUDIO = "https://example.org/a.wav"
PING_S = 0.2
GRACE_S = 3.0  # for stop signals to arrive that were lost at first
HUNG_S = 5.0  # after a deadline nobody waits any more
STUCK_S = 600.0
ASKED = 20
STUCK, BROKEN, IMPATIENT = 0.02, 0.02, 0.05  # shares of jobs that never end or fail, of callers who give up


@dataclass(kw_only=True)
class Scene:
    """What all orchestrations under one kind of faults share."""

    platform: LocalPlatform
    session: aiohttp.ClientSession
    dice: random.Random
    running: Counter[str] = field(default_factory=Counter)  # by request
    begun: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)

    def behaving(self, name: str) -> Behave:
        """Return what a fake worker does: it takes 0.05 to 0.3 s, a few never end, a few fail."""

        async def behave(job_id: str, job_input: Mapping[str, Any], post_progress: PostProgress) -> dict[str, Any]:
            request_id, fate = str(job_input["request_id"]), self.dice.random()
            self.begun.setdefault((name, request_id), Counter())[job_id] += 1
            with self._noted(request_id):
                await post_progress({"stage": name, "progress": 0.5})
                await asyncio.sleep(STUCK_S if fate < STUCK else self.dice.uniform(0.05, 0.3))
            if fate > 1 - BROKEN:
                raise UnreadableAudioError("this is not audio", param="audio")
            return ANSWERS[name]

        return behave

    @contextmanager
    def _noted(self, request_id: str) -> Iterator[None]:
        self.running[request_id] += 1
        try:
            yield
        finally:
            self.running[request_id] -= 1

    def endpoint(self, name: str) -> RunPodEndpoint:
        """Return one of the endpoints."""
        return RunPodEndpoint(
            name=name, endpoint_id=name, base_url=self.platform.base_url, api_key="key", session=self.session
        )


@asynccontextmanager
async def _set_up(script: FaultScript, dice: random.Random) -> AsyncIterator[Scene]:
    settings = PlatformSettings(stop_settle_s=0.0, sweep_interval_s=0.05)
    async with (
        LocalPlatform(tuple(ANSWERS), settings, faults=script) as platform,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        scene = Scene(platform=platform, session=session, dice=dice)
        behaviours = {name: scene.behaving(name) for name in ANSWERS}
        async with fast_workers(platform, behaviours, concurrency=4, workers_each=15, ping_s=PING_S):
            yield scene


async def under(kind: str, *, runs: int, seed: int) -> tuple[list[Run], Executions]:
    """Return how `runs` orchestrations ended under one kind of faults, and what was executed for them."""
    script, doubles = scripted(kind, seed=seed)
    dice = random.Random(f"{seed} {kind}")
    seats = asyncio.Semaphore(AT_A_TIME)
    async with _set_up(script, dice) as scene:

        async def one(number: int) -> Run:
            async with seats:
                return await _ended(scene, f"{kind}-{number}".replace(" ", "-"))

        ended = await asyncio.gather(*map(one, range(runs)))
        executions = Executions(jobs=scene.begun, explained=Counter(doubles.jobs))
        for name in ANSWERS:
            executions.explained.update(await _begun_again(scene, name, executions.again()))
    return ended, executions


async def _ended(scene: Scene, request_id: str) -> Run:
    deadline_s, impatient = scene.dice.uniform(3.0, 6.0), scene.dice.random() < IMPATIENT
    work = asyncio.create_task(_orchestrated(scene, request_id, deadline_s))
    started_s = time.monotonic()
    if impatient:
        await asyncio.wait([work], timeout=scene.dice.uniform(0.0, 0.3))
        work.cancel()
    await asyncio.wait([work], timeout=deadline_s + HUNG_S)
    took_s = time.monotonic() - started_s
    if work.cancelled():
        outcome = CANCELLED
    elif not work.done():
        work.cancel()
        outcome = "hung"
    elif (error := work.exception()) is not None:
        outcome = outcome_of_error(error)
    else:
        outcome = outcome_of(work.result(), words=WORDS)
    return Run(outcome=outcome, took_s=took_s, deadline_s=deadline_s, left=await _left(scene, request_id))


async def _orchestrated(scene: Scene, request_id: str, deadline_s: float) -> dict[str, Any]:
    degrade = scene.dice.random() < 0.5
    return await orchestrate(
        OrchestrationRequest(
            audio=AUDIO, response_format="verbose_json", on_diarization_failure="degrade" if degrade else "fail"
        ),
        diarization=scene.endpoint("diarization"),
        transcription=scene.endpoint("transcription"),
        deadline_s=deadline_s,
        run=Orchestration(request_id=request_id, key=request_id),
    )


async def _left(scene: Scene, request_id: str) -> int:
    """Return how many children of a request run on after its end."""
    ends_at = time.monotonic() + GRACE_S
    while scene.running[request_id] and time.monotonic() < ends_at:  # noqa: ASYNC110 - a count that several tasks change
        await asyncio.sleep(0.01)
    return scene.running[request_id]


async def _begun_again(scene: Scene, name: str, job_ids: Iterable[str]) -> Counter[str]:
    """Return how often the platform queued jobs again, whose worker was lost; a job known no more, once at most."""
    again: Counter[str] = Counter()
    for job_id in job_ids:
        again[job_id] = await _retries(scene, f"{scene.platform.base_url}/{name}/status/{job_id}")
    return again


async def _retries(scene: Scene, url: str) -> int:
    for _ in range(ASKED):  # the faults strike here, too
        try:
            async with scene.session.get(url) as answer:
                body = await answer.json()
        except (aiohttp.ClientError, ValueError):
            continue
        if answer.status == 200 and "id" in body:
            return int(body.get("retries", 0))
    return 1  # its result has expired by a fault: one that was lost as well cannot be told from it
