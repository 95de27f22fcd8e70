"""nginx's configuration: nginx takes it, and its numbers go with those of the server behind it."""

import json
import re

import pytest
from fastapi.openapi.utils import get_openapi

from common.audio.limits import AudioLimits
from common.errors import EndpointUnreachableError, ForbiddenError, InputTooLargeError, SubmissionUnknownError
from common.field_values import REQUEST_ID
from common.settings import load_settings
from orchestrator.server.app import KEEP_ALIVE_S, ROUTERS
from orchestrator.server.http import connections, edits, events, openai_stream
from orchestrator.server.http.intake import FORM_RESERVE_BYTES
from tests.support.nginx import (
    NAME,
    SELFHOST,
    Ports,
    checked,
    make_certificate,
    own_folder,
    write_configuration,
)

TEXTS = {path.name: path.read_text() for path in (SELFHOST / "nginx").glob("*.conf")}
CERTIFICATE = f"openssl req -x509 -newkey rsa:2048 -nodes -subj /CN={NAME} -keyout privkey.pem -out fullchain.pem"
ERRORS = [InputTooLargeError, EndpointUnreachableError, SubmissionUnknownError, ForbiddenError]
MIB = 1024 * 1024
UNITS = {"s": 1, "m": 60, "h": 3600}


def seconds(name, text):
    """The longest and the shortest time that a directive gives."""
    found = [int(number) * UNITS[unit] for number, unit in re.findall(rf"\b{name} (\d+)([smh]);", text)]
    return max(found), min(found)


def location(path):
    """What the location of a path says."""
    return re.search(
        rf"location (?:= )?{re.escape(path)} {{(.*?)^}}", TEXTS["locations.conf"], re.DOTALL | re.MULTILINE
    )[1]


def synchronous():
    """The routes that answer when the work is done."""
    return re.findall(r"location = (\S+) {", TEXTS["locations.conf"])


@pytest.mark.parametrize("servers", ["tls.conf", "plain.conf"])
def test_nginx_takes_it(servers):
    with own_folder() as (folder, as_user):
        write_configuration(folder, ports := Ports(), servers=servers)
        ports.release()
        make_certificate(folder, f"{CERTIFICATE}; chmod 644 *.pem")
        said = checked(folder, as_user)
    assert "test is successful" in said
    assert [line for line in said.splitlines() if "[warn]" in line or "[emerg]" in line] == []


def test_what_a_body_may_have_is_a_little_more_than_the_server_takes():
    asked, edited = (int(size) * MIB for size in re.findall(r"client_max_body_size (\d+)m;", TEXTS["locations.conf"]))
    assert 0 <= asked - AudioLimits().max_download_bytes - FORM_RESERVE_BYTES < 2 * MIB
    assert 0 <= edited - edits.MAX_BYTES < 2 * MIB


def test_nginx_lets_go_of_connections_before_the_server_does():
    kept_s, _ = seconds("keepalive_timeout", TEXTS["upstream.conf"])
    assert kept_s < KEEP_ALIVE_S
    assert kept_s <= connections.HEAD_S


def test_answers_that_take_long_are_waited_for():
    deadline_s = load_settings({}).endpoints.deadline_s
    assert all(seconds("proxy_read_timeout", location(path))[0] > deadline_s for path in synchronous())
    heartbeat_s = max(events.HEARTBEAT_S, openai_stream.HEARTBEAT_S)
    assert seconds("proxy_read_timeout", TEXTS["locations.conf"])[1] > 2 * heartbeat_s
    assert "proxy_buffering off;" in location("/api/events/")
    assert "gzip off;" in location("/api/events/")


def test_the_routes_that_are_named_are_there():
    routes = [route for module in ROUTERS for route in module.router.routes]
    paths = get_openapi(title="x", version="1", routes=routes)["paths"]
    assert set(synchronous()) == {"/api/diarize", "/api/transcribe-with-diarization", "/v1/audio/transcriptions"}
    assert all("post" in paths[path] for path in synchronous())
    buffered = re.search(r"location ~ (\S+) \{[^}]*proxy_request_buffering on;", TEXTS["locations.conf"])[1]
    assert [path for path in paths if re.search(buffered, path)] == ["/api/jobs/{job_id}/edits"]
    refused = re.search(r"location ~ (\S+) \{", TEXTS["tls.conf"])[1]
    assert {path for path in paths if not re.search(refused, path)} <= {"/", "/internal/audio/{token}"}
    assert any(path.startswith("/api/events/") for path in paths)
    assert any(getattr(route, "path", "").startswith("/internal/audio/") for route in routes)


def test_nothing_that_has_effects_is_sent_twice():
    assert re.findall(r"proxy_next_upstream (.*?);", "".join(TEXTS.values())) == ["error timeout"] * 2
    assert TEXTS["locations.conf"].count("proxy_pass http://$parley_servers;") == 3 + len(synchronous())
    assert "default parley_new;" in TEXTS["upstream.conf"]
    assert re.findall(r"^    (\w+) parley_kept;$", TEXTS["upstream.conf"], re.MULTILINE) == ["GET", "HEAD"]


def test_ids_are_those_that_the_server_takes():
    assert f'"~{REQUEST_ID}" $http_x_request_id;' in TEXTS["upstream.conf"]


@pytest.mark.parametrize("kind", ERRORS)
def test_what_nginx_says_itself_looks_as_the_servers_own_errors(kind):
    bodies = [json.loads(one)["error"] for text in TEXTS.values() for one in re.findall(r"'(\{\"error\".*\})';", text)]
    (body,) = [one for one in bodies if one["code"] == kind.code]
    assert {**body, "message": ""} == {
        "code": kind.code, "message": "", "param": body["param"], "retryable": kind.retryable,
        "request_id": "$parley_request_id",
    }  # fmt: skip
    assert f"return {kind.http_status} " in TEXTS["tls.conf" if kind is ForbiddenError else "locations.conf"]


@pytest.mark.parametrize("name", ["instances.conf", "instances-compose.conf"])
def test_a_server_that_fails_once_is_left_alone_for_seconds(name):
    assert re.findall(r"(?m)^(?:# )?server \S+ (.*)$", TEXTS[name]) == ["max_fails=1 fail_timeout=5s;"] * 2
