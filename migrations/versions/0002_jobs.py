"""Jobs: replays and backfills that survive the process doing them.

Revision: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_INSTANT = sa.BigInteger()  # whole seconds since 1970


def upgrade() -> None:
    op.create_table(
        "job",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("author", sa.String(200), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False, index=True),
        sa.Column("touched_at", _INSTANT, nullable=False),
        sa.Column("request", sa.JSON, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("progress", sa.Float, nullable=False),
        sa.Column("stage", sa.String(200), nullable=False),
        sa.Column("checkpoint", sa.JSON, nullable=True),
        sa.Column("result", sa.LargeBinary, nullable=True, comment="deflated JSON"),
        sa.Column("error", sa.Text, nullable=True),
        sa.Column("cancel_asked", sa.Boolean, nullable=False),
        sa.Column("owner", sa.String(100), nullable=True),
    )


def downgrade() -> None:
    op.drop_table("job")
