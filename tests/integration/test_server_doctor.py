import socket
import sqlite3
from contextlib import closing

import pytest

from orchestrator.server.doctor import server_findings
from orchestrator.server.settings import load_server_settings
from orchestrator.server.store.database import migrate, open_database
from orchestrator.server.store.keys import KeyStore


def found(env):
    return {finding.what: finding for finding in server_findings(load_server_settings(env))}


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]


def test_a_machine_where_nothing_was_served_yet_is_well(tmp_path):
    findings = found({"DATA_FOLDER": str(tmp_path / "not there yet"), "SERVER_PORT": "0"})
    assert {what: finding.cure for what, finding in findings.items()} == {
        "server's data": "", "server's database": "", "server's address": "",
    }  # fmt: skip
    assert not (tmp_path / "not there yet").exists()


def test_nothing_is_made_where_nothing_was_served_yet(tmp_path):
    seen = found({"DATA_FOLDER": str(tmp_path)})["server's database"].seen
    assert seen == "sqlite, made at the first start"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("done", "seen", "cure"),
    [
        ("CREATE TABLE other (x)", "sqlite, empty; its tables are made at the first start", ""),
        ("CREATE TABLE alembic_version (version_num)", "sqlite, empty; its tables are made at the first start", ""),
        (
            "CREATE TABLE alembic_version AS SELECT '9999' AS version_num",
            "sqlite",
            "the database that DATABASE_URL names is a newer Parley's; update this one",
        ),
    ],
)
def test_a_database_is_left_as_it_is(tmp_path, done, seen, cure):
    path = tmp_path / "jobs.sqlite3"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(done)
    before = path.read_bytes()
    finding = found({"DATA_FOLDER": str(tmp_path)})["server's database"]
    assert (finding.seen, finding.cure) == (seen, cure)
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (before, [path])


def test_an_address_of_ipv6_is_looked_at(tmp_path):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no address of IPv6")
    free = found({"DATA_FOLDER": str(tmp_path), "SERVER_HOST": "::1", "SERVER_PORT": "0"})["server's address"]
    assert (free.seen, free.cure) == ("[::1]:0 is free", "")


def test_an_address_of_redis_that_is_none_has_its_cure(tmp_path):
    queue = found({"DATA_FOLDER": str(tmp_path), "SERVER_PORT": "0", "QUEUE_URL": "redis://:secret@h?nonsense=1"})[
        "queue"
    ]
    assert queue.seen == "cannot be used"
    assert queue.cure.startswith("QUEUE_URL is not valid")


def test_the_database_and_its_keys_are_looked_at(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path / 'jobs.sqlite3'}")
    migrate(engine)
    KeyStore(engine).add("Ada")
    engine.dispose()
    assert found({"DATA_FOLDER": str(tmp_path)})["server's database"].seen == "sqlite, 1 API keys"


def test_what_is_wrong_has_its_cure_and_no_password_in_it(tmp_path, port):
    findings = found(
        {
            "DATA_FOLDER": str(tmp_path),
            "DATABASE_URL": "postgresql://me:secret@127.0.0.1:9/parley",
            "QUEUE_URL": "redis://:secret@127.0.0.1:9",
            "SERVER_PORT": str(port),
        }
    )
    assert "DATABASE_URL" in findings["server's database"].cure
    assert "SERVER_PORT" in findings["server's address"].cure
    assert "QUEUE_URL" in findings["queue"].cure
    assert "secret" not in str(findings)
