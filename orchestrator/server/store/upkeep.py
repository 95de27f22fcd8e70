"""Putting right what died and erasing what is over: for the runner's round and the janitor's."""

import secrets
from collections.abc import Collection
from typing import Literal

from sqlalchemy import ColumnElement, and_, case, delete, insert, literal, or_, select, true, union, update

from orchestrator.server.jobs import FINAL, Job
from orchestrator.server.store.base import StoreBase
from orchestrator.server.store.database import reading, writing
from orchestrator.server.store.rows import AT_REST, VISIBLE, WHOLE, is_state, job_of
from orchestrator.server.store.tables import FILE_COLUMNS, JOBS, SECRETS, JsonText

AT_A_TIME = 500
EPHEMERAL_S = 600.0  # for so long the answer of a call may take to be read; the caller of an older one is gone
LINKS = "links"
SECRET_BYTES = 32
WORKER_LOST = {
    "code": "worker_lost",
    "message": "the server or worker at this job died every time it was begun; send it again",
    "param": None,
    "retryable": True,
}
Naming = Literal["any", "visible", "unfinished"]


class UpkeepPart(StoreBase):
    """Nothing here is asked for by callers."""

    def reclaim(self) -> list[str]:
        """Take the jobs of runners that were silent for `lease_s` seconds; return their ids.

        They wait again, or end: as cancelled if that was asked for, as failed if they were begun `max_attempts` times.
        """
        now = self._clock()
        silent = (is_state("running"), JOBS.c.leased_until < now)
        stops, spent = JOBS.c.cancel_requested, JOBS.c.attempts >= self._max_attempts
        with writing(self._engine, alone=True) as connection:
            ids = list(connection.scalars(select(JOBS.c.id).where(*silent).with_for_update()))
            connection.execute(
                update(JOBS)
                .where(JOBS.c.id.in_(ids))
                .values(
                    state=case((stops, "cancelled"), (spent, "failed"), else_="queued"),
                    step=case((or_(stops, spent), JOBS.c.step), else_="queued"),
                    progress=case((or_(stops, spent), JOBS.c.progress), else_=0.0),
                    error=case((and_(spent, ~stops), literal(WORKER_LOST, JsonText))),
                    finished_at=case((or_(stops, spent), now)),
                    **AT_REST,
                )
            )
        return ids

    def expired(self, retention_s: float) -> list[str]:
        """Erase jobs that ended longer than `retention_s` ago, some at a time, the oldest first; return their ids.

        Ephemeral ones go after ten minutes, whose caller would have erased them.
        """
        now = self._clock()
        kept_s = ((~JOBS.c.ephemeral, retention_s), (JOBS.c.ephemeral, min(retention_s, EPHEMERAL_S)))
        ids: list[str] = []
        with writing(self._engine, alone=True) as connection:
            for kind, longest_s in kept_s:
                old = (VISIBLE, kind, JOBS.c.finished_at < now - longest_s)
                oldest = select(JOBS.c.id).where(*old).order_by(JOBS.c.finished_at).limit(AT_A_TIME)
                ids += connection.scalars(oldest)
            connection.execute(update(JOBS).where(JOBS.c.id.in_(ids)).values(erased_at=now))
        return ids

    def to_erase(self) -> list[Job]:
        """Return jobs that were erased and whose files may still be there, some at a time."""
        return self._some(JOBS.c.erased_at.is_not(None))

    def erased(self, job_id: str) -> None:
        """Forget an erased job for good, whose files are gone."""
        with writing(self._engine) as connection:
            connection.execute(delete(JOBS).where(JOBS.c.id == job_id, ~VISIBLE))

    def with_audio(self) -> list[Job]:
        """Return ended jobs that still have their recording, some at a time."""
        return self._some(JOBS.c.audio.is_not(None), JOBS.c.finished_at.is_not(None), VISIBLE)

    def without_audio(self, name: str) -> int:
        """Note that a recording is there no more; return how many ended jobs had it."""
        with writing(self._engine) as connection:
            had = (JOBS.c.audio == name, is_state(*FINAL))
            return connection.execute(update(JOBS).where(*had).values(audio=None)).rowcount

    def named(self, names: Collection[str], *, by: Naming = "any") -> set[str]:
        """Return those of `names`, of files, that a job refers to: any, one that is not erased, one that has not ended.

        Two jobs share a file where one has the recording and the words of the other.
        """
        those = {"any": true(), "visible": VISIBLE, "unfinished": is_state("queued", "running")}[by]
        asked = list(names)
        found = union(*[select(column).where(column.in_(asked), those) for column in FILE_COLUMNS])
        with reading(self._engine) as connection:
            return set(connection.scalars(found))

    def named_files(self) -> set[str]:
        """Return the names of all files that a job refers to, erased ones too; `named` asks for some of them."""
        found = union(*[select(column).where(column.is_not(None)) for column in FILE_COLUMNS])
        with reading(self._engine) as connection:
            return set(connection.scalars(found))

    def secret(self) -> bytes:
        """Return 32 random bytes that stay the same for all servers with this database."""
        known = select(SECRETS.c.value).where(SECRETS.c.name == LINKS)
        with writing(self._engine, alone=True) as connection:
            value: bytes | None = connection.scalar(known)
            if value is None:
                value = secrets.token_bytes(SECRET_BYTES)
                connection.execute(insert(SECRETS).values(name=LINKS, value=value))
        return value

    def _some(self, *conditions: ColumnElement[bool]) -> list[Job]:
        with reading(self._engine) as connection:
            rows = connection.execute(WHOLE.where(*conditions).limit(AT_A_TIME)).mappings()
            return [job_of(row) for row in rows]
