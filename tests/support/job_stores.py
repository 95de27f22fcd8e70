"""Stores of jobs for tests: on SQLite and on PostgreSQL, empty, with a clock that stands still until it is moved."""

import atexit
import functools
import itertools
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from orchestrator.server.jobs import Job, NewJob
from orchestrator.server.store.database import migrate, open_database
from orchestrator.server.store.job_store import JobStore
from orchestrator.server.store.tables import METADATA
from tests.support import postgres

DATABASES = ("sqlite", "postgresql")
TEMPLATE, SHARED = "parley_template", "parley_shared"
LEASE_S = 10.0
LIMITS = {"lease_s": LEASE_S, "max_queued": 20, "max_queued_per_owner": 10, "max_attempts": 2}

_numbers = itertools.count(1)


class Clock:
    """Seconds since 1970, as the test says."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True, slots=True)
class Stage:
    """A store, its database and its clock."""

    store: JobStore
    engine: Engine
    clock: Clock

    def add(self, **given: Any) -> Job:
        return self.store.add(new_job(**given))

    def claimed(self, runner: str = "runner", **given: Any) -> Job:
        """Add a job, and claim it, which must be the only one that waits."""
        added = self.add(**given)
        job = self.store.claim(runner)
        assert job is not None
        assert job.id == added.id
        return job

    def completed(self, runner: str = "runner", **given: Any) -> Job:
        job = self.claimed(runner, **given)
        assert self.store.complete(job.id, runner=runner, result=f"results/{job.id}-00000000.json")
        return self.store.get(job.id)


def new_job(**given: Any) -> NewJob:
    number = next(_numbers)
    defaults = {"id": f"job{number}", "owner": "anna", "kind": "transcription", "filename": "talk.wav"}
    return NewJob(**{**defaults, "fields": {}, "request_id": f"request{number}", **given})


@contextmanager
def empty_database(database: str, folder: Path) -> Iterator[str]:
    """Give the URL of a database without any table."""
    if database == "sqlite":
        yield f"sqlite:///{folder / 'empty.sqlite3'}"
    else:
        with postgres.cluster().database() as url:
            yield url


@contextmanager
def migrated_database(database: str, folder: Path) -> Iterator[str]:
    """Give the URL of a database with all tables: the copy of one that was migrated before."""
    if database == "sqlite":
        shutil.copy(_sqlite_template(), folder / "jobs.sqlite3")
        yield f"sqlite:///{folder / 'jobs.sqlite3'}"
    else:
        _postgres_template()
        with postgres.cluster().database(template=TEMPLATE) as url:
            yield url


@contextmanager
def stage(database: str, folder: Path, **limits: Any) -> Iterator[Stage]:
    """Give an empty store; that on PostgreSQL is in a database that others had before and will have."""
    clock = Clock()
    if database == "postgresql":
        engine = _emptied_postgres()
        yield Stage(JobStore(engine, **{**LIMITS, **limits}, clock=clock), engine, clock)
        return
    with migrated_database(database, folder) as url:
        engine = open_database(url)
        try:
            yield Stage(JobStore(engine, **{**LIMITS, **limits}, clock=clock), engine, clock)
        finally:
            engine.dispose()


def _emptied_postgres() -> Engine:
    engine = _shared_postgres()
    with engine.begin() as connection:
        for table in METADATA.sorted_tables:
            connection.execute(table.delete())
    return engine


@functools.cache
def _shared_postgres() -> Engine:
    postgres.cluster().run(f"CREATE DATABASE {SHARED}")
    engine = open_database(postgres.cluster().url(SHARED))
    migrate(engine)
    atexit.register(engine.dispose)
    return engine


@functools.cache
def _sqlite_template() -> Path:
    path = Path(tempfile.mkdtemp(prefix="parley-store-")) / "template.sqlite3"
    _migrate(f"sqlite:///{path}")
    return path


@functools.cache
def _postgres_template() -> None:
    postgres.cluster().run(f"CREATE DATABASE {TEMPLATE}")
    _migrate(postgres.cluster().url(TEMPLATE))


def _migrate(url: str) -> None:
    engine = open_database(url)
    migrate(engine)
    engine.dispose()
