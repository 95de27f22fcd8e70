"""Nothing hangs: cancelled jobs free both workers, a job that has lost its worker twice ends."""

import json
import time
from collections import Counter

import numpy as np
import pytest

from tests.support.audio_jobs import wav_base64
from tests.support.stack_jobs import CHILDREN, FINAL, child_job, job_counts, mid_job, serves_the_next_job, started

CANCEL_LIMIT_S = 2.0


@pytest.fixture(scope="module")
def long_url(tiled_url):
    return tiled_url(120)


def tiny_jobs(stack):
    """Give each child a second of silence; returns when each has answered, and the seconds it worked on it."""
    silence = {"input": {"audio": wav_base64(np.zeros(16_000, np.float32))}}
    ids = {child: stack.post(child, "run", silence).json()["id"] for child in CHILDREN}
    answered_at, worked_s = {}, {}
    while len(answered_at) < len(CHILDREN):
        for child in set(CHILDREN) - answered_at.keys():
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
    before = job_counts(stack)
    job_id = started(stack, long_url)
    time.sleep(after_s)  # they fetch and decode the hour at first, and are deep in their models then
    cancelled_at = time.monotonic()
    assert stack.post("orchestrator", f"cancel/{job_id}").json()["status"] == "CANCELLED"
    answered_at, _ = tiny_jobs(stack)
    assert stack.get("orchestrator", f"status/{job_id}")["status"] == "CANCELLED"
    for child in CHILDREN:
        assert answered_at[child] - cancelled_at - alone_s[child] < CANCEL_LIMIT_S, child
        assert child_job(stack, job_id, child)["status"] == "CANCELLED"
    assert job_counts(stack) - before == Counter({f"{child} completed": 1 for child in CHILDREN})  # the tiny ones


@pytest.mark.parametrize(("child", "other"), [CHILDREN, CHILDREN[::-1]])
def test_a_stop_request_at_one_child_ends_the_job_and_stops_the_other(stack, minutes_url, clip_url, child, other):
    before = job_counts(stack)
    job_id = mid_job(stack, minutes_url)
    child_id = child_job(stack, job_id, child)["id"]
    assert stack.post(child, f"cancel/{child_id}").json() == {"id": child_id, "status": "CANCELLED"}
    answer = stack.wait_status("orchestrator", job_id, FINAL, timeout_s=10)
    assert answer["status"] == "FAILED", answer
    error = json.loads(answer["error"])
    assert (error["code"], error["message"]) == ("cancelled", f"the job was cancelled on the {child} endpoint")
    assert child_job(stack, job_id, other)["status"] == "CANCELLED"
    assert job_counts(stack) - before == Counter({"orchestrator failed": 1})
    serves_the_next_job(stack, clip_url)


def test_a_worker_killed_twice_fails_the_job_clearly(stack, long_url, clip_url):
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
    serves_the_next_job(stack, clip_url)
