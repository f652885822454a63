"""Planned events, the feeds they come from, and a counter of their changes.

Revision: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_INSTANT = sa.BigInteger()  # whole seconds since 1970


def upgrade() -> None:
    calendar = op.create_table(
        "calendar",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("revision", sa.Integer, nullable=False),
        comment="One row: it counts changes of events, so that a look every two seconds is cheap.",
    )
    op.bulk_insert(calendar, [{"id": 1, "revision": 0}])
    op.create_table(
        "event",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(50), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("starts_at", _INSTANT, nullable=False, index=True),
        sa.Column("over_at", _INSTANT, nullable=True, index=True, comment="null: recurs for ever"),
        sa.Column("feed", sa.String(50), nullable=True),
        sa.Column("uid", sa.String(500), nullable=True),
        sa.Column("recurrence", sa.String(40), nullable=True),
        sa.Column("body", sa.JSON, nullable=False),
        sa.UniqueConstraint("feed", "uid", "recurrence"),
    )
    op.create_table(
        "feed",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("name", sa.String(50), nullable=False, unique=True),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("good_at", _INSTANT, nullable=True),
        sa.Column("error", sa.Text, nullable=True),
        sa.Column("events", sa.Integer, nullable=False),
        sa.Column("warnings", sa.JSON, nullable=False),
    )


def downgrade() -> None:
    for name in ("feed", "event", "calendar"):
        op.drop_table(name)
