"""Idempotency keys over HTTP: duplicates, conflicts, the lookup of a key."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from orchestrator.local.platform import LocalPlatform, PlatformSettings
from tests.support.hand_worker import HandWorker
from tests.support.platform_client import API_KEY, Caller

AUTH = {"Authorization": f"Bearer {API_KEY}"}
CONFLICT = "this Idempotency-Key was used for another input before; choose a new key"
BAD_KEY = "Idempotency-Key must be 1 to 200 printable ASCII characters"


@pytest.fixture
async def jobs() -> AsyncIterator[Caller]:
    settings = PlatformSettings(api_key=API_KEY, poll_hold_s=0.3, runsync_wait_bounds_s=(0.01, 300.0))
    async with LocalPlatform(("jobs", "others"), settings) as platform, aiohttp.ClientSession() as session:
        yield Caller(platform, "jobs", session)


async def post(jobs: Caller, key: str, *, path: str = "run", **options: Any) -> tuple[int, Any, str | None]:
    """Return status, body and whether the answer says that it is a replay."""
    headers = {**AUTH, "Idempotency-Key": key}
    async with jobs.session.post(f"{jobs.url}/{path}", headers=headers, **options) as response:
        return response.status, await response.json(), response.headers.get("Idempotency-Replayed")


async def look_up(jobs: Caller, key: str) -> tuple[int, Any, str | None]:
    async with jobs.session.get(f"{jobs.url}/idempotency/{quote(key, safe='')}", headers=AUTH) as response:
        return response.status, await response.json(), response.headers.get("Idempotency-Key")


async def test_second_post_is_answered_with_the_first_job(jobs: Caller):
    status, first, replayed = await post(jobs, "k", json={"input": {"a": 1, "b": 2}})
    assert (status, first["status"], replayed) == (200, "IN_QUEUE", None)
    # only the input counts, not its spelling, the policy or the webhook
    again = {"webhook": "http://127.0.0.1:1/", "policy": {"ttl": 20_000}, "input": {"b": 2, "a": 1}}
    assert await post(jobs, "k", json=again) == (200, first, "true")
    assert (await jobs.ok("GET", "health"))["jobs"]["inQueue"] == 1


@pytest.mark.parametrize("path", ["run", "runsync?wait=10"])
async def test_answer_to_a_key_says_that_keys_are_known(jobs: Caller, path: str):
    for _ in range(2):
        request = jobs.session.post(f"{jobs.url}/{path}", json={"input": {}}, headers={**AUTH, "Idempotency-Key": "k"})
        async with request as response:
            assert response.headers["Idempotency-Key"] == "k"
    async with jobs.session.post(f"{jobs.url}/run", json={"input": {}}, headers=AUTH) as response:
        assert "Idempotency-Key" not in response.headers


async def test_posts_at_once_make_one_job(jobs: Caller):
    answers = await asyncio.gather(*(post(jobs, "k", json={"input": {"x": "y" * 300_000}}) for _ in range(10)))
    assert len({body["id"] for _, body, _ in answers}) == 1
    assert sorted(str(replayed) for *_, replayed in answers) == ["None"] + ["true"] * 9
    assert (await jobs.ok("GET", "health"))["jobs"]["inQueue"] == 1


async def test_two_duplicates_whose_bodies_are_still_on_their_way_make_one_job(jobs: Caller):
    sent, go = asyncio.Semaphore(0), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b'{"input": {"a"'
        sent.release()
        await go.wait()
        yield b": 1}}"

    posts = [asyncio.ensure_future(post(jobs, "k", data=slow())) for _ in range(2)]
    for _ in posts:
        await sent.acquire()
    go.set()
    (_, one, _), (_, other, _) = await asyncio.gather(*posts)
    assert one == other
    assert (await jobs.ok("GET", "health"))["jobs"]["inQueue"] == 1


async def test_runsync_duplicates_wait_for_the_one_job(jobs: Caller):
    worker = HandWorker(jobs)
    posts = [asyncio.ensure_future(post(jobs, "k", path="runsync", json={"input": {"a": 1}})) for _ in range(2)]
    _, job = await worker.take()
    assert await worker.done(job["id"], {"output": {"text": "hello"}}) == {"accepted": True}
    (_, one, _), (_, other, _) = await asyncio.gather(*posts)
    assert (one["status"], one["output"]) == ("COMPLETED", {"text": "hello"})
    assert other == one
    assert await worker.take("&job_in_progress=1") == (204, None)
    assert await post(jobs, "k", json={"input": {"a": 1}}) == (200, {"id": job["id"], "status": "COMPLETED"}, "true")


async def test_another_input_under_the_key_is_refused(jobs: Caller):
    _, first, _ = await post(jobs, "k", json={"input": {"a": 1}})
    assert await post(jobs, "k", json={"input": {"a": 2}}) == (422, {"error": CONFLICT}, None)
    await jobs.ok("POST", f"cancel/{first['id']}")
    status, second, replayed = await post(jobs, "k", json={"input": {"a": 2}})
    assert (status, replayed) == (200, None)
    assert second["id"] != first["id"]


async def test_keys_belong_to_an_endpoint(jobs: Caller):
    _, first, _ = await post(jobs, "k", json={"input": {"a": 1}})
    other = Caller(jobs.platform, "others", jobs.session)
    _, second, replayed = await post(other, "k", json={"input": {"a": 2}})
    assert (second["id"] == first["id"], replayed) == (False, None)
    assert (await look_up(other, "k"))[1]["id"] == second["id"]


@pytest.mark.parametrize("key", ["k", "a/b c%2F?#~", "x" * 200, "{}", "%", '"'])
async def test_key_can_be_looked_up(jobs: Caller, key: str):
    assert await look_up(jobs, key) == (404, {"error": "no job with this key is known"}, key)
    _, first, _ = await post(jobs, key, json={"input": {}})
    assert await look_up(jobs, key) == (200, first, key)
    await jobs.ok("POST", f"cancel/{first['id']}")
    assert await look_up(jobs, key) == (200, {"id": first["id"], "status": "CANCELLED"}, key)


@pytest.mark.parametrize("key", ["", " ", "x" * 201, "é", "a\tb"])
@pytest.mark.parametrize("path", ["run", "runsync"])
async def test_bad_keys_are_refused(jobs: Caller, key: str, path: str):
    assert await post(jobs, key, path=path, json={"input": {}}) == (400, {"error": BAD_KEY}, None)
    assert (await jobs.ok("GET", "health"))["jobs"]["inQueue"] == 0


async def test_two_keys_in_one_request_are_refused(jobs: Caller):
    headers = [*AUTH.items(), ("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    answer = await jobs.call("POST", "run", json={"input": {}}, headers=headers)
    assert answer == (400, {"error": "Idempotency-Key was sent 2 times; send it once"})


async def test_lookup_wants_the_api_key_and_a_real_key(jobs: Caller):
    assert (await jobs.call("GET", "idempotency/k", headers={}))[0] == 401
    assert await look_up(jobs, "x" * 201) == (400, {"error": BAD_KEY}, None)
    assert (await Caller(jobs.platform, "none", jobs.session).call("GET", "idempotency/k"))[0] == 404


async def test_request_without_key_is_never_a_replay(jobs: Caller):
    ids = [await jobs.submit({"a": 1}) for _ in range(2)]
    assert ids[0] != ids[1]
