"""The rows of the fault matrix and how one is played: a fault, a phase, what comes of it, how much was executed."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from benchmarks.orchestrator.answers import Behave, PostProgress, diarization_answer, transcription_answer
from common import retries
from common.contract import OrchestrationRequest
from common.errors import ParleyError
from orchestrator import endpoints, polling
from orchestrator.endpoints import PLAIN, JobOptions, JobResult, RunPodEndpoint
from orchestrator.local.faults import Fault
from orchestrator.local.settings import PlatformSettings
from orchestrator.pipeline import orchestrate
from tests.support.fault_stage import SETTINGS, Stage, Strike, stage, told_by, until
from tests.support.leaks import OWNER, left_by, own_tasks

OK, DEGRADED, STOPPED, HUNG = "ok", "degraded", "stopped", "HUNG"
EVER = None
LONG_S, QUICK_S = 60.0, 0.03
AT_A_TIME = 6
ANSWERS = {"diarization": diarization_answer(), "transcription": transcription_answer()}
Moment = Literal["running", "queued", "struck"]


@dataclass(frozen=True, kw_only=True)
class Child:
    """What a child endpoint does with a job: it takes `seconds`, in which it tells of its progress, then answers.

    `deaf` ones go on after a stop signal, and answer all the same.
    """

    seconds: float = QUICK_S
    output: Any = "its own"
    error: ParleyError | None = None
    deaf: bool = False

    def behaving(self, name: str) -> Behave:
        async def behave(_: str, __: Mapping[str, Any], post_progress: PostProgress) -> Any:
            await post_progress({"stage": name, "progress": 0.5})
            try:
                await asyncio.sleep(self.seconds)
            except asyncio.CancelledError:
                if not self.deaf:
                    raise
            if self.error is not None:
                raise self.error
            return ANSWERS[name] if self.output == "its own" else self.output

        return behave


QUICK, SLOW, DEAF = Child(), Child(seconds=LONG_S), Child(seconds=LONG_S, deaf=True)


@dataclass(frozen=True, kw_only=True)
class At:
    """Short hands for the faults of one endpoint: `At(name="diarization").run(fault)` strikes its first /run."""

    name: str

    def __call__(self, route: str, fault: Fault, *, call: int = 1, times: int | None = 1) -> Strike:
        return Strike(self.name, route, fault, call, times)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row; `outcome` is `ok`, `degraded`, `stopped` or `code@endpoint`, `executed` are the jobs of (d, t) begun.

    `says` is in the error's message, or the warning of a degraded result; `left` counts jobs that run on because
    nothing that we send gets through. `stop` cancels the orchestration at that moment.
    """

    id: str
    strikes: tuple[Strike, ...]
    outcome: str
    executed: tuple[int, ...]
    says: str = ""
    left: int = 0
    d: Child = QUICK
    t: Child = QUICK
    stop: Moment | None = None
    degrade: bool = False
    knows_keys: bool = True
    deadline_s: float = 5.0
    execution_timeout_s: float | None = None
    settings: PlatformSettings = SETTINGS

    @property
    def held(self) -> bool:
        """Whether what fails waits for the children to have begun, so that their number is certain."""
        return "@" in self.outcome and self.d is not self.t


def row(text: str, outcome: str, executed_d: int, executed_t: int, *strikes: Strike, **more: Any) -> Row:
    """Return a row; where a child fails, the other one would run for a minute."""
    if "@" in outcome and not outcome.startswith("deadline"):
        more = {"t" if outcome.endswith("diarization") else "d": SLOW} | more
    return Row(id=text, strikes=strikes, outcome=outcome, executed=(executed_d, executed_t), **more)


@dataclass(frozen=True, kw_only=True)
class Played:
    """What came of a row."""

    outcome: str
    says: str
    executed: tuple[int, ...]
    left: int
    late_s: float
    tasks: list[str]
    missed: list[str] = field(default_factory=list)  # faults that struck nothing


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """What came of all rows by id, and what they left behind."""

    played: dict[str, Played]
    left: list[str]


class Hurried(RunPodEndpoint):
    """An endpoint whose jobs get less time to run than there is."""

    execution_timeout_s: float | None = None

    async def run(self, *asked: Any, options: JobOptions = PLAIN, **more: Any) -> JobResult:
        options = JobOptions(idempotency_key=options.idempotency_key, execution_timeout_s=self.execution_timeout_s)
        return await super().run(*asked, options=options, **more)


def asked_for(session: pytest.Session, test: Callable[..., None]) -> list[Row]:
    """Return the rows that `test` is to be run with in this session, by its parameter `asked`."""
    items = [item for item in session.items if isinstance(item, pytest.Function) and item.function is test]
    rows = [item.callspec.params["asked"] for item in items]
    return [row for row in rows if isinstance(row, Row)]


