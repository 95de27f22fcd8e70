"""Who gets at what: every route with and without a key, other tenants' jobs, other sites' pages, names and markup."""

import json
import logging
import re

import pytest

from tests.support.server_app import running_server
from tests.support.server_documents import edits_of

NO_JOB = "0" * 32
MARKUP = "<script>alert('x')</script>"
PUBLIC = {("GET", "/health"), ("GET", "/api/session"), ("POST", "/api/session"), ("DELETE", "/api/session")}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running_server(tmp_path_factory.mktemp("server"), TRUSTED_PROXIES="127.0.0.1") as running:
        running.ann, running.bob = running.add_key("Ann"), running.add_key("Bob")
        running.revoked = running.add_key("Eve")
        running.context.keys.revoke("Eve")
        yield running


@pytest.fixture(scope="module")
def job_id(server):
    """A job of Ann's, with edits."""
    client = server.client(server.ann)
    made = client.post("/api/upload", files={"file": ("talk.wav", b"RIFF")}).json()["job_id"]
    server.ended(made)
    edits = {"version": 0, "document": edits_of(client.get(f"/api/results/{made}").json())}
    assert client.put(f"/api/jobs/{made}/edits", json=edits).status_code == 200
    return made


def routes(server):
    """Every method and path of the OpenAPI document, and the two that are not in it but have data."""
    paths = server.app.openapi()["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods]


def asked(client, method, path, job_id=NO_JOB, **options):
    path = path.replace("{job_id}", job_id).replace("{model}", "parley")
    if method in {"POST", "PUT"} and "cancel" not in path and not options:
        options = {"json": {"url": "https://parley.invalid/a.wav"}}
    return client.request(method, path, **options)


def test_every_route_but_these_asks_for_a_key(server):
    client, wrong = server.client(), server.client("parley_00000000_" + "x" * 43)
    for method, path in routes(server):
        answer = asked(client, method, path)
        if (method, path) in PUBLIC:
            assert answer.status_code in {200, 204, 400}, (method, path)
            continue
        assert answer.status_code == 401, (method, path)
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert asked(wrong, "GET", "/api/jobs").status_code == 401
    assert {path for _, path in PUBLIC} == {path for _, path in routes(server)} & {"/health", "/api/session"}


def test_behind_a_proxy_a_server_without_keys_is_open_to_nobody_who_calls_it_localhost(tmp_path):
    with running_server(tmp_path, TRUSTED_PROXIES="127.0.0.1") as server:
        client = server.client(Host="localhost", **{"X-Forwarded-For": "203.0.113.9"})
        assert client.get("/api/jobs").status_code == 401
        assert client.get("/api/session").json()["key_required"] is True


def test_without_a_key_health_and_session_tell_next_to_nothing(server):
    client = server.client()
    assert client.get("/health").json() == {"status": "ok"}
    session = client.get("/api/session").json()
    assert (session["key_required"], session["signed_in"]) == (True, False)
    assert [session[key] for key in ("name", "version", "models")] == [None, None, None]


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_a_key_opens_its_owners_jobs(server, job_id, scheme):
    answer = server.client(Authorization=f"{scheme} {server.ann}").get(f"/api/status/{job_id}")
    assert answer.json()["job_id"] == job_id


def test_keys_that_are_none_are_refused(server):
    for value in ("", "Bearer", "Basic YTpi", f"Basic {server.ann}", server.ann, f"Bearer {server.revoked}"):
        answer = server.client(Authorization=value).get("/api/jobs")
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key"), value


def test_anothers_job_is_as_one_that_never_was(server, job_id):
    client = server.client(server.bob, **{"X-Request-ID": "same"})
    tried = 0
    for method, path in routes(server):
        if "{job_id}" not in path:
            continue
        body = {"json": {"version": 1, "document": {"segments": []}}} if method == "PUT" else {}
        body = {"json": {}} if "rediarize" in path else body
        theirs, never, odd = (asked(client, method, path, one, **body) for one in (job_id, NO_JOB, "..%2f..%2fx"))
        assert theirs.status_code == never.status_code == 404, (method, path)
        assert theirs.content == never.content
        assert theirs.json()["error"]["code"] == "job_not_found"
        assert odd.status_code == 404
        tried += 1
    assert tried == 10
    assert client.get("/api/jobs").json()["jobs"] == []
    assert server.client(server.ann).get(f"/api/status/{job_id}").json()["status"] == "completed"


def test_the_page_signs_in_with_a_cookie_that_scripts_cannot_read(server, job_id):
    client = server.client()
    signed_in = client.post("/api/session", json={"key": server.ann})
    assert signed_in.status_code == 204
    cookie = signed_in.headers["Set-Cookie"]
    assert re.fullmatch(r"parley_session=[\w.-]+; HttpOnly; Max-Age=\d+; Path=/; SameSite=strict", cookie)
    assert server.ann not in cookie
    assert client.get(f"/api/status/{job_id}").status_code == 200
    session = client.get("/api/session").json()
    assert (session["signed_in"], session["name"], session["models"]["transcription"]) == (True, "Ann", "toy")
    assert client.delete("/api/session").status_code == 204
    assert client.get("/api/jobs").status_code == 401


def test_over_https_the_cookie_stays_there(server):
    answer = server.client(**{"X-Forwarded-Proto": "https"}).post("/api/session", json={"key": server.ann})
    assert "; Secure" in answer.headers["Set-Cookie"]


def test_cookies_that_are_forged_or_of_a_revoked_key_are_none(server):
    client = server.client()
    key = server.add_key("Zoe")
    client.post("/api/session", json={"key": key})
    assert client.get("/api/jobs").status_code == 200
    server.context.keys.revoke("Zoe")
    assert client.get("/api/jobs").status_code == 401
    value = client.cookies["parley_session"]
    for forged in (value[:-1] + ("a" if value[-1] != "a" else "b"), "x", "", "." * 1000):
        assert server.client(Cookie=f"parley_session={forged}").get("/api/jobs").status_code == 401


def test_a_cookie_counts_on_the_servers_own_page_alone(server):
    client = server.client()
    client.post("/api/session", json={"key": server.ann})
    own = f"http://127.0.0.1:{server.port}"
    assert client.get("/api/jobs", headers={"Origin": own, "Sec-Fetch-Site": "same-origin"}).status_code == 200
    foreign = (
        {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": f"http://localhost:{server.port}"},
        {"Origin": f"http://127.0.0.1:{server.port + 1}"}, {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"}, {"Origin": own, "Sec-Fetch-Site": "cross-site"},
    )  # fmt: skip
    for headers in foreign:
        assert client.get("/api/jobs", headers=headers).status_code == 401, headers
        assert client.post(f"/api/jobs/{NO_JOB}/cancel", headers=headers).status_code == 401, headers
        assert client.post("/api/session", headers=headers, json={"key": server.ann}).status_code == 403, headers
        assert client.delete("/api/session", headers=headers).status_code == 403, headers


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static/%2e%2e%2f%2e%2e%2fapp.py",
        "/static//etc/passwd", "/static/%2fetc%2fpasswd", "/static/app.css%00.js", "/static/..\\app.py",
        "/api/results/..%2f..%2fjobs.sqlite3", "/api/results/%00", "/api/jobs/%2e%2e/audio", "/api/jobs/a%00b/audio",
        "/api/events/%ff", f"/api/status/{NO_JOB}%0d%0aX: y", "/internal/audio/..%2f..%2fjobs.sqlite3", "/%2e%2e/jobs",
    ],
)  # fmt: skip
def test_no_path_leads_out_of_what_is_served(server, path):
    answer = server.client(server.ann).get(path)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] in {"not_found", "job_not_found"}


