"""How the databases look for jobs among a hundred thousand: never through all of them."""

import re

import pytest
from sqlalchemy import event, text

from orchestrator.server.store.database import open_database
from orchestrator.server.store.job_store import JobStore
from tests.support.job_stores import DATABASES, LIMITS, migrated_database, new_job

ENDED = 100_000
NUMBERS = {
    "sqlite": "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < :ended)",
    "postgresql": "WITH n(n) AS (SELECT generate_series(1, :ended))",
}
INSERT = """
    INSERT INTO jobs (number, id, owner, kind, filename, fields, request_id, ephemeral, state, step, progress,
                      created_at, started_at, finished_at, attempts, cancel_requested, cached, edits_version,
                      audio, result, peaks, cache_key)
    {numbers} SELECT n, 'ended' || n, 'owner' || (n % 20), 'transcription', 'talk.wav', '{{}}', 'r' || n, {false},
           'completed', 'complete', 1, n, n, n + 1, 1, {false}, {false}, 0,
           'audio/' || n, 'results/' || n, 'peaks/' || n, 'key' || n FROM n
"""
CALLS = {
    "get": lambda store, job: store.get(job.id, owner="owner1"),
    "page": lambda store, job: store.page("owner1", limit=50),
    "next page": lambda store, job: store.page("owner1", cursor=store.page("owner1", limit=20).next_cursor),
    "page of a state": lambda store, job: store.page("owner1", state="queued"),
    "positions": lambda store, job: store.positions(),
    "cached": lambda store, job: store.cached("owner1", "key1"),
    "add": lambda store, job: store.add(new_job(owner="owner2", earlier="results/5")),
    "claim": lambda store, job: store.claim("runner"),
    "renew": lambda store, job: store.renew("runner"),
    "report": lambda store, job: store.report(job.id, runner="runner", step="aligning", progress=0.5),
    "complete": lambda store, job: store.complete(job.id, runner="runner", result="results/new"),
    "cancel": lambda store, job: store.cancel(job.id),
    "save edits": lambda store, job: store.save_edits(job.id, edits="edits/e", version=0),
    "erase": lambda store, job: store.erase("ended77"),
    "to erase": lambda store, job: store.to_erase(),
    "erased": lambda store, job: store.erased("ended77"),
    "reclaim": lambda store, job: store.reclaim(),
    "expired": lambda store, job: store.expired(1e12),
    "named": lambda store, job: store.named({"audio/1", "results/2", "peaks/3", "edits/4"}, by="visible"),
}


@pytest.fixture(scope="module", params=DATABASES)
def store(request, tmp_path_factory):
    with migrated_database(request.param, tmp_path_factory.mktemp("plans")) as url:
        engine = open_database(url)
        with engine.begin() as connection:
            numbers, false = NUMBERS[request.param], {"sqlite": "0", "postgresql": "false"}[request.param]
            connection.execute(text(INSERT.format(numbers=numbers, false=false)), {"ended": ENDED})
            if request.param == "postgresql":
                connection.execute(text("SELECT setval(pg_get_serial_sequence('jobs', 'number'), :n)"), {"n": ENDED})
        if request.param == "postgresql":  # as PostgreSQL does by itself, and SQLite does not
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("VACUUM ANALYZE"))
        yield JobStore(engine, **LIMITS)
        engine.dispose()


def plans(store, call):
    """Return what the database says of how it did every statement of the call."""
    found = []
    prefix = {"sqlite": "EXPLAIN QUERY PLAN ", "postgresql": "EXPLAIN "}[store._engine.dialect.name]

    def explain(connection, cursor, statement, parameters, context, executemany):
        if re.match(r"\s*(SELECT|UPDATE|DELETE|WITH)", statement) and "jobs" in statement:
            asked = connection.connection.cursor()
            asked.execute(prefix + statement, parameters)
            found.extend(str(row[-1]) for row in asked.fetchall())

    event.listen(store._engine, "before_cursor_execute", explain)
    try:
        call()
    finally:
        event.remove(store._engine, "before_cursor_execute", explain)
    return found


@pytest.mark.parametrize("name", CALLS)
def test_it_looks_into_an_index(store, name):
    job = store.add(new_job(owner="owner1"))
    while (claimed := store.claim("runner")) is not None and claimed.id != job.id:
        store.cancel(claimed.id)
    steps = plans(store, lambda: CALLS[name](store, job))
    assert any("jobs" in step for step in steps)
    assert [step for step in steps if re.search(r"SCAN (jobs|twin)\b(?! USING)|Seq Scan on jobs", step)] == []


def test_counting_reads_an_index_alone_in_sqlite(store):
    steps = plans(store, store.counts)
    if store._engine.dialect.name == "sqlite":  # PostgreSQL decides by how the table is at the moment
        assert any("COVERING INDEX ix_jobs_state_number" in step for step in steps)
    assert store.counts()["completed"] >= ENDED - 1
