"""What comes of every fault in every phase of an orchestration, and how many child jobs were executed for it.

Each row is a real orchestration over sockets. Every one ends by its deadline, in one state, with no job, task,
session or file left; a failure names the endpoint and what happened.
"""

from dataclasses import replace
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
from tests.support.fault_matrix import (
    ANSWERS,
    DEAF,
    DEGRADED,
    EVER,
    OK,
    SLOW,
    STOPPED,
    At,
    Child,
    Matrix,
    Row,
    asked_for,
    play,
    play_all,
    row,
)
from tests.support.fault_stage import SETTINGS

D, T, BOTH = At(name="diarization"), At(name="transcription"), At(name="*")
SHORT_S = 2.0  # a deadline that is to pass
BEFORE, AFTER = Drop(after=False), Drop(after=True)
HELD = Delay(seconds=0.0)  # no fault, but what it strikes waits until both children have begun
UNREADABLE = Child(error=UnreadableAudioError("this is not audio", param="audio"))


def status(text: str) -> Answer:
    return Answer(status=200, text=text)


#   phase, fault                      outcome             executed: d, t   where it strikes
SUBMIT = [
    row("submit, late", OK, 1, 1, BOTH("run", Delay(seconds=0.1), times=2)),
    row("submit, answered late", OK, 1, 1, BOTH("run", Delay(seconds=0.1, after=True), times=2)),
    row("submit, dropped before, d", OK, 1, 1, D("run", BEFORE)),
    row("submit, dropped before, t", OK, 1, 1, T("run", BEFORE)),
    row("submit, dropped after, d", OK, 1, 1, D("run", AFTER)),
    row("submit, dropped after, t", OK, 1, 1, T("run", AFTER)),
    row("submit, dropped after, both", OK, 1, 1, BOTH("run", AFTER)),
    row("submit, dropped for ever", "endpoint_unreachable@diarization", 0, 1, D("run", BEFORE, times=EVER)),
    row("submit, 429", OK, 1, 1, D("run", Answer(status=429), times=3)),
    row("submit, 429 with seconds", OK, 1, 1, D("run", Answer(status=429, retry_after="0.2"))),
    row("submit, 429 with a date", OK, 1, 1, D("run", Answer(status=429, retry_after="Wed, 21 Oct 2015 07:28:00 GMT"))),
    row("submit, 429 for ever", "rate_limited@diarization", 0, 1, D("run", Answer(status=429), times=EVER)),
    row("submit, 429 longer than there is time", "deadline_exceeded@diarization", 0, 1,
        D("run", Answer(status=429, retry_after="3600"), times=EVER), deadline_s=SHORT_S),
    row("submit, 502 before", OK, 1, 1, D("run", Answer(status=502))),
    row("submit, 502 after", OK, 1, 1, D("run", Answer(status=502, after=True))),
    row("submit, 503 with seconds", OK, 1, 1, BOTH("run", Answer(status=503, retry_after="0.1"), times=2)),
    row("submit, 500 for ever", "endpoint_unreachable@transcription", 1, 0, T("run", Answer(status=500), times=EVER)),
    row("submit, page before", OK, 1, 1, D("run", html_page())),
    row("submit, page after", OK, 1, 1, D("run", html_page(after=True))),
    row("submit, half a body", OK, 1, 1, D("run", HalfBody())),
    row("submit, arrives twice", OK, 1, 1, BOTH("run", Twice(), times=2)),
    row("submit, 401", "unauthorized@diarization", 0, 1, D("run", Answer(status=401))),
    row("submit, 403", "unauthorized@transcription", 1, 0, T("run", Answer(status=403))),
    row("submit, 404", "not_found@diarization", 0, 1, D("run", Answer(status=404))),
    row("submit, 400", "endpoint_failed@diarization", 0, 1, D("run", Answer(status=400))),
    row("submit, 413", "input_too_large@diarization", 0, 1, D("run", Answer(status=413))),
    row("submit, 422", "idempotency_conflict@diarization", 0, 1, D("run", Answer(status=422))),
    row("submit, no id", "endpoint_failed@diarization", 0, 1, D("run", status("{}")), says="did not accept the job"),
    row("submit, id of another kind", "endpoint_failed@transcription", 1, 0, T("run", status('{"id": 7}'))),
    row("submit, a list", OK, 1, 1, D("run", status("[1]"))),
    row("submit, dropped after and the look-up 500", OK, 1, 1,
        D("run", AFTER), D("idempotency", Answer(status=500), times=3)),
    row("submit, dropped after and the look-up 429", OK, 1, 1,
        D("run", AFTER), D("idempotency", Answer(status=429, retry_after="0.1"))),
    row("submit, dropped after, no look-up", "submission_unknown@diarization", 1, 1,
        D("run", AFTER), D("idempotency", Answer(status=500), times=EVER), d=SLOW, left=1, says="was not sent again"),
    row("submit, no time left", "deadline_exceeded@diarization", 0, 1,
        D("run", Delay(seconds=9.0)), deadline_s=SHORT_S),
]  # fmt: skip
QUEUE = [
    row("queue, workers come late", OK, 1, 1, BOTH("job-take", Delay(seconds=0.1), times=4)),
    row("queue, job handed out late", OK, 1, 1, BOTH("job-take", Delay(seconds=0.1, after=True), times=2)),
    row("queue, worker's request dropped", OK, 1, 1, BOTH("job-take", BEFORE, times=4)),
    row("queue, 5xx for the worker", OK, 1, 1, BOTH("job-take", Answer(status=502), times=4)),
    row("queue, page for the worker", OK, 1, 1, BOTH("job-take", html_page(), times=4)),
    row("queue, worker lost as it takes the job", OK, 1, 1, D("job-take", LoseWorker(after=True))),
    row("queue, worker lost again and again", "worker_lost@diarization", 0, 1,
        D("job-take", LoseWorker(after=True), times=2)),
    row("queue, delivered twice", OK, 2, 1, D("job-take", DoubleDelivery())),
    row("queue, delivery lost", "engine_failed@diarization", 0, 1, D("job-take", AFTER), says="without a result"),
    row("queue, no worker in time", "deadline_exceeded@diarization", 0, 1,
        D("job-take", Delay(seconds=9.0), times=EVER), deadline_s=SHORT_S, says="beside it 0 jobs wait there"),
]  # fmt: skip
RUN = [
    row("run, progress after the result", OK, 1, 1, BOTH("job-done", LateProgress(), times=EVER)),
    row("run, result dropped before", OK, 1, 1, D("job-done", BEFORE, call=2, times=2)),
    row("run, result dropped after", OK, 1, 1, D("job-done", AFTER, call=2, times=2)),
    row("run, result twice", OK, 1, 1, BOTH("job-done", Twice(), times=EVER)),
    row("run, result late", OK, 1, 1, BOTH("job-done", Delay(seconds=0.1), times=EVER)),
    row("run, result refused with 502", OK, 1, 1, D("job-done", Answer(status=502), call=2, times=2)),
    row("run, result never taken", "deadline_exceeded@diarization", 1, 1,
        D("job-done", BEFORE, times=EVER), D("ping", BEFORE, times=EVER), deadline_s=SHORT_S),
    row("run, pings lost", OK, 1, 1, BOTH("ping", BEFORE, times=EVER)),
    row("run, worker lost", OK, 2, 1, D("job-done", LoseWorker(after=False), call=2)),
    row("run, both workers lost", OK, 2, 2, D("job-done", LoseWorker(after=False)),
        T("job-done", LoseWorker(after=False))),
    row("run, worker lost twice", "worker_lost@diarization", 2, 1, D("job-done", LoseWorker(after=False), times=2)),
    row("run, worker's own error, d", "unreadable_audio@diarization", 1, 1, D("job-done", HELD),
        d=UNREADABLE),
    row("run, worker's own error, t", "unreadable_audio@transcription", 1, 1,
        T("job-done", HELD), t=UNREADABLE),
    row("run, longer than its execution timeout", "deadline_exceeded@diarization", 1, 1,
        d=Child(seconds=50.0), execution_timeout_s=0.2, says="executionTimeout"),
    row("run, longer than there is time", "deadline_exceeded@transcription", 1, 1,
        t=Child(seconds=50.0), d=Child(), deadline_s=SHORT_S),
    row("run, result above the limit", "output_too_large@diarization", 1, 1, D("job-done", HELD),
        d=Child(output={"x": "y" * 50_000}), settings=replace(SETTINGS, result_max_bytes=40_000)),
]  # fmt: skip
POLL = [
    row("poll, late", OK, 1, 1, BOTH("status", Delay(seconds=0.1), times=2)),
    row("poll, dropped before", OK, 1, 1, BOTH("status", BEFORE, times=3)),
    row("poll, dropped after", OK, 1, 1, BOTH("status", AFTER, times=3)),
    row("poll, 429", OK, 1, 1, D("status", Answer(status=429), times=3)),
    row("poll, 429 with seconds", OK, 1, 1, D("status", Answer(status=429, retry_after="0.1"), times=2)),
    row("poll, 502", OK, 1, 1, BOTH("status", Answer(status=502), times=3)),
    row("poll, page", OK, 1, 1, BOTH("status", html_page(), times=3)),
    row("poll, half a body", OK, 1, 1, BOTH("status", HalfBody(), times=3)),
    row("poll, a list", OK, 1, 1, D("status", status("[]"), times=3)),
    row("poll, no status", OK, 1, 1, D("status", status('{"id": "x"}'), times=3)),
    row("poll, unknown state", OK, 1, 1, BOTH("status", status('{"status": "THROTTLED"}'), times=3)),
    row("poll, running, then queued", OK, 1, 1,
        D("status", status('{"status": "IN_PROGRESS", "output": {"progress": 0.9}}')),
        D("status", status('{"status": "IN_QUEUE"}'), call=2)),
    row("poll, worker lost", OK, 2, 1, D("status", Delay(seconds=0.05)), D("status", LoseWorker(after=False)),
        d=Child(seconds=0.1)),
    row("poll, 5xx for ever", "endpoint_unreachable@diarization", 1, 1, D("status", Answer(status=503), times=EVER)),
    row("poll, pages for ever", "endpoint_unreachable@transcription", 1, 1, T("status", html_page(), times=EVER)),
    row("poll, 401", "unauthorized@diarization", 1, 1, D("status", Answer(status=401)), d=SLOW),
    row("poll, 403", "unauthorized@transcription", 1, 1, T("status", Answer(status=403)), t=SLOW),
    row("poll, 404", "result_expired@diarization", 1, 1, D("status", Answer(status=404)), d=SLOW),
    row("poll, 400", "endpoint_failed@diarization", 1, 1, D("status", Answer(status=400)), d=SLOW),
    row("poll, no time left", "deadline_exceeded@diarization", 1, 1,
        D("status", Delay(seconds=9.0), times=EVER), deadline_s=SHORT_S),
]  # fmt: skip
RESULT = [
    row("result, expired", "result_expired@diarization", 1, 1, D("status", ExpireResult())),
    row("result, expired but waited for", OK, 1, 1, D("job-done", ExpireResult(after=True), call=2)),
    row("result, dropped on its way", OK, 1, 1, D("status", AFTER, times=2), T("status", AFTER, times=2)),
    row("result, half of it", OK, 1, 1, BOTH("status", HalfBody(), times=2)),
    row("result, null", "endpoint_failed@diarization", 1, 1, D("status", HELD), d=Child(output=None)),
    row("result, text", "endpoint_failed@diarization", 1, 1, D("status", HELD), d=Child(output="done")),
    row("result, the other endpoint's, d", "endpoint_failed@diarization", 1, 1, D("status", HELD),
        d=Child(output=ANSWERS["transcription"]), says="DIARIZATION_ENDPOINT_ID"),
    row("result, the other endpoint's, t", "endpoint_failed@transcription", 1, 1,
        t=Child(output=ANSWERS["diarization"]), d=Child(), says="TRANSCRIPTION_ENDPOINT_ID"),
    row("result, failed without a word", "endpoint_failed@diarization", 1, 1,
        D("status", status('{"status": "FAILED"}')), says="failed without a message"),
    row("result, timed out", "deadline_exceeded@diarization", 1, 1, D("status", status('{"status": "TIMED_OUT"}'))),
    row("result, cancelled by others", "cancelled@diarization", 1, 1, D("status", status('{"status": "CANCELLED"}'))),
    row("result, packed in no known way", "endpoint_failed@diarization", 1, 1, D("status", HELD),
        d=Child(output={"packed": {"encoding": "rot13"}}), says="no known encoding"),
]  # fmt: skip