def test_markup_comes_back_as_data_and_never_as_a_page(server):
    client = server.client(server.ann)
    upload = client.post(
        "/api/upload",
        files={"file": (f"{MARKUP}.html", b"broken markup")},
        data={
            "hotwords": [MARKUP], "options": json.dumps({"speaker_names": {MARKUP: MARKUP}}),
        },
    )  # fmt: skip
    job_id = upload.json()["job_id"]
    server.ended(job_id)
    document = edits_of(client.get(f"/api/results/{job_id}").json(), SPEAKER_00=MARKUP)
    document["segments"][0]["words"][0]["word"] = MARKUP
    client.put(f"/api/jobs/{job_id}/edits", json={"version": 0, "document": document})
    answers = [client.get(f"/api/results/{job_id}", params={"format": name}) for name in ("txt", "srt", "vtt", "tsv")]
    answers += [client.get(f"/api/{path}") for path in (f"status/{job_id}", f"jobs/{job_id}/edits", "jobs")]
    answers += [
        client.post("/api/upload", files={"file": ("a.wav", b"x")}, data={MARKUP: "1"}),
        client.post("/api/upload", files={"file": ("a.wav", b"x")}, data={"language": MARKUP}),
        client.post("/api/upload", json={"url": f"https://parley.invalid/{MARKUP}", MARKUP: 1}),
        client.post(f"/api/jobs/{job_id}/rediarize", json={MARKUP: 1}),
        client.get("/api/jobs", params={"cursor": MARKUP}),
        client.get("/api/jobs", params={"status": MARKUP}),
        client.get(f"/{MARKUP}"),
        client.get(f"/api/status/{MARKUP}"),
        client.post("/api/session", json={"key": MARKUP}),
        client.get(f"/api/jobs/{job_id}/audio"),
        client.get(f"/api/events/{job_id}"),
    ]
    assert upload.json()["filename"] == "script>.html"  # what comes after the last slash
    assert sum(MARKUP in answer.text or "alert('x')" in answer.text for answer in answers) >= 6
    for answer in answers:
        kind = answer.headers["Content-Type"].partition(";")[0]
        assert kind not in {"text/html", "image/svg+xml", "application/xhtml+xml", "text/xml"}, answer.url
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_logs_have_no_keys_names_texts_or_queries(server, caplog):
    with caplog.at_level(logging.DEBUG):
        client = server.client(server.ann)
        job = client.post("/api/upload?language=en", files={"file": ("secret-name.wav", b"secret sound")}).json()
        server.ended(job["job_id"])
        client.get(f"/api/results/{job['job_id']}?format=srt")
        client.get("/api/jobs?cursor=secret-cursor")
        client.post("/api/upload", json={"url": "https://127.0.0.1/a?token=secret-token"})
        signing_in = server.client()
        signing_in.post("/api/session", json={"key": server.ann})
        signing_in.get("/api/jobs")
        server.client("parley_00000000_secretkey").get("/api/jobs")
        client.get(server.context.audio_links.url("audio/x"))
    text = "\n".join(
        record.getMessage() for record in caplog.records if not record.name.startswith(("http", "asyncio"))
    )
    assert "route=/api/upload" in text
    for secret in (server.ann, "secret", "Chicago", "language=en", signing_in.cookies["parley_session"]):
        assert secret not in text
