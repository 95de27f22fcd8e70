import asyncio
import json

import aiohttp
import pytest

from common import retries
from common.errors import (
    DeadlineExceededError,
    EndpointAuthError,
    EndpointBusyError,
    EndpointError,
    EndpointNotFoundError,
    EndpointUnreachableError,
    InputTooLargeError,
    JobCancelledError,
)
from orchestrator import endpoints, polling, submission
from orchestrator.endpoints import RunPodEndpoint
from tests.support.scripted_server import scripted_server

QUEUED = {"id": "job-1", "status": "IN_QUEUE"}
DONE = {"id": "job-1", "status": "COMPLETED", "output": {"text": "hi"}, "delayTime": 250, "executionTime": 1500}


@pytest.fixture(autouse=True)
def fast_polls(monkeypatch):
    monkeypatch.setattr(polling, "FIRST_POLL_S", 0.01)
    monkeypatch.setattr(polling, "LAST_POLL_S", 0.02)
    monkeypatch.setattr(retries, "FIRST_BACKOFF_S", 0.01)


async def call(script, *, job_input=None, deadline_s=5.0, on_progress=None):
    async with aiohttp.ClientSession() as session:
        endpoint = RunPodEndpoint(
            name="transcription", endpoint_id="endpoint", base_url=script.url, api_key="key", session=session
        )
        return await endpoint.run(job_input or {"audio": "a"}, deadline_s=deadline_s, on_progress=on_progress)


async def test_a_job_is_submitted_once_polled_and_returned():
    states = [QUEUED, {**QUEUED, "status": "IN_PROGRESS", "output": {"progress": 0.5}}, {"status": "NEW_STATE"}, DONE]
    seen = []
    async with scripted_server({"run": [QUEUED], "status/job-1": states}) as script:
        result = await call(script, on_progress=seen.append)
    assert (result.output, result.queue_s, result.execution_s) == ({"text": "hi"}, 0.25, 1.5)
    assert seen == [{"progress": 0.5}]
    assert script.count("run") == 1
    assert script.keys == {"Bearer key"}
    assert script.asked[0][1] == {"input": {"audio": "a"}, "policy": {"executionTimeout": 5000, "ttl": 10000}}


async def test_polling_survives_passing_faults():
    async with scripted_server({"run": [QUEUED], "status/job-1": [502, b"<html>", 429, [], DONE]}) as script:
        assert (await call(script)).output == {"text": "hi"}
    assert script.count("run") == 1


async def test_a_rate_limited_submission_is_tried_again_and_given_up_in_the_end():
    async with scripted_server({"run": [429, QUEUED], "status/job-1": [DONE]}) as script:
        assert (await call(script)).output == {"text": "hi"}
    async with scripted_server({"run": [429]}) as script:
        with pytest.raises(EndpointBusyError):
            await call(script)
        assert script.count("run") == submission.SUBMIT_ATTEMPTS


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (401, EndpointAuthError),
        (403, EndpointAuthError),
        (404, EndpointNotFoundError),
        (400, EndpointError),
        (413, InputTooLargeError),
        (500, EndpointUnreachableError),
        (b"<html>not RunPod</html>", EndpointUnreachableError),
        ([1, 2], EndpointUnreachableError),
    ],
)
async def test_a_submission_that_may_have_been_accepted_is_never_sent_twice(answer, error):
    async with scripted_server({"run": [answer]}) as script:
        with pytest.raises(error, match="transcription endpoint"):
            await call(script)
        assert script.count("run") == 1


@pytest.mark.parametrize(("answer", "error"), [(401, EndpointAuthError), (404, EndpointNotFoundError)])
async def test_a_strict_error_while_polling_ends_the_job_and_cancels_it(answer, error):
    async with scripted_server({"run": [QUEUED], "status/job-1": [answer], "cancel/job-1": [{}]}) as script:
        with pytest.raises(error):
            await call(script)
        assert script.count("cancel/job-1") == 1


async def test_the_workers_own_error_is_carried_through():
    envelope = {"code": "unreadable_audio", "message": "this is not audio", "param": "audio", "retryable": False}
    failed = {"status": "FAILED", "error": json.dumps(envelope)}
    async with scripted_server({"run": [QUEUED], "status/job-1": [failed]}) as script:
        with pytest.raises(EndpointError, match="this is not audio") as caught:
            await call(script)
    assert caught.value.envelope() == {**envelope, "endpoint": "transcription"}
    assert script.count("cancel/job-1") == 0


