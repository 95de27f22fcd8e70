"""What callers see of their jobs, and change: looking, cancelling, erasing, editing."""

import base64
import binascii
from typing import get_args

from sqlalchemy import ColumnElement, case, func, select, true, update

from common.errors import EditConflictError, InvalidInputError, JobNotFoundError
from orchestrator.server.jobs import Job, JobPage, State
from orchestrator.server.store.base import StoreBase, one_job
from orchestrator.server.store.database import reading, writing
from orchestrator.server.store.rows import VISIBLE, WHOLE, is_state, job_of
from orchestrator.server.store.tables import JOBS

CURSOR = "n"  # what a cursor begins with, before it is made opaque


class CallersPart(StoreBase):
    """A job of another owner is no job: JobNotFoundError, as for one that never was."""

    def get(self, job_id: str, *, owner: str | None = None) -> Job:
        """Return a job, of whatever owner if that is None."""
        with reading(self._engine) as connection:
            return one_job(connection, JOBS.c.id == job_id, _of(owner), VISIBLE)

    def page(self, owner: str, *, limit: int = 50, cursor: str | None = None, state: State | None = None) -> JobPage:
        """Return up to `limit` jobs of an owner, newest first, from where an earlier page's `next_cursor` points.

        Jobs that come or go between two pages neither double nor hide others. Ephemeral jobs are left out. Raises
        InvalidInputError for a cursor that no page had.
        """
        wanted = [JOBS.c.owner == owner, VISIBLE, ~JOBS.c.ephemeral]
        if state is not None:
            wanted.append(JOBS.c.state == state)
        if cursor is not None:
            wanted.append(JOBS.c.number < _number(cursor))
        newest = WHOLE.add_columns(JOBS.c.number).where(*wanted).order_by(JOBS.c.number.desc()).limit(limit + 1)
        with reading(self._engine) as connection:
            rows = [dict(row) for row in connection.execute(newest).mappings()]
        numbers = [row.pop("number") for row in rows]
        more = len(rows) > limit
        return JobPage(
            jobs=tuple(job_of(row) for row in rows[:limit]), next_cursor=_cursor(numbers[limit - 1]) if more else None
        )

    def counts(self) -> dict[State, int]:
        """Return how many jobs are in each state, 0 for those with none."""
        states = (
            select(JOBS.c.state, func.count().label("jobs")).where(is_state(*get_args(State))).group_by(JOBS.c.state)
        )
        with reading(self._engine) as connection:
            found = {row.state: row.jobs for row in connection.execute(states)}
        return {state: found.get(state, 0) for state in get_args(State)}

    def cached(self, owner: str, cache_key: str) -> Job | None:
        """Return the latest completed job of an owner with that key."""
        same = (JOBS.c.owner == owner, JOBS.c.cache_key == cache_key, is_state("completed"))
        with reading(self._engine) as connection:
            row = connection.execute(WHOLE.where(*same).order_by(JOBS.c.number.desc()).limit(1)).mappings().first()
        return None if row is None else job_of(row)

    def cancel(self, job_id: str, *, owner: str | None = None) -> Job:
        """End a job that waits; ask the runner of one that runs to stop it; leave one that has ended as it is."""
        waits, runs = JOBS.c.state == "queued", JOBS.c.state == "running"
        with writing(self._engine) as connection:
            connection.execute(  # one statement: between two, the job could change from one state to the other
                update(JOBS)
                .where(JOBS.c.id == job_id, _of(owner), is_state("queued", "running"))
                .values(
                    state=case((waits, "cancelled"), else_=JOBS.c.state),
                    finished_at=case((waits, self._clock())),
                    cancel_requested=runs,
                )
            )
            return one_job(connection, JOBS.c.id == job_id, _of(owner), VISIBLE)

    def erase(self, job_id: str, *, owner: str | None = None) -> Job:
        """Make a job invisible, to its runner too, and return it as it was; the janitor removes its files."""
        with writing(self._engine) as connection:
            there = (JOBS.c.id == job_id, _of(owner), VISIBLE)
            if not connection.execute(update(JOBS).where(*there).values(erased_at=self._clock())).rowcount:
                raise JobNotFoundError("there is no such job; it may have been erased")
            return one_job(connection, JOBS.c.id == job_id)

    def save_edits(self, job_id: str, *, owner: str | None = None, edits: str, version: int) -> int:
        """Name the stored file of a job's edits, which were made of `version`; return the new version.

        Raises EditConflictError where others were saved meanwhile.
        """
        with writing(self._engine) as connection:
            there = (JOBS.c.id == job_id, _of(owner), VISIBLE)
            newer = update(JOBS).where(*there, JOBS.c.edits_version == version)
            if connection.execute(newer.values(edits=edits, edits_version=version + 1)).rowcount:
                return version + 1
            edited = one_job(connection, *there).edits_version
        raise EditConflictError(f"version {version} was edited elsewhere; load version {edited} and edit that")


def _of(owner: str | None) -> ColumnElement[bool]:
    return true() if owner is None else JOBS.c.owner == owner


def _cursor(number: int) -> str:
    return base64.urlsafe_b64encode(f"{CURSOR}{number}".encode()).decode().rstrip("=")


def _number(cursor: str) -> int:
    try:
        kind, digits = (text := base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode())[:1], text[1:]
    except (ValueError, binascii.Error):
        kind, digits = "", ""
    if kind != CURSOR or not (digits.isascii() and digits.isdigit() and len(digits) < 19):
        raise InvalidInputError("cursor is no next_cursor of a page; leave it out to begin", param="cursor")
    return int(digits)
