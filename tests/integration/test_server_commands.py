"""`parley serve` and `parley keys`, as far as they go without models."""

import json
import logging
import socket
import stat

import pytest

from common.errors import ConfigurationError
from common.logs import log_event, request_context
from orchestrator.cli import main
from orchestrator.server import log_file as log_files
from orchestrator.server.log_file import log_file
from orchestrator.server.store.database import open_database
from orchestrator.server.store.keys import KeyStore


@pytest.fixture
def data(tmp_path, monkeypatch):
    for name in ("DATABASE_URL", "STORAGE_URL", "QUEUE_URL", "SERVER_HOST", "SERVER_PORT", "LOG_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATA_FOLDER", str(tmp_path / "data"))
    return tmp_path / "data"


def keys(data):
    return KeyStore(open_database(f"sqlite:///{data / 'jobs.sqlite3'}"))


def test_a_key_is_shown_once_listed_without_it_and_revoked(data, capsys):
    assert main(["keys", "add", "Ada's laptop"]) == 0
    plain = capsys.readouterr().out.strip()
    assert keys(data).find(plain).name == "Ada's laptop"
    assert main(["keys", "list"]) == 0
    listed = capsys.readouterr().out
    assert "valid   Ada's laptop" in listed
    assert plain not in listed
    assert main(["keys", "revoke", "Ada's laptop"]) == 0
    assert keys(data).find(plain) is None
    assert main(["keys", "list"]) == 0
    assert "revoked Ada's laptop" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["add"], ["revoke"], ["revoke", "nobody"]])
def test_a_key_that_is_not_named_or_not_there_is_bad_input(data, capsys, arguments):
    assert main(["keys", *arguments]) == 2
    assert "parley keys" in capsys.readouterr().err


def test_others_are_not_let_in_without_a_key(data, capsys):
    assert main(["serve", "--host", "0.0.0.0", "--port", "0"]) == 1
    assert "parley keys add NAME" in capsys.readouterr().err


def test_nor_are_those_who_come_through_a_proxy(data, capsys, monkeypatch):
    monkeypatch.setenv("TRUSTED_PROXIES", "127.0.0.1")
    assert main(["serve", "--port", "0"]) == 1
    told = capsys.readouterr().err
    assert "through a proxy needs an API key" in told
    assert "TRUSTED_PROXIES" in told


def test_a_port_that_is_taken_is_named(data, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["serve", "--port", str(taken.getsockname()[1])]) == 1
    assert "SERVER_PORT" in capsys.readouterr().err


def test_the_data_are_this_users_alone(data, capsys):
    main(["keys", "list"])
    assert stat.S_IMODE((data / "jobs.sqlite3").stat().st_mode) == 0o600
    assert stat.S_IMODE(data.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgresql://me:secret@127.0.0.1:9/parley"),
        ("STORAGE_URL", "ftp://files"),
        ("STORAGE_URL", "s3://bucket"),
        ("QUEUE_URL", "http://queue"),
        ("RATE_LIMIT", "often"),
    ],
)
def test_a_wrong_setting_ends_it_with_its_name_and_no_secret(data, capsys, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert main(["serve", "--port", "0"]) == 1
    told = capsys.readouterr().err.splitlines()[-1]
    assert name in told
    assert "secret" not in told


def test_lines_go_to_a_file_which_is_begun_anew_when_it_is_big(tmp_path, monkeypatch):
    monkeypatch.setattr(log_files, "FILE_BYTES", 500)
    path = tmp_path / "logs" / "server.log"
    monkeypatch.setattr(logging.getLogger("orchestrator"), "level", logging.INFO)
    with log_file(path, log_format="json"), request_context(request_id="r-1"):
        for number in range(10):
            log_event(logging.getLogger("orchestrator.server"), "request", number=number)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[-1] | {"time": ""} == {
        "time": "", "level": "INFO", "logger": "orchestrator.server",
        "event": "request", "request_id": "r-1", "number": 9,
    }  # fmt: skip
    assert path.with_name("server.log.1").exists()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not [handler for handler in logging.getLogger().handlers if "server.log" in repr(handler)]


def test_a_log_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "logs").write_text("a file")
    with pytest.raises(ConfigurationError, match="LOG_FILE"), log_file(tmp_path / "logs" / "a.log", log_format="text"):
        pass
