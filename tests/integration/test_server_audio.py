import base64

import pytest

from orchestrator.server.http.audio_types import media_type_in
from tests.support.audio_files import wav_bytes
from tests.support.server_app import running_server

SOUND = wav_bytes(bytes(range(256)) * 4000, rate=16_000)
SIZE = len(SOUND)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running_server(tmp_path_factory.mktemp("server"), limit_bytes=2_000_000) as running:
        yield running


@pytest.fixture(scope="module")
def job_id(server):
    made = server.client().post("/api/upload", files={"file": ("talk.html", SOUND)}).json()["job_id"]
    server.ended(made)
    return made


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-99", 0, 99),
        ("bytes=1000-", 1000, SIZE - 1),
        ("bytes=-500", SIZE - 500, SIZE - 1),
        (f"bytes=10-{SIZE * 2}", 10, SIZE - 1),
        (f"bytes=-{SIZE * 2}", 0, SIZE - 1),
    ],
)
def test_a_player_gets_the_part_it_asks_for(server, job_id, asked, first, last):
    answer = server.client().get(f"/api/jobs/{job_id}/audio", headers={"Range": asked})
    assert answer.status_code == 206
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{SIZE}"
    assert answer.content == SOUND[first : last + 1]


@pytest.mark.parametrize("asked", ["bytes=0-1,5-9", "bytes=x", "items=0-5", "bytes=-", ""])
def test_what_is_no_single_range_is_answered_with_the_whole(server, job_id, asked):
    answer = server.client().get(f"/api/jobs/{job_id}/audio", headers={"Range": asked})
    assert (answer.status_code, answer.content) == (200, SOUND)


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", "bytes=5-2", "bytes=-0"])
def test_a_range_that_is_not_there_is_refused(server, job_id, asked):
    answer = server.client().get(f"/api/jobs/{job_id}/audio", headers={"Range": asked})
    assert (answer.status_code, answer.headers["Content-Range"]) == (416, f"bytes */{SIZE}")


def test_a_range_of_another_recording_is_not_gone_on_with(server, job_id):
    client = server.client()
    etag = client.get(f"/api/jobs/{job_id}/audio").headers["ETag"]
    same = client.get(f"/api/jobs/{job_id}/audio", headers={"Range": "bytes=0-9", "If-Range": etag})
    other = client.get(f"/api/jobs/{job_id}/audio", headers={"Range": "bytes=0-9", "If-Range": '"other"'})
    assert (same.status_code, other.status_code) == (206, 200)


def test_the_type_is_that_of_the_bytes_and_never_of_the_name(server, job_id):
    client = server.client()
    answer = client.get(f"/api/jobs/{job_id}/audio")
    assert answer.headers["Content-Type"] == "audio/wav"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    page = b"<html><script>alert(1)</script></html>"
    evil = client.post("/api/upload", files={"file": ("evil.svg", page)}).json()["job_id"]
    served = client.get(f"/api/jobs/{evil}/audio")
    assert (served.content, served.headers["Content-Type"]) == (page, "application/octet-stream")


@pytest.mark.parametrize(
    ("beginning", "media_type"),
    [
        (b"fLaC\0\0\0\x22" + bytes(8), "audio/flac"),
        (b"OggS" + bytes(12), "audio/ogg"),
        (b"ID3\x04" + bytes(12), "audio/mpeg"),
        (b"\xff\xfb\x90\x00" + bytes(12), "audio/mpeg"),
        (b"\xff\xf1\x50\x80" + bytes(12), "audio/aac"),
        (b"\0\0\0\x20ftypM4A " + bytes(4), "audio/mp4"),
        (b"\x1a\x45\xdf\xa3" + bytes(12), "audio/webm"),
        (b"FORM\0\0\0\0AIFF" + bytes(4), "audio/aiff"),
        (b"<svg xmlns=", "application/octet-stream"),
        (b"", "application/octet-stream"),
        (b"\xff", "application/octet-stream"),
    ],
)
def test_kinds_of_audio_are_known_by_their_first_bytes(beginning, media_type):
    assert media_type_in(beginning) == media_type


def test_peaks_are_there_for_drawing(server, job_id):
    answer = server.client().get(f"/api/jobs/{job_id}/peaks").json()
    assert answer["duration"] == pytest.approx(32.0)
    assert len(answer["peaks"]) == pytest.approx(answer["duration"] * answer["per_second"], abs=1)
    assert max(answer["peaks"]) > 0
    assert all(0 <= peak <= 255 for peak in answer["peaks"])


def test_workers_get_a_recording_by_its_signed_address_alone_as_long_as_its_job_runs(server):
    links, client = server.context.audio_links, server.client()
    job_id = client.post("/api/upload", files={"file": ("held.wav", b"RIFF and more")}).json()["job_id"]
    path = links.url(server.context.store.get(job_id).audio)
    assert client.get(path, headers={"Host": "elsewhere", "Range": "bytes=0-3"}).content == b"RIFF"
    token = path.rpartition("/")[2]
    forged = base64.urlsafe_b64encode(b'"audio/../jobs.sqlite3"').decode().rstrip("=") + token[token.index(".") :]
    for wrong in (
        token[:-2],
        forged,
        "..",
        "%2e%2e%2fjobs.sqlite3",
        links.url("results/x.json").rpartition("/")[2] + "x",
    ):
        answer = client.get(f"/internal/audio/{wrong}")
        assert answer.status_code == 404, wrong
    server.release()
    server.ended(job_id)
    assert client.get(path).status_code == 404


def test_a_recording_that_was_erased_is_gone(server):
    client = server.client()
    job_id = client.post("/api/upload", files={"file": ("talk.wav", b"RIFF")}).json()["job_id"]
    server.ended(job_id)
    server.context.files.delete(server.context.store.get(job_id).audio)
    answer = client.get(f"/api/jobs/{job_id}/audio")
    assert (answer.status_code, answer.json()["error"]["code"]) == (410, "gone")
    assert client.get(f"/api/jobs/{job_id}/peaks").status_code == 410


def test_many_players_that_go_in_the_middle_leave_no_open_file(server, job_id):
    client = server.client()
    for _ in range(5):
        with client.stream("GET", f"/api/jobs/{job_id}/audio") as answer:
            next(answer.iter_raw(1024))
    assert client.get(f"/api/jobs/{job_id}/audio").content == SOUND
