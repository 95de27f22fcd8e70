"""The tables of the web server's database; migrations/ makes them."""

import json
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Dialect,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
)

METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


class AnyText(TypeDecorator[str]):
    """Text of whatever a caller sends: what a database refuses (NUL, half a surrogate pair) is replaced."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's
        """Return the text as it is stored and searched."""
        return None if value is None else value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


class JsonText(TypeDecorator[Any]):
    """A JSON value as text; None is NULL."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ANN401, ARG002 - SQLAlchemy's
        """Return the value as JSON."""
        return None if value is None else json.dumps(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ANN401, ARG002 - SQLAlchemy's
        """Return the value that was stored."""
        return None if value is None else json.loads(value)


JOBS = Table(
    "jobs",
    METADATA,
    # The order of arrival; SQLite counts on by itself in an INTEGER PRIMARY KEY only.
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("id", AnyText, nullable=False, unique=True),
    Column("owner", AnyText, nullable=False),
    Column("kind", AnyText, nullable=False),
    Column("filename", AnyText, nullable=False),
    Column("fields", JsonText, nullable=False),
    Column("request_id", AnyText, nullable=False),
    Column("audio", AnyText),
    Column("audio_sha256", AnyText),
    Column("audio_bytes", BigInteger),
    Column("audio_url", AnyText),
    Column("earlier", AnyText),
    Column("ephemeral", Boolean, nullable=False),
    Column("state", AnyText, nullable=False),
    Column("step", AnyText, nullable=False),
    Column("progress", Double, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("started_at", Double),
    Column("finished_at", Double),
    Column("not_before", Double),
    Column("attempts", Integer, nullable=False),
    Column("runner", AnyText),
    Column("leased_until", Double),
    Column("cancel_requested", Boolean, nullable=False),
    Column("error", JsonText),
    Column("result", AnyText),
    Column("peaks", AnyText),
    Column("duration_s", Double),
    Column("cache_key", AnyText),
    Column("cached", Boolean, nullable=False),
    Column("edits", AnyText),
    Column("edits_version", Integer, nullable=False),
    Column("erased_at", Double),
    CheckConstraint("state IN ('queued', 'running', 'completed', 'failed', 'cancelled')", name="state"),
    CheckConstraint("(state = 'running') = (runner IS NOT NULL AND leased_until IS NOT NULL)", name="held"),
    CheckConstraint("(state = 'completed') = (result IS NOT NULL)", name="result"),
    CheckConstraint("(state = 'failed') = (error IS NOT NULL)", name="error"),
    CheckConstraint("(state IN ('queued', 'running')) = (finished_at IS NULL)", name="finished"),
    sqlite_autoincrement=True,  # a number is never given twice, so that a page's cursor stays true
)
FILE_COLUMNS = (JOBS.c.audio, JOBS.c.earlier, JOBS.c.result, JOBS.c.peaks, JOBS.c.edits)
"""Each names a file in the storage."""

Index("ix_jobs_state_number", JOBS.c.state, JOBS.c.erased_at, JOBS.c.number)
Index("ix_jobs_owner_number", JOBS.c.owner, JOBS.c.number)
Index("ix_jobs_owner_state_number", JOBS.c.owner, JOBS.c.state, JOBS.c.number)
Index("ix_jobs_owner_cache_key", JOBS.c.owner, JOBS.c.cache_key)
Index("ix_jobs_ephemeral_finished_at", JOBS.c.ephemeral, JOBS.c.finished_at)
for _column in (JOBS.c.erased_at, *FILE_COLUMNS):  # most jobs are not in these
    _given = _column.is_not(None)
    Index(f"ix_jobs_{_column.name}", _column, sqlite_where=_given, postgresql_where=_given)

# Whose turn it was last: kept apart from the jobs, whose rows go when they are erased.
OWNERS = Table(
    "owners",
    METADATA,
    Column("owner", AnyText, primary_key=True),
    Column("served", BigInteger, nullable=False),
)
KEYS = Table(
    "keys",
    METADATA,
    Column("id", AnyText, primary_key=True),
    Column("name", AnyText, nullable=False),
    Column("digest", AnyText, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("revoked_at", Double),
)
SECRETS = Table(
    "secrets",
    METADATA,
    Column("name", AnyText, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)
