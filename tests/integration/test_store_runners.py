import pytest

from common.errors import JobNotFoundError
from tests.support.job_stores import DATABASES, LEASE_S, stage

ERROR = {"code": "engine_failed", "message": "the model failed", "param": None, "retryable": False}
WRITES = {
    "hold": lambda store, job_id, runner: store.hold(job_id, runner=runner, peaks="peaks/p.json"),
    "report": lambda store, job_id, runner: store.report(job_id, runner=runner, step="aligning", progress=0.9),
    "complete": lambda store, job_id, runner: store.complete(job_id, runner=runner, result="results/late.json"),
    "fail": lambda store, job_id, runner: store.fail(job_id, runner=runner, error=ERROR),
    "give_back": lambda store, job_id, runner: store.give_back(job_id, runner=runner, not_before=0),
    "cancelled": lambda store, job_id, runner: store.cancelled(job_id, runner=runner),
}
ENDS = ("complete", "fail", "cancelled", "give_back")


@pytest.fixture(params=DATABASES)
def jobs(request, tmp_path):
    with stage(request.param, tmp_path) as made:
        yield made


def refused(jobs, job_id, runner):
    """Tell that every write of `runner` is refused and changes nothing."""
    before = jobs.store.get(job_id)
    return not any(write(jobs.store, job_id, runner) for write in WRITES.values()) and jobs.store.get(job_id) == before


def test_what_preparing_found_is_kept_and_what_it_did_not_find_stays(jobs):
    job = jobs.claimed(audio_url="https://example.org/a")
    assert jobs.store.hold(job.id, runner="runner", audio="audio/a", audio_sha256="ff", audio_bytes=7, cache_key="k")
    assert jobs.store.hold(job.id, runner="runner", duration_s=1.5, peaks="peaks/p.json")
    assert jobs.store.hold(job.id, runner="runner")
    job = jobs.store.get(job.id)
    assert (job.audio, job.audio_sha256, job.audio_bytes, job.cache_key) == ("audio/a", "ff", 7, "k")
    assert (job.duration_s, job.peaks, job.runner) == (1.5, "peaks/p.json", "runner")


def test_progress_goes_up_only_and_stays_within_its_bounds(jobs):
    job = jobs.claimed()
    seen = []
    for progress in (-1.0, 0.4, 0.2, 0.5, 7.0, 0.6):
        assert jobs.store.report(job.id, runner="runner", step="diarizing/transcribing", progress=progress)
        seen.append(jobs.store.get(job.id).progress)
    assert seen == [0.0, 0.4, 0.4, 0.5, 1.0, 1.0]
    assert jobs.store.get(job.id).step == "diarizing/transcribing"


def test_a_completed_job_has_its_result_and_no_runner(jobs):
    job = jobs.claimed()
    jobs.clock.now += 3
    assert jobs.store.complete(job.id, runner="runner", result="results/r.json", duration_s=12.5, cached=True)
    job = jobs.store.get(job.id)
    assert (job.state, job.step, job.progress, job.result) == ("completed", "complete", 1.0, "results/r.json")
    assert (job.duration_s, job.cached, job.finished_at) == (12.5, True, jobs.clock.now)
    assert (job.runner, job.leased_until) == (None, None)


def test_a_result_whose_answer_was_lost_is_told_again(jobs):
    job = jobs.completed()
    assert jobs.store.complete(job.id, runner="runner", result=job.result)
    assert not jobs.store.complete(job.id, runner="runner", result="results/another.json")
    assert jobs.store.get(job.id) == job


def test_a_failed_job_says_why(jobs):
    job = jobs.claimed()
    assert jobs.store.fail(job.id, runner="runner", error=ERROR)
    job = jobs.store.get(job.id)
    assert (job.state, job.error, job.finished_at) == ("failed", ERROR, jobs.clock.now)


