"""Verdicts on networks; a job's past profiles, and the profiles that its parts were made under."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "verdicts",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("engine", sa.String(), nullable=False),
        sa.Column("way", sa.String(16), nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.Column("compared_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("digest", "engine", name="pk_verdicts"),
    )
    # Defaults in the database: the previous version still writes rows without these columns.
    op.add_column(
        "jobs",
        sa.Column("past_profiles", sa.JSON(), nullable=False, server_default=sa.text("'[]'")),
    )
    op.add_column(
        "shards",
        sa.Column("profile_number", sa.Integer(), nullable=False, server_default=sa.text("0")),
    )
    op.add_column("shards", sa.Column("part_profiles", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("shards", "part_profiles")
    op.drop_column("shards", "profile_number")
    op.drop_column("jobs", "past_profiles")
    op.drop_table("verdicts")