def stopped(text: str, executed_d: int, executed_t: int, *strikes: Any, **more: Any) -> Row:
    return row(text, STOPPED, executed_d, executed_t, *strikes, **({"d": SLOW, "t": SLOW, "stop": "running"} | more))


CANCEL = [
    stopped("cancel, while both run", 1, 1),
    stopped("cancel, late", 1, 1, BOTH("cancel", Delay(seconds=0.1), times=2)),
    stopped("cancel, dropped before", 1, 1, BOTH("cancel", BEFORE, times=4)),
    stopped("cancel, dropped after", 1, 1, BOTH("cancel", AFTER, times=4)),
    stopped("cancel, 502 for a while", 1, 1, BOTH("cancel", Answer(status=502), times=5)),
    stopped("cancel, 429", 1, 1, D("cancel", Answer(status=429, retry_after="0.1"), times=2)),
    stopped("cancel, page", 1, 1, BOTH("cancel", html_page(), times=4)),
    stopped("cancel, half a body", 1, 1, BOTH("cancel", HalfBody(), times=4)),
    stopped("cancel, twice", 1, 1, BOTH("cancel", Twice(), times=2)),
    stopped("cancel, 404", 1, 1, D("cancel", Answer(status=404, after=True))),
    stopped("cancel, 502 for ever", 1, 1, D("cancel", Answer(status=502), times=EVER), left=1),
    stopped("cancel, 401", 1, 1, D("cancel", Answer(status=401), times=EVER), left=1),
    stopped("cancel, stop signal lost", 1, 1, BOTH("job-stop", AFTER, times=4)),
    stopped("cancel, nobody heeds the signal", 1, 1, d=DEAF, t=DEAF),
    stopped("cancel, in the queue", 0, 0, BOTH("job-take", Delay(seconds=9.0), times=EVER), stop="queued"),
    stopped("cancel, submission late", 0, 0, BOTH("run", Delay(seconds=0.1), times=2),
            BOTH("job-take", Delay(seconds=9.0), times=EVER), stop="struck"),
    stopped("cancel, submission's answer late", 1, 1, BOTH("run", Delay(seconds=0.1, after=True), times=2)),
    stopped("cancel, submission's answer never", 1, 1, BOTH("run", Delay(seconds=9.0, after=True), times=2)),
    stopped("cancel, submission lost", 1, 1, BOTH("run", AFTER, times=2),
        BOTH("idempotency", Delay(seconds=0.1), times=2)),
    stopped("cancel, between submissions", 0, 1, D("run", Answer(status=429, retry_after="9"), times=EVER),
        stop="struck",
            says=""),
]  # fmt: skip


