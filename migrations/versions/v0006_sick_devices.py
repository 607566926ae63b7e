"""Devices that are left out, and what a resumed job may quarantine."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sick_devices",
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("device", sa.String(), nullable=False),
        sa.Column("engine", sa.String(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("has_run", sa.Boolean(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("failed_at", sa.Double(), nullable=False),
        sa.Column("left_out_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("host", "device", "engine", name=op.f("pk_sick_devices")),
    )
    op.add_column("jobs", sa.Column("max_quarantined", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("jobs", "max_quarantined")
    op.drop_table("sick_devices")
