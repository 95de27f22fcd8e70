"""A server on loopback without keys, which other sites' pages must not use in their visitor's name."""

import pytest

from tests.support.raw_http import exchanged
from tests.support.server_app import running_server

NO_JOB = "0" * 32


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    with running_server(folder, CORS_ORIGINS="https://friend.example, https://other.example") as running:
        yield running


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "localhost:1234", "127.0.0.1:8080", "[::1]:8080", "x.localhost"]
)
def test_this_machine_is_called_by_its_own_names(server, host):
    assert server.client(Host=host).get("/api/jobs").status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example", "user@localhost",
     "0.0.0.0", "10.0.0.5", "[::2]", "localhost/", "", "127.0.0.1:x:y"],
)  # fmt: skip
def test_a_name_that_somebody_pointed_here_is_refused(server, host):
    for path in ("/api/jobs", "/health", "/metrics", "/api/session"):
        answer = exchanged(server.port, f"GET {path} HTTP/1.1\nHost: {host}")
        assert answer.startswith("HTTP/1.1 403 "), path
        assert '"code":"forbidden"' in answer


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Origin": "https://friend.example.evil.example"},
        {"Origin": "garbage"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_sites_page_changes_nothing(server, headers):
    client = server.client(**headers)
    for method, path in (
        ("POST", "/api/upload"), ("DELETE", f"/api/jobs/{NO_JOB}"), ("POST", f"/api/jobs/{NO_JOB}/cancel"),
        ("PUT", f"/api/jobs/{NO_JOB}/edits"), ("POST", "/v1/audio/transcriptions"), ("POST", "/api/diarize"),
    ):  # fmt: skip
        answer = client.request(method, path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden"), path
    assert "Access-Control-Allow-Origin" not in client.get("/api/jobs").headers


@pytest.mark.parametrize("origin", ["null", "file://", "chrome-extension://abc", "http://", "ftp://localhost"])
def test_an_origin_of_no_site_is_not_the_own_one_on_port_80(server, origin):
    client = server.client(Host="localhost", Origin=origin)
    assert client.delete(f"/api/jobs/{NO_JOB}").status_code == 403
    assert server.client(Host="localhost", Origin="http://localhost").delete(f"/api/jobs/{NO_JOB}").status_code == 404


def test_the_own_page_and_programs_do(server):
    own = f"http://127.0.0.1:{server.port}"
    for headers in ({}, {"Origin": own}, {"Origin": own, "Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}):
        assert server.client(**headers).delete(f"/api/jobs/{NO_JOB}").status_code == 404


def test_pages_that_are_let_in_by_setting_may_call(server):
    client = server.client(Origin="https://friend.example")
    answer = client.delete(f"/api/jobs/{NO_JOB}")
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (404, "https://friend.example")
    preflight = client.options("/api/upload", headers={"Access-Control-Request-Method": "POST"})
    assert preflight.status_code == 200
    assert "Access-Control-Allow-Credentials" not in preflight.headers
    refused = server.client(Origin="https://evil.example").options(
        "/api/upload", headers={"Access-Control-Request-Method": "POST"}
    )
    assert refused.status_code == 400
