"""Where a source was asked already: a backfill goes from new to old, so one end is not enough.

Revision: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_DAY = 86_400


def upgrade() -> None:
    op.add_column(
        "history_version",
        sa.Column(
            "asked", sa.JSON, nullable=True, comment="[[start, end), ...] in epoch seconds, sorted"
        ),
    )
    version = sa.table(
        "history_version", sa.column("id"), sa.column("known_until"), sa.column("asked", sa.JSON)
    )
    chunk = sa.table("demand_chunk", sa.column("version_id"), sa.column("day"))
    first = sa.select(chunk.c.version_id, sa.func.min(chunk.c.day)).group_by(chunk.c.version_id)
    connection = op.get_bind()
    days = {row[0]: row[1] * _DAY for row in connection.execute(first)}
    for key, until in connection.execute(sa.select(version.c.id, version.c.known_until)).all():
        if until is not None and days.get(key, until) < until:
            asked = [[days[key], until]]
            connection.execute(sa.update(version).where(version.c.id == key).values(asked=asked))


def downgrade() -> None:
    with op.batch_alter_table("history_version") as batch:
        batch.drop_column("asked")
