"""Requests that wait when the server is told to stop: all are answered, and hold nothing up."""

import asyncio
import json
import sqlite3

import aiohttp
import pytest

from orchestrator.server import app as app_module
from tests.support.own_server import RECORDING, own_server


def form(**fields):
    data = aiohttp.FormData()
    data.add_field("file", RECORDING, filename="talk.wav")
    for name, text in fields.items():
        data.add_field(name, text)
    return data


@pytest.fixture
def complaints(caplog):
    """Return a call that gives what was logged as an error."""
    return lambda: [record.getMessage() for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}]


async def test_those_who_wait_for_a_job_are_told_and_the_job_is_erased(tmp_path, complaints):
    async with aiohttp.ClientSession() as session:
        async with own_server(tmp_path, SERVER_JOBS_AT_ONCE="3") as server, asyncio.timeout(30):
            server.backend.going.clear()
            waiting = [
                asyncio.create_task(session.post(f"{server.url}{path}", data=form(**fields)))
                for path, fields in (
                    ("/api/diarize", {}),
                    ("/v1/audio/transcriptions", {"model": "m"}),
                    ("/v1/audio/transcriptions", {"model": "m", "stream": "true", "language": "en"}),
                )
            ]
            stream = await waiting[2]
            assert b"Chicago" in await stream.content.readline()
            while server.backend.running < 3:
                await asyncio.sleep(0.01)
        for answer in (await waiting[0], await waiting[1]):
            assert (answer.status, answer.headers["Retry-After"]) == (503, "10")
            assert (await answer.json())["error"]["code"] == "server_stopping"
        *_, error, done = (await stream.text()).strip().split("\n\n")
        assert json.loads(error.removeprefix("data: "))["error"]["code"] == "server_stopping"
        assert done == "data: [DONE]"
    with sqlite3.connect(tmp_path / "jobs.sqlite3") as database:
        assert database.execute("SELECT count(*) FROM jobs WHERE erased_at IS NULL").fetchone() == (0,)
    database.close()
    assert complaints() == []


async def test_an_upload_that_does_not_end_is_cut_off_without_a_traceback(tmp_path, monkeypatch, complaints):
    monkeypatch.setattr(app_module, "SHUTDOWN_S", 0.1)
    head = "POST /api/diarize HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    part = '--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF'
    async with own_server(tmp_path) as server, asyncio.timeout(30):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
        writer.write(f"{head}Content-Length: 500000\r\n\r\n{part}".encode())
        await writer.drain()
        while not any(server.context.files.incoming.iterdir()):
            await asyncio.sleep(0.01)
    async with asyncio.timeout(30):
        answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"server_stopping" in answer
    assert complaints() == ["Cancel 1 running task(s), timeout graceful shutdown exceeded"]
