"""The fault matrix one level up: a client, the orchestrator worker behind the platform, its children.

Each delivery of the orchestrator's job is a process of its own, so that nothing but the platform can join them.
"""

from typing import Any

import pytest

from common.errors import UnreadableAudioError
from orchestrator.local.faults import (
    Answer,
    Delay,
    DoubleDelivery,
    Drop,
    ExpireResult,
    HalfBody,
    LateProgress,
    LoseWorker,
    Twice,
    html_page,
)
from tests.support.fault_matrix import DEGRADED, EVER, OK, SLOW, STOPPED, At, Child, Matrix, Row, asked_for, play_all
from tests.support.outer_stage import play_outer

O, D, T = At(name="orchestrator"), At(name="diarization"), At(name="transcription")  # noqa: E741 - as d and t
BEFORE, AFTER, LOST = Drop(after=False), Drop(after=True), LoseWorker(after=False)
UNREADABLE = Child(error=UnreadableAudioError("this is not audio", param="audio"))
A_WHILE, LONGER = Child(seconds=0.3), Child(seconds=3.0)


def row(text: str, outcome: str, executed: tuple[int, int, int], *strikes: Any, **more: Any) -> Row:
    return Row(id=text, strikes=strikes, outcome=outcome, executed=executed, **more)


def whiles(*arguments: Any, **more: Any) -> Row:
    return row(*arguments, **({"d": A_WHILE, "t": A_WHILE} | more))


#   phase, fault                    outcome            executed: o, d, t   where it strikes
ROWS = [
    row("nothing", OK, (1, 1, 1)),
    row("submit, dropped before", OK, (1, 1, 1), O("run", BEFORE)),
    row("submit, dropped after", OK, (1, 1, 1), O("run", AFTER)),
    row("submit, arrives twice", OK, (1, 1, 1), O("run", Twice())),
    row("submit, 502 after", OK, (1, 1, 1), O("run", Answer(status=502, after=True))),
    row("submit, 401", "unauthorized@orchestrator", (0, 0, 0), O("run", Answer(status=401))),
    row("queue, worker lost as it takes the job", OK, (1, 1, 1), O("job-take", LoseWorker(after=True))),
    row("queue, delivered twice", OK, (2, 1, 1), O("job-take", DoubleDelivery()),
        O("ping", BEFORE, times=EVER)),  # so that the platform does not learn of it while it runs
    row("queue, delivered twice, one of them stopped", "cancelled@orchestrator", (2, 1, 1),
        O("job-take", DoubleDelivery()), O("job-take", Delay(seconds=0.1, after=True), call=2),
        d=LONGER, t=LONGER, says="cancelled on the"),  # the second joined the first one's children, the end included
    whiles("run, worker lost", OK, (2, 1, 1), O("status", Delay(seconds=0.15)), O("status", LOST)),
    row("run, result lost with its worker", OK, (2, 1, 1), O("job-done", LOST)),
    row("run, result dropped after", OK, (1, 1, 1), O("job-done", AFTER, times=4)),
    row("run, result twice", OK, (1, 1, 1), O("job-done", Twice(), times=EVER)),
    row("run, progress after the result", OK, (1, 1, 1), O("job-done", LateProgress(), times=EVER)),
    row("run, a child's worker lost", OK, (1, 2, 1), D("job-done", LOST)),
    row("run, a child's worker lost twice", "worker_lost@diarization", (1, 2, 1), D("job-done", LOST, times=2)),
    row("run, a child's own error", "unreadable_audio@transcription", (1, 1, 1), t=UNREADABLE),
    row("run, a child's submission lost", OK, (1, 1, 1), T("run", AFTER), D("run", BEFORE)),
    row("run, a child's result expired", "result_expired@diarization", (1, 1, 1), D("status", ExpireResult()), t=SLOW),
    row("run, degraded", DEGRADED, (1, 1, 1), d=UNREADABLE, degrade=True, says="this is not audio"),
    row("poll, dropped after", OK, (1, 1, 1), O("status", AFTER, times=3)),
    row("poll, page and half a body", OK, (1, 1, 1), O("status", html_page()), O("status", HalfBody(), times=2)),
    row("poll, 404", "result_expired@orchestrator", (1, 1, 1), O("status", Delay(seconds=0.3)),
        O("status", Answer(status=404)), d=SLOW, t=SLOW),
    row("result, expired", "result_expired@orchestrator", (1, 1, 1), O("status", ExpireResult())),
    row("cancel", STOPPED, (1, 1, 1), d=SLOW, t=SLOW, stop="running"),
    row("cancel, 502 for a while", STOPPED, (1, 1, 1), O("cancel", Answer(status=502), times=5), d=SLOW, t=SLOW,
        stop="running"),
    row("cancel, stop signal lost", STOPPED, (1, 1, 1), O("job-stop", AFTER, times=4), d=SLOW, t=SLOW, stop="running"),
    row("cancel, the children's dropped", STOPPED, (1, 1, 1), D("cancel", BEFORE, times=3), T("cancel", AFTER, times=3),
        d=SLOW, t=SLOW, stop="running"),
    row("no time left", "deadline_exceeded@orchestrator", (1, 1, 1), d=SLOW, t=SLOW, deadline_s=3.0),
    row("no keys, nothing", OK, (1, 1, 1), knows_keys=False),
    row("no keys, submit dropped", "submission_unknown@orchestrator", (0, 0, 0), O("run", BEFORE), knows_keys=False),
    row("no keys, a child's submission dropped", "submission_unknown@diarization", (1, 0, 1), D("run", BEFORE),
        t=SLOW, knows_keys=False),
    whiles("no keys, worker lost", OK, (2, 2, 2), O("status", Delay(seconds=0.15)), O("status", LOST),
           knows_keys=False),
]  # fmt: skip


@pytest.fixture(scope="module")
def matrix(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Matrix:
    """Play the rows that are asked for, several at a time."""
    rows = asked_for(request.session, test_outer_row)
    return play_all(rows or ROWS, play_outer, folder=tmp_path_factory.mktemp("left"))


@pytest.mark.parametrize("asked", ROWS, ids=lambda row: row.id)
def test_outer_row(asked: Row, matrix: Matrix):
    seen = matrix.played[asked.id]
    assert (seen.outcome, seen.executed, seen.left) == (asked.outcome, asked.executed, asked.left)
    assert asked.says in seen.says
    assert seen.late_s <= 0
    assert seen.tasks == []


def test_nothing_is_left_outside(matrix: Matrix):
    assert matrix.left == []
