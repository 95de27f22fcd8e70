from collections import Counter

import pytest

from benchmarks.orchestrator.__main__ import Faulty, document, shares
from benchmarks.orchestrator.answers import diarization_answer, transcription_answer
from benchmarks.orchestrator.faults import ALL, KINDS, scripted
from benchmarks.orchestrator.judging import (
    CANCELLED,
    COMPLETED,
    DEGRADED,
    LOST,
    Executions,
    Run,
    outcome_of,
    outcome_of_error,
    overhead_s,
    percentile,
    table,
)
from benchmarks.orchestrator.speed import Speed
from common.errors import EndpointError, UnreadableAudioError

WORDS = [{"word": "a", "speaker": "S0"}, {"word": "b", "speaker": "S1"}]
SILENT = [{"word": "a"}, {"word": "b"}]
SAID = ["diarization failed, so that words have no speakers: no audio"]


def run(outcome: str = COMPLETED, *, took_s: float = 1.0, left: int = 0) -> Run:
    return Run(outcome=outcome, took_s=took_s, deadline_s=2.0, left=left)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ({"words": WORDS, "diarization": "completed", "warnings": []}, COMPLETED),
        ({"words": SILENT, "diarization": "failed", "warnings": SAID}, DEGRADED),
        ({"words": SILENT, "diarization": "failed", "warnings": []}, LOST),
        ({"words": SILENT, "diarization": "completed", "warnings": []}, LOST),
        ({"words": WORDS[:1], "diarization": "completed", "warnings": []}, LOST),
    ],
)
def test_a_result_that_lacks_anything_is_lost(answer, outcome):
    assert outcome_of(answer, words=2) == outcome


def test_an_error_has_a_code_and_says_something_or_is_lost():
    remote = {"code": "empty_audio", "message": "no samples"}
    assert outcome_of_error(EndpointError("no samples", endpoint="diarization", remote=remote)) == "empty_audio"
    assert outcome_of_error(UnreadableAudioError("")) == LOST
    assert outcome_of_error(RuntimeError("Session is closed")) == LOST


@pytest.mark.parametrize(("percent", "value"), [(0, 1), (50, 5), (95, 10), (100, 10), (10, 1), (11, 2)])
def test_percentiles_are_values_that_occurred(percent, value):
    assert percentile(list(range(10, 0, -1)), percent) == value


def test_percentile_of_nothing():
    assert percentile([], 95) == 0.0


def test_overhead_is_above_the_slower_child():
    timings = {
        "diarization_queue_s": 0.1,
        "diarization_execution_s": 0.4,
        "transcription_queue_s": 0.3,
        "transcription_execution_s": 0.1,
    }
    assert overhead_s(0.52, timings) == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("begun", "explained", "doubled"),
    [
        ([{"job-1": 1}], {}, 0),
        ([{"job-1": 2}], {"job-1": 1}, 0),  # its worker was lost
        ([{"job-1": 2}], {}, 1),
        ([{"job-1": 2}], {"job-2": 5}, 1),  # what befell another job explains nothing
        ([{"job-1": 1, "job-2": 1}], {"job-1": 5}, 1),  # a second job is nobody's fault but ours
        ([{"job-1": 3}, {"job-2": 2}], {"job-1": 1, "job-2": 1}, 1),
        ([], {"job-1": 3}, 0),
    ],
)
def test_what_was_executed_too_often(begun, explained, doubled):
    jobs = {("diarization", f"request-{number}"): Counter(one) for number, one in enumerate(begun)}
    executions = Executions(jobs=jobs, explained=Counter(explained))
    assert executions.doubled() == doubled
    assert set(executions.again()) == {name for one in begun for name, times in one.items() if times > 1}


def test_table_has_a_column_for_each_outcome():
    lines = table({"delays": [run(), run()], "429": [run("rate_limited"), run(CANCELLED)]})
    assert lines == [
        "        completed  cancelled  rate_limited",
        "delays          2          .             .",
        "429             .          1             1",
        "in all          2          1             1",
    ]


def test_json_counts_what_must_not_be():
    fast = Speed(runs=9, per_s=123.456, overhead_p50_ms=1.0, overhead_p95_ms=9.87, cpu_ms=4.0)
    runs = {"delays": [run(), run(LOST), run(took_s=2.1)], "429": [run("rate_limited", left=2)]}
    assert document(Faulty(runs=runs, doubled=1, left=["a task"]), fast) == {
        "runs": 4,
        "per_s": 123.5,
        "overhead_p95_ms": 9.9,
        "lost": 1,
        "doubled": 1,
        "hung": 1,
        "leaked": 3,
    }


@pytest.mark.parametrize("runs", [200, 1000])
def test_all_kinds_of_faults_get_their_share(runs):
    given = shares(runs)
    assert (sum(given.values()), set(given)) == (runs, {*KINDS, ALL})
    assert min(given.values()) >= 10
    for kind in given:
        script, doubles = scripted(kind, seed=1)
        assert (script.injected, doubles.jobs) == ([], Counter())


def test_fake_answers_have_the_words_that_are_counted():
    assert len(transcription_answer()["words"]) == 20
    assert diarization_answer()["num_speakers"] == 2
