"""Nothing hangs: cancelled jobs free both workers, a killed worker's job ends."""

import json
import time

import numpy as np
import pytest
import soundfile as sf

CANCEL_LIMIT_S = 2.0


@pytest.fixture(scope="module")
def long_url(web_folder, sample):
    folder, url = web_folder
    sf.write(folder / "long.flac", np.tile(sf.read(sample, dtype="float32")[0], 40), 16_000)
    return f"{url}/long.flac"


def started(stack, url):
    job_id = stack.post("orchestrator", "run", {"input": {"audio": url}}).json()["id"]
    for child in ("diarization", "transcription"):
        stack.wait_jobs(child, in_progress=1, timeout_s=20)
    return job_id


def serves_the_next_job(stack, sample_url):
    answer = stack.post("orchestrator", "runsync", {"input": {"audio": sample_url}}).json()
    assert answer["status"] == "COMPLETED", answer
    assert "Chicago" in answer["output"]["text"]


def test_cancelling_frees_both_workers_within_two_seconds(stack, long_url, sample_url):
    job_id = started(stack, long_url)
    time.sleep(3)  # both are deep in their models by now
    cancelled = time.monotonic()
    assert stack.post("orchestrator", f"cancel/{job_id}").json()["status"] == "CANCELLED"
    for child in ("diarization", "transcription"):
        stack.wait_jobs(child, in_progress=0, timeout_s=CANCEL_LIMIT_S - (time.monotonic() - cancelled))
    assert stack.get("orchestrator", f"status/{job_id}")["status"] == "CANCELLED"
    serves_the_next_job(stack, sample_url)


def test_a_killed_transcription_worker_loses_no_job(stack, sample_url):
    job_id = started(stack, sample_url)
    stack.worker_process("transcription").kill()
    answer = stack.wait_status("orchestrator", job_id, {"COMPLETED", "FAILED"})
    assert answer["status"] == "COMPLETED", answer
    assert "Chicago" in answer["output"]["text"]
    assert stack.get("transcription", "health")["jobs"]["retried"] >= 1
    serves_the_next_job(stack, sample_url)


def test_a_killed_orchestrator_worker_loses_no_job(stack, sample_url):
    job_id = started(stack, sample_url)
    stack.worker_process("orchestrator").kill()
    answer = stack.wait_status("orchestrator", job_id, {"COMPLETED", "FAILED"})
    assert answer["status"] == "COMPLETED", answer
    assert "Chicago" in answer["output"]["text"]
    serves_the_next_job(stack, sample_url)


def test_a_worker_killed_twice_fails_the_job_clearly(stack, long_url, sample_url):
    job_id = started(stack, long_url)
    for kills in (1, 2):
        stack.worker_process("transcription").kill()
        if kills == 1:
            stack.wait_jobs("transcription", in_progress=0, timeout_s=10)
            stack.wait_jobs("transcription", in_progress=1, timeout_s=60)
    answer = stack.wait_status("orchestrator", job_id, {"COMPLETED", "FAILED"})
    assert answer["status"] == "FAILED"
    error = json.loads(answer["error"])
    assert (error["code"], error["endpoint"], error["retryable"]) == ("worker_lost", "transcription", True)
    stack.wait_jobs("diarization", in_progress=0, timeout_s=5)
    serves_the_next_job(stack, sample_url)
