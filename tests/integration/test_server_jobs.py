import time

import pytest

from tests.support.audio_files import wav_bytes
from tests.support.server_app import running_server

SOUND = wav_bytes(b"\0\1" * 16_000)
SRT = (
    "1\n00:00:00,200 --> 00:00:01,500\n[SPEAKER_00] Do you know Chicago?\n\n"
    "2\n00:00:02,000 --> 00:00:02,800\n[SPEAKER_01] I live there.\n"
)


@pytest.fixture
def server(tmp_path):
    with running_server(tmp_path) as running:
        yield running


def upload(client, name="talk.wav", sound=SOUND, **fields):
    answer = client.post("/api/upload", files={"file": (name, sound)}, data=fields)
    assert answer.status_code == 202, answer.text
    return answer.json()["job_id"]


def eventually(condition):
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_recording_becomes_a_result_with_words_and_speakers(server):
    client = server.client()
    job_id = upload(client)
    server.ended(job_id)
    status = client.get(f"/api/status/{job_id}").json()
    assert {key: status[key] for key in ("status", "progress", "step", "error", "duration", "cached", "has_audio")} == {
        "status": "completed", "progress": 100, "step": "complete", "error": None, "duration": 30.0, "cached": False,
        "has_audio": True,
    }  # fmt: skip
    assert status["created_at"] <= status["started_at"] <= status["finished_at"]
    assert status["created_at"].endswith("Z")
    result = client.get(f"/api/results/{job_id}").json()
    assert (result["success"], result["job_id"], result["filename"]) == (True, job_id, "talk.wav")
    assert result["full_text"] == "Do you know Chicago? I live there."
    assert [turn["speaker"] for turn in result["speaker_turns"]] == ["SPEAKER_00", "SPEAKER_01"]
    assert [segment["text"] for segment in result["aligned_segments"]] == ["Do you know Chicago?", "I live there."]


def test_results_are_files_in_every_format(server):
    client = server.client()
    job_id = upload(client, name='Ann & "Bob" é.wav')
    server.ended(job_id)
    srt = client.get(f"/api/results/{job_id}", params={"format": "srt"})
    assert srt.text == SRT
    assert srt.headers["Content-Type"] == "application/x-subrip; charset=utf-8"
    assert srt.headers["Content-Disposition"] == "attachment; filename*=UTF-8''Ann%20%26%20%22Bob%22%20%C3%A9.srt"
    assert client.get(f"/api/results/{job_id}?format=txt").text.count("live there.") == 1
    assert client.get(f"/api/results/{job_id}?format=json").json() == {"text": "Do you know Chicago? I live there."}
    for name in ("vtt", "tsv", "rttm", "stm", "ctm", "verbose_json", "diarized_json"):
        answer = client.get(f"/api/results/{job_id}", params={"format": name})
        assert answer.status_code == 200
        assert answer.headers["Content-Disposition"].startswith("attachment; ")
    refused = client.get(f"/api/results/{job_id}?format=html")
    assert (refused.status_code, refused.json()["error"]["param"]) == (422, "format")


