from dataclasses import asdict, fields

import pytest

from common.errors import GoneError, QueueFullError
from tests.support.job_stores import DATABASES, LEASE_S, new_job, stage


@pytest.fixture(params=DATABASES)
def jobs(request, tmp_path):
    with stage(request.param, tmp_path) as made:
        yield made


def claimed_ids(jobs, count, *, runner="runner"):
    return [job.id for job in (jobs.store.claim(runner) for _ in range(count)) if job is not None]


def test_a_new_job_waits_with_all_that_was_said_of_it(jobs):
    new = new_job(
        fields={"num_speakers": 2, "hotwords": ["Ångström", "😀"]},
        audio="audio/a-1",
        audio_sha256="ab",
        audio_bytes=5_000_000_000,
        audio_url="https://example.org/talk.wav?key=1",
        ephemeral=True,
    )
    job = jobs.store.add(new)
    assert {field.name: getattr(job, field.name) for field in fields(new)} == asdict(new)
    assert (job.state, job.step, job.progress, job.attempts) == ("queued", "queued", 0.0, 0)
    assert job.created_at == jobs.clock.now
    assert jobs.store.get(job.id) == job


def test_a_claimed_job_is_its_runners_for_the_time_of_a_lease(jobs):
    added = jobs.add()
    jobs.clock.now += 5
    job = jobs.store.claim("runner")
    assert (job.id, job.state, job.step) == (added.id, "running", "preprocessing")
    assert (job.runner, job.leased_until) == ("runner", jobs.clock.now + LEASE_S)
    assert (job.started_at, job.attempts) == (jobs.clock.now, 1)
    assert jobs.store.claim("another") is None


def test_of_one_owner_who_came_first_is_first(jobs):
    ids = [jobs.add().id for _ in range(5)]
    assert claimed_ids(jobs, 6) == ids


def test_owners_take_turns(jobs):
    many = [jobs.add(owner="anna").id for _ in range(4)]
    few = [jobs.add(owner="ben").id for _ in range(2)]
    one = jobs.add(owner="cleo").id
    expected = [many[0], few[0], one, many[1], few[1], many[2], many[3]]
    places = jobs.store.positions()
    assert sorted(places, key=places.__getitem__) == expected
    assert sorted(places.values()) == [1, 2, 3, 4, 5, 6, 7]
    assert claimed_ids(jobs, 7) == expected


def test_who_was_served_last_waits_though_none_of_his_jobs_runs(jobs):
    jobs.completed(owner="anna")
    second, first = jobs.add(owner="anna").id, jobs.add(owner="ben").id
    assert jobs.store.positions() == {first: 1, second: 2}
    assert claimed_ids(jobs, 2) == [first, second]


def test_a_running_job_puts_its_owner_behind(jobs):
    jobs.claimed(owner="anna")
    jobs.completed(owner="ben")
    late, soon = jobs.add(owner="anna").id, jobs.add(owner="ben").id
    assert claimed_ids(jobs, 2) == [soon, late]


def test_served_ephemeral_jobs_are_not_forgotten_with_their_rows(jobs):
    jobs.completed(owner="ben")
    gone = jobs.completed(owner="anna")
    jobs.store.erase(gone.id)
    jobs.store.erased(gone.id)
    second, first = jobs.add(owner="anna").id, jobs.add(owner="ben").id
    assert claimed_ids(jobs, 2) == [first, second]


def test_a_place_is_told_only_of_what_waits(jobs):
    first, second = jobs.add(), jobs.add()
    assert [jobs.store.position(first), jobs.store.position(second)] == [1, 2]
    running = jobs.store.claim("runner")
    assert jobs.store.position(running) is None
    assert jobs.store.position(second) == 1
    jobs.store.cancel(second.id)
    assert jobs.store.position(second) is None


def test_a_twin_of_a_running_job_waits_for_its_answer(jobs):
    first = jobs.claimed()
    jobs.store.hold(first.id, runner="runner", cache_key="same")
    twin = jobs.claimed()
    jobs.store.hold(twin.id, runner="runner", cache_key="same")
    jobs.store.give_back(twin.id, runner="runner", not_before=0)
    assert jobs.store.claim("runner") is None
    another = jobs.claimed(owner="ben")
    jobs.store.hold(another.id, runner="runner", cache_key="same")
    jobs.store.complete(first.id, runner="runner", result="results/r")
    assert claimed_ids(jobs, 2) == [twin.id]


def test_what_is_to_wait_is_passed_by_until_its_time(jobs):
    job = jobs.claimed()
    jobs.store.give_back(job.id, runner="runner", not_before=jobs.clock.now + 30)
    later = jobs.add()
    assert claimed_ids(jobs, 2) == [later.id]
    jobs.clock.now += 30
    assert claimed_ids(jobs, 2) == [job.id]


def test_no_more_wait_than_may_of_one_owner_and_of_all(jobs):
    for number in range(20):
        jobs.add(owner=f"owner{number // 10}")
    with pytest.raises(QueueFullError, match="20 jobs wait, as many as may"):
        jobs.add(owner="another")
    jobs.store.cancel(jobs.store.page("owner0", limit=1).jobs[0].id)
    with pytest.raises(QueueFullError, match="10 jobs wait") as refused:
        jobs.add(owner="owner1")
    assert refused.value.retry_after_s == 10.0
    jobs.add(owner="owner0")
    assert jobs.store.counts()["queued"] == 20


def test_when_to_come_again_is_how_long_a_job_takes(jobs):
    for seconds in (30, 50):
        job = jobs.claimed()
        jobs.clock.now += seconds
        jobs.store.complete(job.id, runner="runner", result="results/r")
    for _ in range(10):
        jobs.add()
    with pytest.raises(QueueFullError) as refused:
        jobs.add()
    assert refused.value.retry_after_s == 40.0


def test_what_runs_or_has_ended_takes_no_place(jobs):
    for _ in range(12):
        jobs.completed()
    for _ in range(10):
        jobs.add()
    jobs.store.claim("runner")
    jobs.add()
    assert jobs.store.counts() == {"queued": 10, "running": 1, "completed": 12, "failed": 0, "cancelled": 0}


def test_a_job_starts_from_a_result_only_while_that_is_kept(jobs):
    first = jobs.completed()
    second = jobs.add(earlier=first.result)
    jobs.store.erase(first.id)
    third = jobs.add(earlier=second.earlier)
    jobs.store.erase(second.id)
    jobs.store.erase(third.id)
    with pytest.raises(GoneError, match="the result to start from was erased; send the recording again"):
        jobs.add(earlier=first.result)
    assert jobs.store.counts()["queued"] == 0
