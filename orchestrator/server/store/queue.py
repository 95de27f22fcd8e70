"""Jobs that wait: taken in up to a limit, given to runners by turns among owners."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, exists, func, insert, or_, select, update

from common.errors import GoneError, QueueFullError
from orchestrator.server.jobs import Job, NewJob
from orchestrator.server.store.base import StoreBase, one_job
from orchestrator.server.store.database import reading, writing
from orchestrator.server.store.rows import VISIBLE, is_state, row_of
from orchestrator.server.store.tables import JOBS, OWNERS

SAMPLE = 10  # so many ended jobs tell how long one takes
RETRY_AFTER_S, SOONEST_S, LATEST_S = 10.0, 1.0, 600.0


class QueuePart(StoreBase):
    """Adding jobs, and claiming them."""

    def add(self, new: NewJob) -> Job:
        """Queue a job; once this returns, the job is not lost.

        Raises QueueFullError with `retry_after_s` where as many wait as may, GoneError where the earlier result that
        it starts from was erased.
        """
        with writing(self._engine, alone=True) as connection:
            self._check_room(connection, new.owner)
            if new.earlier is not None:
                _check_earlier(connection, new.earlier)
            connection.execute(insert(JOBS).values(row_of(new, now=self._clock())))
            return one_job(connection, JOBS.c.id == new.id)

    def claim(self, runner: str) -> Job | None:
        """Give `runner` the job whose turn it is, for `lease_s` seconds; None where none may run now.

        Next is the owner with the fewest running jobs, among these the one served longest ago, and of its jobs the
        one that came first. A job waits while another of its owner with the same cache key runs: that one's answer
        will be its own.
        """
        now = self._clock()
        with writing(self._engine, alone=True) as connection:
            while (number := connection.scalar(_by_turns("number", *_may_run(now)).limit(1))) is not None:
                if self._give(connection, number, runner=runner, now=now):
                    job = one_job(connection, JOBS.c.number == number)
                    _note_served(connection, job.owner)
                    return job
        return None

    def positions(self) -> dict[str, int]:
        """Return the place of every waiting job by its id, 1 for the one that is next."""
        with reading(self._engine) as connection:
            return {job_id: place for place, job_id in enumerate(connection.scalars(_by_turns("id")), start=1)}

    def position(self, job: Job) -> int | None:
        """Return the place of a job in the queue, 1 if it is next; None unless it waits."""
        return self.positions().get(job.id) if job.state == "queued" else None

    def _give(self, connection: Connection, number: int, *, runner: str, now: float) -> bool:
        """Make `runner` the holder of a job; False where the job was cancelled or erased a moment ago."""
        begun = {
            "state": "running",
            "step": "preprocessing",
            "progress": 0.0,
            "attempts": JOBS.c.attempts + 1,
            "started_at": now,
            "not_before": None,
            "runner": runner,
            "leased_until": now + self._lease_s,
        }
        waits = (JOBS.c.number == number, is_state("queued"))
        return connection.execute(update(JOBS).where(*waits).values(begun)).rowcount == 1

    def _check_room(self, connection: Connection, owner: str) -> None:
        queued = select(func.count()).select_from(JOBS).where(is_state("queued"))
        rooms = ((queued, self._max_queued), (queued.where(JOBS.c.owner == owner), self._max_queued_per_owner))
        for waiting, most in rooms:
            if connection.execute(waiting).scalar_one() >= most:
                raise QueueFullError(
                    f"{most} jobs wait, as many as may; send this one again when some have ended",
                    retry_after_s=_retry_after_s(connection),
                )


def _by_turns(column: str, *conditions: ColumnElement[bool]) -> Select[tuple[Any]]:
    """Select `column` of the waiting jobs that meet the conditions, in the order in which they will be claimed.

    That is the order of claims with no job ending meanwhile: an owner's second waiting job comes when all owners with
    fewer jobs, running or claimed before it, have had their turn.
    """
    waiting = (
        select(
            JOBS.c.number,
            JOBS.c.id,
            JOBS.c.owner,
            func.row_number().over(partition_by=JOBS.c.owner, order_by=JOBS.c.number).label("rank"),
            func.min(JOBS.c.number).over(partition_by=JOBS.c.owner).label("first"),
        )
        .where(is_state("queued"), *conditions)
        .subquery()
    )
    running = (
        select(JOBS.c.owner, func.count().label("jobs")).where(is_state("running")).group_by(JOBS.c.owner).subquery()
    )
    return (
        select(waiting.c[column])
        .outerjoin(running, running.c.owner == waiting.c.owner)
        .outerjoin(OWNERS, OWNERS.c.owner == waiting.c.owner)
        .order_by(
            func.coalesce(running.c.jobs, 0) + waiting.c.rank,
            waiting.c.rank,
            func.coalesce(OWNERS.c.served, 0),
            waiting.c.first,
        )
    )


def _may_run(now: float) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions under which a waiting job may begin at `now`."""
    twin = JOBS.alias("twin")
    answered_soon = exists().where(
        twin.c.state == "running",
        twin.c.erased_at.is_(None),
        twin.c.owner == JOBS.c.owner,
        twin.c.cache_key == JOBS.c.cache_key,
    )
    return or_(JOBS.c.not_before.is_(None), JOBS.c.not_before <= now), ~answered_soon


def _note_served(connection: Connection, owner: str) -> None:
    last = connection.scalar(select(func.max(OWNERS.c.served))) or 0
    if not connection.execute(update(OWNERS).where(OWNERS.c.owner == owner).values(served=last + 1)).rowcount:
        connection.execute(insert(OWNERS).values(owner=owner, served=last + 1))


def _check_earlier(connection: Connection, name: str) -> None:
    """See to it that a job still has the result `name`, and keep it from being erased until this job is there, too."""
    having = select(JOBS.c.id).where(or_(JOBS.c.result == name, JOBS.c.earlier == name), VISIBLE)
    if connection.scalar(having.limit(1).with_for_update(read=True)) is None:
        raise GoneError("the result to start from was erased; send the recording again")


def _retry_after_s(connection: Connection) -> float:
    """Return after how many seconds a place may be free: as long as a job took of late."""
    took = JOBS.c.finished_at - JOBS.c.started_at
    late = select(took).where(is_state("completed"), took.is_not(None)).order_by(JOBS.c.number.desc())
    times_s = connection.scalars(late.limit(SAMPLE)).all()
    return min(max(sum(times_s) / len(times_s), SOONEST_S), LATEST_S) if times_s else RETRY_AFTER_S
