"""A job is handed over once: sent again only where it surely was not taken, looked up by its key where it may be."""

import asyncio
import time

import aiohttp
import pytest

from common import retries
from common.errors import (
    ConfigurationError,
    DeadlineExceededError,
    EndpointAuthError,
    EndpointBusyError,
    EndpointUnreachableError,
    IdempotencyConflictError,
    JobCancelledError,
    ResultExpiredError,
    SubmissionUnknownError,
)
from orchestrator import polling
from orchestrator.endpoints import EndpointHealth, JobOptions, RunPodEndpoint
from tests.support.scripted_server import scripted_server

QUEUED = {"id": "job-1", "status": "IN_QUEUE"}
DONE = {"id": "job-1", "status": "COMPLETED", "output": {"text": "hi"}}
HEALTH = {"jobs": {"inQueue": 3, "inProgress": 1}, "workers": {"ready": 0, "running": 1, "initializing": 2, "x": "?"}}


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(polling, "FIRST_POLL_S", 0.01)
    monkeypatch.setattr(retries, "FIRST_BACKOFF_S", 0.01)


async def called(script, use):
    async with aiohttp.ClientSession() as session:
        return await use(
            RunPodEndpoint(
                name="transcription", endpoint_id="endpoint", base_url=script.url, api_key="k", session=session
            )
        )


async def run(script, *, deadline_s=5.0, **options):
    return await called(
        script, lambda endpoint: endpoint.run({"audio": "a"}, deadline_s=deadline_s, options=JobOptions(**options))
    )


@pytest.mark.parametrize("lost", [502, b"<html>", [1], 408])
async def test_a_lost_answer_is_looked_up_by_its_key_and_the_job_found_is_waited_for(lost):
    answers = {"run": [lost], "idempotency": [QUEUED], "status/job-1": [DONE]}
    async with scripted_server(answers, honours_keys=True) as script:
        assert (await run(script)).output == {"text": "hi"}
        assert (script.count("run"), script.count("idempotency")) == (1, 1)


async def test_a_job_that_did_not_arrive_is_sent_again_under_the_same_key():
    answers = {"run": [502, QUEUED], "idempotency": [404], "status/job-1": [DONE]}
    async with scripted_server(answers, honours_keys=True) as script:
        assert (await run(script)).output == {"text": "hi"}
        assert script.count("run") == 2
        assert len(set(script.sent_keys)) == 1


async def test_a_job_of_another_caller_that_is_cancelled_is_begun_anew():
    joined = (200, QUEUED, {"Idempotency-Replayed": "true"})
    answers = {"run": [joined, {"id": "job-2"}], "status/job-1": [{"status": "CANCELLED"}], "status/job-2": [DONE]}
    async with scripted_server(answers, honours_keys=True) as script:
        assert (await run(script, idempotency_key="shared")).output == {"text": "hi"}
        assert script.sent_keys == ["shared", "shared"]


async def test_a_job_of_ones_own_that_is_cancelled_stays_so():
    answers = {"run": [QUEUED], "status/job-1": [{"status": "CANCELLED"}]}
    async with scripted_server(answers, honours_keys=True) as script:
        with pytest.raises(JobCancelledError, match="cancelled on the transcription endpoint"):
            await run(script, idempotency_key="own")
        assert script.count("run") == 1


async def test_the_callers_key_is_the_one_that_is_sent():
    async with scripted_server({"run": [QUEUED], "status/job-1": [DONE]}) as script:
        await run(script, idempotency_key="mine")
        assert script.sent_keys == ["mine"]


@pytest.mark.parametrize("lookup", [404, QUEUED, 403, 405])
async def test_where_nobody_knows_keys_a_lost_answer_is_an_error_of_its_own_and_nothing_is_sent_twice(lookup):
    async with scripted_server({"run": [502], "idempotency": [lookup]}) as script:
        with pytest.raises(SubmissionUnknownError, match="may or may not run") as caught:
            await run(script)
        assert script.count("run") == 1
    assert (caught.value.code, caught.value.retryable) == ("submission_unknown", False)


