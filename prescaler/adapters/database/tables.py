"""The schema. Instants are whole epoch seconds, payloads are packed bytes (adapters/packing.py)."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

from prescaler.core.instants import from_epoch, to_epoch

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

metadata = sa.MetaData(naming_convention=_NAMES)


class Instant(TypeDecorator[datetime]):
    """A UTC instant, kept as whole seconds since 1970: the same on every database."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> int | None:  # noqa: ARG002
        """To the database."""
        return None if value is None else to_epoch(value)

    def process_result_value(self, value: int | None, dialect: Any) -> datetime | None:  # noqa: ARG002
        """From the database."""
        return None if value is None else from_epoch(value)


_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

schema_compat = sa.Table(
    "schema_compat",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("readable_from", sa.Integer, nullable=False),
    comment="The oldest schema number whose release can still work with this schema.",
)

workload = sa.Table(
    "workload",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("name", sa.String(100), nullable=False, unique=True),
    sa.Column("created_at", Instant, nullable=False),
)

history_version = sa.Table(
    "history_version",
    metadata,
    sa.Column("id", _ID, primary_key=True, autoincrement=True),
    sa.Column("workload_id", sa.Uuid, sa.ForeignKey("workload.id"), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("fingerprint", sa.String(32), nullable=False),
    sa.Column("query", sa.Text, nullable=False),
    sa.Column("opened_at", Instant, nullable=False),
    sa.Column("known_until", Instant, nullable=True),
    sa.Column(
        "asked", sa.JSON, nullable=True, comment="[[start, end), ...] in epoch seconds, sorted"
    ),
    sa.UniqueConstraint("workload_id", "number"),
)

demand_chunk = sa.Table(
    "demand_chunk",
    metadata,
    sa.Column("version_id", sa.ForeignKey("history_version.id"), primary_key=True),
    sa.Column("resolution", sa.Integer, primary_key=True, comment="seconds"),
    sa.Column("day", sa.Integer, primary_key=True, comment="days since 1970, UTC"),
    sa.Column("payload", sa.LargeBinary, nullable=False),
)

forecast_run = sa.Table(
    "forecast_run",
    metadata,
    sa.Column("id", _ID, primary_key=True, autoincrement=True),
    sa.Column("version_id", sa.ForeignKey("history_version.id"), nullable=False),
    sa.Column("cutoff", Instant, nullable=False),
    sa.Column("origin", sa.String(10), nullable=False),
    sa.Column("issued_at", Instant, nullable=False),
    sa.Column(
        "grain", sa.SmallInteger, nullable=False, comment="0 newest 1 hour 2 six hours 3 day"
    ),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Column("unscored_from", Instant, nullable=True, comment="null: nothing is left to score"),
    sa.UniqueConstraint("version_id", "cutoff", "origin"),
    sa.Index("ix_forecast_run_unscored", "version_id", "origin", "unscored_from"),
)

score_day = sa.Table(
    "score_day",
    metadata,
    sa.Column("version_id", sa.ForeignKey("history_version.id"), primary_key=True),
    sa.Column("day", sa.Integer, primary_key=True, comment="days since 1970, UTC"),
    sa.Column("origin", sa.String(10), primary_key=True),
    sa.Column("bucket", sa.String(4), primary_key=True),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    comment="Sums over pairs of forecast and actual; ratios are taken when somebody looks.",
)

run_status = sa.Table(
    "run_status",
    metadata,
    sa.Column("version_id", sa.ForeignKey("history_version.id"), primary_key=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
)

model_state = sa.Table(
    "model_state",
    metadata,
    sa.Column("version_id", sa.ForeignKey("history_version.id"), primary_key=True),
    sa.Column("kind", sa.String(20), primary_key=True),
    sa.Column("payload", sa.LargeBinary, nullable=False),
)

uplift_curve = sa.Table(
    "uplift_curve",
    metadata,
    sa.Column("version_id", sa.ForeignKey("history_version.id"), primary_key=True),
    sa.Column("learned_at", Instant, nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    comment="What past crowds taught: examples and likeness of every kind.",
)

control = sa.Table(
    "control",
    metadata,
    sa.Column("workload_id", sa.ForeignKey("workload.id"), primary_key=True),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
)

last_valid = sa.Table(
    "last_valid",
    metadata,
    sa.Column("workload_id", sa.ForeignKey("workload.id"), primary_key=True),
    sa.Column("value", sa.Float, nullable=False),
    sa.Column("at", Instant, nullable=False),
    comment="Apart from control: it changes by itself, and no person's edit may fail for that.",
)

decision = sa.Table(
    "decision",
    metadata,
    sa.Column("workload_id", sa.ForeignKey("workload.id"), primary_key=True),
    sa.Column("since", Instant, primary_key=True),
    sa.Column("body", sa.JSON, nullable=False),
)

decision_day = sa.Table(
    "decision_day",
    metadata,
    sa.Column("workload_id", sa.ForeignKey("workload.id"), primary_key=True),
    sa.Column("day", sa.Integer, primary_key=True, comment="days since 1970, UTC"),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    comment="Decisions of past hours, packed; the present hour is in `decision`.",
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", _ID, primary_key=True, autoincrement=True),
    sa.Column("at", Instant, nullable=False, index=True),
    sa.Column("author", sa.String(200), nullable=False),
    sa.Column("action", sa.String(40), nullable=False),
    sa.Column("subject", sa.String(200), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("before", sa.Text, nullable=True),
    sa.Column("after", sa.Text, nullable=True),
)

job = sa.Table(
    "job",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("subject", sa.String(200), nullable=False),
    sa.Column("author", sa.String(200), nullable=False),
    sa.Column("created_at", Instant, nullable=False, index=True),
    sa.Column("touched_at", Instant, nullable=False),
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

job_part = sa.Table(
    "job_part",
    metadata,
    sa.Column("job_id", sa.Uuid, primary_key=True),
    sa.Column("name", sa.String(100), primary_key=True),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    comment="Pieces of a job that are done, until it ends: another worker goes on from them.",
)

calendar = sa.Table(
    "calendar",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("revision", sa.Integer, nullable=False),
    comment="One row: it counts changes of events, so that a look every two seconds is cheap.",
)

event = sa.Table(
    "event",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("kind", sa.String(50), nullable=False),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("starts_at", Instant, nullable=False, index=True),
    sa.Column("over_at", Instant, nullable=True, index=True, comment="null: recurs for ever"),
    sa.Column("feed", sa.String(50), nullable=True),
    sa.Column("uid", sa.String(500), nullable=True),
    sa.Column("recurrence", sa.String(40), nullable=True),
    sa.Column("body", sa.JSON, nullable=False),
    sa.UniqueConstraint("feed", "uid", "recurrence"),
)

feed = sa.Table(
    "feed",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("name", sa.String(50), nullable=False, unique=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("good_at", Instant, nullable=True),
    sa.Column("error", sa.Text, nullable=True),
    sa.Column("events", sa.Integer, nullable=False),
    sa.Column("warnings", sa.JSON, nullable=False),
)

replica = sa.Table(
    "replica",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("role", sa.String(20), nullable=False),
    sa.Column("version", sa.String(50), nullable=False),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("seen_at", Instant, nullable=False),
    comment="Processes that serve or schedule; each says every ten seconds that it is there.",
)
