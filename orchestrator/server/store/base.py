"""What the parts of the store share: the database, the limits, the clock."""

import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, update

from common.errors import JobNotFoundError
from orchestrator.server.jobs import Job
from orchestrator.server.store.database import writing
from orchestrator.server.store.rows import WHOLE, job_of
from orchestrator.server.store.tables import JOBS


class StoreBase:
    """A store of jobs; thread-safe, as are all its parts."""

    def __init__(
        self,
        engine: Engine,
        *,
        lease_s: float,
        max_queued: int,
        max_queued_per_owner: int,
        max_attempts: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._engine = engine
        self._lease_s = lease_s
        self._max_queued = max_queued
        self._max_queued_per_owner = max_queued_per_owner
        self._max_attempts = max_attempts
        self._clock = clock

    def _change(self, *conditions: ColumnElement[bool], **values: Any) -> bool:  # noqa: ANN401 - of any column
        """Set `values` in the one job that meets the conditions; tell whether there was one."""
        with writing(self._engine) as connection:
            return connection.execute(update(JOBS).where(*conditions).values(values)).rowcount == 1


def one_job(connection: Connection, *conditions: ColumnElement[bool]) -> Job:
    """Return the job that meets the conditions; raises JobNotFoundError where there is none."""
    row = connection.execute(WHOLE.where(*conditions)).mappings().one_or_none()
    if row is None:
        raise JobNotFoundError("there is no such job; it may have been erased")
    return job_of(row)