def test_a_job_that_runs_is_told_of_and_cancelled(server):
    client = server.client()
    running = upload(client, name="held.wav")
    waiting = upload(client, name="held too.wav")
    eventually(lambda: client.get(f"/api/status/{running}").json()["status"] == "running")
    early = client.get(f"/api/results/{running}")
    assert (early.status_code, early.json()["job_id"], early.json()["status"]) == (202, running, "running")
    assert client.get(f"/api/status/{waiting}").json()["position"] == 1
    assert client.get(f"/api/jobs/{running}/edits").json() == {"version": 0, "document": None}
    assert client.post(f"/api/jobs/{waiting}/cancel").json()["status"] == "cancelled"
    assert client.post(f"/api/jobs/{running}/cancel").status_code == 202
    server.ended(running)
    for job_id in (running, waiting):
        answer = client.get(f"/api/results/{job_id}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "cancelled")
    assert client.post(f"/api/jobs/{running}/cancel").json()["status"] == "cancelled"


def test_the_error_of_a_job_is_its_result(server):
    client = server.client()
    job_id = upload(client, name="broken.wav")
    server.ended(job_id)
    assert client.get(f"/api/status/{job_id}").json()["error"] == {
        "code": "unreadable_audio", "message": "the recording is no audio", "param": "audio", "retryable": False
    }  # fmt: skip
    answer = client.get(f"/api/results/{job_id}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unreadable_audio")


def test_jobs_are_listed_newest_first_page_by_page(server):
    client = server.client()
    ids = [upload(client, name=f"{number}.wav") for number in range(5)]
    for job_id in ids:
        server.ended(job_id)
    first = client.get("/api/jobs?limit=3").json()
    second = client.get("/api/jobs", params={"limit": 3, "cursor": first["next_cursor"]}).json()
    assert [job["job_id"] for job in first["jobs"] + second["jobs"]] == ids[::-1]
    assert second["next_cursor"] is None
    assert client.get("/api/jobs?status=failed").json() == {"jobs": [], "next_cursor": None}
    assert client.get("/api/jobs?cursor=nonsense").json()["error"]["param"] == "cursor"
    for query, param in (("limit=0", "limit"), ("limit=x", "limit"), ("status=lost", "status")):
        answer = client.get(f"/api/jobs?{query}")
        assert (answer.status_code, answer.json()["error"]["param"]) == (422, param)


def test_deleting_erases_a_job_and_its_files(server):
    client = server.client()
    job_id = upload(client)
    server.ended(job_id)
    files = server.context.files
    assert len([*files.names("audio/"), *files.names("results/"), *files.names("peaks/")]) == 3
    assert client.delete(f"/api/jobs/{job_id}").status_code == 204
    assert [*files.names("audio/"), *files.names("results/"), *files.names("peaks/")] == []
    for path in ("status/{}", "results/{}", "events/{}", "jobs/{}/audio", "jobs/{}/edits"):
        assert client.get(f"/api/{path.format(job_id)}").status_code == 404
    assert client.delete(f"/api/jobs/{job_id}").status_code == 404
    assert client.get("/api/jobs").json()["jobs"] == []


def test_a_running_job_is_deleted_and_its_runner_stops(server):
    client = server.client()
    job_id = upload(client, name="held.wav")
    eventually(lambda: server.backend.jobs)
    assert client.delete(f"/api/jobs/{job_id}").status_code == 204
    after = upload(client)
    assert server.ended(after).state == "completed"


def test_speakers_are_found_anew_with_the_earlier_words(server):
    client = server.client()
    job_id = upload(client, language="en", num_speakers="3")
    server.ended(job_id)
    answer = client.post(f"/api/jobs/{job_id}/rediarize", json={"num_speakers": 2})
    assert answer.status_code == 202
    again = answer.json()["job_id"]
    assert answer.headers["Location"] == f"/api/status/{again}"
    assert server.ended(again).state == "completed"
    job, earlier = server.backend.jobs[-1]
    assert dict(job.fields) == {"language": "en", "num_speakers": 2}
    assert earlier["full_text"] == "Do you know Chicago? I live there."
    assert client.delete(f"/api/jobs/{job_id}").status_code == 204
    assert client.get(f"/api/jobs/{again}/audio").content == SOUND


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"num_speakers": 0}, "invalid_input", "num_speakers"),
        ({"num_speakers": 2, "max_speakers": 3}, "invalid_input", None),
        ({"language": "en"}, "unknown_field", "language"),
        ({"audio": "x"}, "unknown_field", "audio"),
    ],
)
def test_what_is_wrong_with_finding_speakers_anew_is_said(server, body, code, param):
    client = server.client()
    job_id = upload(client)
    server.ended(job_id)
    answer = client.post(f"/api/jobs/{job_id}/rediarize", json=body)
    assert (answer.status_code, answer.json()["error"]["code"], answer.json()["error"]["param"]) == (400, code, param)


def test_speakers_are_found_anew_only_where_there_are_words(server):
    client = server.client()
    broken = upload(client, name="broken.wav")
    server.ended(broken)
    answer = client.post(f"/api/jobs/{broken}/rediarize", json={})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "refused")


def test_a_server_that_keeps_no_recordings_says_so(tmp_path):
    with running_server(tmp_path, KEEP_AUDIO="0") as server:
        client = server.client()
        job_id = upload(client)
        server.ended(job_id)
        eventually(lambda: not client.get(f"/api/status/{job_id}").json()["has_audio"])
        for answer in (client.post(f"/api/jobs/{job_id}/rediarize", json={}), client.get(f"/api/jobs/{job_id}/audio")):
            assert (answer.status_code, answer.json()["error"]["code"]) == (410, "gone")
        assert client.get(f"/api/results/{job_id}?format=srt").text == SRT
