import pytest

from common.errors import EditConflictError, InvalidInputError, JobNotFoundError
from tests.support.job_stores import DATABASES, stage


@pytest.fixture(params=DATABASES)
def jobs(request, tmp_path):
    with stage(request.param, tmp_path, max_queued=100, max_queued_per_owner=100) as made:
        yield made


def walk(jobs, owner, limit, **wanted):
    """Return the ids of every page."""
    pages, cursor = [], None
    while True:
        page = jobs.store.page(owner, limit=limit, cursor=cursor, **wanted)
        pages.append([job.id for job in page.jobs])
        cursor = page.next_cursor
        if cursor is None:
            return pages


def test_a_job_of_another_owner_is_none(jobs):
    job = jobs.completed(owner="anna")
    assert jobs.store.get(job.id, owner="anna") == jobs.store.get(job.id) == job
    for call in (jobs.store.get, jobs.store.cancel, jobs.store.erase):
        with pytest.raises(JobNotFoundError):
            call(job.id, owner="ben")
    with pytest.raises(JobNotFoundError):
        jobs.store.save_edits(job.id, owner="ben", edits="edits/e.json", version=0)
    assert jobs.store.page("ben").jobs == ()
    assert jobs.store.get(job.id) == job


def test_whatever_id_is_asked_for_it_is_not_found(jobs):
    jobs.add()
    for job_id in ("", "no-such-job", "' OR 1=1 --", "nul\0in it", "half a pair \ud83d", "x" * 100_000):
        with pytest.raises(JobNotFoundError, match="there is no such job; it may have been erased"):
            jobs.store.get(job_id, owner="anna")


def test_text_that_no_database_takes_is_kept_as_far_as_it_can_be(jobs):
    job = jobs.add(filename="a\0b\ud83d.wav", fields={"hotwords": ["x\0y", "\udc00"]})
    assert (job.filename, job.fields) == ("a\ufffdb?.wav", {"hotwords": ["x\0y", "\udc00"]})


def test_pages_are_of_all_own_jobs_newest_first(jobs):
    ids = [jobs.add().id for _ in range(7)]
    jobs.add(owner="ben")
    jobs.add(ephemeral=True)
    jobs.store.erase(ids.pop(3))
    newest = ids[::-1]
    assert walk(jobs, "anna", 2) == [newest[:2], newest[2:4], newest[4:]]
    assert walk(jobs, "anna", 4) == [newest[:4], newest[4:]]
    assert walk(jobs, "anna", 6) == [newest]
    assert walk(jobs, "nobody", 6) == [[]]


def test_what_comes_and_goes_moves_no_page(jobs):
    ids = [jobs.add().id for _ in range(6)]
    first = jobs.store.page("anna", limit=2)
    jobs.add()
    jobs.store.erase(first.jobs[-1].id)
    jobs.store.erased(first.jobs[-1].id)
    second = jobs.store.page("anna", limit=2, cursor=first.next_cursor)
    assert [job.id for job in second.jobs] == [ids[3], ids[2]]


def test_pages_of_one_state(jobs):
    done = [jobs.completed().id for _ in range(3)]
    waiting = [jobs.add().id for _ in range(2)]
    assert walk(jobs, "anna", 2, state="completed") == [[done[2], done[1]], [done[0]]]
    assert walk(jobs, "anna", 9, state="queued") == [waiting[::-1]]
    assert walk(jobs, "anna", 9, state="failed") == [[]]


def test_a_made_up_cursor_is_refused(jobs):
    for cursor in ("", "x", "ä", "bi0x", "eDE", "bjEyMzQ1Njc4OTAxMjM0NTY3ODkw", "a" * 1000, "\0", "\ud83d"):
        with pytest.raises(InvalidInputError, match="cursor is no next_cursor of a page") as refused:
            jobs.store.page("anna", cursor=cursor)
        assert refused.value.param == "cursor"


def test_a_waiting_job_is_cancelled_at_once(jobs):
    job = jobs.store.cancel(jobs.add().id, owner="anna")
    assert (job.state, job.cancel_requested, job.finished_at) == ("cancelled", False, jobs.clock.now)
    assert jobs.store.claim("runner") is None


def test_of_a_running_job_it_is_asked(jobs):
    running = jobs.claimed()
    job = jobs.store.cancel(running.id, owner="anna")
    assert (job.state, job.cancel_requested, job.finished_at) == ("running", True, None)
    assert jobs.store.cancel(running.id) == job


def test_what_has_ended_stays_as_it_is(jobs):
    job = jobs.completed()
    assert jobs.store.cancel(job.id, owner="anna") == job


@pytest.mark.parametrize("make", ["add", "claimed", "completed"])
def test_an_erased_job_is_seen_by_nobody(jobs, make):
    job = getattr(jobs, make)(audio="audio/a")
    assert jobs.store.erase(job.id, owner="anna").audio == "audio/a"
    for call in (jobs.store.get, jobs.store.cancel, jobs.store.erase):
        with pytest.raises(JobNotFoundError):
            call(job.id, owner="anna")
    assert jobs.store.page("anna").jobs == ()
    assert set(jobs.store.counts().values()) == {0}
    assert jobs.store.positions() == {}
    assert jobs.store.claim("runner") is None


def test_an_answer_is_found_by_its_key_for_its_owner_alone(jobs):
    for expected in ("results/1", "results/2"):
        job = jobs.claimed()
        jobs.store.hold(job.id, runner="runner", cache_key="key")
        jobs.store.complete(job.id, runner="runner", result=expected)
        assert jobs.store.cached("anna", "key").result == expected
    assert jobs.store.cached("ben", "key") is None
    assert jobs.store.cached("anna", "another") is None
    jobs.store.erase(job.id)
    assert jobs.store.cached("anna", "key").result == "results/1"
    unfinished = jobs.claimed(owner="cleo")
    jobs.store.hold(unfinished.id, runner="runner", cache_key="key")
    assert jobs.store.cached("cleo", "key") is None


def test_edits_are_saved_one_upon_the_other(jobs):
    job = jobs.completed()
    assert jobs.store.save_edits(job.id, owner="anna", edits="edits/1.json", version=0) == 1
    assert jobs.store.save_edits(job.id, owner="anna", edits="edits/2.json", version=1) == 2
    for version in (0, 1, 3):
        with pytest.raises(EditConflictError, match=f"version {version} was edited elsewhere; load version 2"):
            jobs.store.save_edits(job.id, owner="anna", edits="edits/3.json", version=version)
    job = jobs.store.get(job.id)
    assert (job.edits, job.edits_version) == ("edits/2.json", 2)
