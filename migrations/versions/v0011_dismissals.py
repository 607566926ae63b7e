"""Quarantined items that a person has dismissed."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "dismissals",
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("item_index", sa.BigInteger(), nullable=False),
        sa.Column("item", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("dismissed_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_dismissals_job_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", "item_index", name=op.f("pk_dismissals")),
    )
    op.add_column("shards", sa.Column("again", sa.JSON(), nullable=True))
    op.add_column("shards", sa.Column("log", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("shards", "log")
    op.drop_column("shards", "again")
    op.drop_table("dismissals")
