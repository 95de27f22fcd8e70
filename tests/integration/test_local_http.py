"""The platform's HTTP without workers: keys, limits, wrong requests."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from common.errors import ConfigurationError
from orchestrator.local.platform import LocalPlatform, PlatformSettings
from tests.support.platform_client import API_KEY, Caller

SETTINGS = PlatformSettings(api_key=API_KEY, run_max_bytes=1000, runsync_max_bytes=2000, max_jobs=3, body_timeout_s=0.3)


@pytest.fixture
async def jobs() -> AsyncIterator[Caller]:
    async with LocalPlatform(("jobs",), SETTINGS) as platform, aiohttp.ClientSession() as session:
        yield Caller(platform, "jobs", session)


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer "}])
@pytest.mark.parametrize(("method", "path"), [("POST", "run"), ("GET", "health"), ("GET", "status/x")])
async def test_wrong_key_is_refused(jobs: Caller, header: dict[str, str], method: str, path: str):
    status, body = await jobs.call(method, path, headers=header)
    assert (status, body) == (401, {"error": "unauthorized: send the API key as a bearer token"})


async def test_bare_key_is_accepted_as_on_runpod(jobs: Caller):
    status, _ = await jobs.call("GET", "health", headers={"Authorization": API_KEY})
    assert status == 200


async def test_platform_without_key_is_open():
    async with LocalPlatform(("jobs",), PlatformSettings()) as platform, aiohttp.ClientSession() as session:
        status, _ = await Caller(platform, "jobs", session).call("GET", "health", headers={})
    assert status == 200


async def test_unknown_endpoint_job_and_route(jobs: Caller):
    other = Caller(jobs.platform, "other", jobs.session)
    assert await other.call("POST", "run", json={"input": {}}) == (
        404,
        {"error": "this endpoint does not exist; check its id"},
    )
    for path in ("status/none", "stream/none"):
        assert await jobs.call("GET", path) == (404, {"error": "the job does not exist or has expired"})
    assert (await jobs.call("POST", "cancel/none"))[0] == 404
    assert (await jobs.call("POST", "retry/none"))[0] == 404
    assert await jobs.call("GET", "nothing") == (404, {"error": "Not Found"})
    assert await jobs.call("GET", "run") == (405, {"error": "Method Not Allowed"})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "the body is not valid JSON"),
        ("{", "the body is not valid JSON"),
        ('{"input": {"x": NaN}}', "the body is not valid JSON"),
        ("[" * 900, "the body is not valid JSON"),
        ("[]", "the body must be a JSON object"),
        ("{}", "input: Field required"),
        ('{"input": "text"}', "input: Input should be a valid dictionary"),
        ('{"input": {}, "policy": 5}', "policy: Input should be a valid dictionary or instance of Policy"),
        ('{"input": {}, "policy": {"ttl": "soon"}}', "policy.ttl: Input should be a valid number"),
        ('{"input": {}, "policy": {"ttl": 9999}}', "policy.ttl must be from 10000 to 604800000 ms"),
        (
            '{"input": {}, "policy": {"executionTimeout": 1}}',
            "policy.executionTimeout must be from 5000 to 604800000 ms",
        ),
        ('{"input": {}, "webhook": "file:///etc/passwd"}', "webhook must be an http or https URL"),
    ],
)
async def test_bad_bodies(jobs: Caller, body: str, message: str):
    assert await jobs.call("POST", "run", data=body) == (400, {"error": message})
    assert (await jobs.ok("GET", "health"))["jobs"]["inQueue"] == 0


@pytest.mark.parametrize("wait", ["999", "300001", "-1", "x", "1e3", "9" * 5000, "٣٠٠٠"])
async def test_bad_wait(jobs: Caller, wait: str):
    answer = await jobs.call("POST", "runsync", params={"wait": wait}, json={"input": {}})
    assert answer == (400, {"error": "wait must be from 1000 to 300000 ms"})


async def test_runsync_without_worker_returns_in_queue(jobs: Caller):
    answer = await jobs.ok("POST", "runsync?wait=1000", json={"input": {}})
    assert answer == {"id": answer["id"], "status": "IN_QUEUE"}


async def chunks(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(("path", "limit"), [("run", 1000), ("runsync?wait=1000", 2000)])
async def test_bodies_above_the_limit(jobs: Caller, chunked: bool, path: str, limit: int):
    def body(size: int) -> Any:
        text = b'{"input": {"x": "' + b"x" * (size - 20) + b'"}}'
        return chunks(text[:500], text[500:]) if chunked else text

    assert (await jobs.call("POST", path, data=body(limit)))[0] == 200
    assert await jobs.call("POST", path, data=body(limit + 1)) == (
        413,
        {"error": f"the request is above {limit} bytes; pass the audio as a URL"},
    )


async def test_slow_body_is_given_up(jobs: Caller):
    async def slow() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    status, body = await jobs.call("POST", "run", data=slow())
    assert (status, body) == (400, {"error": "the body did not arrive within 0 s; send it again"})


async def test_too_many_jobs(jobs: Caller):
    for _ in range(3):
        await jobs.submit({})
    status, body = await jobs.call("POST", "run", json={"input": {}})
    assert (status, body["error"]) == (
        429,
        "the endpoint holds too many jobs; wait until earlier ones have ended and expired",
    )


async def test_retry_of_a_queued_job_is_refused(jobs: Caller):
    job_id = await jobs.submit({})
    assert await jobs.call("POST", f"retry/{job_id}") == (
        400,
        {"error": "only a job that is FAILED or TIMED_OUT can be retried"},
    )


async def test_health_of_an_idle_endpoint(jobs: Caller):
    assert await jobs.ok("GET", "health") == {
        "jobs": {"completed": 0, "failed": 0, "inProgress": 0, "inQueue": 0, "retried": 0},
        "workers": {"idle": 0, "initializing": 0, "ready": 0, "running": 0, "throttled": 0, "unhealthy": 0},
    }


async def test_port_in_use_is_explained(jobs: Caller):
    port = int(jobs.platform.base_url.split(":")[2].split("/")[0])
    with pytest.raises(ConfigurationError, match=f"cannot listen on port {port} of 127.0.0.1; choose another port"):
        await LocalPlatform(("jobs",), PlatformSettings(port=port)).start()


@pytest.mark.parametrize("settings", [PlatformSettings(host="0.0.0.0"), PlatformSettings(api_key="")])
def test_unsafe_settings_are_refused(settings: PlatformSettings):
    with pytest.raises(ConfigurationError):
        LocalPlatform(("jobs",), settings)


def test_worker_id_is_never_given_twice():
    platform = LocalPlatform(("a", "b"), PlatformSettings())
    assert [platform.new_worker_id(name) for name in "aab"] == ["a-1", "a-2", "b-1"]


@pytest.mark.parametrize("port", [65_536, 99_999, -1])
async def test_port_that_is_none(port: int):
    with pytest.raises(ConfigurationError, match=f"{port} is not a port; choose one from 1 to 65535, or 0"):
        async with LocalPlatform(("jobs",), PlatformSettings(port=port)):
            pass
