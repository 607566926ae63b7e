"""Jobs that compact the results of another."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "compactions",
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("of_job", sa.String(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("adopted_at", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_compactions_job_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["of_job"], ["jobs.id"], name=op.f("fk_compactions_of_job"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_compactions")),
    )
    op.create_index(op.f("ix_compactions_of_job"), "compactions", ["of_job"])


def downgrade() -> None:
    op.drop_table("compactions")
