import hashlib
import json
import socket
import time

import pytest

from tests.support.raw_http import exchanged, head_bytes
from tests.support.server_app import LIMIT_BYTES, running_server

SOUND = b"fLaC" + bytes(range(256)) * 40
BOUNDARY = "a1b2"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server that is at work on one recording, so that all others wait."""
    folder = tmp_path_factory.mktemp("server")
    with running_server(folder, UPLOAD_RATE_LIMIT="100000/minute", MAX_QUEUED_JOBS_PER_KEY="200") as running:
        running.client().post("/api/upload", files={"file": ("held.wav", SOUND)})
        eventually(lambda: running.backend.jobs)
        yield running


@pytest.fixture(scope="module")
def client(server):
    return server.client()


def form(*parts, end=True):
    """A multipart body of (headers, content) pairs."""
    body = b"".join(
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + content + b"\r\n"
        for head, content in parts
    )
    return body + (f"--{BOUNDARY}--\r\n".encode() if end else b"")


def post(client, body, **headers):
    return client.post(
        "/api/upload", content=body, headers={"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", **headers}
    )


def job_of(server, answer):
    assert answer.status_code == 202, answer.text
    return server.context.store.get(answer.json()["job_id"])


def incoming(server):
    return list(server.context.files.incoming.iterdir())


def head(*headers):
    content_type = f"Content-Type: multipart/form-data; boundary={BOUNDARY}"
    return "\n".join(("POST /api/upload HTTP/1.1", "Host: 127.0.0.1", content_type, *headers))


def eventually(condition):
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_an_upload_is_queued_with_its_fields_and_stored_whole(server, client):
    answer = client.post(
        "/api/upload?num_speakers=2&language=en",
        files={"file": ("talk.flac", SOUND)},
        data={
            "hotwords": ["Parley", "Chicago"],
            "diarize": "true",
            "options": json.dumps({"speaker_names": {"SPEAKER_00": "Ann"}}),
        },
    )
    job = job_of(server, answer)
    assert answer.json() == {"job_id": job.id, "status": "queued", "filename": "talk.flac", "position": 1}
    assert answer.headers["Location"] == f"/api/status/{job.id}"
    assert dict(job.fields) == {
        "num_speakers": 2, "language": "en", "hotwords": ["Parley", "Chicago"], "diarize": True,
        "speaker_names": {"SPEAKER_00": "Ann"},
    }  # fmt: skip
    assert (job.owner, job.kind, job.ephemeral) == ("local", "transcription", False)
    assert job.audio_sha256 == hashlib.sha256(SOUND).hexdigest()
    assert job.audio_bytes == len(SOUND)
    with server.context.files.open(job.audio) as file:
        assert file.read() == SOUND
    assert incoming(server) == []


def test_a_url_is_queued_without_being_fetched(server, client):
    url = "https://example.org/a%20talk.mp3?token=secret"
    by_json = job_of(server, client.post("/api/upload", json={"url": url, "min_speakers": 1, "hotwords": ["x"]}))
    assert (by_json.audio_url, by_json.filename, by_json.audio) == (url, "a talk.mp3", None)
    assert dict(by_json.fields) == {"min_speakers": 1, "hotwords": ["x"]}
    by_form = job_of(server, client.post("/api/upload", data={"max_speakers": "3"}, files={"url": (None, url)}))
    assert (by_form.audio_url, dict(by_form.fields)) == (url, {"max_speakers": 3})


FILE = ('name="file"; filename="a.wav"', SOUND)


@pytest.mark.parametrize(
    ("parts", "status", "code", "param"),
    [
        ([FILE, ('name="nonsense"', b"1")], 400, "unknown_field", "nonsense"),
        ([FILE, ('name="audio"', b"aGk=")], 400, "unknown_field", "audio"),
        ([FILE, ('name="webhook"', b"https://example.org/")], 400, "unknown_field", "webhook"),
        ([FILE, ('name="num_speakers"', b"two")], 400, "invalid_input", "num_speakers"),
        ([FILE, ('name="num_speakers"', b'2,"x":1')], 400, "invalid_input", "num_speakers"),
        ([FILE, ('name="num_speakers"', b'2,"value":1')], 400, "invalid_input", "num_speakers"),
        ([FILE, ('name="num_speakers"', b"NaN")], 400, "invalid_input", "num_speakers"),
        ([FILE, ('name="num_speakers"', b"1000")], 400, "invalid_input", "num_speakers"),
        ([FILE, ('name="num_speakers"', b"1"), ('name="num_speakers"', b"2")], 400, "invalid_input", "num_speakers"),
        ([FILE, ('name="diarize"', b"perhaps")], 400, "invalid_input", "diarize"),
        ([FILE, ('name="options"', b"[]")], 400, "invalid_input", "options"),
        ([FILE, ('name="options"', b'{"diarize": NaN}')], 400, "invalid_input", "options"),
        ([FILE, ('name="options"', b'{"words": []}')], 400, "unknown_field", "words"),
        ([FILE, ('name="options"', b'{"repair": true}'), ('name="repair"', b"0")], 400, "invalid_input", "repair"),
        ([FILE, ('name="language"', b"\xff")], 400, "invalid_input", None),
        ([FILE, FILE], 400, "invalid_input", "file"),
        ([FILE, ('name="url"', b"https://example.org/a.mp3")], 400, "invalid_input", "file"),
        ([('name="other"; filename="a.wav"', SOUND)], 400, "invalid_input", None),
        ([('filename="a.wav"', SOUND)], 400, "invalid_input", None),
        ([('name="file"; filename="a.wav"', b"")], 422, "empty_audio", "file"),
        ([], 400, "invalid_input", "file"),
        ([('name="language"', b"en")], 400, "invalid_input", "file"),
        ([FILE, *[('name="hotwords"', b"x")] * 1000], 413, "input_too_large", None),
        ([FILE, ('name="options"', b" " * 11_000_000)], 413, "input_too_large", None),
        ([('name="file"; filename="a.wav"', bytes(LIMIT_BYTES + 1))], 413, "input_too_large", "audio"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_form_is_said_and_nothing_is_left(server, client, parts, status, code, param):
    before = server.context.store.counts()
    answer = post(client, form(*parts))
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (status, code, param)
    assert error["request_id"] == answer.headers["X-Request-ID"]
    assert incoming(server) == []
    assert sum(server.context.store.counts().values()) == sum(before.values())


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 400, "invalid_input"),
        ({"content": b"[" * 100_000, "headers": {"Content-Type": "application/json"}}, 400, "invalid_input"),
        ({"json": {}}, 400, "invalid_input"),
        ({"json": {"url": 5}}, 400, "invalid_input"),
        ({"json": {"url": "https://example.org/", "nonsense": 1}}, 400, "unknown_field"),
        ({"json": {"url": "https://example.org/", "num_speakers": "2"}}, 400, "invalid_input"),
        ({"json": {"url": "https://example.org/"}, "params": {"url": "https://example.org/"}}, 400, "unknown_field"),
        ({"json": {"url": "https://example.org/", "diarize": True}, "params": {"diarize": "1"}}, 400, "invalid_input"),
        ({"json": {"url": "ftp://example.org/a.wav"}}, 422, "bad_audio_url"),
        ({"json": {"url": "file:///etc/passwd"}}, 422, "bad_audio_url"),
        ({"json": {"url": "http://user:secret@example.org/"}}, 422, "bad_audio_url"),
        ({"json": {"url": "http://exam\nple.org/"}}, 422, "bad_audio_url"),
        ({"json": {"url": "http://127.0.0.1:8080/health"}}, 422, "bad_audio_url"),
        ({"json": {"url": "http://localhost./"}}, 422, "bad_audio_url"),
        ({"json": {"url": "http://169.254.169.254/latest/meta-data"}}, 422, "bad_audio_url"),
        ({"json": {"url": "http://[::1]/"}}, 422, "bad_audio_url"),
        ({"json": {"url": "http://[::ffff:10.0.0.1]/"}}, 422, "bad_audio_url"),
        ({"content": b"hello", "headers": {"Content-Type": "text/plain"}}, 415, "unsupported_media_type"),
        ({"content": b"hello"}, 415, "unsupported_media_type"),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400, "invalid_input"),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=b"}}, 400, "invalid_input"),
        ({"content": b"", "headers": {"Content-Type": "multipart/form-data; boundary=b"}}, 400, "invalid_input"),
    ],
)
def test_what_is_no_upload_is_refused(client, asked, status, code):
    answer = client.post("/api/upload", **asked)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("/absolute/talk.wav", "talk.wav"),
        ("..", "recording"),
        ("", "recording"),
        ("a\u202egnp.wav", "agnp.wav"),
        ("tab\there\x00.wav", "tabhere.wav"),
        ("a%22quoted%22%0D%0Atalk%2F.wav", 'a"quoted"talk%2F.wav'),
        ("Gespräch 日本.ogg", "Gespräch 日本.ogg"),
        ("x" * 300 + ".wav", "x" * 196 + ".wav"),
    ],
)
def test_names_of_files_are_shown_and_never_paths(server, client, given, shown):
    answer = post(client, form((f'name="file"; filename="{given}"', SOUND)))
    job = job_of(server, answer)
    assert answer.json()["filename"] == shown
    assert job.audio.startswith(f"audio/{job.id}-")


def test_a_declared_size_above_the_limit_is_refused_before_the_body_is_read(server):
    answer = exchanged(server.port, head(f"Content-Length: {10**12}", "Expect: 100-continue"))
    assert answer.startswith("HTTP/1.1 413 ")
    assert "connection: close" in answer.lower()
    assert '"code":"input_too_large"' in answer


def test_a_chunked_body_above_the_limit_is_refused_when_it_gets_there(server):
    begin = form(('name="file"; filename="a.wav"', b""), end=False).removesuffix(b"\r\n")
    piece = bytes(100_000)
    chunks = [b"%x\r\n%s\r\n" % (len(data), data) for data in (begin, *[piece] * 12)]
    answer = exchanged(server.port, head("Transfer-Encoding: chunked"), *chunks)
    assert answer.startswith("HTTP/1.1 413 ")
    assert '"code":"input_too_large"' in answer
    eventually(lambda: incoming(server) == [])


def test_a_body_that_is_cut_off_leaves_nothing(server, client):
    answer = post(client, form(FILE, end=False))
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "the multipart form is malformed or cut off; send it again"
    assert incoming(server) == []


def test_a_caller_who_goes_in_the_middle_leaves_nothing(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(head_bytes(head("Content-Length: 900000")))
        connection.sendall(form(FILE, end=False))
        eventually(lambda: len(incoming(server)) == 1)
    eventually(lambda: incoming(server) == [])


def test_a_full_queue_is_said_with_a_time_and_the_recording_is_removed(tmp_path):
    with running_server(tmp_path, MAX_QUEUED_JOBS="1") as server:
        client = server.client()
        first = client.post("/api/upload", files={"file": ("held.wav", SOUND)}).json()["job_id"]
        eventually(lambda: server.backend.jobs)
        second = client.post("/api/upload", files={"file": ("held.wav", SOUND + b"2")})
        assert (second.status_code, second.json()["position"]) == (202, 1)
        third = client.post("/api/upload", files={"file": ("held.wav", SOUND)})
        assert (third.status_code, third.json()["error"]["code"]) == (429, "queue_full")
        assert third.json()["error"]["retryable"] is True
        assert 1 <= int(third.headers["Retry-After"]) <= 600
        kept = {name.split("/")[1].split("-")[0] for name in server.context.files.names("audio/")}
        assert kept == {first, second.json()["job_id"]}
        server.release()