def degraded(text: str, executed_d: int, *strikes: Any, says: str, **more: Any) -> Row:
    return row(text, DEGRADED, executed_d, 1, *strikes, says=says, **({"degrade": True} | more))


DEGRADE = [
    degraded("degrade, submit dropped for ever", 0, D("run", BEFORE, times=EVER), says="broke off its answer"),
    degraded("degrade, submit 429 for ever", 0, D("run", Answer(status=429), times=EVER), says="is rate limited"),
    degraded("degrade, submit 401", 0, D("run", Answer(status=401)), says="set RUNPOD_API_KEY"),
    degraded("degrade, submit 404", 0, D("run", Answer(status=404)), says="check its endpoint id"),
    degraded("degrade, no id", 0, D("run", status("{}")), says="did not accept the job"),
    degraded("degrade, submission unknown", 0, D("run", BEFORE), says="may or may not run", knows_keys=False),
    degraded("degrade, no worker in time", 0, D("job-take", Delay(seconds=9.0), times=EVER),
        says="did not answer within",
             deadline_s=SHORT_S),
    degraded("degrade, worker lost twice", 2, D("job-done", LoseWorker(after=False), times=2),
        says="fell silent 2 times"),
    degraded("degrade, worker's own error", 1, d=UNREADABLE, says="this is not audio"),
    degraded("degrade, poll 5xx for ever", 1, D("status", Answer(status=503), times=EVER), says="answered 503", d=SLOW),
    degraded("degrade, longer than there is time", 1, d=SLOW, says="did not answer within", deadline_s=SHORT_S),
    degraded("degrade, result expired", 1, D("status", ExpireResult()), says="knows its job no more"),
    degraded("degrade, another's result", 1, d=Child(output={"x": 1}), says="something else than its result"),
    row("degrade, cancelled by others", "cancelled@diarization", 1, 1,
        D("status", status('{"status": "CANCELLED"}')), degrade=True),
    row("degrade, transcription fails", "unreadable_audio@transcription", 1, 1, t=UNREADABLE, degrade=True),
]  # fmt: skip


