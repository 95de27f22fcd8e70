import asyncio
import json
import threading
import time
from types import SimpleNamespace

import pytest
from starlette.requests import ClientDisconnect

from common.errors import RateLimitedError
from orchestrator.server.http import events as stream
from tests.support.server_app import running_server


@pytest.fixture
def server(tmp_path):
    with running_server(tmp_path) as running:
        yield running


def upload(client, name):
    return client.post("/api/upload", files={"file": (name, b"RIFF")}).json()["job_id"]


def read_events(lines):
    """Yield (name, data) of each event; a heartbeat is (None, None)."""
    name = None
    for line in lines:
        if line.startswith(":"):
            yield None, None
        elif line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def test_a_stream_tells_of_a_job_from_its_beginning_to_its_end(server):
    client = server.client()
    job_id = upload(client, "held.wav")
    with client.stream("GET", f"/api/events/{job_id}") as answer:
        assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-store"
        told = []
        for event in read_events(answer.iter_lines()):
            told.append(event)
            if event[0] == "partial":
                server.release()
    assert told[0][0] == "status"
    assert told[0][1]["job_id"] == job_id
    partial = next(data for name, data in told if name == "partial")
    assert partial["kind"] == "words"
    assert [segment["text"] for segment in partial["segments"]] == ["Do you know Chicago?", "I live there."]
    name, last = told[-1]
    assert (name, last["status"], last["progress"]) == ("complete", "completed", 100)


def test_the_stream_of_a_job_that_has_ended_tells_that_and_ends(server):
    client = server.client()
    job_id = upload(client, "broken.wav")
    server.ended(job_id)
    told = list(read_events(client.get(f"/api/events/{job_id}").text.splitlines()))
    assert [name for name, _ in told] == ["failed"]
    assert told[0][1]["error"]["code"] == "unreadable_audio"


def test_a_stream_ends_when_its_job_is_erased(server):
    client, other = server.client(), server.client()
    job_id = upload(client, "held.wav")
    with client.stream("GET", f"/api/events/{job_id}") as answer:
        events = read_events(answer.iter_lines())
        assert next(events)[0] == "status"
        assert other.delete(f"/api/jobs/{job_id}").status_code == 204
        assert all(name in {"status", "partial"} for name, _ in events)


def test_a_quiet_stream_has_heartbeats(server, monkeypatch):
    monkeypatch.setattr(stream, "HEARTBEAT_S", 0.05)
    client = server.client()
    job_id = upload(client, "held.wav")
    with client.stream("GET", f"/api/events/{job_id}") as answer:
        assert (None, None) in read_events(answer.iter_lines())


def test_one_caller_has_so_many_streams_at_most_and_closed_ones_do_not_count(server, monkeypatch):
    monkeypatch.setattr(stream, "STREAMS_OF_ONE", 2)
    client = server.client()
    job_id = upload(client, "held.wav")
    with (
        client.stream("GET", f"/api/events/{job_id}") as first,
        client.stream("GET", f"/api/events/{job_id}") as second,
    ):
        open_streams = [read_events(answer.iter_lines()) for answer in (first, second)]
        assert [next(events)[0] for events in open_streams] == ["status", "status"]
        refused = client.get(f"/api/events/{job_id}")
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_requests")
        assert int(refused.headers["Retry-After"]) >= 1
    until = time.monotonic() + 20
    while server.app.state.streams.is_open("local"):
        assert time.monotonic() < until
        time.sleep(0.01)
    server.release()
    assert client.get(f"/api/events/{job_id}").status_code == 200


async def test_a_stream_counts_from_before_it_begins_until_it_is_over_though_it_never_began(monkeypatch):
    monkeypatch.setattr(stream, "STREAMS_OF_ONE", 2)
    streams = stream.Streams()
    request = SimpleNamespace(app=SimpleNamespace(state=SimpleNamespace(streams=streams)))
    context = SimpleNamespace(store=SimpleNamespace(get=lambda *_, **__: None), runner=None)
    asked = [stream.events("0" * 32, request, "ann", context) for _ in range(4)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, RateLimitedError)]
    begun = [answer for answer in answers if isinstance(answer, stream.EventStream)]
    assert (len(refused), len(begun)) == (2, 2)

    async def gone(message):
        raise OSError

    for answer in begun:
        assert streams.is_open("ann")
        with pytest.raises(ClientDisconnect):
            await answer({"type": "http", "asgi": {"spec_version": "2.4"}}, None, gone)
    assert not streams.is_open("ann")


def test_a_stream_ends_when_its_key_is_revoked(server, monkeypatch):
    monkeypatch.setattr(stream, "HEARTBEAT_S", 0.05)
    client = server.client(server.add_key("Ann"))
    job_id = upload(client, "held.wav")
    with client.stream("GET", f"/api/events/{job_id}") as answer:
        events = read_events(answer.iter_lines())
        assert next(events)[0] == "status"
        server.context.keys.revoke("Ann")
        assert all(name != "complete" for name, _ in events)
    assert server.context.store.get(job_id).state == "running"


def test_a_server_stops_at_once_though_streams_are_open(tmp_path):
    begun, names = threading.Event(), []

    def listen(client, job_id):
        with client.stream("GET", f"/api/events/{job_id}") as answer:
            for name, _ in read_events(answer.iter_lines()):
                names.append(name)
                begun.set()

    with running_server(tmp_path) as server:
        client = server.client()
        listening = threading.Thread(target=listen, args=(client, upload(client, "held.wav")))
        listening.start()
        assert begun.wait(20)
        server.stop()
        listening.join(20)
        assert not listening.is_alive()
    assert set(names) <= {"status", "partial"}
