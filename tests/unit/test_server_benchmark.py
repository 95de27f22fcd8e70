import io
import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import soundfile

from benchmarks.server import judging, watching
from benchmarks.server.__main__ import Crowded, Uploaded, document
from benchmarks.server.long_transcript import DURATION_S, WORDS, answer, silent_peaks, spoken
from benchmarks.server.page import Scrolled, figures
from benchmarks.server.recordings import cuts, flac, found, large_wav
from benchmarks.server.watching import LoadWatch
from common.audio.limits import SAMPLE_RATE

MOMENT = "2026-01-31T12:00:{:06.3f}Z"


def job(number, *, came, began=None, ended=None, status="completed"):
    times = {"created_at": came, "started_at": began, "finished_at": ended}
    shown = {name: None if seconds is None else MOMENT.format(seconds) for name, seconds in times.items()}
    return {"job_id": f"j{number}", "status": status, **shown}


def timings(*, diarization_s, transcription_s, queue_s=0.0):
    return {
        "diarization_queue_s": queue_s,
        "diarization_execution_s": diarization_s,
        "transcription_queue_s": queue_s,
        "transcription_execution_s": transcription_s,
    }


def crowd_of(jobs, **seen):
    known = {"seconds": {"status": [0.001]}, "refused": [], "places": {}, "timings": {}, "events": [], "active": []}
    return {"jobs": jobs, **known, **seen}


@pytest.mark.parametrize(
    ("spans", "most"),
    [
        ([], 0),
        ([(0, 1), (1, 2), (2, 3)], 1),  # the next begins when the one before has ended
        ([(0, 1), (0.9, 2)], 2),
        ([(0, 10), (1, 2), (3, 4), (3.5, 5)], 3),
    ],
)
def test_how_many_run_at_once(spans, most):
    assert judging.most_at_once(spans) == most


def test_at_once_is_what_the_jobs_or_the_server_say():
    ended = [job(1, came=0, began=1, ended=2), job(2, came=0, began=2, ended=3)]
    waiting = job(3, came=0, status="queued")
    assert judging.max_running(crowd_of([*ended, waiting])) == 1
    assert judging.max_running(crowd_of(ended, active=[0, 2, 1])) == 2


def test_jobs_begin_in_the_order_in_which_they_came():
    jobs = [job(number, came=number / 1000, began=10 + number, ended=11 + number) for number in range(4)]
    assert judging.out_of_order(jobs[::-1]) == []
    early = {**jobs[3], "started_at": jobs[1]["started_at"]}
    assert judging.out_of_order([*jobs[:3], early]) == ["j3"]


def test_jobs_that_came_in_one_millisecond_have_no_order():
    assert judging.out_of_order([job(1, came=1, began=3, ended=4), job(2, came=1, began=2, ended=3)]) == []


def test_jobs_that_never_began_are_not_out_of_order():
    assert judging.out_of_order([job(1, came=1, began=2, ended=3), job(2, came=2, status="cancelled")]) == []


def test_a_job_that_waits_moves_up():
    assert judging.moved_back({"j1": [1], "j2": [3, 3, 2, 1], "j3": [], "j4": [2, 3, 1]}) == ["j4"]


def test_overhead_is_what_a_job_took_above_its_slower_worker():
    jobs = [job(1, came=0, began=1, ended=3.5), job(2, came=0, began=4, ended=5)]
    told = {"j1": timings(diarization_s=2.0, transcription_s=1.0, queue_s=0.25)}
    assert judging.overheads_s(jobs, told) == [pytest.approx(0.25)]


def test_row_of_a_route_has_times_in_milliseconds_and_the_ratio_to_before():
    seconds = [0.010] * 18 + [0.040, 0.1]
    assert judging.route_line("status", seconds, [0.020] * 3).split() == (
        ["status", "20", "10.0", "40.0", "100.0", "20.0", "2.0"]
    )
    assert judging.route_line("health", seconds, []).split() == ["health", "20", "10.0", "40.0", "100.0"]


def test_what_is_said_of_jobs():
    jobs = [job(1, came=0, began=1, ended=3), job(2, came=0.5, began=3, ended=6), job(3, came=1, status="failed")]
    told = {
        "j1": timings(diarization_s=1.9, transcription_s=1.0),
        "j2": timings(diarization_s=1.0, transcription_s=2.7),
    }
    assert judging.job_lines(crowd_of(jobs, timings=told)) == [
        "2 of 3 recordings done, 1 at once at most, in the order in which they came",
        "a job took 2.50 s, the longest 3.00 s; the server's own share of it 0.20 s, at most 0.30 s",
    ]


def test_nothing_is_said_of_how_long_jobs_took_where_none_is_done():
    lines = judging.job_lines(crowd_of([job(1, came=0, status="failed")]))
    assert lines == ["0 of 1 recordings done, 0 at once at most, in the order in which they came"]


