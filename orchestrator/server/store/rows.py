"""Jobs as rows of the table, and back."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, select

from orchestrator.server.jobs import Job, NewJob
from orchestrator.server.store.tables import JOBS

JOB_FIELDS = tuple(field.name for field in fields(Job))
WHOLE = select(*[JOBS.c[name] for name in JOB_FIELDS])
VISIBLE = JOBS.c.erased_at.is_(None)
AT_REST = {"runner": None, "leased_until": None}


def job_of(row: RowMapping | Mapping[str, Any]) -> Job:
    """Return the job that a row of `WHOLE` is."""
    return Job(**dict(row))


def row_of(new: NewJob, *, now: float) -> dict[str, Any]:
    """Return the row of a job that has just arrived."""
    return {
        **asdict(new),
        "fields": dict(new.fields),
        "state": "queued",
        "step": "queued",
        "progress": 0.0,
        "created_at": now,
        "attempts": 0,
        "cancel_requested": False,
        "cached": False,
        "edits_version": 0,
    }


def is_state(*states: str) -> ColumnElement[bool]:
    """Return the condition that a job is visible and in one of `states`."""
    return JOBS.c.state.in_(states) & VISIBLE


def held_by(runner: str) -> ColumnElement[bool]:
    """Return the condition that `runner` still has the job: by it every write of a runner that was given up fails."""
    return is_state("running") & (JOBS.c.runner == runner)
