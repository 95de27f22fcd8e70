"""The runpod SDK's own clients, which nobody here has written, on the orchestrator with the real models."""

import asyncio
import functools
from collections import Counter

import aiohttp
import pytest
import runpod

from tests.support.stack_jobs import each_completed, job_counts


@pytest.fixture
def api_key(stack, monkeypatch):
    monkeypatch.setattr(runpod, "endpoint_url_base", stack.env["RUNPOD_BASE_URL"])
    return stack.env["RUNPOD_API_KEY"]


def check_sample(answer):
    assert "originally from Chicago" in answer["text"]
    assert answer["speakers"] == ["SPEAKER_00", "SPEAKER_01"]
    assert {word["speaker"] for word in answer["words"]} == {"SPEAKER_00", "SPEAKER_01"}


async def test_all_three_ways_of_the_sdk_give_the_result_of_one_run(stack, api_key, sample_url):
    asked = {"audio": sample_url, "response_format": "verbose_json", "repair": False, "idempotency_key": "sdk-clients"}
    before = job_counts(stack)
    endpoint = runpod.Endpoint("orchestrator", api_key=api_key)
    async with aiohttp.ClientSession() as session:
        asyncio_endpoint = runpod.AsyncioEndpoint("orchestrator", session, api_key=api_key)
        asyncio_job = await asyncio_endpoint.run(asked)
        job = await asyncio.to_thread(endpoint.run, {"input": asked})
        run_sync = functools.partial(endpoint.run_sync, {"input": asked}, timeout=90)
        answers = await asyncio.gather(
            asyncio_job.output(timeout=90), asyncio.to_thread(job.output, timeout=90), asyncio.to_thread(run_sync)
        )
        assert await asyncio_job.status() == "COMPLETED"
    endpoint.rp_client.rp_session.close()
    for answer in answers:
        check_sample(answer)
    assert job_counts(stack) - before == each_completed() + Counter({"orchestrator completed": 2})
