"""The first tables.

Revision: 0001
Revises: None
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_INSTANT = sa.BigInteger()  # whole seconds since 1970


def _version() -> sa.Column[int]:
    key = sa.ForeignKey("history_version.id")
    return sa.Column("version_id", _ID, key, primary_key=True)


def upgrade() -> None:
    compat = op.create_table(
        "schema_compat",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("readable_from", sa.Integer, nullable=False),
        comment="The oldest schema number whose release can still work with this schema.",
    )
    op.bulk_insert(compat, [{"id": 1, "readable_from": 1}])
    _workloads()
    _histories()
    _people()


def _workloads() -> None:
    op.create_table(
        "workload",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("name", sa.String(100), nullable=False, unique=True),
        sa.Column("created_at", _INSTANT, nullable=False),
    )
    op.create_table(
        "history_version",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        sa.Column("workload_id", sa.Uuid, sa.ForeignKey("workload.id"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("fingerprint", sa.String(32), nullable=False),
        sa.Column("query", sa.Text, nullable=False),
        sa.Column("opened_at", _INSTANT, nullable=False),
        sa.Column("known_until", _INSTANT, nullable=True),
        sa.UniqueConstraint("workload_id", "number"),
    )


def _histories() -> None:
    op.create_table(
        "demand_chunk",
        _version(),
        sa.Column("resolution", sa.Integer, primary_key=True, comment="seconds"),
        sa.Column("day", sa.Integer, primary_key=True, comment="days since 1970, UTC"),
        sa.Column("payload", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "forecast_run",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        sa.Column("version_id", _ID, sa.ForeignKey("history_version.id"), nullable=False),
        sa.Column("cutoff", _INSTANT, nullable=False),
        sa.Column("origin", sa.String(10), nullable=False),
        sa.Column("issued_at", _INSTANT, nullable=False),
        sa.Column(
            "grain", sa.SmallInteger, nullable=False, comment="0 newest 1 hour 2 six hours 3 day"
        ),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("version_id", "cutoff", "origin"),
    )
    op.create_table(
        "run_status",
        _version(),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_table(
        "model_state",
        _version(),
        sa.Column("kind", sa.String(20), primary_key=True),
        sa.Column("payload", sa.LargeBinary, nullable=False),
    )


def _people() -> None:
    op.create_table(
        "control",
        sa.Column("workload_id", sa.Uuid, sa.ForeignKey("workload.id"), primary_key=True),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_table(
        "last_valid",
        sa.Column("workload_id", sa.Uuid, sa.ForeignKey("workload.id"), primary_key=True),
        sa.Column("value", sa.Float, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        comment="Apart from control: it changes by itself, and no person's edit may fail for that.",
    )
    op.create_table(
        "decision",
        sa.Column("workload_id", sa.Uuid, sa.ForeignKey("workload.id"), primary_key=True),
        sa.Column("since", _INSTANT, primary_key=True),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_table(
        "decision_day",
        sa.Column("workload_id", sa.Uuid, sa.ForeignKey("workload.id"), primary_key=True),
        sa.Column("day", sa.Integer, primary_key=True, comment="days since 1970, UTC"),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        comment="Decisions of past hours, packed; the present hour is in `decision`.",
    )
    op.create_table(
        "audit",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        sa.Column("at", _INSTANT, nullable=False, index=True),
        sa.Column("author", sa.String(200), nullable=False),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("before", sa.Text, nullable=True),
        sa.Column("after", sa.Text, nullable=True),
    )


def downgrade() -> None:
    for table in (
        "audit",
        "decision_day",
        "decision",
        "last_valid",
        "control",
        "model_state",
        "run_status",
        "forecast_run",
        "demand_chunk",
        "history_version",
        "workload",
        "schema_compat",
    ):
        op.drop_table(table)
