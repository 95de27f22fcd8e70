import json
import re
import socket
import time

import pytest

from orchestrator.server.http import connections
from tests.support.raw_http import exchanged
from tests.support.server_app import running_server

SOUND = b"fLaC" + bytes(600_000)  # in several pieces
ASKED = b"GET /api/session HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def impatient(server, monkeypatch):
    monkeypatch.setattr(connections, "HEAD_S", 0.5)
    return server


@pytest.mark.parametrize("sent", [b"", b"GET /api/ses", ASKED[:-2]])
def test_a_connection_without_a_whole_request_head_is_closed(impatient, sent):
    with socket.create_connection(("127.0.0.1", impatient.port), timeout=20) as connection:
        connection.sendall(sent)
        assert connection.recv(1000) == b""


def test_the_second_head_on_a_connection_is_not_waited_for_longer(impatient):
    with socket.create_connection(("127.0.0.1", impatient.port), timeout=20) as connection:
        connection.sendall(ASKED)
        answer = connection.recv(65536)
        assert answer.startswith(b"HTTP/1.1 200 OK")
        while not answer.endswith(b"}"):
            answer += connection.recv(65536)
        connection.sendall(ASKED[:-2])
        assert connection.recv(1000) == b""


def test_a_request_whose_head_is_there_has_its_time(impatient):
    head = "POST /api/session HTTP/1.1\nHost: localhost\nContent-Type: application/json\nContent-Length: 9"
    with socket.create_connection(("127.0.0.1", impatient.port), timeout=20) as connection:
        connection.sendall((head + "\n\n").replace("\n", "\r\n").encode() + b'{"key"')
        connection.settimeout(0.9)
        with pytest.raises(TimeoutError):
            connection.recv(1000)
        connection.settimeout(20)
        connection.sendall(b":1}")
        assert connection.recv(1000).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("asked", ["\x00\x01", "GET / HTTP/1.1\nHost: a\nHost: b", "GET  / HTTP/9"])
def test_what_is_no_http_is_answered_like_everything_else(server, asked):
    head, _, body = exchanged(server.port, asked).partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 400 Bad Request")
    error = json.loads(body)["error"]
    assert (error["code"], error["message"]) == ("invalid_input", "Invalid HTTP request received.")
    assert re.search(r"(?i)^x-request-id: (\w+)", head, re.MULTILINE)[1] == error["request_id"]
    assert re.search(r"(?i)^x-content-type-options: nosniff", head, re.MULTILINE)


@pytest.mark.parametrize(
    "path",
    ["/", "/health", "/api/jobs", "/api/status/{job_id}", "/api/results/{job_id}", "/api/jobs/{job_id}/audio",
     "/api/status/none", "/api/upload"],
)  # fmt: skip
def test_head_is_get_without_a_body(server, path):
    client = server.client()
    job_id = client.post("/api/upload", files={"file": ("a.wav", SOUND)}).json()["job_id"]
    server.ended(job_id)
    path = path.format(job_id=job_id)
    head, whole = client.head(path), client.get(path)
    assert (head.status_code, head.content) == (whole.status_code, b"")
    changing = {"date", "x-request-id", "ratelimit-remaining", "ratelimit-reset", "content-length"}
    assert {k: v for k, v in head.headers.items() if k not in changing} == {
        k: v for k, v in whole.headers.items() if k not in changing
    }
    if whole.status_code == 200:
        assert head.headers["Content-Length"] == str(len(whole.content))


def test_head_of_a_stream_ends(server):
    client = server.client()
    job_id = client.post("/api/upload", files={"file": ("held.wav", b"RIFF")}).json()["job_id"]
    head = client.head(f"/api/events/{job_id}")
    assert (head.status_code, head.headers["Content-Type"]) == (200, "text/event-stream; charset=utf-8")
    assert client.get("/api/jobs").status_code == 200
    until = time.monotonic() + 20
    while server.app.state.streams.is_open("local"):
        assert time.monotonic() < until
        time.sleep(0.01)
    server.release()
