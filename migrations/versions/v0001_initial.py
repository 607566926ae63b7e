"""Models, jobs, shards, processes and rates."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_WORD = sa.String(16)


def upgrade() -> None:
    _create_models()
    _create_jobs()
    _create_shards()
    _create_shard_dependencies()
    _create_processes()
    _create_rates()


def downgrade() -> None:
    op.drop_table("rates")
    op.drop_table("processes")
    op.drop_table("shard_dependencies")
    op.drop_table("shards")
    op.drop_table("jobs")
    op.drop_table("models")


def _create_models() -> None:
    op.create_table(
        "models",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("location", sa.String(), nullable=False),
        sa.Column("card", sa.JSON(), nullable=False),
        sa.Column("added_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_models"),
    )


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("output", sa.String(), nullable=False),
        sa.Column("model", sa.JSON(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("selection", sa.JSON(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("state", _WORD, nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("profile", sa.JSON(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("started_at", sa.Double(), nullable=True),
        sa.Column("finished_at", sa.Double(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("planned_at", sa.Double(), nullable=True),
        sa.Column("plan_owner", sa.String(), nullable=True),
        sa.Column("plan_lease_until", sa.Double(), nullable=True),
        sa.Column("plan_attempt", sa.Integer(), nullable=False),
        sa.Column("plan_cursor", sa.JSON(), nullable=True),
        sa.Column("plan_parts", sa.Integer(), nullable=False),
        sa.Column("listed", _BIG, nullable=False),
        sa.Column("shards", sa.Integer(), nullable=False),
        sa.Column("passed_over", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
    )
    op.create_index("ix_jobs_state", "jobs", ["state"])
    op.create_index("ix_jobs_created_at", "jobs", ["created_at"])


def _create_shards() -> None:
    op.create_table(
        "shards",
        sa.Column("id", _BIG, nullable=False, autoincrement=True),
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("kind", _WORD, nullable=False),
        sa.Column("queue", sa.String(), nullable=False),
        sa.Column("items_key", sa.String(), nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("stop", sa.Integer(), nullable=False),
        sa.Column("items", sa.Integer(), nullable=False),
        sa.Column("state", _WORD, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("available_at", sa.Double(), nullable=False),
        sa.Column("queued_at", sa.Double(), nullable=True),
        sa.Column("started_at", sa.Double(), nullable=True),
        sa.Column("finished_at", sa.Double(), nullable=True),
        sa.Column("lease_until", sa.Double(), nullable=True),
        sa.Column("worker_id", sa.String(), nullable=True),
        sa.Column("progress", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("suspect", sa.Boolean(), nullable=False),
        sa.Column("deaths", sa.JSON(), nullable=False),
        sa.Column("trial", sa.JSON(), nullable=True),
        sa.Column("part_attempt", sa.Integer(), nullable=True),
        sa.Column("part_digest", sa.String(), nullable=True),
        sa.Column("part_size", sa.Integer(), nullable=True),
        sa.Column("succeeded", sa.Integer(), nullable=False),
        sa.Column("skipped", sa.Integer(), nullable=False),
        sa.Column("quarantined", sa.Integer(), nullable=False),
        sa.Column("timings", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_shards"),
        sa.UniqueConstraint("job_id", "seq", name="uq_shards_job_id_seq"),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name="fk_shards_job_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_shards_state_available_at", "shards", ["state", "available_at"])
    op.create_index("ix_shards_job_id_state", "shards", ["job_id", "state"])
    op.create_index("ix_shards_queue_state", "shards", ["queue", "state"])


def _create_shard_dependencies() -> None:
    table = "shard_dependencies"
    op.create_table(
        table,
        sa.Column("shard_id", _BIG, nullable=False),
        sa.Column("needs_id", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("shard_id", "needs_id", name=f"pk_{table}"),
        sa.ForeignKeyConstraint(
            ["shard_id"], ["shards.id"], name=f"fk_{table}_shard_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["needs_id"], ["shards.id"], name=f"fk_{table}_needs_id", ondelete="CASCADE"
        ),
    )
    op.create_index(f"ix_{table}_needs_id", table, ["needs_id"])


def _create_processes() -> None:
    op.create_table(
        "processes",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("started_at", sa.Double(), nullable=False),
        sa.Column("heartbeat_at", sa.Double(), nullable=False),
        sa.Column("draining", sa.Boolean(), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("queues", sa.JSON(), nullable=False),
        sa.Column("offers", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_processes"),
    )
    op.create_index("ix_processes_role_heartbeat_at", "processes", ["role", "heartbeat_at"])


def _create_rates() -> None:
    op.create_table(
        "rates",
        sa.Column("model_digest", sa.String(), nullable=False),
        sa.Column("engine", sa.String(), nullable=False),
        sa.Column("items_per_second", sa.Double(), nullable=False),
        sa.Column("measured_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("model_digest", "engine", name="pk_rates"),
    )
