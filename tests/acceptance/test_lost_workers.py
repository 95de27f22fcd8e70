"""A worker that is killed, or told to end, in the middle of a job: no job is lost, none runs twice without need."""

import signal
from collections import Counter

import pytest

from tests.support.processes import group_members
from tests.support.stack_jobs import FINAL, WORKERS, each_completed, job_counts, mid_job, serves_the_next_job


def check_completed(stack, job_id):
    answer = stack.wait_status("orchestrator", job_id, FINAL)
    assert (answer["status"], answer.get("error")) == ("COMPLETED", None)
    assert "originally from Chicago" in answer["output"]["text"]


@pytest.mark.parametrize("endpoint", WORKERS)
def test_a_killed_workers_job_runs_once_more_and_nothing_else_does(stack, minutes_url, clip_url, endpoint):
    before = job_counts(stack)
    job_id = mid_job(stack, minutes_url)
    worker = stack.worker_process(endpoint)
    worker.kill()
    check_completed(stack, job_id)
    # an orchestrator's second attempt has found the children of the first by their keys
    assert job_counts(stack) - before == each_completed() + Counter({f"{endpoint} retried": 1})
    assert group_members(worker.pid) == []
    serves_the_next_job(stack, clip_url)


def test_workers_told_to_end_finish_their_jobs_first(stack, minutes_url, clip_url):
    """All three in the middle of one job; what any of them had dropped would be counted as its retry."""
    before = job_counts(stack)
    job_id = mid_job(stack, minutes_url)
    workers = {endpoint: stack.worker_process(endpoint) for endpoint in WORKERS}
    for worker in workers.values():
        worker.send_signal(signal.SIGTERM)
    for endpoint in WORKERS:
        assert stack.get(endpoint, "health")["jobs"]["inProgress"] == 1
    check_completed(stack, job_id)
    assert job_counts(stack) - before == each_completed()
    serves_the_next_job(stack, clip_url)
    for endpoint, worker in workers.items():
        assert group_members(worker.pid) == [], endpoint
    # the next one may have been handed to the orchestrator that was ending, which never began it
    done = job_counts(stack) - before
    assert done - Counter({"orchestrator retried": 1}) == each_completed(2)
