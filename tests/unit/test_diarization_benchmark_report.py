import json
import math
from pathlib import Path

import pytest

from benchmarks.diarization.__main__ import asked_for
from benchmarks.diarization.measure import Row, Run
from benchmarks.diarization.meter import Cost
from benchmarks.diarization.report import HEADER, Report, hop_figures, hop_lines, line
from benchmarks.diarization.scoring import Errors


def run(missed_s, *, total_s=100.0, speakers=2, seconds=None, cpu_s=1.0, peak_bytes=0, gpu_bytes=0):
    cost = Cost(seconds=seconds, cpu_s=cpu_s, peak_bytes=peak_bytes, gpu_bytes=gpu_bytes) if seconds else None
    return Run(turns=(), errors=Errors(total_s=total_s, missed_s=missed_s), speakers=speakers, cost=cost)


def row(name, kind, *, runs, speakers=2, agreement=None):
    return Row(
        name=name,
        kind=kind,
        duration_s=60.0,
        speakers=speakers,
        runs=runs,
        agreement=agreement or Errors(total_s=100.0, confusion_s=1.0),
    )


def rows(*, trial=False):
    def more(missed_s):
        return {"trial": run(missed_s, speakers=3)} if trial else {}

    return [
        row(
            "meeting",
            "real",
            runs={"stock": run(10, seconds=10.0, cpu_s=18.0), "fast": run(12, seconds=2.0, peak_bytes=50_000_001)}
            | more(40),
        ),
        row(
            "c1",
            "built",
            runs={
                "stock": run(40, total_s=300.0, seconds=14.0, cpu_s=26.0),
                "fast": run(39, total_s=300.0, speakers=3, seconds=1.0, peak_bytes=90_000_000),
            }
            | more(60),
        ),
        row(
            "composed_1",
            "composed",
            runs={"stock": run(0, seconds=6.0, cpu_s=11.0), "fast": run(0, seconds=1.0, gpu_bytes=7_000_000)} | more(9),
        ),
    ]


def report(*, trial=False, pool_all=False):
    return Report(rows=rows(trial=trial), pool_all=pool_all, device="cpu", model="bundled", notes=["a note"])


def document(**options):
    return json.loads(report(**options).json_line())


def test_the_line_has_the_figures_that_were_asked_for():
    found = document()
    assert list(found)[:5] == ["der", "der_stock", "speedup", "peak_mb", "device"]
    assert (found["der"], found["der_stock"]) == (12.5, 11.67)
    assert (found["speedup"], found["speedup_cpu"]) == (7.5, 18.33)
    assert (found["peak_mb"], found["peak_gpu_mb"], found["device"]) == (90, 7, "cpu")
    assert (found["worst_recording"], found["worst_difference"]) == ("meeting", 2.0)
    assert (found["speakers_right"], found["stock"]["speakers_right"]) == (0.5, 1.0)
    assert (found["agreement"], found["recordings"], found["audio_s"], found["notes"]) == (1.0, 3, 180.0, ["a note"])
    assert "trial" not in found


def test_pooled_figures_are_weighted_by_speech():
    assert document()["fast"] == {
        "der": 12.5,
        "der_pooled": 12.75,
        "missed": 12.75,
        "false_alarm": 0.0,
        "confusion": 0.0,
        "speakers_right": 0.5,
    }


def test_composed_conversations_count_where_there_is_little_else():
    assert document(pool_all=True)["der"] == pytest.approx(25 / 3, abs=0.01)
    assert document()["kinds"]["composed"]["fast"]["der"] == 0.0


def test_the_first_parameters_are_compared_with():
    found = document(trial=True)
    assert (found["trial"]["der"], found["trial"]["speakers_right"]) == (50.0, 0.0)
    assert found["ratio_to_trial"] == 0.25
    assert "mean DER 0.250 times that of the first parameters" in report(trial=True).summary()


def test_a_row_tells_of_both_arms_under_its_header():
    first, second = line(rows()[0]), line(rows(trial=True)[1])
    assert " ".join(first.split()) == "meeting real 1.0 2 2/2 12.0 10.0 - 1.0 2.00 10.00 5.00 51"
    assert " ".join(second.split()) == "c1 built 1.0 2 3/2/3 13.0 13.3 60.0 1.0 1.00 14.00 14.00 90"
    assert len(first) == len(second) == len(HEADER)


def test_the_summary_has_each_kind_and_the_set():
    lines = report().summary().splitlines()
    assert [one[:21].split() for one in lines[:8]] == [
        [kind, count, arm]
        for kind, count in (("real", "(1)"), ("built", "(1)"), ("composed", "(1)"), ("set", "(2)"))
        for arm in ("stock", "fast")
    ]
    assert lines[7].endswith("confusion 0.00); number of speakers right in 1 of 2")
    assert lines[8].startswith("bundled on cpu: 180 s of audio in 30.0 s by pyannote, 4.0 s by Parley (45 times real")
    assert "meeting, +2.00 points" in lines[9]
    assert lines[-1] == "a note"


def test_hops_are_arms_of_their_own():
    table = [row("a", "real", runs={"0.5": run(5, seconds=3.0), "1": run(6, seconds=1.5)})]
    assert hop_figures(table)["1"] == {
        "der": 6.0,
        "der_pooled": 6.0,
        "missed": 6.0,
        "false_alarm": 0.0,
        "confusion": 0.0,
        "speakers_right": 1.0,
        "seconds": 1.5,
        "cpu_s": 1.0,
    }
    assert [one[:40] for one in hop_lines(table)] == [
        "hop  0.5 s      3.00 s (20 times real ti",
        "hop    1 s      1.50 s (40 times real ti",
    ]


def test_the_environment_and_the_command_line_are_read():
    options = asked_for([], {"DATA": "", "QUICK": "0"}, started=5.0)
    assert (options.data, options.quick, options.until, options.parts_only) == (None, False, math.inf, False)
    options = asked_for(["--device", "cpu"], {"DATA": "/data", "QUICK": "1", "CACHE": "/cache"}, started=5.0)
    assert (options.data, options.cache, options.until) == (Path("/data"), Path("/cache"), 33.0)
    assert options.environment["DIARIZATION_DEVICE"] == "cpu"


def test_parts_can_be_asked_for_with_and_without_numbers():
    asked = asked_for(["--hops", "0.5,2", "--hours", "--repeat"], {}, started=0.0)
    assert (asked.arguments.hops, asked.arguments.hours, asked.arguments.repeat) == ([0.5, 2.0], 3.0, 10)
    assert asked.parts_only
    assert asked_for(["--hops"], {}, started=0.0).arguments.hops == [0.5, 1.0, 2.0, 2.5, 5.0]
