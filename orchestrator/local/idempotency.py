"""Idempotency keys: which job of an endpoint was submitted under which key."""

import re

from aiohttp import web

from common.errors import IdempotencyConflictError, InvalidInputError
from orchestrator.endpoint_http import KEY_HEADER
from orchestrator.local.jobs import Job, JobState

KEY = re.compile(r"[ -~]{1,200}")
FAILED_STATES = frozenset({JobState.FAILED, JobState.CANCELLED, JobState.TIMED_OUT})


def sent_key(request: web.Request) -> str | None:
    """Return the key in the header, if there is one; raises InvalidInputError when it is no key."""
    given = request.headers.getall(KEY_HEADER, [])
    if len(given) > 1:
        raise InvalidInputError(f"{KEY_HEADER} was sent {len(given)} times; send it once", param=KEY_HEADER)
    return checked_key(given[0]) if given else None


def checked_key(text: str) -> str:
    """Return the key without the spaces around it, which HTTP drops; raises InvalidInputError when it is no key."""
    key = text.strip(" \t")
    if not KEY.fullmatch(key):
        raise InvalidInputError(f"{KEY_HEADER} must be 1 to 200 printable ASCII characters", param=KEY_HEADER)
    return key


def check_same_input(job: Job, earlier: Job) -> None:
    """Raise IdempotencyConflictError when `job` has the key of an earlier one but not its input."""
    if job.fingerprint != earlier.fingerprint:
        raise IdempotencyConflictError(
            f"this {KEY_HEADER} was used for another input before; choose a new key", param=KEY_HEADER
        )


class JobsByKey:
    """The latest job of every key, as long as the endpoint knows the job."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}

    def get(self, key: str | None) -> Job | None:
        """Return the latest job under `key`, whatever its state."""
        return None if key is None else self._jobs.get(key)

    def holder(self, job: Job) -> Job | None:
        """Return the other job that holds this job's key; None when the key is free, as after a failure."""
        holder = self.get(job.key)
        return None if holder is None or holder is job or holder.state in FAILED_STATES else holder

    def put(self, job: Job) -> None:
        """Make `job` the one that its key stands for."""
        if job.key is not None:
            self._jobs[job.key] = job

    def drop(self, job: Job) -> None:
        """Forget the key of a job that is forgotten, unless it stands for another by now."""
        if job.key is not None and self._jobs.get(job.key) is job:
            del self._jobs[job.key]
