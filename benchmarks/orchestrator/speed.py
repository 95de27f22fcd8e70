"""Orchestrations per second without faults, the platform and its workers in a process of their own."""

import asyncio
import contextlib
import random
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from benchmarks.orchestrator.answers import answering, diarization_answer, transcription_answer
from benchmarks.orchestrator.judging import overhead_s, percentile
from benchmarks.orchestrator.workers import fast_workers
from common.contract import OrchestrationRequest
from orchestrator.endpoints import RunPodEndpoint
from orchestrator.local.platform import LocalPlatform, PlatformSettings
from orchestrator.pipeline import orchestrate

AT_A_TIME, WARM_UP = 50, 100
SHORTEST_S, LONGEST_S = 0.25, 0.55
DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Orchestrations per second, what they took above their slower child, and the CPU time of one, here."""

    runs: int
    per_s: float
    overhead_p50_ms: float
    overhead_p95_ms: float
    cpu_ms: float


async def serve(seed: int) -> None:
    """Run platform and workers until standard input closes; prints the base URL."""
    dice = random.Random(seed)

    def pause_s() -> float:
        return dice.uniform(SHORTEST_S, LONGEST_S)

    behaviours = {
        "diarization": answering(diarization_answer(), pause_s=pause_s),
        "transcription": answering(transcription_answer(), pause_s=pause_s),
    }
    async with LocalPlatform(tuple(behaviours), PlatformSettings()) as platform, fast_workers(platform, behaviours):
        print(platform.base_url, flush=True)
        await asyncio.to_thread(sys.stdin.read)


@asynccontextmanager
async def served(seed: int) -> AsyncIterator[str]:
    """Yield the base URL of a platform in another process."""
    command = [sys.executable, "-m", "benchmarks.orchestrator", "--serve", str(seed)]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    try:
        assert process.stdout is not None
        yield (await process.stdout.readline()).decode().strip()
    finally:
        assert process.stdin is not None
        process.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 10)
        if process.returncode is None:
            process.kill()
            await process.wait()


async def measured(*, runs: int, seed: int) -> Speed:
    """Return the figures of `runs` orchestrations, `AT_A_TIME` at a time, after some to warm up.

    Those per second are what ended between the first and the last start, while all seats were taken.
    """
    async with (
        served(seed) as base_url,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        seen = _Seen(base_url, session)
        await seen.all_of(WARM_UP + runs)
    started_s, last_s = seen.started_s[WARM_UP], seen.started_s[-1]
    ended = sum(started_s < end_s <= last_s for end_s in seen.ended_s)
    return Speed(
        runs=runs,
        per_s=ended / (last_s - started_s),
        overhead_p50_ms=1000 * percentile(seen.overheads_s[WARM_UP:], 50),
        overhead_p95_ms=1000 * percentile(seen.overheads_s[WARM_UP:], 95),
        cpu_ms=1000 * seen.cpu_s / runs,
    )


class _Seen:
    """What was seen of orchestrations at one platform: when they started and ended, what they took beside."""

    def __init__(self, base_url: str, session: aiohttp.ClientSession) -> None:
        self._speakers, self._words = (
            RunPodEndpoint(name=name, endpoint_id=name, base_url=base_url, api_key="key", session=session)
            for name in ("diarization", "transcription")
        )
        self._request = OrchestrationRequest(audio="https://example.org/a.wav", response_format="verbose_json")
        self.started_s: list[float] = []
        self.ended_s: list[float] = []
        self.overheads_s: list[float] = []  # in the order of their ends
        self.cpu_s = 0.0

    async def all_of(self, runs: int) -> None:
        """Orchestrate `runs` times; the seats are taken one by one, so that not all submit at once."""
        numbers = iter(range(runs))
        await asyncio.gather(*(self._seat(numbers, seat * LONGEST_S / AT_A_TIME) for seat in range(AT_A_TIME)))
        self.cpu_s = time.process_time() - self.cpu_s

    async def _seat(self, numbers: Iterator[int], first_pause_s: float) -> None:
        await asyncio.sleep(first_pause_s)
        for number in numbers:
            if number == WARM_UP:
                self.cpu_s = time.process_time()
            await self._one()

    async def _one(self) -> None:
        started_s = time.perf_counter()
        self.started_s.append(started_s)
        answer = await orchestrate(
            self._request, diarization=self._speakers, transcription=self._words, deadline_s=DEADLINE_S
        )
        self.ended_s.append(time.perf_counter())
        self.overheads_s.append(overhead_s(self.ended_s[-1] - started_s, answer["timings"]))
