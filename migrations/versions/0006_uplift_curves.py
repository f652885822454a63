"""What past crowds taught, by history version.

Revision: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "uplift_curve",
        sa.Column("version_id", _ID, sa.ForeignKey("history_version.id"), primary_key=True),
        sa.Column("learned_at", sa.BigInteger, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        comment="What past crowds taught: examples and likeness of every kind.",
    )


def downgrade() -> None:
    op.drop_table("uplift_curve")
