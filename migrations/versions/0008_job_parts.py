"""Pieces of a job that are done, kept until it ends.

Revision: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "job_part",
        sa.Column("job_id", sa.Uuid, primary_key=True),
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        comment="Pieces of a job that are done, until it ends: another worker goes on from them.",
    )


def downgrade() -> None:
    op.drop_table("job_part")