def play_all(rows: Iterable[Row], play: Callable[[Row], Awaitable[Played]], *, folder: Path) -> "Matrix":
    """Play rows, several at a time; `folder` is to be empty, and is where temporary files go meanwhile."""
    played: dict[str, Played] = {}
    seats = asyncio.Semaphore(AT_A_TIME)

    async def one(row: Row) -> None:
        OWNER.set(row.id)
        async with seats:
            played[row.id] = await play(row)

    async def everyone() -> None:
        await asyncio.gather(*map(one, sorted(rows, key=lambda row: row.deadline_s)))  # the long waits first

    with pytest.MonkeyPatch.context() as monkeypatch:
        hurry(monkeypatch)
        return Matrix(left=left_by(everyone, folder=folder), played=played)


async def play(row: Row) -> Played:
    """Play a row to its end."""
    behaviours = {"diarization": row.d.behaving("diarization"), "transcription": row.t.behaving("transcription")}
    async with stage(row.strikes, behaviours, knows_keys=row.knows_keys, held=row.held, settings=row.settings) as scene:
        work = asyncio.create_task(_orchestrated(row, scene))
        if row.stop is not None:
            await moment(row, scene)
            work.cancel()
        outcome, says, late_s = await ended(row, work)
        tasks = own_tasks()
        left = await scene.settled(row.left)
        executed, missed = scene.executed("diarization", "transcription"), missed_by(row, scene.faults.injected)
    return Played(outcome=outcome, says=says, executed=executed, left=left, late_s=late_s, tasks=tasks, missed=missed)


def missed_by(row: Row, injected: list[tuple[str, str, str]]) -> list[str]:
    """Return the faults of a row that did not strike: without them it shows nothing."""
    struck = {(name, route, fault) for endpoint, route, fault in injected for name in (endpoint, "*")}
    missing = (strike for strike in row.strikes if (strike.endpoint, strike.route, strike.fault.name) not in struck)
    return [f"{strike.route} {strike.fault.name}" for strike in missing]


async def ended(row: Row, work: "asyncio.Task[dict[str, Any]]") -> tuple[str, str, float]:
    """Return how `work` ended, what was said of it, and how many seconds after its deadline."""
    started_s = time.monotonic()
    done, _ = await asyncio.wait([work], timeout=row.deadline_s + 1.0)
    late_s = time.monotonic() - started_s - row.deadline_s
    if not done:
        work.cancel()
        return HUNG, "", late_s
    try:
        return *_seen(work.result()), late_s
    except asyncio.CancelledError:
        return STOPPED, "", late_s
    except ParleyError as error:
        return told_by(error), error.message, late_s


def _seen(answer: dict[str, Any]) -> tuple[str, str]:
    words, warned = answer["words"], " ".join(answer["warnings"])
    speakers = {word.get("speaker") for word in words}
    if len(words) == len(ANSWERS["transcription"]["words"]):
        if answer["diarization"] == "completed" and speakers == {"SPEAKER_00", "SPEAKER_01"}:
            return OK, warned
        if answer["diarization"] == "failed" and speakers == {None}:
            return DEGRADED, warned
    return "half a result", warned


async def _orchestrated(row: Row, scene: Stage) -> dict[str, Any]:
    speakers, words = scene.endpoint("diarization", kind=Hurried), scene.endpoint("transcription", kind=Hurried)
    speakers.execution_timeout_s = row.execution_timeout_s
    request = OrchestrationRequest(
        audio="https://example.org/a.wav",
        response_format="verbose_json",
        on_diarization_failure="degrade" if row.degrade else "fail",
    )
    return await orchestrate(request, diarization=speakers, transcription=words, deadline_s=row.deadline_s)


async def moment(row: Row, scene: Stage) -> None:
    """Wait for the moment at which a row is stopped."""
    if row.stop == "running":
        await until(lambda: all(scene.executed("diarization", "transcription")))
    elif row.stop == "struck":
        await until(lambda: bool(scene.faults.injected))
    else:
        await scene.settled(2)


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make all pauses and patience short."""
    for module, name, seconds in [
        (retries, "FIRST_BACKOFF_S", 0.01),
        (retries, "LAST_BACKOFF_S", 0.04),
        (polling, "FIRST_POLL_S", 0.005),
        (polling, "LAST_POLL_S", 0.02),
        (polling, "POLL_PATIENCE_S", 1.2),
        (endpoints, "CANCEL_TIMEOUT_S", 2.0),
        (endpoints, "SHORT_CANCEL_S", 2.0),  # a busy machine may take a second for the few requests of a cancel
        (endpoints, "SHORTEST_EXECUTION_MS", 50),
    ]:
        monkeypatch.setattr(module, name, seconds)
