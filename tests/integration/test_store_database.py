import sqlite3
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from common.errors import ConfigurationError, StorageError
from orchestrator.server.store import database
from orchestrator.server.store.database import migrate, open_database, reading
from orchestrator.server.store.job_store import JobStore
from orchestrator.server.store.tables import METADATA
from tests.support import postgres
from tests.support.job_stores import DATABASES, LIMITS, empty_database, migrated_database, new_job

TABLES = {"jobs", "owners", "keys", "secrets", "alembic_version"}


@pytest.fixture(params=DATABASES)
def empty(request, tmp_path):
    with empty_database(request.param, tmp_path) as url:
        engine = open_database(url)
        yield engine
        engine.dispose()


@pytest.fixture(params=DATABASES)
def migrated(request, tmp_path):
    with migrated_database(request.param, tmp_path) as url:
        engine = open_database(url)
        yield engine
        engine.dispose()


def migrate_and_leave(url):
    engine = open_database(url)
    try:
        migrate(engine)
    finally:
        engine.dispose()


def refusal(url):
    with pytest.raises(ConfigurationError) as refused:
        migrate_and_leave(url)
    assert refused.value.param == "DATABASE_URL"
    return refused.value.message


def test_an_empty_database_gets_its_tables_and_keeps_them(empty):
    migrate(empty)
    assert set(inspect(empty).get_table_names()) == TABLES
    store = JobStore(empty, **LIMITS)
    job = store.add(new_job())
    migrate(empty)
    assert store.get(job.id) == job


def test_migrations_make_just_the_tables_that_the_code_has(migrated):
    with migrated.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, METADATA) == []


def test_migrations_make_the_rules_that_the_code_has(migrated):
    found = {rule["name"]: rule["sqltext"] for rule in inspect(migrated).get_check_constraints("jobs")}
    expected = {rule.name for rule in METADATA.tables["jobs"].constraints if rule.name.startswith("ck_")}
    assert set(found) == expected
    assert len(expected) == 5


def test_servers_that_start_at_once_migrate_once(empty):
    begin = threading.Barrier(4)

    def start():
        begin.wait()
        migrate_and_leave(empty.url.render_as_string(hide_password=False))

    with ThreadPoolExecutor(4) as servers:
        for started in [servers.submit(start) for _ in range(4)]:
            started.result()
    with reading(empty) as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == ["0001"]


def test_a_file_that_another_server_is_making_is_waited_for(tmp_path, monkeypatch):
    path = tmp_path / "new.sqlite3"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    looks = []

    def look_again(seconds):
        looks.append(seconds)
        if len(looks) == 2:
            other.execute("COMMIT")

    monkeypatch.setattr(database, "BUSY_S", 0)  # the driver does not wait, where it would
    monkeypatch.setattr(database, "time", SimpleNamespace(monotonic=lambda: 0.0, sleep=look_again))
    migrate_and_leave(f"sqlite:///{path}")
    other.close()
    assert len(looks) == 2


def test_a_newer_database_is_left_alone(migrated):
    with migrated.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    url = migrated.url.render_as_string(hide_password=False)
    assert refusal(url) == "the database that DATABASE_URL names is a newer Parley's; update this one"
    assert set(inspect(migrated).get_table_names()) == TABLES


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://parley:s3cret@db/parley", "is no URL of a database that can be used"),
        ("s3cret", "is no URL of a database that can be used"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:////proc/s3cret/jobs.sqlite3", "cannot be made: No such file or directory"),
        ("postgresql+psycopg://parley:s3cret@127.0.0.1:1/parley", "cannot be used; check that it runs, and user"),
        ("postgresql+psycopg://parley:s3cret@127.0.0.1:port/parley", "is no URL of a database"),
    ],
)
def test_a_wrong_url_is_named_but_not_shown(url, words):
    message = refusal(url)
    assert words in message
    assert "DATABASE_URL" in message
    assert not any(part in message for part in ("s3cret", "127.0.0.1", "db/"))


def test_a_wrong_password_or_name_is_not_shown():
    cluster = postgres.cluster()
    for url in (cluster.url("postgres", password="s3cret"), cluster.url("no_such_database")):
        message = refusal(url)
        assert "check that it runs, and user, password" in message
        assert "s3cret" not in message


def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("these are my notes, and no database " * 100)
    assert "cannot be used" in refusal(f"sqlite:///{path}")
    assert path.read_text() == "these are my notes, and no database " * 100


def test_the_file_and_its_folder_are_for_nobody_else(tmp_path):
    path = tmp_path / "new" / "jobs.sqlite3"
    engine = open_database(f"sqlite:///{path}")
    migrate(engine)
    JobStore(engine, **LIMITS).add(new_job())
    assert {stat.S_IMODE(found.stat().st_mode) for found in path.parent.iterdir()} == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    engine.dispose()


def test_what_was_accepted_is_on_the_disk(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path / 'jobs.sqlite3'}")
    with reading(engine) as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")
        }
    assert found == {"journal_mode": "wal", "synchronous": 2}  # 2: FULL
    engine.dispose()


def test_a_database_that_is_gone_is_told_of_and_used_again_when_it_is_back(tmp_path):
    cluster = postgres.cluster()
    with migrated_database("postgresql", tmp_path) as url:
        engine = open_database(url)
        store = JobStore(engine, **LIMITS)
        job = store.add(new_job())
        cluster.run(f'ALTER DATABASE "{engine.url.database}" ALLOW_CONNECTIONS false')
        cluster.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{engine.url.database}'")
        with pytest.raises(StorageError, match="the jobs' database does not answer; try again"):
            store.get(job.id)
        cluster.run(f'ALTER DATABASE "{engine.url.database}" ALLOW_CONNECTIONS true')
        assert store.get(job.id) == job
        engine.dispose()


def test_errors_say_nothing_of_the_jobs(tmp_path):
    with migrated_database("sqlite", tmp_path) as url:
        engine = open_database(url)
        store = JobStore(engine, **LIMITS)
        job = store.add(new_job(audio_url="https://example.org/private"))
        with pytest.raises(Exception, match="UNIQUE constraint failed") as refused:
            store.add(new_job(id=job.id, audio_url="https://example.org/private"))
        assert "private" not in str(refused.value)
        engine.dispose()
