"""Kinds of shards and jobs, children of shards, several artefacts, references between jobs."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "job_references",
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("refers_to", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "refers_to", name="pk_job_references"),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name="fk_job_references_job_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["refers_to"], ["jobs.id"], name="fk_job_references_refers_to"),
    )
    op.create_index("ix_job_references_refers_to", "job_references", ["refers_to"])
    # A default in the database: the version before goes on writing rows without this column.
    op.add_column(
        "jobs",
        sa.Column("kind", sa.String(16), nullable=False, server_default=sa.text("'infer'")),
    )
    op.add_column("shards", sa.Column("part", sa.String(), nullable=True))
    op.add_column("shards", sa.Column("spec", sa.JSON(), nullable=True))
    op.add_column("shards", sa.Column("artefacts", sa.JSON(), nullable=True))
    op.create_index("ix_shards_job_id_part", "shards", ["job_id", "part"], unique=True)
    op.add_column("processes", sa.Column("kinds", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("processes", "kinds")
    op.drop_index("ix_shards_job_id_part", "shards")
    op.drop_column("shards", "artefacts")
    op.drop_column("shards", "spec")
    op.drop_column("shards", "part")
    op.drop_column("jobs", "kind")
    op.drop_table("job_references")
