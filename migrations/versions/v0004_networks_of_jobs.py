"""Traits of a job's networks, for whoever freezes its profile."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("networks", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("jobs", "networks")
