"""Jobs of the acceptance tests' stack: begun, found in the middle of their models, counted."""

import time
from collections import Counter

from orchestrator.children import child_key

CHILDREN = ("diarization", "transcription")
WORKERS = (*CHILDREN, "orchestrator")
FINAL = {"COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT"}


def started(stack, url):
    """Send an orchestration; returns its id when both children have taken their jobs."""
    job_id = stack.post("orchestrator", "run", {"input": {"audio": url, "repair": False}}).json()["id"]
    for child in CHILDREN:
        stack.wait_jobs(child, in_progress=1, timeout_s=60)
    return job_id


def mid_job(stack, url):
    """Send an orchestration; returns its id when both children have their audio and are in their models."""
    job_id = started(stack, url)
    deadline = time.monotonic() + 60
    while not all(_in_its_model(child_job(stack, job_id, child)) for child in CHILDREN):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return job_id


def child_job(stack, job_id, child):
    """The status of the orchestration's job at the endpoint `child`."""
    return stack.get(child, f"idempotency/{child_key(job_id, child)}")


def _in_its_model(status):
    assert status["status"] == "IN_PROGRESS", status
    return status.get("output", {}).get("stage", "fetching") != "fetching"


def job_counts(stack):
    """How many jobs of each endpoint have ended which way, or were run again, by `endpoint what`."""
    counts = {endpoint: stack.get(endpoint, "health")["jobs"] for endpoint in WORKERS}
    return Counter(
        {f"{name} {what}": jobs[what] for name, jobs in counts.items() for what in ("completed", "failed", "retried")}
    )


def each_completed(count=1):
    """The counts when each endpoint has completed so many jobs, and that was all."""
    return Counter({f"{endpoint} completed": count for endpoint in WORKERS})


def serves_the_next_job(stack, url):
    """An orchestration of a recording in which Chicago is spoken of is served, by one worker of each kind."""
    answer = stack.post("orchestrator", "runsync", {"input": {"audio": url, "repair": False}}).json()
    assert answer["status"] == "COMPLETED", answer
    assert "Chicago" in answer["output"]["text"]
    for endpoint in WORKERS:
        assert len(stack.worker_groups(endpoint)) == 1, endpoint
