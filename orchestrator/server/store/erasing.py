"""Erasing a job with its files, or its recording alone: files that other jobs need stay."""

import logging
from collections.abc import Collection

from common.errors import JobNotFoundError, ParleyError
from common.logs import log_event
from orchestrator.server.jobs import Job
from orchestrator.server.store.files import FileStore
from orchestrator.server.store.job_store import JobStore
from orchestrator.server.store.tables import FILE_COLUMNS
from orchestrator.server.store.upkeep import Naming

logger = logging.getLogger(__name__)


def erase_job(store: JobStore, files: FileStore, job_id: str, *, owner: str) -> Job:
    """Make a job invisible, remove its files and return it as it was; blocks. Raises as `store.erase`.

    Where its runner may be about to write a file, or the storage fails, the files are left to the janitor.
    """
    job = store.erase(job_id, owner=owner)
    if job.state != "running":
        forget(store, files, job)
    return job


def forget(store: JobStore, files: FileStore, job: Job) -> bool:
    """Remove the files of an erased job that no other job names, then the job itself; tell whether that was done."""
    names = {name for name in (getattr(job, column.name) for column in FILE_COLUMNS) if name is not None}
    try:
        delete_unnamed(store, files, names, by="visible")
        store.erased(job.id)
    except ParleyError as error:
        log_event(logger, "files_not_erased", job_id=job.id, code=error.code)
        return False
    return True


def drop_audio(store: JobStore, files: FileStore, job_id: str) -> None:
    """Remove the recording of an ended job unless one that has not ended needs it; the janitor makes up for failures.

    No ended job names it afterwards.
    """
    try:
        audio = store.get(job_id).audio
        if audio is not None and delete_unnamed(store, files, {audio}, by="unfinished"):
            store.without_audio(audio)
    except JobNotFoundError:
        return  # erased meanwhile, recording and all
    except ParleyError as error:
        log_event(logger, "audio_not_erased", job_id=job_id, code=error.code)


def delete_unnamed(store: JobStore, files: FileStore, names: Collection[str], *, by: Naming) -> int:
    """Remove those of the files that no such job names; return how many they are. Raises StorageError."""
    unnamed = set(names) - store.named(names, by=by)
    for name in unnamed:
        files.delete(name)
    return len(unnamed)
