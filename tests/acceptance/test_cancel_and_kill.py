"""Nothing hangs: cancelled jobs free both workers, a killed worker's job ends."""

import json
import time

import numpy as np
import pytest
import soundfile as sf

from tests.support.audio_jobs import wav_base64

CANCEL_LIMIT_S = 2.0
CHILDREN = {"diarization", "transcription"}


@pytest.fixture(scope="module")
def long_url(web_folder, sample):
    folder, url = web_folder
    sf.write(folder / "long.flac", np.tile(sf.read(sample, dtype="float32")[0], 120), 16_000)
    return f"{url}/long.flac"


def started(stack, url):
    job_id = stack.post("orchestrator", "run", {"input": {"audio": url}}).json()["id"]
    for child in CHILDREN:
        stack.wait_jobs(child, in_progress=1, timeout_s=20)
    return job_id


def serves_the_next_job(stack, sample_url):
    answer = stack.post("orchestrator", "runsync", {"input": {"audio": sample_url}}).json()
    assert answer["status"] == "COMPLETED", answer
    assert "Chicago" in answer["output"]["text"]


def tiny_jobs(stack):
    """Give each child a second of silence; returns when each has answered, and the seconds it worked on it."""
    silence = {"input": {"audio": wav_base64(np.zeros(16_000, np.float32))}}
    ids = {child: stack.post(child, "run", silence).json()["id"] for child in CHILDREN}
    answered_at, worked_s = {}, {}
    while len(answered_at) < len(CHILDREN):
        for child in CHILDREN - answered_at.keys():
            status = stack.get(child, f"status/{ids[child]}")
            assert status["status"] in {"IN_QUEUE", "IN_PROGRESS", "COMPLETED"}, status
            if status["status"] == "COMPLETED":
                answered_at[child] = time.monotonic()
                worked_s[child] = status["executionTime"] / 1000
        time.sleep(0.02)
    return answered_at, worked_s


@pytest.mark.parametrize("after_s", [0.0, 5.0])
def test_cancelling_frees_both_workers_within_two_seconds(stack, long_url, after_s):
    _, alone_s = tiny_jobs(stack)
    job_id = started(stack, long_url)
    time.sleep(after_s)  # they fetch and decode the hour at first, and are deep in their models then
    cancelled_at = time.monotonic()
    assert stack.post("orchestrator", f"cancel/{job_id}").json()["status"] == "CANCELLED"
    answered_at, _ = tiny_jobs(stack)
    assert stack.get("orchestrator", f"status/{job_id}")["status"] == "CANCELLED"
    for child in CHILDREN:
        assert answered_at[child] - cancelled_at - alone_s[child] < CANCEL_LIMIT_S, child


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