async def test_a_lookup_survives_passing_faults_and_is_given_up_in_the_end():
    answers = {"run": [502], "idempotency": [502, 429, QUEUED], "status/job-1": [DONE]}
    async with scripted_server(answers, honours_keys=True) as script:
        assert (await run(script)).output == {"text": "hi"}
    async with scripted_server({"run": [502], "idempotency": [502]}, honours_keys=True) as script:
        with pytest.raises(SubmissionUnknownError):
            await run(script)
        assert script.count("run") == 1


async def test_a_key_of_another_request_is_said_to_be_so():
    async with scripted_server({"run": [422]}) as script:
        with pytest.raises(IdempotencyConflictError, match="transcription endpoint; use a new one"):
            await run(script)
        assert script.count("run") == 1


async def test_a_rate_limit_is_left_alone_for_as_long_as_it_asks():
    answers = {"run": [(429, {}, {"Retry-After": "1"}), QUEUED], "status/job-1": [DONE]}
    async with scripted_server(answers) as script:
        began = time.monotonic()
        await run(script)
        assert time.monotonic() - began >= 1


async def test_a_poll_that_is_told_to_wait_waits():
    states = [(503, {}, {"Retry-After": "1"}), DONE]
    async with scripted_server({"run": [QUEUED], "status/job-1": states}) as script:
        began = time.monotonic()
        await run(script)
        assert time.monotonic() - began >= 1


async def test_polls_are_held_only_by_a_platform_that_can():
    async with scripted_server({"run": [QUEUED], "status/job-1": [DONE]}) as script:
        await run(script)
        assert script.queries == ["", ""]
    async with scripted_server({"run": [QUEUED], "status/job-1": [DONE]}, honours_keys=True) as script:
        await run(script)
        assert script.queries == ["", "wait=1000"]


async def test_an_answer_that_is_final_already_is_not_asked_for_again():
    async with scripted_server({"run": [{**DONE, "delayTime": 500}]}) as script:
        assert (await run(script)).queue_s == 0.5
        assert [path for path, _ in script.asked] == ["run"]


async def test_a_deadline_says_what_the_endpoint_is_doing():
    answers = {"run": [QUEUED], "status/job-1": [QUEUED], "cancel/job-1": [{}], "health": [HEALTH]}
    async with scripted_server(answers) as script:
        with pytest.raises(DeadlineExceededError, match=r"3 jobs wait there, 1 run; 1 workers are up, 2 start"):
            await run(script, deadline_s=0.3)


async def test_no_time_left_submits_nothing():
    async with scripted_server({"run": [QUEUED]}) as script:
        with pytest.raises(DeadlineExceededError, match="no time is left"):
            await run(script, deadline_s=0.0)
        assert script.asked == []


async def test_a_job_that_is_known_no_more_has_lost_its_result():
    async with scripted_server({"run": [QUEUED], "status/job-1": [QUEUED, 404], "cancel/job-1": [404]}) as script:
        with pytest.raises(ResultExpiredError, match="send it again") as caught:
            await run(script)
    assert caught.value.envelope()["code"] == "result_expired"


async def test_a_cancel_is_asked_for_until_it_is_answered():
    answers = {"run": [QUEUED], "status/job-1": [401], "cancel/job-1": [502, b"<html>", 429, {}]}
    async with scripted_server(answers) as script:
        with pytest.raises(EndpointAuthError):
            await run(script)
        assert script.count("cancel/job-1") == 4


async def test_a_deadline_in_the_middle_of_rate_limits_sends_nothing_more():
    async with scripted_server({"run": [(429, {}, {"Retry-After": "60"})]}) as script:
        began = time.monotonic()
        with pytest.raises(DeadlineExceededError):
            await run(script, deadline_s=0.5)
        assert time.monotonic() - began <= 0.6
        assert script.count("run") == 1


async def test_the_policy_the_webhook_and_the_priority_reach_the_platform():
    async with scripted_server({"run": [QUEUED], "status/job-1": [DONE]}) as script:
        await run(script, execution_timeout_s=30, ttl_s=60, low_priority=True, webhook="https://example.org/hook")
    assert script.asked[0][1] == {
        "input": {"audio": "a"},
        "policy": {"executionTimeout": 30_000, "ttl": 60_000, "lowPriority": True},
        "webhook": "https://example.org/hook",
    }


