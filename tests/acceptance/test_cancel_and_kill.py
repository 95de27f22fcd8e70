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


@pytest.mark.parametrize("endpoint", ["transcription", "orchestrator"])
def test_a_killed_workers_job_ends_and_the_next_is_served(stack, long_url, sample_url, endpoint):
    job_id = started(stack, long_url)
    stack.worker_process(endpoint).kill()
    time.sleep(1)
    status = stack.get("orchestrator", f"status/{job_id}")
    assert status["status"] in {"IN_QUEUE", "IN_PROGRESS", "FAILED"}
    if status["status"] == "FAILED":
        assert json.loads(status["error"])["code"]
    stack.post("orchestrator", f"cancel/{job_id}")
    for child in ("diarization", "transcription"):
        stack.wait_jobs(child, in_progress=0, timeout_s=30)
    serves_the_next_job(stack, sample_url)
