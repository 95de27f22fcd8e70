import pytest

from orchestrator.server.store.job_store import JobStore
from tests.support.job_stores import DATABASES, LEASE_S, LIMITS, stage


@pytest.fixture(params=DATABASES)
def jobs(request, tmp_path):
    with stage(request.param, tmp_path) as made:
        yield made


def test_a_silent_runners_job_waits_again(jobs):
    job = jobs.claimed()
    jobs.store.report(job.id, runner="runner", step="aligning", progress=0.7)
    jobs.clock.now += LEASE_S
    assert jobs.store.reclaim() == []
    jobs.clock.now += 0.1
    assert jobs.store.reclaim() == [job.id]
    assert jobs.store.reclaim() == []
    job = jobs.store.get(job.id)
    assert (job.state, job.step, job.progress, job.runner, job.finished_at) == ("queued", "queued", 0.0, None, None)
    assert (job.error, job.attempts) == (None, 1)


def test_a_job_that_loses_every_runner_fails(jobs):
    job = jobs.add()
    for _ in range(LIMITS["max_attempts"]):
        assert jobs.store.claim("runner").id == job.id
        jobs.clock.now += LEASE_S + 1
        jobs.store.reclaim()
    job = jobs.store.get(job.id)
    assert (job.state, job.attempts, job.finished_at) == ("failed", 2, jobs.clock.now)
    assert (job.error["code"], job.error["retryable"]) == ("worker_lost", True)
    assert job.error["message"] == "the server or worker at this job died every time it was begun; send it again"
    assert jobs.store.claim("runner") is None


def test_a_silent_runners_job_that_was_to_be_cancelled_is(jobs):
    job = jobs.claimed()
    jobs.store.cancel(job.id)
    jobs.clock.now += LEASE_S + 1
    assert jobs.store.reclaim() == [job.id]
    job = jobs.store.get(job.id)
    assert (job.state, job.error, job.finished_at) == ("cancelled", None, jobs.clock.now)


def test_many_silent_runners_at_once(jobs):
    lost, to_cancel = [jobs.claimed().id for _ in range(3)], jobs.claimed().id
    jobs.store.cancel(to_cancel)
    erased = jobs.claimed().id
    jobs.store.erase(erased)
    jobs.clock.now += LEASE_S + 1
    alive = jobs.claimed().id
    assert sorted(jobs.store.reclaim()) == sorted([*lost, to_cancel])
    assert jobs.store.counts() == {"queued": 3, "running": 1, "completed": 0, "failed": 0, "cancelled": 1}
    assert jobs.store.get(alive).state == "running"


def test_old_ended_jobs_are_erased(jobs):
    old = jobs.completed()
    jobs.claimed()
    jobs.clock.now += 100
    young = jobs.completed()
    jobs.clock.now += 1
    assert jobs.store.expired(100.5) == [old.id]
    assert jobs.store.expired(100.5) == []
    assert [job.id for job in jobs.store.to_erase()] == [old.id]
    assert [job.id for job in jobs.store.page("anna", state="completed").jobs] == [young.id]


def test_what_nobody_took_the_answer_of_is_not_kept_for_long(jobs):
    job = jobs.completed(ephemeral=True)
    jobs.clock.now += 599
    assert jobs.store.expired(1e6) == []
    jobs.clock.now += 2
    assert jobs.store.expired(1e6) == [job.id]


def test_an_erased_job_is_forgotten_only_then(jobs):
    kept, gone = jobs.completed(), jobs.completed()
    jobs.store.erase(gone.id)
    jobs.store.erased(kept.id)
    jobs.store.erased(gone.id)
    jobs.store.erased(gone.id)
    assert jobs.store.to_erase() == []
    assert jobs.store.get(kept.id) == kept


def test_only_an_ended_job_does_without_its_recording(jobs):
    ended, running = jobs.completed(audio="audio/ended"), jobs.claimed(audio="audio/running")
    assert [job.id for job in jobs.store.with_audio()] == [ended.id]
    assert jobs.store.without_audio("audio/ended") == 1
    assert jobs.store.without_audio("audio/running") == 0
    assert jobs.store.get(ended.id).audio is None
    assert jobs.store.get(running.id).audio == "audio/running"
    assert jobs.store.with_audio() == []


def test_files_are_known_by_every_job_that_names_them(jobs):
    first = jobs.completed(audio="audio/shared")
    jobs.store.save_edits(first.id, edits="edits/e.json", version=0)
    second = jobs.claimed(audio="audio/shared", earlier=first.result)
    jobs.store.hold(second.id, runner="runner", peaks="peaks/p.json")
    everything = {"audio/shared", first.result, "edits/e.json", "peaks/p.json"}
    asked = {*everything, "audio/unknown", "' OR 1=1 --"}
    assert jobs.store.named_files() == jobs.store.named(asked) == everything
    jobs.store.erase(first.id)
    assert jobs.store.named(asked) == everything
    assert jobs.store.named(asked, by="visible") == everything - {"edits/e.json"}
    assert jobs.store.named(asked, by="unfinished") == everything - {"edits/e.json"}
    jobs.store.complete(second.id, runner="runner", result="results/second")
    assert jobs.store.named(asked, by="unfinished") == set()
    assert jobs.store.named(()) == set()


def test_the_secret_is_one_for_all_and_for_ever(jobs):
    another = JobStore(jobs.engine, **LIMITS)
    assert len(jobs.store.secret()) == 32
    assert another.secret() == jobs.store.secret()
