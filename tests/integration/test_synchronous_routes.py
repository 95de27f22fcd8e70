"""Routes that answer with the result itself: nothing of a job is left, however the request ends."""

import asyncio
import json

import aiohttp
import pytest
import pytest_asyncio

from common.errors import UnreadableAudioError
from orchestrator.server.http import openai_stream
from orchestrator.server.store.janitor import Janitor
from tests.support.own_server import RECORDING, own_server
from tests.support.server_documents import TURNS

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory):
    async with own_server(tmp_path_factory.mktemp("server"), deadline_s=30.0) as served:
        yield served


@pytest.fixture
def server(running):
    running.backend.reset()
    return running


@pytest_asyncio.fixture(loop_scope="module")
async def session():
    async with aiohttp.ClientSession() as opened:
        yield opened


def form(**fields):
    data = aiohttp.FormData()
    data.add_field("file", RECORDING, filename="talk.wav")
    for name, text in fields.items():
        data.add_field(name, text)
    return data


async def until(condition, *, patience_s=15.0):
    async with asyncio.timeout(patience_s):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.02)


async def test_who_speaks_when(server, session):
    async with session.post(f"{server.url}/api/diarize", data=form(num_speakers="2")) as response:
        assert response.status == 200
        document = await response.json()
    assert document["timeline"] == list(TURNS)
    assert (document["speakers"], document["num_speakers"]) == (["SPEAKER_00", "SPEAKER_01"], 2)
    assert (document["success"], document["filename"], document["duration"]) == (True, "talk.wav", 30.0)
    assert server.backend.asked == [{"num_speakers": 2}]
    assert (server.kept(), server.jobs()) == ([], 0)


async def test_who_says_what(server, session):
    async with session.post(f"{server.url}/api/transcribe-with-diarization", data=form()) as response:
        document = await response.json()
    assert [(one["speaker"], one["text"]) for one in document["aligned_segments"]] == [
        ("SPEAKER_00", "Do you know Chicago?"),
        ("SPEAKER_01", "I live there."),
    ]
    assert document["performance_metrics"]["real_time_factor"] == 0.05
    assert (server.kept(), server.jobs()) == ([], 0)


async def test_it_is_in_no_list(server, session):
    server.backend.going.clear()
    asking = asyncio.create_task(session.post(f"{server.url}/api/diarize", data=form()))
    await until(lambda: server.backend.running == 1)
    async with session.get(f"{server.url}/api/jobs") as response:
        assert (await response.json())["jobs"] == []
    server.backend.going.set()
    assert (await asking).status == 200


async def test_a_job_that_fails(server, session):
    server.backend.failure = UnreadableAudioError("this is no audio", param="audio")
    async with session.post(f"{server.url}/api/diarize", data=form()) as response:
        assert response.status == 415
        error = (await response.json())["error"]
    assert (error["code"], error["message"], error["param"]) == ("unreadable_audio", "this is no audio", "audio")
    assert (server.kept(), server.jobs()) == ([], 0)


@pytest.mark.parametrize("path", ["/api/diarize", "/v1/audio/transcriptions"])
async def test_what_takes_too_long(tmp_path, session, path):
    async with own_server(tmp_path, deadline_s=0.3) as server:
        server.backend.going.clear()
        async with session.post(
            f"{server.url}{path}", data=form(**({"model": "m"} if "v1" in path else {}))
        ) as response:
            assert response.status == 504
            assert (await response.json())["error"]["code"] == "deadline_exceeded"
            assert response.headers.get("x-should-retry") == ("false" if "v1" in path else None)
        await until(lambda: server.backend.running == 0 and server.jobs() == 0)


async def test_a_stream_that_takes_too_long(tmp_path, session):
    async with own_server(tmp_path, deadline_s=0.5) as server:
        server.backend.going.clear()
        data = form(model="m", stream="true")
        async with session.post(f"{server.url}/v1/audio/transcriptions", data=data) as response:
            lines = [line.removeprefix("data: ") for line in (await response.text()).split("\n\n")]
        assert json.loads(lines[-3])["error"]["code"] == "deadline_exceeded"
        assert lines[-2:] == ["[DONE]", ""]
        await until(lambda: server.backend.running == 0 and server.jobs() == 0)


@pytest.mark.parametrize("path", ["/api/transcribe-with-diarization", "/v1/audio/transcriptions"])
async def test_a_caller_who_goes_stops_the_job(server, path):
    server.backend.going.clear()
    async with aiohttp.ClientSession() as session:
        asking = asyncio.create_task(
            session.post(f"{server.url}{path}", data=form(**({"model": "m"} if "v1" in path else {})))
        )
        await until(lambda: server.backend.running == 1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    await until(lambda: server.backend.running == 0 and server.jobs() == 0)
    context = server.context
    await asyncio.to_thread(Janitor(context.store, context.files, retention_s=3600.0).sweep)
    assert server.kept() == []


async def test_a_caller_who_leaves_a_stream_stops_the_job(server, session):
    server.backend.going.clear()
    data = form(model="m", stream="true")
    async with session.post(f"{server.url}/v1/audio/transcriptions", data=data) as response:
        assert response.content_type == "text/event-stream"
        assert b"Chicago" in await response.content.readline()
        response.close()
    await until(lambda: server.backend.running == 0 and server.jobs() == 0)


async def test_a_silent_stream_shows_signs_of_life(server, session, monkeypatch):
    monkeypatch.setattr(openai_stream, "HEARTBEAT_S", 0.05)
    server.backend.going.clear()
    data = form(model="m", stream="true", response_format="diarized_json")
    async with session.post(f"{server.url}/v1/audio/transcriptions", data=data) as response:
        assert await response.content.readline() == b": still at work\n"
        server.backend.going.set()
        rest = (await response.text()).split("\n\n")
    assert rest[-2] == "data: [DONE]"


async def test_a_form_is_needed(server, session):
    async with session.post(f"{server.url}/v1/audio/transcriptions", json={"model": "m"}) as response:
        assert response.status == 400
        error = (await response.json())["error"]
    assert (error["param"], error["type"]) == ("file", "invalid_request_error")
    async with session.post(f"{server.url}/v1/audio/transcriptions", data={"model": "m"}) as response:
        assert response.status == 400


async def test_the_routes_are_documented(server, session):
    async with session.get(f"{server.url}/openapi.json") as response:
        paths = (await response.json())["paths"]
    body = paths["/v1/audio/transcriptions"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert body["required"] == ["file", "model"]
    assert "diarized_json" in body["properties"]["response_format"]["enum"]
    assert {"/api/diarize", "/api/transcribe-with-diarization", "/v1/models"} <= paths.keys()