def test_json_line():
    jobs = [job(1, came=0, began=1, ended=3), job(2, came=1, status="failed")]
    seconds = {"status": [0.001, 0.0301], "result": [0.0502]}
    seen = crowd_of(jobs, seconds=seconds, timings={"j1": timings(diarization_s=1.9, transcription_s=1.0)}, active=[1])
    load = LoadWatch(1, averages=[1.0, 2.126], wanting=[4, 2], own=[1, 2])
    idle = {"seconds": {"status": [0.002]}}
    crowded = Crowded(idle=idle, seen=seen, load=load, took_s=2.0, server_cpu_s=1.0)
    uploaded = Uploaded(size_bytes=500_000_000, seconds=2.0, peak_bytes=12_340_000)
    page = Scrolled(fps=59.94, longest_ms=20.0, px=1.0, height=2.0, rows=3, shown_s=1.0)
    told = document(crowded, uploaded, page)
    assert told.pop("cores") >= 1
    assert told == {
        "status_p95_ms": 30.1,
        "result_p95_ms": 50.2,
        "upload_peak_mb": 12.3,
        "done": 1,
        "max_running": 1,
        "in_order": True,
        "load_average": 2.13,
        "own_threads_wanting_a_core": 1.5,
        "status_idle_p95_ms": 2.0,
        "job_overhead_s": 0.1,
        "upload_mb_per_s": 250,
        "scroll_fps": 59.9,
    }
    assert document(crowded, uploaded, "no browser")["scroll_fps"] is None
    unknown = document(replace(crowded, load=LoadWatch(1)), uploaded, page)
    assert (unknown["load_average"], unknown["own_threads_wanting_a_core"]) == (0.0, None)
    assert json.dumps(unknown, allow_nan=False)


def test_frames_a_second_are_those_of_the_whole_time():
    found = {"gaps": [10.0, 30.0], "px": 160, "height": 9000, "rows": 12}
    assert figures(found, shown_s=2.5) == Scrolled(fps=50.0, longest_ms=30.0, px=160, height=9000, rows=12, shown_s=2.5)
    assert figures({**found, "gaps": []}, shown_s=0.0).fps == 0.0


def test_no_two_recordings_have_the_same_content():
    speech = np.sin(np.arange(3 * SAMPLE_RATE) ** 1.5).astype(np.float32)
    made = list(cuts([speech, speech[::-1]], count=10, samples=SAMPLE_RATE))
    assert [len(one) for one in made] == [SAMPLE_RATE] * 10
    assert len({flac(one) for one in made}) == 10
    assert soundfile.info(io.BytesIO(flac(made[0]))).frames == SAMPLE_RATE


def test_recordings_are_those_of_known_folders_or_of_the_folder_itself(tmp_path):
    (tmp_path / "plain.wav").touch()
    (tmp_path / "notes.txt").touch()
    assert [path.name for path in found(tmp_path)] == ["plain.wav"]
    folder = tmp_path / "C_spk" / "built"
    folder.mkdir(parents=True)
    (folder / "c1.flac").touch()
    assert [path.name for path in found(tmp_path)] == ["c1.flac"]


@pytest.mark.parametrize("size_bytes", [100_000, 100_044, 3_000_044])
def test_a_large_wav_is_as_long_as_it_says(size_bytes):
    pieces = list(large_wav(size_bytes=size_bytes))
    content = b"".join(pieces)
    assert (len(content), max(map(len, pieces)) <= 2**20) == (size_bytes, True)
    assert soundfile.info(io.BytesIO(content)).frames == (size_bytes - 44) // 4


def test_three_hours_of_words_and_speakers():
    made = answer()
    assert (len(made["words"]), made["duration"], len(made["speakers"])) == (WORDS, DURATION_S, 4)
    assert made["words_without_speaker"] == 0
    assert all(before["end"] == after["start"] for before, after in pairwise(spoken()))
    assert made["words"][-1]["end"] < DURATION_S
    peaks = silent_peaks()
    assert len(peaks["peaks"]) == peaks["per_second"] * peaks["duration"]


def test_a_load_average_is_that_of_the_time_itself():
    a_minute = round(60 / watching.SAMPLE_S)
    assert LoadWatch(1, averages=[9.0, 5.0, 3.0]).highest == 3.0
    assert LoadWatch(1, averages=[9.0] * a_minute + [2.0, 2.5, 2.25]).highest == 2.5


def test_what_the_kernel_says_of_threads_and_memory():
    assert watching.running_threads("cpu 1 2 3\nprocs_running 7\nprocs_blocked 0\n") == 7
    assert watching.high_water_bytes("Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t 1024 kB\n") == 2048 * 1024
