"""`make demo`, as a new user runs it, and what one orchestrated request costs in time."""

import os
import re
import subprocess
import sys

OVERLAP_LIMIT = 1.15


def test_the_demo_prints_transcript_times_and_scores(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator.cli", "demo"],
        env={**os.environ, "PARLEY_LOGS": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"SPEAKER_0[01] +.*originally from Chicago", done.stdout)
    assert {"SPEAKER_00", "SPEAKER_01"} == set(re.findall(r"SPEAKER_\d\d", done.stdout))
    assert float(re.search(r"^DER +([\d.]+)%", done.stdout, re.MULTILINE)[1]) <= 8.0
    assert float(re.search(r"^cpWER +([\d.]+)%", done.stdout, re.MULTILINE)[1]) <= 30.0
    assert re.search(r"^the orchestrator itself +[\d.]+$", done.stdout, re.MULTILINE)
    assert len(re.findall(r"^ *\d+% transcription · diarization$", done.stderr, re.MULTILINE)) >= 2


def test_both_children_run_at_once_and_the_orchestrator_adds_little(stack, sample_url):
    answer = stack.post("orchestrator", "runsync", {"input": {"audio": sample_url}}).json()
    timings = answer["output"]["timings"]
    durations = {
        name: timings[f"{name}_end_s"] - timings[f"{name}_start_s"] for name in ("diarization", "transcription")
    }
    assert timings["diarization_start_s"] < timings["transcription_end_s"]
    assert timings["transcription_start_s"] < timings["diarization_end_s"]
    assert timings["total_s"] <= OVERLAP_LIMIT * max(durations.values())
    assert timings["orchestrator_s"] <= 0.1 * timings["total_s"]
    assert answer["executionTime"] / 1000 <= OVERLAP_LIMIT * max(durations.values())
