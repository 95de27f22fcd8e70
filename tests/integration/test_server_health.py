import logging
import re

import pytest

from tests.support.server_app import LIMIT_BYTES, running_server


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="module")
def client(server):
    return server.client()


def test_health_tells_what_the_server_works_with(client):
    health = client.get("/health").json()
    assert health["status"] == "ok"
    assert health["models"] == {"diarization": "toy diarization", "transcription": "toy"}
    assert health["workers"] == {"transcription": {"workers_ready": 1}}
    assert (health["active_jobs"], health["queued_jobs"]) == (0, 0)
    assert health["device"] in {"cpu", "cuda", "mps"}
    assert {"version", "gpus", "torch"} <= health.keys()


def test_the_page_learns_that_no_key_is_needed(client):
    session = client.get("/api/session").json()
    assert (session["key_required"], session["signed_in"], session["name"]) == (False, True, None)
    assert session["max_upload_bytes"] == LIMIT_BYTES
    assert session["models"]["transcription"] == "toy"


def test_metrics_count_requests_by_route_and_jobs_by_state(server, client):
    job_id = client.post("/api/upload", files={"file": ("talk.wav", b"RIFF")}).json()["job_id"]
    server.ended(job_id)
    client.get(f"/api/status/{job_id}")
    client.get("/wp-login.php")
    answer = client.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert 'parley_server_requests_total{method="GET",route="/api/status/{job_id}",status="200"} 1.0' in answer.text
    assert 'parley_server_requests_total{method="GET",route="other",status="404"} 1.0' in answer.text
    assert 'parley_server_jobs{state="completed"} 1.0' in answer.text
    assert 'parley_server_request_seconds_count{route="/api/upload"} 1.0' in answer.text
    assert job_id not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/api/jobs/", 404, "not_found"),
        ("GET", "/static/nothing.js", 404, "not_found"),
        ("POST", "/api/jobs", 405, "method_not_allowed"),
        ("PUT", "/api/upload", 405, "method_not_allowed"),
        ("TRACE", "/health", 405, "method_not_allowed"),
        ("GET", "/api/jobs?limit=1000", 422, "invalid_input"),
        ("GET", "/api/status/unknown", 404, "job_not_found"),
    ],
)
def test_every_refusal_has_the_envelope(client, method, path, status, code):
    answer = client.request(method, path)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["retryable"]) == (status, code, False)
    assert error.keys() == {"code", "message", "param", "retryable", "request_id"}
    assert error["request_id"] == answer.headers["X-Request-ID"]
    if status == 405:
        assert answer.headers["Allow"]


def test_a_crash_is_an_envelope_without_its_cause(server, client, monkeypatch, caplog):
    def crash(*_, **__):
        raise RuntimeError("postgresql://user:secret@host/")

    monkeypatch.setattr(server.context.store, "get", crash)
    answer = client.get(f"/api/status/{'0' * 32}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    assert any(record.getMessage() == "request_crashed" for record in caplog.records)


@pytest.mark.parametrize(("given", "kept"), [("abc-1", True), ("a b", False), ("x" * 101, False), ("é", False)])
def test_a_request_id_is_taken_over_if_it_is_one(client, given, kept):
    answer = client.get("/health", headers={"X-Request-ID": given.encode()})
    assert (answer.headers["X-Request-ID"] == given) is kept
    if not kept:
        assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-ID"])


def test_every_request_is_logged_with_its_time_and_without_its_address(client, caplog):
    with caplog.at_level(logging.INFO):
        client.get(f"/api/jobs?limit=7&cursor={'n' * 30}", headers={"X-Request-ID": "r-1"})
    line = next(record.getMessage() for record in caplog.records if "route=/api/jobs" in record.getMessage())
    assert re.fullmatch(r"request method=GET route=/api/jobs status=400 seconds=0\.\d+", line)


def test_the_page_and_its_files_are_sent_anew_only_where_they_changed(client):
    page = client.get("/")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["Cache-Control"] == "no-cache"
    css = client.get("/static/app.css")
    assert css.headers["Content-Type"] == "text/css; charset=utf-8"
    again = client.get("/static/app.css", headers={"If-None-Match": css.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_the_page_has_no_script_or_style_of_its_own_in_it(client):
    page = client.get("/").text
    assert re.findall(r"<script(?![^>]*\bsrc=)", page) == []
    assert re.findall(r"<style|\sstyle=|\son[a-z]+=|https?://", page) == []


def test_every_answer_tells_browsers_to_run_nothing_else(client):
    for path in ("/", "/static/app.css", "/health", "/nothing", "/api/jobs"):
        headers = client.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'self'; ")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Permissions-Policy"].startswith("microphone=(self), camera=()")
        assert "Server" not in headers
