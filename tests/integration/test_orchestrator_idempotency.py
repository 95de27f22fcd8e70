"""Jobs of the orchestrator with one key are one orchestration, with the same child jobs whenever it is begun."""

import asyncio
import json

import pytest

from common import retries
from common.settings import load_settings
from orchestrator import polling
from orchestrator.handler import KEEPERS, Orchestrator
from tests.support.fake_endpoint import HEARD
from tests.support.scripted_server import scripted_server

RUNNING = {"id": "job-1", "status": "IN_PROGRESS", "output": {"stage": "decoding", "progress": 0.5}}
DONE = {
    "id": "job-1",
    "status": "COMPLETED",
    "output": {**HEARD, "timings": {"cold_start_s": 2.0}},
    "delayTime": 250,
    "executionTime": 1500,
}


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(polling, "FIRST_POLL_S", 0.01)
    monkeypatch.setattr(retries, "FIRST_BACKOFF_S", 0.01)


def job(job_id="job-9", **fields):
    asked = {"audio": "https://example.org/a.wav", "diarize": False, "response_format": "verbose_json", **fields}
    return {"id": job_id, "input": asked}


def orchestrator(script, **env):
    names = {"TRANSCRIPTION_ENDPOINT_ID": "endpoint", "DIARIZATION_ENDPOINT_ID": "endpoint"}
    settings = load_settings({"RUNPOD_BASE_URL": script.url, "RUNPOD_API_KEY": "key", **names, **env})
    posted = []

    async def post(given, progress):
        posted.append(given["id"])

    made = Orchestrator(settings, post=post)
    made.ready()
    return made, posted


async def test_duplicates_share_one_child_job_and_both_are_answered_and_hear_of_progress():
    async with scripted_server({"run": [RUNNING], "status/job-1": [RUNNING] * 50 + [DONE]}) as script:
        handler, posted = orchestrator(script)
        jobs = [job(name, idempotency_key="k") for name in ("a", "b")]
        answers = await asyncio.gather(*(handler(one) for one in jobs))
        later = await handler(job("c", idempotency_key="k"))
        assert script.count("run") == 1
    assert [answer["text"] for answer in (*answers, later)] == ["Hello there. Hi."] * 3
    assert {answer["request_id"] for answer in (*answers, later)} == {answers[0]["request_id"]}
    assert {"a", "b"} <= set(posted)


async def test_a_key_with_another_request_is_refused():
    async with scripted_server({"run": [RUNNING], "status/job-1": [RUNNING, DONE]}) as script:
        handler, _ = orchestrator(script)
        first, second = await asyncio.gather(
            handler(job("a", idempotency_key="k")), handler(job("b", idempotency_key="k", language="de"))
        )
    error = json.loads(next(answer for answer in (first, second) if "error" in answer)["error"])
    assert (error["code"], error["param"]) == ("idempotency_conflict", "idempotency_key")


async def test_a_job_that_is_delivered_again_elsewhere_asks_for_the_same_child_jobs():
    async with scripted_server({"run": [DONE]}) as script:
        for _ in range(2):
            await orchestrator(script)[0](job())
        await orchestrator(script)[0](job("job-10"))
        assert script.sent_keys[0] == script.sent_keys[1] != script.sent_keys[2]
        assert [body["input"]["request_id"] for _, body in script.asked] == ["job-9", "job-9", "job-10"]


async def test_the_answer_has_times_and_cost_of_each_worker():
    prices = {"TRANSCRIPTION_PRICE_PER_SECOND": "0.001", "ORCHESTRATOR_PRICE_PER_SECOND": "0.01"}
    async with scripted_server({"run": [DONE]}) as script:
        answer = await orchestrator(script, **prices)[0](job())
    timings, cost = answer["timings"], answer["cost"]
    assert (timings["transcription_queue_s"], timings["transcription_cold_start_s"]) == (0.25, 2.0)
    assert timings["transcription_execution_s"] == 1.5
    assert cost["transcription"] == pytest.approx(0.0035)
    assert cost["orchestrator"] > 0.01  # this process is older than a second
    assert cost["total"] == pytest.approx(cost["transcription"] + cost["orchestrator"], abs=1e-5)


@pytest.mark.parametrize("seconds", ["soon", float("nan"), -100.0])
async def test_times_that_are_none_are_the_endpoints_fault(seconds):
    odd = {**DONE, "output": {**HEARD, "timings": {"cold_start_s": seconds}}}
    async with scripted_server({"run": [odd]}) as script:
        error = json.loads((await orchestrator(script)[0](job()))["error"])
    assert (error["code"], error["endpoint"]) == ("endpoint_failed", "transcription")


async def test_without_prices_there_is_no_cost():
    async with scripted_server({"run": [DONE]}) as script:
        assert "cost" not in await orchestrator(script)[0](job())


async def test_a_webhook_without_a_secret_starts_no_child():
    async with scripted_server({"run": [DONE]}) as script:
        answer = await orchestrator(script)[0](job(webhook="https://example.org/hook"))
        assert script.asked == []
    assert json.loads(answer["error"])["param"] == "webhook"


def test_all_jobs_of_a_process_share_one_session_which_ends_with_the_loop():
    async def three_jobs():
        async with scripted_server({"run": [DONE]}) as script:
            handler, _ = orchestrator(script)
            await asyncio.gather(*(handler(job(name)) for name in "abc"))
            return {await handler._connections.get() for _ in range(3)}

    (session,) = asyncio.run(three_jobs())
    assert session.closed
    assert not KEEPERS
