"""What the runner of a job writes about it, as long as it holds the job."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import case, func, select, update

from orchestrator.server.jobs import Held, Step
from orchestrator.server.store.base import StoreBase
from orchestrator.server.store.database import reading, writing
from orchestrator.server.store.rows import AT_REST, VISIBLE, held_by
from orchestrator.server.store.tables import JOBS


class RunnersPart(StoreBase):
    """Every write is refused, by False, once the job is not this runner's any more."""

    def renew(self, runner: str, *, job_ids: Collection[str] | None = None) -> Held:
        """Keep the jobs of `runner` for another `lease_s` seconds; return which these are.

        With `job_ids` only those: a job that the runner does not know of, since the answer to its claim was lost, is
        reclaimed then.
        """
        mine = (held_by(runner),) if job_ids is None else (held_by(runner), JOBS.c.id.in_(list(job_ids)))
        with writing(self._engine, alone=True) as connection:
            later = self._clock() + self._lease_s
            connection.execute(update(JOBS).where(*mine).values(leased_until=later))
            rows = connection.execute(select(JOBS.c.id, JOBS.c.cancel_requested).where(*mine)).all()
        return Held(
            job_ids=frozenset(row.id for row in rows),
            to_cancel=frozenset(row.id for row in rows if row.cancel_requested),
        )

    def hold(
        self,
        job_id: str,
        *,
        runner: str,
        cache_key: str | None = None,
        audio: str | None = None,
        audio_sha256: str | None = None,
        audio_bytes: int | None = None,
        duration_s: float | None = None,
        peaks: str | None = None,
    ) -> bool:
        """Note what preparing the recording found out, None: nothing about that."""
        found = {
            "cache_key": cache_key,
            "audio": audio,
            "audio_sha256": audio_sha256,
            "audio_bytes": audio_bytes,
            "duration_s": duration_s,
            "peaks": peaks,
            "runner": runner,  # as it is: there is always something to set
        }
        return self._write(job_id, runner, **{name: value for name, value in found.items() if value is not None})

    def report(self, job_id: str, *, runner: str, step: Step, progress: float) -> bool:
        """Note how far the job is, `progress` from 0 to 1; it never goes down within one attempt."""
        bounded = min(max(progress, 0.0), 1.0)
        return self._write(
            job_id,
            runner,
            step=step,
            progress=case((JOBS.c.progress < bounded, bounded), else_=JOBS.c.progress),
        )

    def complete(
        self, job_id: str, *, runner: str, result: str, duration_s: float | None = None, cached: bool = False
    ) -> bool:
        """End the job with the stored file `result`; True again for the same file, where the first answer was lost."""
        ended = self._write(
            job_id,
            runner,
            state="completed",
            step="complete",
            progress=1.0,
            finished_at=self._clock(),
            result=result,
            duration_s=func.coalesce(duration_s, JOBS.c.duration_s),
            cached=cached,
            **AT_REST,
        )
        return ended or self._has(job_id, result)

    def fail(self, job_id: str, *, runner: str, error: Mapping[str, Any]) -> bool:
        """End the job with an error's envelope."""
        return self._write(job_id, runner, state="failed", finished_at=self._clock(), error=dict(error), **AT_REST)

    def give_back(self, job_id: str, *, runner: str, not_before: float, counted: bool = True) -> bool:
        """Let the job wait again, until `not_before` (seconds since 1970) at least; one to be cancelled is.

        With `counted` False what was done so far is no attempt: the runner itself was told to stop.
        """
        stops = JOBS.c.cancel_requested
        return self._write(
            job_id,
            runner,
            state=case((stops, "cancelled"), else_="queued"),
            step="queued",
            progress=0.0,
            finished_at=case((stops, self._clock())),
            not_before=not_before,
            attempts=JOBS.c.attempts - (0 if counted else 1),
            **AT_REST,
        )

    def cancelled(self, job_id: str, *, runner: str) -> bool:
        """Tell that the job, whose cancelling was asked for, has stopped."""
        asked = (JOBS.c.id == job_id, held_by(runner), JOBS.c.cancel_requested)
        return self._change(*asked, state="cancelled", finished_at=self._clock(), **AT_REST)

    def _has(self, job_id: str, result: str) -> bool:
        with reading(self._engine) as connection:
            having = select(JOBS.c.id).where(JOBS.c.id == job_id, JOBS.c.result == result, VISIBLE)
            return connection.scalar(having) is not None

    def _write(self, job_id: str, holder: str, /, **values: Any) -> bool:  # noqa: ANN401 - of any column
        return self._change(JOBS.c.id == job_id, held_by(holder), **values)
