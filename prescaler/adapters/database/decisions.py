"""The log of decisions: one row a change."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from prescaler.adapters.database import tables as t
from prescaler.adapters.database.engine import Database
from prescaler.adapters.database.upserts import upsert
from prescaler.adapters.packing import decision_from_json, decision_to_json
from prescaler.core.records import LoggedDecision


class DatabaseDecisions:
    """`DecisionStore` on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, entries: Mapping[UUID, LoggedDecision]) -> None:
        """Add one entry each to some workloads' logs; an entry of the same instant is replaced."""
        with self._database.write() as connection:
            for workload, entry in entries.items():
                key = {"workload_id": workload, "since": entry.since}
                upsert(connection, t.decision, key, {"body": decision_to_json(entry)})

    def newest(self) -> Mapping[UUID, LoggedDecision]:
        """The last entry of every workload."""
        d = t.decision.c
        last = (
            sa.select(d.workload_id, sa.func.max(d.since, type_=t.Instant).label("since"))
            .group_by(d.workload_id)
            .subquery()
        )
        query = sa.select(d.workload_id, d.body).join(
            last, sa.and_(last.c.workload_id == d.workload_id, last.c.since == d.since)
        )
        with self._database.read() as connection:
            return {r.workload_id: decision_from_json(r.body) for r in connection.execute(query)}

    def between(self, workload: UUID, start: datetime, end: datetime) -> Sequence[LoggedDecision]:
        """Entries in force during [start, end), ascending; the first may begin before start."""
        d = t.decision.c
        mine = sa.select(d.body).where(d.workload_id == workload)
        before = mine.where(d.since <= start).order_by(d.since.desc()).limit(1)
        inside = mine.where(d.since > start, d.since < end).order_by(d.since)
        with self._database.read() as connection:
            bodies = [*connection.scalars(before), *connection.scalars(inside)]
        return [decision_from_json(body) for body in bodies]
