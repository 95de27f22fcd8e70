import math
import time

import numpy as np
import pytest

from benchmarks.diarization import meter
from benchmarks.diarization.arms import Arm, kept
from benchmarks.diarization.endurance import Ticks, cancel_s, endure, longest_silences
from benchmarks.diarization.measure import compare, measured, warm_up
from benchmarks.diarization.meter import megabytes, metered
from benchmarks.diarization.recordings import Recording
from benchmarks.diarization.repeats import repeat
from common.errors import JobCancelledError
from common.timeline import Turn
from handlers.diarization.engine import Diarization
from handlers.diarization.fake import FakeDiarization

RATE = 16_000
release_memory = meter.release_memory
TRUTH = (Turn(0, 6, "a"), Turn(6, 10, "b"))


@pytest.fixture(autouse=True)
def _no_release(monkeypatch):
    """Collecting garbage takes long in a process that has loaded models before."""
    monkeypatch.setattr(meter, "release_memory", lambda: None)


def recording(name="talk"):
    samples = np.zeros(10 * RATE, np.float32)
    return Recording(name=name, kind="real", samples=samples, turns=TRUTH, uem=((0.0, 10.0),))


def arm(name, order, *turns, timed=True):
    def find_turns(samples):
        order.append((name, len(samples) / RATE))
        return tuple(Turn(*turn) for turn in turns)

    return Arm(model="fake", device="cpu", find_turns=find_turns, timed=timed)


def contestants(order):
    return {
        "stock": arm("stock", order, (0, 6, "x"), (6, 10, "y")),
        "fast": arm("fast", order, (0, 6, "x"), (6, 9, "y")),
        "trial": arm("trial", order, (0, 10, "x"), timed=False),
    }


def test_the_arms_take_turns_at_who_goes_first():
    order = []
    list(measured([recording(), recording()], contestants(order)))
    assert [name for name, _ in order] == ["stock", "fast", "trial", "trial", "fast", "stock"]


def test_a_row_has_the_errors_of_all_and_the_agreement_of_two():
    row = compare(recording(), contestants([]))
    assert {name: run.errors.der for name, run in row.runs.items()} == {"stock": 0.0, "fast": 10.0, "trial": 40.0}
    assert [run.speakers for run in row.runs.values()] == [2, 2, 1]
    assert (row.speakers, row.difference, row.agreement.der) == (2, 10.0, 10.0)
    assert row.runs["trial"].cost is None
    assert row.runs["fast"].cost.seconds > 0


def test_arms_with_other_names_are_not_compared_with_each_other():
    row = compare(recording(), {"0.5": arm("0.5", [], (0, 10, "x")), "1": arm("1", [], (0, 10, "x"))})
    assert (list(row.runs), row.agreement) == (["0.5", "1"], None)


def test_when_time_is_up_only_the_first_recording_is_run(capsys):
    rows = list(measured([recording("one"), recording("two")], contestants([]), until=-math.inf))
    assert [row.name for row in rows] == ["one"]
    assert capsys.readouterr().out == "two left out: no time\n"


def test_what_is_timed_is_warmed_up_on_more_than_one_window():
    order = []
    warm_up(contestants(order), Recording(name="", kind="", samples=np.zeros(20 * RATE), turns=(), uem=()))
    assert order == [("stock", 12.0), ("fast", 12.0)]


def test_memory_above_what_there_was_is_measured(monkeypatch):
    monkeypatch.setattr(meter, "release_memory", release_memory)

    def work():
        held = np.ones(100_000_000, np.uint8)
        time.sleep(0.12)  # the memory is looked at twenty times a second
        return len(held)

    result, cost = metered(work, device="cpu")
    assert result == 100_000_000
    assert 90 <= megabytes(cost.peak_bytes) <= 150
    assert (cost.gpu_bytes, cost.seconds >= 0.12, cost.cpu_s < cost.seconds + 0.1) == (0, True, True)


def test_kept_turns_are_those_of_the_same_samples_made_the_same_way(tmp_path):
    made = []

    def make():
        made.append(1)
        return TRUTH

    samples = np.zeros(8, np.float32)
    assert kept(tmp_path, "one", samples, make) == kept(tmp_path, "one", samples, make) == TRUTH
    assert len(made) == 1
    kept(tmp_path, "two", samples, make)
    kept(tmp_path, "two", samples + 1, make)
    assert len(made) == 3


class Stepping:
    """Does nothing in five steps, and forgets to tell of the last."""

    device = "cpu"

    def diarize(self, samples, *, count, tick):
        for stage, fraction in (("segmentation", 0.0), ("segmentation", 0.3), ("embeddings", 0.5), ("clustering", 0.9)):
            tick(stage, fraction)
        return Diarization(turns=TRUTH, exclusive=TRUTH, embeddings={})


def test_a_job_is_cancelled_right_after_the_call_that_was_asked_for():
    ticks = Ticks(cancel_at=("embeddings", 0.4))
    ticks("segmentation", 0.4)
    ticks("embeddings", 0.3)
    ticks("embeddings", 0.5)
    with pytest.raises(JobCancelledError, match=r"before 0\.600 of embeddings"):
        ticks("embeddings", 0.6)
    assert ticks.cancelled_s == ticks.calls[2].at_s


def test_the_longest_silence_of_each_stage_lasts_until_the_next_call_of_any(monkeypatch):
    clock = iter([0.0, 1.0, 5.0, 6.0, 6.5])
    monkeypatch.setattr("benchmarks.diarization.endurance.time.perf_counter", lambda: next(clock))
    ticks = Ticks()
    for stage, fraction in (("s", 0.0), ("s", 0.2), ("e", 0.5), ("e", 0.9), ("the end", 1.0)):
        ticks(stage, fraction)
    found = [(one.stage, one.fraction, one.seconds) for one in longest_silences(ticks.calls)]
    assert found == [("s", 0.2, 4.0), ("e", 0.5, 1.0)]


def test_a_job_that_never_comes_to_the_asked_stage_is_no_measurement():
    with pytest.raises(RuntimeError, match=r"never told of 0\.000 of counting"):
        cancel_s(Stepping(), np.zeros(8, np.float32), stage="counting", fraction=0.0)


def test_the_long_job_is_cancelled_once_in_every_stage_of_its_first_half(capsys):
    found = endure(Stepping(), np.zeros(3600 * 16, np.float32))
    assert list(found["silence_s"]) == ["segmentation", "embeddings", "clustering"]
    assert list(found["cancel_s"]) == ["segmentation", "embeddings"]
    assert (found["audio_h"], found["turns"], found["speakers"], found["audio_mb"]) == (0.001, 2, 2, 1)
    assert capsys.readouterr().out.startswith("2 turns of 2 speakers\n")


def test_different_answers_are_counted():
    assert repeat(FakeDiarization(), [recording()], times=3) == {
        "talk": {"runs": 3, "different_segments": 1, "different_results": 1}
    }

    class Moody(FakeDiarization):
        runs = 0

        def diarize(self, samples, *, count, tick):
            self.runs += 1
            turns = (Turn(0, self.runs % 2 + 1, "x"),)
            return Diarization(turns=turns, exclusive=turns, embeddings={"x": [float(self.runs)]})

    assert repeat(Moody(), [recording()], times=3)["talk"] == {
        "runs": 3,
        "different_segments": 2,
        "different_results": 3,
    }
