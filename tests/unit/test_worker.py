import asyncio
import base64
import json
import random

import pytest

from common.audio.limits import AudioLimits
from common.contract import DiarizationRequest
from common.errors import InvalidInputError
from handlers.worker import Worker
from tests.support.audio_jobs import job
from tests.support.blocking_engine import BlockingInference

LIMITS = AudioLimits(max_download_bytes=10**6, max_duration_s=60, fetch_timeout_s=5, allow_private_addresses=False)


def worker(infer, posted=None):
    async def post(job, progress):
        if posted is not None:
            posted.append((job["id"], progress))

    return Worker(name="test", request_type=DiarizationRequest, infer=infer, limits=LIMITS, post_progress=post)


async def error_of(infer, **fields):
    answer = await worker(infer)(job(**fields))
    assert answer.keys() == {"error"}
    return json.loads(answer["error"])


async def began(inference):
    while not inference.began.is_set():
        await asyncio.sleep(0.001)


async def test_the_result_comes_back_with_the_time_of_every_stage():
    answer = await worker(lambda request, samples, tick: {"samples": len(samples)})(job(1.5))
    assert answer["samples"] == 24_000
    assert answer["timings"].keys() == {"cold_start_s", "fetch_s", "decode_s", "wait_s", "inference_s", "total_s"}
    stages = [seconds for stage, seconds in answer["timings"].items() if stage not in ("cold_start_s", "total_s")]
    assert 0 < sum(stages) <= answer["timings"]["total_s"] + 0.001


async def test_an_unknown_field_is_refused_by_its_name():
    error = await error_of(lambda *_: {}, speakers=2)
    assert (error["code"], error["param"]) == ("unknown_field", "speakers")


async def test_a_job_without_input_is_refused():
    answer = await worker(lambda *_: {})({"id": "job-1"})
    assert json.loads(answer["error"])["code"] == "invalid_input"


async def test_what_cannot_be_met_is_refused_before_anything_is_fetched():
    def check(request):
        raise InvalidInputError(f"no {request.num_speakers} speakers here", param="num_speakers")

    strict = worker(lambda *_: pytest.fail("ran"))
    strict.check = check
    answer = await strict({"id": "job-1", "input": {"audio": "http://127.0.0.1/never", "num_speakers": 3}})
    error = json.loads(answer["error"])
    assert (error["code"], error["message"]) == ("invalid_input", "no 3 speakers here")


async def test_a_crash_gives_an_envelope_without_its_text():
    def crash(request, samples, tick):
        raise RuntimeError("secret /root/path at host-17")

    error = await error_of(crash)
    assert error["code"] == "engine_failed"
    assert error["message"] == "the test worker failed; its log has the cause"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object()])
async def test_values_that_json_cannot_carry_are_an_error(value):
    error = await error_of(lambda *_: {"score": value})
    assert error["code"] == "engine_failed"
    assert "not valid JSON" in error["message"]


async def test_a_result_above_the_platforms_limit_is_an_error_that_names_both_sizes():
    noise = base64.b64encode(random.Random(7).randbytes(9_000_000)).decode()  # as large compressed as it is
    error = await error_of(lambda *_: {"text": noise})
    assert error["code"] == "output_too_large"
    assert "the platform's limit is 10000000" in error["message"]


async def test_after_runsync_a_result_may_be_twice_as_large():
    answer = await worker(lambda *_: {"text": "x" * 10_000_000})(job(job_id="sync-1"))
    assert len(answer["text"]) == 10_000_000


async def test_progress_is_posted_in_order_and_never_after_the_result(monkeypatch):
    monkeypatch.setattr("common.progress.MIN_INTERVAL_S", 0.001)
    posted = []

    def infer(request, samples, tick):
        for step in range(50):
            tick("working", step / 50)
            BlockingInference().release.wait(0.002)
        return {"ok": True}

    await worker(infer, posted)(job())
    count = len(posted)
    fractions = [progress["progress"] for _, progress in posted if progress["stage"] == "working"]
    assert fractions == sorted(fractions)
    assert len(fractions) > 1
    assert {job_id for job_id, _ in posted} == {"job-1"}
    await asyncio.sleep(0.05)
    assert len(posted) == count


async def test_a_progress_post_that_fails_does_not_fail_the_job():
    async def post(job, progress):
        raise ConnectionError("the platform is away")

    refused = worker(lambda *_: {"ok": True})
    refused.post_progress = post
    answer = await refused(job())
    assert answer["ok"] is True


async def test_a_stopped_job_waits_until_its_thread_has_left_the_gpu():
    inference = BlockingInference(leave_after_s=0.1)
    task = asyncio.create_task(worker(inference)(job()))
    await began(inference)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert inference.left == 1


async def test_a_job_stopped_twice_still_waits_for_its_thread():
    inference = BlockingInference(leave_after_s=0.2)
    task = asyncio.create_task(worker(inference)(job()))
    await began(inference)
    task.cancel()
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert inference.left == 1


async def test_the_next_job_starts_only_after_the_stopped_one_has_left():
    inference = BlockingInference(leave_after_s=0.1)
    shared = worker(inference)
    first = asyncio.create_task(shared(job(job_id="first")))
    await began(inference)
    second = asyncio.create_task(shared(job(job_id="second")))
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    inference.release.set()
    assert (await second)["ok"] is True
    assert (inference.most_inside, inference.left) == (1, 2)


async def test_a_job_stopped_while_it_waits_for_the_gpu_never_runs():
    inference = BlockingInference()
    shared = worker(inference)
    first = asyncio.create_task(shared(job(job_id="first")))
    await began(inference)
    second = asyncio.create_task(shared(job(job_id="second")))
    while shared.gpu._waiters is None or not shared.gpu._waiters:
        await asyncio.sleep(0.001)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    inference.release.set()
    assert (await first)["ok"] is True
    assert inference.left == 1