def keyless(text: str, outcome: str, executed_d: int, executed_t: int, *strikes: Any, **more: Any) -> Row:
    return row(f"no keys, {text}", outcome, executed_d, executed_t, *strikes, knows_keys=False, **more)


LOST = "submission_unknown@diarization"
KEYLESS = [
    keyless("nothing fails", OK, 1, 1),
    keyless("submit dropped before", LOST, 0, 1, D("run", BEFORE), says="was not sent again"),
    keyless("submit dropped after", LOST, 1, 1, D("run", AFTER), d=SLOW, left=1, says="may or may not run"),
    keyless("submit 502", LOST, 0, 1, D("run", Answer(status=502))),
    keyless("submit page", LOST, 0, 1, D("run", html_page())),
    keyless("submit half a body", LOST, 1, 1, D("run", HalfBody()), d=SLOW, left=1),
    keyless("submit 429", OK, 1, 1, D("run", Answer(status=429), times=3)),
    keyless("submit late", OK, 1, 1, BOTH("run", Delay(seconds=0.1), times=2)),
    keyless("worker lost", OK, 2, 1, D("job-done", LoseWorker(after=False), call=2)),
    keyless("poll dropped", OK, 1, 1, BOTH("status", AFTER, times=3)),
    keyless("poll 502", OK, 1, 1, BOTH("status", Answer(status=502), times=3)),
    keyless("result expired", "result_expired@diarization", 1, 1, D("job-done", ExpireResult(after=True), call=2)),
    keyless("cancel while both run", STOPPED, 1, 1, d=SLOW, t=SLOW, stop="running"),
    keyless("cancel, submission's answer late", STOPPED, 1, 1, BOTH("run", Delay(seconds=0.1, after=True), times=2),
            d=SLOW, t=SLOW, stop="running"),
]  # fmt: skip


ROWS = [*SUBMIT, *QUEUE, *RUN, *POLL, *RESULT, *CANCEL, *DEGRADE, *KEYLESS]


@pytest.fixture(scope="module")
def matrix(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Matrix:
    """Play the rows that are asked for, all at once."""
    rows = asked_for(request.session, test_row)
    return play_all(rows or ROWS, play, folder=tmp_path_factory.mktemp("left"))


@pytest.mark.parametrize("asked", ROWS, ids=lambda row: row.id)
def test_row(asked: Row, matrix: Matrix):
    seen = matrix.played[asked.id]
    assert (seen.outcome, seen.executed, seen.left) == (asked.outcome, asked.executed, asked.left)
    assert asked.says in seen.says
    assert seen.late_s <= 0
    assert (seen.tasks, seen.missed) == ([], [])


def test_nothing_is_left(matrix: Matrix):
    assert matrix.left == []