async def test_a_foreign_error_keeps_its_message_but_not_its_traceback():
    sdk_error = json.dumps({"error_type": "x", "error_message": "boom", "error_traceback": "/secret", "hostname": "h"})
    async with scripted_server({"run": [QUEUED], "status/job-1": [{"status": "FAILED", "error": sdk_error}]}) as script:
        with pytest.raises(EndpointError) as caught:
            await call(script)
    assert caught.value.message == "boom"


@pytest.mark.parametrize(("state", "error"), [("CANCELLED", JobCancelledError), ("TIMED_OUT", DeadlineExceededError)])
async def test_other_final_states_are_their_own_errors(state, error):
    async with scripted_server({"run": [QUEUED], "status/job-1": [{"status": state}]}) as script:
        with pytest.raises(error, match="transcription endpoint"):
            await call(script)


async def test_a_passed_deadline_cancels_the_job():
    async with scripted_server({"run": [QUEUED], "status/job-1": [QUEUED], "cancel/job-1": [{}]}) as script:
        with pytest.raises(DeadlineExceededError, match="within 0 s"):
            await call(script, deadline_s=0.2)
        assert script.count("cancel/job-1") == 1


async def test_cancelling_the_call_cancels_the_job():
    async with scripted_server({"run": [QUEUED], "status/job-1": [QUEUED], "cancel/job-1": [404]}) as script:
        work = asyncio.create_task(call(script))
        while not script.count("status/job-1"):
            await asyncio.sleep(0.01)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert script.count("cancel/job-1") == 1


async def test_an_endpoint_that_is_not_there_is_named(unused_tcp_port):
    async with aiohttp.ClientSession() as session:
        endpoint = RunPodEndpoint(
            name="diarization",
            endpoint_id="endpoint",
            base_url=f"http://127.0.0.1:{unused_tcp_port}/v2",
            api_key="",
            session=session,
        )
        with pytest.raises(EndpointUnreachableError, match="the diarization endpoint cannot be reached"):
            await endpoint.run({}, deadline_s=5)


@pytest.mark.parametrize("answer", [{"id": None}, {"id": 7}, {"error": "no workers"}])
async def test_a_submission_without_an_id_is_not_polled(answer):
    async with scripted_server({"run": [answer]}) as script:
        with pytest.raises(EndpointError, match="did not accept the job"):
            await call(script)
        assert [path for path, _ in script.asked] == ["run"]


async def test_an_endpoint_that_answers_nothing_sensible_is_given_up(monkeypatch):
    monkeypatch.setattr(polling, "POLL_PATIENCE_S", 0.1)
    async with scripted_server({"run": [QUEUED], "status/job-1": [{"no": "status"}], "cancel/job-1": [{}]}) as script:
        with pytest.raises(EndpointUnreachableError, match="sent no job status"):
            await call(script)
        assert script.count("cancel/job-1") == 1


async def test_odd_times_and_a_failing_progress_callback_do_not_end_a_job():
    odd = {**DONE, "delayTime": None, "executionTime": "soon"}
    states = [{**QUEUED, "status": "IN_PROGRESS", "output": {"progress": 0.5}}, odd]

    def fail(_):
        raise RuntimeError("in the caller's own code")

    async with scripted_server({"run": [QUEUED], "status/job-1": states}) as script:
        result = await call(script, on_progress=fail)
    assert (result.output, result.queue_s, result.execution_s) == ({"text": "hi"}, 0.0, 0.0)


async def test_a_request_too_large_blames_what_is_most_of_it():
    async with scripted_server({"run": [413]}) as script:
        with pytest.raises(InputTooLargeError, match=r"or fewer words: these are most of it$") as caught:
            await call(script, job_input={"audio": "x", "words": [{"word": "Hi."}]})
    assert caught.value.param == "words"


async def test_a_body_too_big_for_run_goes_by_runsync(monkeypatch):
    monkeypatch.setattr(endpoints, "RUN_BODY_BYTES", 50)
    async with scripted_server({"runsync": [QUEUED], "status/job-1": [DONE]}) as script:
        assert (await call(script)).output == {"text": "hi"}
        assert script.count("run") == 0
