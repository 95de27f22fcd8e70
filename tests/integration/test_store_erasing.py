import pytest

from common.errors import JobNotFoundError, StorageError
from orchestrator.server.store.erasing import drop_audio, erase_job
from orchestrator.server.store.folder_files import FolderFiles
from tests.support.job_stores import DATABASES, stage

OWNER = "anna"


@pytest.fixture(params=DATABASES)
def jobs(request, tmp_path):
    with stage(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def files(tmp_path):
    kept = FolderFiles(tmp_path / "files")
    for name in ("audio/shared", "results/first"):
        kept.put_bytes(b"x", name)
    return kept


@pytest.fixture
def pair(jobs):
    """A job that has ended, and one with the recording and the words of it that has not."""
    job = jobs.claimed(audio="audio/shared")
    jobs.store.complete(job.id, runner="runner", result="results/first")
    return job, jobs.add(audio="audio/shared", earlier="results/first")


def names(files):
    return {name for kind in ("audio/", "results/") for name in files.names(kind)}


def test_files_go_with_the_last_job_that_needs_them(jobs, files, pair):
    first, second = pair
    erase_job(jobs.store, files, first.id, owner=OWNER)
    assert names(files) == {"audio/shared", "results/first"}
    erase_job(jobs.store, files, second.id, owner=OWNER)
    assert (names(files), jobs.store.to_erase()) == (set(), [])


def test_a_running_jobs_files_are_the_janitors(jobs, files):
    running = jobs.claimed(audio="audio/shared")
    assert erase_job(jobs.store, files, running.id, owner=OWNER).state == "running"
    assert "audio/shared" in names(files)
    assert [job.id for job in jobs.store.to_erase()] == [running.id]
    with pytest.raises(JobNotFoundError):
        erase_job(jobs.store, files, running.id, owner=OWNER)


def test_a_recording_goes_with_the_end_of_the_last_job_and_no_job_names_it_any_more(jobs, files, pair):
    first, second = pair
    drop_audio(jobs.store, files, first.id)
    assert "audio/shared" in names(files)
    jobs.store.cancel(second.id, owner=OWNER)
    drop_audio(jobs.store, files, second.id)
    assert "audio/shared" not in names(files)
    assert [jobs.store.get(job.id).audio for job in pair] == [None, None]


def test_what_the_storage_does_not_remove_is_still_named(jobs, files, pair, monkeypatch):
    def delete(name):
        raise StorageError("the folder cannot be used")

    jobs.store.cancel(pair[1].id, owner=OWNER)
    monkeypatch.setattr(files, "delete", delete)
    drop_audio(jobs.store, files, pair[0].id)
    drop_audio(jobs.store, files, "0" * 32)
    assert jobs.store.get(pair[0].id).audio == "audio/shared"