async def test_health_is_read_and_what_is_missing_counts_as_none():
    async with scripted_server({"health": [HEALTH, {"jobs": 7}]}) as script:
        health = [await called(script, lambda endpoint: endpoint.health()) for _ in range(2)]
    assert health[0] == EndpointHealth(
        jobs_in_queue=3, jobs_in_progress=1, workers_ready=0, workers_running=1, workers_initializing=2
    )
    assert health[1].jobs_in_queue == 0


async def test_submit_and_wait_are_run_in_two_steps_and_waiting_cancels_nothing():
    async with scripted_server({"run": [QUEUED], "status/job-1": [QUEUED, QUEUED, DONE]}) as script:

        async def use(endpoint):
            job_id = await endpoint.submit({"audio": "a"}, deadline_s=60)
            with pytest.raises(DeadlineExceededError, match="it still runs"):
                await endpoint.wait(job_id, deadline_s=0.005)
            return await endpoint.wait(job_id, deadline_s=5)

        assert (await called(script, use)).output == {"text": "hi"}
        assert script.count("cancel/job-1") == 0


async def test_cancelling_a_submission_under_way_cancels_what_it_makes():
    async with scripted_server({"run": [QUEUED], "cancel/job-1": [{}]}) as script:

        async def use(endpoint):
            task = asyncio.create_task(endpoint.submit({"audio": "a"}, deadline_s=60))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        await called(script, use)
        assert (script.count("run"), script.count("cancel/job-1")) in {(1, 1), (0, 0)}


async def test_a_cancel_that_is_never_answered_is_an_error(monkeypatch):
    monkeypatch.setattr("orchestrator.endpoints.CANCEL_TIMEOUT_S", 0.2)
    async with scripted_server({"cancel/job-1": [429]}) as script:
        with pytest.raises(EndpointBusyError):
            await called(script, lambda endpoint: endpoint.cancel("job-1"))
    async with scripted_server({"cancel/job-1": [500]}) as script:
        with pytest.raises(EndpointUnreachableError):
            await called(script, lambda endpoint: endpoint.cancel("job-1"))


async def test_cancelling_in_the_moment_of_the_deadline_still_stops_the_job():
    answers = {"run": [QUEUED], "status/job-1": [QUEUED], "cancel/job-1": [{}], "health": [HEALTH]}
    async with scripted_server(answers) as script:

        async def use(endpoint):
            task = asyncio.create_task(endpoint.run({"audio": "a"}, deadline_s=0.5))
            while not script.count("status/job-1"):
                await asyncio.sleep(0.001)
            stopping = endpoint._abandon

            async def slowly(*arguments, **options):
                task.cancel()  # before its first step, and once more in the middle of it
                await asyncio.sleep(0.01)
                task.cancel()
                await stopping(*arguments, **options)

            endpoint._abandon = slowly
            with pytest.raises(asyncio.CancelledError):
                await task

        await called(script, use)
        assert script.count("cancel/job-1") == 1


async def test_a_poll_is_never_kept_waiting_for_as_long_as_a_result_lives(monkeypatch):
    monkeypatch.setattr(polling, "LONGEST_PAUSE_S", 0.1)
    states = [(429, {}, {"Retry-After": "60"}), DONE]
    async with scripted_server({"run": [QUEUED], "status/job-1": states}) as script:
        assert (await run(script)).output == {"text": "hi"}


@pytest.mark.parametrize("key", ["two\nlines", "nul\0", "schlüssel"])
async def test_a_key_that_no_header_can_carry_is_refused_before_anything_is_sent(key):
    async with scripted_server({"run": [QUEUED]}) as script, aiohttp.ClientSession() as session:
        with pytest.raises(ConfigurationError, match="RUNPOD_API_KEY"):
            RunPodEndpoint(name="x", endpoint_id="e", base_url=script.url, api_key=key, session=session)
        assert script.asked == []