@pytest.mark.parametrize(("counted", "attempts"), [(True, 2), (False, 1)])
def test_a_job_that_is_given_back_begins_anew(jobs, counted, attempts):
    job = jobs.claimed()
    jobs.store.report(job.id, runner="runner", step="aligning", progress=0.9)
    assert jobs.store.give_back(job.id, runner="runner", not_before=0, counted=counted)
    waiting = jobs.store.get(job.id)
    assert (waiting.state, waiting.step, waiting.progress, waiting.runner) == ("queued", "queued", 0.0, None)
    again = jobs.store.claim("another")
    assert (again.id, again.progress, again.attempts) == (job.id, 0.0, attempts)


def test_what_was_cancelled_meanwhile_is_not_given_back_but_ends(jobs):
    job = jobs.claimed()
    jobs.store.cancel(job.id)
    assert jobs.store.give_back(job.id, runner="runner", not_before=0)
    job = jobs.store.get(job.id)
    assert (job.state, job.finished_at) == ("cancelled", jobs.clock.now)
    assert jobs.store.claim("runner") is None


def test_only_what_was_to_be_cancelled_has_stopped(jobs):
    job = jobs.claimed()
    assert not jobs.store.cancelled(job.id, runner="runner")
    jobs.store.cancel(job.id)
    assert jobs.store.cancelled(job.id, runner="runner")
    assert jobs.store.get(job.id).state == "cancelled"


def test_a_runner_keeps_its_jobs_by_telling_of_itself(jobs):
    mine, his = jobs.claimed("mine"), jobs.claimed("his")
    jobs.store.cancel(mine.id)
    jobs.clock.now += LEASE_S - 1
    held = jobs.store.renew("mine")
    assert (held.job_ids, held.to_cancel) == ({mine.id}, {mine.id})
    assert jobs.store.renew("nobody").job_ids == frozenset()
    jobs.clock.now += 2
    assert jobs.store.reclaim() == [his.id]
    assert jobs.store.get(mine.id).leased_until == jobs.clock.now - 2 + LEASE_S


def test_a_runner_does_not_keep_what_it_does_not_know_of(jobs):
    known, unknown = jobs.claimed(), jobs.claimed()
    jobs.clock.now += LEASE_S
    assert jobs.store.renew("runner", job_ids=[known.id]).job_ids == {known.id}
    jobs.clock.now += 1
    assert jobs.store.reclaim() == [unknown.id]


@pytest.mark.parametrize("end", ENDS)
def test_after_the_end_nothing_is_written(jobs, end):
    job = jobs.claimed()
    jobs.store.cancel(job.id) if end == "cancelled" else None
    assert WRITES[end](jobs.store, job.id, "runner")
    if end == "complete":
        assert jobs.store.complete(job.id, runner="runner", result="results/late.json")
        assert not jobs.store.fail(job.id, runner="runner", error=ERROR)
    else:
        assert refused(jobs, job.id, "runner")


def test_another_runner_writes_nothing(jobs):
    job = jobs.claimed()
    jobs.store.cancel(job.id)
    assert refused(jobs, job.id, "another")
    assert not WRITES["fail"](jobs.store, "no such job", "runner")


def test_a_runner_that_was_given_up_writes_nothing_though_the_job_runs(jobs):
    job = jobs.claimed("silent")
    jobs.clock.now += LEASE_S + 1
    jobs.store.reclaim()
    assert jobs.store.claim("second").id == job.id
    assert refused(jobs, job.id, "silent")
    assert jobs.store.renew("silent").job_ids == frozenset()
    assert jobs.store.complete(job.id, runner="second", result="results/r.json")


def test_of_an_erased_job_nothing_is_written(jobs):
    job = jobs.claimed()
    jobs.store.erase(job.id)
    assert not any(write(jobs.store, job.id, "runner") for write in WRITES.values())
    assert jobs.store.renew("runner").job_ids == frozenset()
    with pytest.raises(JobNotFoundError):
        jobs.store.get(job.id)
    assert jobs.store.to_erase()[0].result is None
