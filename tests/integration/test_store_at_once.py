"""Several threads, and several processes, at one store."""

import subprocess
import sys
import textwrap
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from common.errors import EditConflictError, QueueFullError
from orchestrator.server.store.database import open_database
from orchestrator.server.store.job_store import JobStore
from tests.support.job_stores import DATABASES, LIMITS, migrated_database, new_job

THREADS = 4


@pytest.fixture(params=DATABASES)
def url(request, tmp_path):
    with migrated_database(request.param, tmp_path) as url:
        yield url


@pytest.fixture
def servers(url):
    """Two servers' stores on one database, each with connections of its own."""
    engines = [open_database(url) for _ in range(2)]
    limits = {**LIMITS, "lease_s": 1e6, "max_queued": 60, "max_queued_per_owner": 40}
    yield [JobStore(engine, **limits) for engine in engines]
    for engine in engines:
        engine.dispose()


def at_once(servers, work):
    """Run `work(store, number)` in threads of each server, all beginning together."""
    begin = threading.Barrier(THREADS * len(servers))

    def begun(store, number):
        begin.wait()
        return work(store, number)

    with ThreadPoolExecutor(THREADS * len(servers)) as threads:
        running = [
            threads.submit(begun, store, f"{server}-{number}")
            for server, store in enumerate(servers)
            for number in range(THREADS)
        ]
        return [future.result() for future in running]


def claim_all(store, runner):
    claimed = []
    while (job := store.claim(runner)) is not None:
        claimed.append(job.id)
        assert store.report(job.id, runner=runner, step="aligning", progress=0.5)
        if len(claimed) % 2:
            assert store.complete(job.id, runner=runner, result=f"results/{job.id}")
    return claimed


def test_no_job_is_claimed_twice(servers):
    ids = [servers[0].add(new_job(owner=f"owner{number % 3}")).id for number in range(40)]
    claimed = [job_id for found in at_once(servers, claim_all) for job_id in found]
    assert sorted(claimed) == sorted(ids)
    assert servers[1].counts()["queued"] == 0
    assert {servers[0].get(job_id).attempts for job_id in ids} == {1}


def test_no_more_are_taken_in_than_may_wait(servers):
    def add_many(store, number):
        added = 0
        for _ in range(12):
            try:
                store.add(new_job(owner=f"owner{int(number[-1]) % 2}"))
            except QueueFullError:
                continue
            added += 1
        return added

    assert sum(at_once(servers, add_many)) == 60
    assert servers[0].counts()["queued"] == 60


def test_a_job_has_one_end_whoever_ends_it(servers):
    ids = [servers[0].add(new_job()).id for _ in range(12)]
    for _ in ids:
        servers[0].claim("runner")
    for job_id in ids[::2]:
        servers[0].cancel(job_id)

    def end(store, number):
        ended = Counter()
        for job_id in ids:
            if int(number[-1]) % 2:
                ended[job_id] += store.fail(job_id, runner="runner", error={"code": "x"})
            else:
                ended[job_id] += store.cancelled(job_id, runner="runner")
        return ended

    assert sum(at_once(servers, end), Counter()) == Counter(ids)


def test_edits_at_once_are_refused_but_one(servers):
    job = servers[0].add(new_job())

    def edit(store, number):
        try:
            return store.save_edits(job.id, edits=f"edits/{number}", version=0)
        except EditConflictError:
            return "refused"

    assert Counter(at_once(servers, edit)) == {1: 1, "refused": 2 * THREADS - 1}


def test_the_secret_is_made_once(servers):
    assert len(set(at_once(servers, lambda store, _: store.secret()))) == 1


def test_processes_take_turns(url):
    code = """
        import sys
        from orchestrator.server.store.database import migrate, open_database
        from orchestrator.server.store.job_store import JobStore
        from tests.support.job_stores import LIMITS, new_job

        engine = open_database(sys.argv[1])
        migrate(engine)
        store = JobStore(engine, **{**LIMITS, "max_queued": 1000, "max_queued_per_owner": 1000, "lease_s": 1e6})
        sys.stdin.readline()
        for number in range(15):
            store.add(new_job(id=f"{sys.argv[2]}-{number}"))
            job = store.claim(sys.argv[2])
            assert store.complete(job.id, runner=sys.argv[2], result="results/r")
            print(job.id)
        """
    command = [sys.executable, "-c", textwrap.dedent(code), url]
    processes = [
        subprocess.Popen([*command, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for name in ("first", "second")
    ]
    for process in processes:
        process.stdin.write("begin\n")
        process.stdin.flush()
    claimed = [line for process in processes for line in process.communicate(timeout=120)[0].split()]
    assert [process.returncode for process in processes] == [0, 0]
    assert len(claimed) == len(set(claimed)) == 30
