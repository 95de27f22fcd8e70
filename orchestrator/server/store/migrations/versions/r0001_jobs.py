"""The first tables: jobs, whose turn it was, API keys, the secret that all instances share."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INDEXES = {
    "state_number": ("state", "erased_at", "number"),
    "owner_number": ("owner", "number"),
    "owner_state_number": ("owner", "state", "number"),
    "owner_cache_key": ("owner", "cache_key"),
    "ephemeral_finished_at": ("ephemeral", "finished_at"),
}
GIVEN_ONLY = ("erased_at", "audio", "earlier", "result", "peaks", "edits")


def upgrade() -> None:
    """Make the tables and the indexes."""
    _make_jobs()
    for name, columns in INDEXES.items():
        op.create_index(f"ix_jobs_{name}", "jobs", columns)
    for name in GIVEN_ONLY:
        given = sa.text(f"{name} IS NOT NULL")
        op.create_index(f"ix_jobs_{name}", "jobs", (name,), sqlite_where=given, postgresql_where=given)
    op.create_table(
        "owners",
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("served", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("owner", name="pk_owners"),
    )
    op.create_table(
        "keys",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("revoked_at", sa.Double),
        sa.PrimaryKeyConstraint("id", name="pk_keys"),
    )
    op.create_table(
        "secrets",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_secrets"),
    )


def _make_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False, autoincrement=True),
        sa.Column("id", sa.Text, nullable=False),
        *[sa.Column(name, sa.Text, nullable=False) for name in ("owner", "kind", "filename", "fields", "request_id")],
        *[sa.Column(name, sa.Text) for name in ("audio", "audio_sha256")],
        sa.Column("audio_bytes", sa.BigInteger),
        *[sa.Column(name, sa.Text) for name in ("audio_url", "earlier")],
        sa.Column("ephemeral", sa.Boolean, nullable=False),
        *[sa.Column(name, sa.Text, nullable=False) for name in ("state", "step")],
        *[sa.Column(name, sa.Double, nullable=False) for name in ("progress", "created_at")],
        *[sa.Column(name, sa.Double) for name in ("started_at", "finished_at", "not_before")],
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("runner", sa.Text),
        sa.Column("leased_until", sa.Double),
        sa.Column("cancel_requested", sa.Boolean, nullable=False),
        *[sa.Column(name, sa.Text) for name in ("error", "result", "peaks")],
        sa.Column("duration_s", sa.Double),
        sa.Column("cache_key", sa.Text),
        sa.Column("cached", sa.Boolean, nullable=False),
        sa.Column("edits", sa.Text),
        sa.Column("edits_version", sa.Integer, nullable=False),
        sa.Column("erased_at", sa.Double),
        *_rules(),
        sqlite_autoincrement=True,
    )


def _rules() -> tuple[sa.schema.Constraint, ...]:
    return (
        sa.PrimaryKeyConstraint("number", name="pk_jobs"),
        sa.UniqueConstraint("id", name="uq_jobs_id"),
        sa.CheckConstraint("state IN ('queued', 'running', 'completed', 'failed', 'cancelled')", name="state"),
        sa.CheckConstraint("(state = 'running') = (runner IS NOT NULL AND leased_until IS NOT NULL)", name="held"),
        sa.CheckConstraint("(state = 'completed') = (result IS NOT NULL)", name="result"),
        sa.CheckConstraint("(state = 'failed') = (error IS NOT NULL)", name="error"),
        sa.CheckConstraint("(state IN ('queued', 'running')) = (finished_at IS NULL)", name="finished"),
    )
