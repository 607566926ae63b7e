"""The request behind a job, and the effective values for its models."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("request", sa.JSON(), nullable=True))
    op.add_column("jobs", sa.Column("effective", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("jobs", "effective")
    op.drop_column("jobs", "request")
