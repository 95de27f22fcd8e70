import os
import time

import pytest

from common.errors import StorageError
from orchestrator.server.store.folder_files import FolderFiles
from orchestrator.server.store.janitor import Janitor
from tests.support.job_stores import DATABASES, stage

RETENTION_S = 1000.0


@pytest.fixture(params=DATABASES)
def jobs(request, tmp_path):
    with stage(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def files(tmp_path):
    return FolderFiles(tmp_path / "files")


def janitor(jobs, files, **given):
    return Janitor(jobs.store, files, **{"retention_s": RETENTION_S, **given})


def all_names(files):
    return {name for kind in ("audio/", "results/", "peaks/", "edits/") for name in files.names(kind)}


def finished(jobs, files, *, audio="audio/a", **given):
    """Make a completed job that has every kind of file."""
    job = jobs.claimed(audio=audio, **given)
    names = {"peaks": f"peaks/{job.id}.json", "result": f"results/{job.id}.json", "edits": f"edits/{job.id}.json"}
    for name in (audio, *names.values()):
        files.put_bytes(b"x", name)
    jobs.store.hold(job.id, runner="runner", peaks=names["peaks"])
    jobs.store.complete(job.id, runner="runner", result=names["result"])
    jobs.store.save_edits(job.id, edits=names["edits"], version=0)
    return jobs.store.get(job.id)


def age(files, name, seconds):
    os.utime(files.incoming.parent / name, (time.time() - seconds,) * 2)


def test_of_an_erased_job_nothing_stays(jobs, files):
    kept, gone = finished(jobs, files, audio="audio/kept"), finished(jobs, files, audio="audio/gone")
    jobs.store.erase(gone.id)
    janitor(jobs, files).sweep()
    assert all_names(files) == {"audio/kept", kept.result, kept.peaks, kept.edits}
    assert jobs.store.to_erase() == []
    assert jobs.store.named_files() == all_names(files)


def test_what_another_job_needs_stays_until_that_is_erased(jobs, files):
    first = finished(jobs, files)
    second = jobs.add(audio=first.audio, earlier=first.result)
    jobs.store.erase(first.id)
    janitor(jobs, files).sweep()
    assert all_names(files) == {first.audio, first.result}
    jobs.store.erase(second.id)
    janitor(jobs, files).sweep()
    assert all_names(files) == set()


def test_old_jobs_go_with_their_files(jobs, files):
    finished(jobs, files)
    jobs.clock.now += RETENTION_S - 1
    young = finished(jobs, files, audio="audio/young")
    jobs.clock.now += 2
    janitor(jobs, files).sweep()
    assert all_names(files) == {"audio/young", young.result, young.peaks, young.edits}
    assert jobs.store.counts()["completed"] == 1


def test_what_a_killed_process_left_goes_when_nobody_can_need_it(jobs, files):
    job = finished(jobs, files, audio="audio/named")
    for name, seconds in (("audio/orphan", 4000), ("results/fresh.json", 10), ("audio/named", 4000)):
        files.put_bytes(b"x", name)
        age(files, name, seconds)
    for name, seconds in (("incoming/left", 4000), ("incoming/arriving", 10)):
        (files.incoming.parent / name).write_bytes(b"x")
        age(files, name, seconds)
    janitor(jobs, files).sweep()
    assert all_names(files) == {"audio/named", job.result, job.peaks, job.edits, "results/fresh.json"}
    assert [path.name for path in files.incoming.iterdir()] == ["arriving"]


def test_orphans_are_looked_for_at_first_and_then_every_hour(jobs, files):
    now = [100.0]
    swept = janitor(jobs, files, monotonic=lambda: now[0])
    found = []
    for later_s in (0, 3599, 1):
        now[0] += later_s
        files.put_bytes(b"x", "audio/orphan")
        age(files, "audio/orphan", 4000)
        swept.sweep()
        found.append(all_names(files))
    assert found == [set(), {"audio/orphan"}, set()]


def test_recordings_are_not_kept_where_that_is_the_setting(jobs, files):
    ended = finished(jobs, files, audio="audio/shared")
    waiting = jobs.add(audio="audio/shared")
    sweep = janitor(jobs, files, keep_audio=False).sweep
    sweep()
    assert "audio/shared" in all_names(files)
    jobs.store.cancel(waiting.id)
    sweep()
    assert all_names(files) == {ended.result, ended.peaks, ended.edits}
    assert jobs.store.get(ended.id).audio is None
    janitor(jobs, files, keep_audio=True).sweep()


def test_one_file_that_cannot_be_removed_keeps_no_other(jobs, files, monkeypatch):
    stuck, gone = finished(jobs, files, audio="audio/stuck"), finished(jobs, files, audio="audio/gone")
    real = files.delete

    def delete(name):
        if name == "audio/stuck":
            raise StorageError("the folder cannot be used")
        real(name)

    monkeypatch.setattr(files, "delete", delete)
    for job in (stuck, gone):
        jobs.store.erase(job.id)
    janitor(jobs, files).sweep()
    assert "audio/gone" not in all_names(files)
    assert [job.id for job in jobs.store.to_erase()] == [stuck.id]
    monkeypatch.undo()
    janitor(jobs, files).sweep()
    assert all_names(files) == set()
    assert jobs.store.to_erase() == []
