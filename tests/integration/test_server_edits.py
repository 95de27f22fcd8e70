import threading

import pytest

from common.errors import StorageError
from orchestrator.server.http import edits
from tests.support.raw_http import exchanged
from tests.support.server_app import running_server
from tests.support.server_documents import edits_of


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def job(server):
    """A client and a job that has ended."""
    client = server.client()
    job_id = client.post("/api/upload", files={"file": ("talk.wav", b"RIFF")}).json()["job_id"]
    server.ended(job_id)
    return client, job_id


def test_edits_are_kept_and_are_in_the_files(server, job):
    client, job_id = job
    document = edits_of(client.get(f"/api/results/{job_id}").json(), SPEAKER_00="Ann", SPEAKER_01="Bob")
    document["segments"][0]["words"][3]["word"] = "<script>Chicago</script>?"
    assert client.put(f"/api/jobs/{job_id}/edits", json={"version": 0, "document": document}).json() == {"version": 1}
    kept = client.get(f"/api/jobs/{job_id}/edits").json()
    assert kept["version"] == 1
    assert kept["document"]["speakers"] == {"SPEAKER_00": "Ann", "SPEAKER_01": "Bob"}
    assert kept["document"]["segments"][0]["words"][3]["word"] == "<script>Chicago</script>?"
    assert client.get(f"/api/status/{job_id}").json()["edits_version"] == 1
    edited = client.get(f"/api/results/{job_id}?format=text").text
    assert "Ann: Do you know <script>Chicago</script>?" in edited
    assert "Bob" not in client.get(f"/api/results/{job_id}?format=srt&edited=0").text
    assert client.get(f"/api/results/{job_id}").json()["text"] == "Do you know Chicago? I live there."


def test_of_two_who_edit_one_version_the_second_is_told(server, job):
    client, job_id = job
    result = client.get(f"/api/results/{job_id}").json()
    document = edits_of(result)
    answers = []

    def save(name):
        edited = {"version": 0, "document": edits_of(result, SPEAKER_00=name)}
        answers.append(client.put(f"/api/jobs/{job_id}/edits", json=edited))

    threads = [threading.Thread(target=save, args=[name]) for name in ("Ann", "Bob", "Cy", "Di", "Ed", "Flo")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409, 409]
    conflict = next(answer for answer in answers if answer.status_code == 409)
    assert conflict.json()["error"]["code"] == "edit_conflict"
    assert client.put(f"/api/jobs/{job_id}/edits", json={"version": 1, "document": document}).json() == {"version": 2}
    assert len([name for name in server.context.files.names("edits/") if job_id in name]) == 1


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "version"),
        ({"version": 0}, "document"),
        ({"version": "0", "document": {"segments": []}}, "version"),
        ({"version": -1, "document": {"segments": []}}, "version"),
        ({"version": 2**63, "document": {"segments": []}}, "version"),
        ({"version": 0, "document": {"segments": [], "nonsense": 1}}, "nonsense"),
        (
            {"version": 0, "document": {"segments": [{"words": [{"word": "x", "start": 2, "end": 1}]}]}},
            "segments.0.words.0",
        ),
    ],
)
def test_what_is_no_edit_is_refused(job, body, param):
    client, job_id = job
    answer = client.put(f"/api/jobs/{job_id}/edits", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert client.get(f"/api/jobs/{job_id}/edits").json() == {"version": 0, "document": None}


@pytest.mark.parametrize(("known", "status", "code"), [(True, 413, "input_too_large"), (False, 404, "job_not_found")])
def test_edits_above_the_limit_or_of_no_job_are_refused_unread(server, job, known, status, code):
    size = 10**9 if known else 10**6
    job_id = job[1] if known else "0" * 32
    asked = f"PUT /api/jobs/{job_id}/edits HTTP/1.1\nHost: 127.0.0.1\nContent-Length: {size}"
    answer = exchanged(server.port, asked, b"{")
    assert answer.startswith(f"HTTP/1.1 {status} ")
    assert f'"code":"{code}"' in answer


@pytest.mark.parametrize("item", [b"{},", b"[],", b"0,"])
def test_a_document_of_too_many_values_is_refused_before_it_is_parsed(monkeypatch, job, item):
    monkeypatch.setattr(edits, "parse_object", lambda body: pytest.fail("it was parsed"))
    client, job_id = job
    body = b'{"version":0,"document":{"segments":[' + item * 2_500_001 + b"0]}}"
    answer = client.put(f"/api/jobs/{job_id}/edits", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "input_too_large")


def test_of_big_documents_one_at_a_time_is_parsed(monkeypatch, job):
    client, job_id = job
    parsing, most, answers = [], [], []
    parse = edits.parse_object

    def noted(body):
        parsing.append(body)
        most.append(len(parsing))
        threading.Event().wait(0.05)  # long enough for another to begin, were it let
        parsing.remove(body)
        return parse(body)

    monkeypatch.setattr(edits, "parse_object", noted)

    def save(text):
        words = [{"word": text, "start": 0, "end": 1}] * 4000
        edited = {"version": 0, "document": {"segments": [{"speaker": None, "words": words}]}}
        answers.append(client.put(f"/api/jobs/{job_id}/edits", json=edited).status_code)

    threads = [threading.Thread(target=save, args=[text]) for text in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, 409, 409, 409]
    assert most == [1, 1, 1, 1]


def test_the_same_edits_sent_again_as_by_a_proxy_that_lost_the_answer_are_saved_once(server, job):
    client, job_id = job
    result = client.get(f"/api/results/{job_id}").json()
    edited = [{"version": 0, "document": edits_of(result, SPEAKER_00=name)} for name in ("Ann", "Bob")]

    def put(body):
        answer = client.put(f"/api/jobs/{job_id}/edits", json=body)
        return answer.status_code, answer.json().get("version")

    assert [put(edited[0]), put(edited[0]), put(edited[1])] == [(200, 1), (200, 1), (409, None)]
    assert put({**edited[1], "version": 1}) == (200, 2)
    assert put(edited[0]) == (409, None)
    assert client.get(f"/api/jobs/{job_id}/edits").json()["document"]["speakers"] == {"SPEAKER_00": "Bob"}
    assert len([name for name in server.context.files.names("edits/") if job_id in name]) == 1


def test_edits_that_were_saved_though_the_store_failed_to_say_so_are_there(server, monkeypatch, job):
    client, job_id = job
    document = edits_of(client.get(f"/api/results/{job_id}").json(), SPEAKER_00="Ann")
    save_edits = server.context.store.save_edits

    def lost(*args, **kwargs):
        save_edits(*args, **kwargs)
        raise StorageError("the answer was lost")

    monkeypatch.setattr(server.context.store, "save_edits", lost)
    answer = client.put(f"/api/jobs/{job_id}/edits", json={"version": 0, "document": document})
    assert answer.json()["error"]["code"] == "storage_failed"
    kept = client.get(f"/api/jobs/{job_id}/edits").json()
    assert (kept["version"], kept["document"]["speakers"]) == (1, {"SPEAKER_00": "Ann"})


def test_a_job_without_a_transcript_cannot_be_edited(server):
    client = server.client()
    job_id = client.post("/api/upload", files={"file": ("broken.wav", b"broken")}).json()["job_id"]
    server.ended(job_id)
    answer = client.put(f"/api/jobs/{job_id}/edits", json={"version": 0, "document": {"segments": []}})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "refused")
