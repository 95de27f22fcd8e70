"""What every worker does around a job: the request's id, results that are too big, the webhook."""

import asyncio
import base64
import json
import random
import threading
import time

import pytest
from aiohttp import web
from prometheus_client import generate_latest
from standardwebhooks import Webhook

from common.contract import OrchestrationRequest
from common.errors import ConfigurationError, EngineError, InvalidInputError
from common.job import (
    Boundary,
    answer_job,
    boundary_of,
    check_webhook,
    fitting_result,
    kept_for_webhook_s,
    request_id_of,
)
from common.metrics import JobMetrics
from common.packed_results import unpacked
from common.settings import load_settings
from tests.support.metric_lines import samples_in

SECRET = "whsec_" + base64.b64encode(b"a secret of enough bytes").decode()
REPORT = {"model": "m", "device": "cpu", "timings": {}, "warnings": []}


async def done(_):
    return {**REPORT, "text": "hi"}


async def failing(_):
    raise EngineError("the model failed")


def job(**fields):
    return {"id": "job-1", "input": {"audio": "x", **fields}}


async def answered(given, answer=done, **around):
    return await answer_job(given, answer, worker="test", boundary=Boundary(**around))


@pytest.fixture
async def hook():
    """A webhook's receiver: its URL, and what it was posted."""
    posted, statuses = [], []

    async def take(request):
        posted.append((await request.text(), dict(request.headers)))
        return web.Response(status=statuses.pop(0) if statuses else 200)

    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/", posted, statuses
    await runner.cleanup()


def verified(message):
    text, headers = message
    return Webhook(SECRET).verify(text, {name.lower(): value for name, value in headers.items()})


async def test_the_answer_names_the_request():
    assert (await answered(job()))["request_id"] == "job-1"
    assert (await answered(job(request_id="mine")))["request_id"] == "mine"


def test_jobs_with_one_key_have_one_request_id_and_a_bad_one_is_not_used():
    first, second = ({"id": name, "input": {"idempotency_key": "k"}} for name in "ab")
    assert request_id_of(first) == request_id_of(second) != "a"
    assert request_id_of({"id": "a", "input": {"request_id": "two\nlines"}}) == "a"
    assert request_id_of({"id": "a", "input": None}) == "a"


async def test_a_result_that_is_too_big_is_packed_and_reads_as_before(monkeypatch):
    monkeypatch.setattr("common.job.RUN_RESULT_BYTES", 1000)

    async def long(_):
        return {**REPORT, "text": "word " * 1000}

    answer = await answered(job(), long)
    assert (answer["model"], answer["request_id"]) == ("m", "job-1")
    assert len(json.dumps(answer)) < 1000
    assert (await unpacked(answer, allow_private_addresses=False))["text"] == "word " * 1000


def test_what_cannot_be_json_is_the_engines_fault():
    with pytest.raises(EngineError, match="NaN"):
        fitting_result({"value": float("nan")}, limit_bytes=1000, store=None)


async def test_ends_are_counted_by_their_code():
    metrics = JobMetrics()
    await answered(job(), metrics=metrics)
    await answered(job(), failing, metrics=metrics)
    found = samples_in(generate_latest(metrics.registry).decode())
    assert found[("parley_jobs_total", "ok", "test")] == 1
    assert found[("parley_jobs_total", "engine_failed", "test")] == 1
    assert found[("parley_jobs_in_progress", "test")] == 0


async def test_the_webhook_gets_the_signed_result(hook):
    url, posted, _ = hook
    answer = await answered(job(webhook=url), webhook_secret=SECRET, allow_private_addresses=True)
    message = verified(posted[0])
    assert (message["id"], message["status"], message["output"]) == ("job-1", "COMPLETED", answer)
    assert posted[0][1]["webhook-id"] == "job-1"
    assert answer["warnings"] == []


async def test_the_webhook_gets_the_error_of_a_failed_job(hook):
    url, posted, _ = hook
    answer = await answered(job(webhook=url), failing, webhook_secret=SECRET, allow_private_addresses=True)
    message = verified(posted[0])
    assert (message["status"], message["error"]) == ("FAILED", answer["error"])
    assert "output" not in message


async def test_a_webhook_that_is_not_taken_is_a_warning_and_the_result_is_there(hook):
    url, posted, statuses = hook
    statuses.append(410)
    answer = await answered(job(webhook=url), webhook_secret=SECRET, allow_private_addresses=True)
    assert (answer["text"], len(posted)) == ("hi", 1)
    assert answer["warnings"] == ["the webhook did not take the result: its server answered 410"]


async def test_a_webhook_in_a_private_network_is_not_called(hook):
    url, posted, _ = hook
    answer = await answered(job(webhook=url), webhook_secret=SECRET)
    assert posted == []
    assert "private network address" in answer["warnings"][0]


async def test_without_a_secret_nothing_is_posted(hook):
    url, posted, _ = hook
    await answered(job(webhook=url), allow_private_addresses=True)
    assert posted == []


def test_a_webhook_that_could_not_be_told_is_refused():
    request = OrchestrationRequest(audio="https://example.org/a.wav", webhook="https://example.org/hook")
    with pytest.raises(InvalidInputError, match="set WEBHOOK_SECRET") as caught:
        check_webhook(request, Boundary())
    assert caught.value.param == "webhook"
    check_webhook(request, Boundary(webhook_secret=SECRET))
    check_webhook(request.model_copy(update={"webhook": None}), Boundary())


def test_only_workers_with_webhooks_get_the_secret_and_a_bad_one_is_told_at_the_start():
    settings = load_settings({"WEBHOOK_SECRET": SECRET})
    assert boundary_of(settings).webhook_secret == ""
    assert boundary_of(settings, webhooks=True).webhook_secret == SECRET
    with pytest.raises(ConfigurationError, match="WEBHOOK_SECRET"):
        boundary_of(load_settings({"WEBHOOK_SECRET": "whsec_!"}), webhooks=True)


async def test_a_result_too_big_even_packed_is_refused(monkeypatch):
    monkeypatch.setattr("common.job.RUN_RESULT_BYTES", 1000)

    async def noise(_):
        return {**REPORT, "text": base64.b64encode(random.Random(1).randbytes(3000)).decode()}

    assert json.loads((await answered(job(), noise))["error"])["code"] == "output_too_large"


async def test_a_slow_webhook_does_not_keep_the_result_beyond_the_deadline():
    over = asyncio.Event()

    async def never(_):
        await over.wait()

    app = web.Application()
    app.router.add_post("/", never)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    asked = job(webhook=f"http://127.0.0.1:{runner.addresses[0][1]}/")
    began = time.monotonic()
    answer = await answered(asked, webhook_secret=SECRET, allow_private_addresses=True, deadline_s=0.3)
    assert time.monotonic() - began < 1
    assert (answer["text"], len(answer["warnings"])) == ("hi", 1)
    over.set()
    await runner.cleanup()


def test_of_a_deadline_a_share_is_kept_for_the_webhook():
    assert (kept_for_webhook_s(3600), kept_for_webhook_s(10)) == (20, 1)


async def test_a_storage_that_hangs_does_not_hold_the_worker(monkeypatch):
    monkeypatch.setattr("common.job.STORING_S", 0.1)
    over = threading.Event()
    monkeypatch.setattr("common.job.packed", lambda *_, **__: over.wait(5))
    error = json.loads((await answered(job()))["error"])
    over.set()
    assert (error["code"], error["retryable"]) == ("storage_failed", True)
