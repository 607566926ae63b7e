"""Jobs that carry over results of earlier ones."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("since_job", sa.String(), nullable=True))
    op.add_column(
        "jobs", sa.Column("carried", sa.BigInteger(), nullable=False, server_default=sa.text("0"))
    )
    op.add_column("jobs", sa.Column("comparison", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("jobs", "comparison")
    op.drop_column("jobs", "carried")
    op.drop_column("jobs", "since_job")
