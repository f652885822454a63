"""The log of decisions: a row a change in the present hour, a packed row a day for what is past."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import sqlalchemy as sa

from prescaler.adapters.database import tables as t
from prescaler.adapters.database.engine import Database
from prescaler.adapters.database.upserts import insert_on, upsert
from prescaler.adapters.packing import (
    decision_from_json,
    decision_to_json,
    pack_decisions,
    unpack_decisions,
)
from prescaler.core.instants import floor_to, from_epoch, to_epoch
from prescaler.core.records import LoggedDecision

_DAY: Final = 86_400
_HOUR: Final = timedelta(hours=1)


class DatabaseDecisions:
    """`DecisionStore` on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, entries: Mapping[UUID, LoggedDecision]) -> None:
        """Add one entry each to some workloads' logs; an entry of the same instant is replaced."""
        rows = [
            {"workload_id": workload, "since": entry.since, "body": decision_to_json(entry)}
            for workload, entry in entries.items()
        ]
        with self._database.write() as connection:
            insert = insert_on(connection, t.decision)
            replace = {"body": insert.excluded.body}
            key = ["workload_id", "since"]
            connection.execute(insert.on_conflict_do_update(index_elements=key, set_=replace), rows)

    def newest(self) -> Mapping[UUID, LoggedDecision]:
        """The last entry of every workload."""
        d, day = t.decision.c, t.decision_day.c
        last_day = sa.select(day.workload_id, sa.func.max(day.day)).group_by(day.workload_id)
        packed = sa.select(day.workload_id, day.payload).where(
            sa.tuple_(day.workload_id, day.day).in_(last_day)
        )
        last = sa.select(d.workload_id, sa.func.max(d.since)).group_by(d.workload_id)
        rows = sa.select(d.workload_id, d.body).where(sa.tuple_(d.workload_id, d.since).in_(last))
        with self._database.read() as connection:
            days = {r.workload_id: r.payload for r in connection.execute(packed)}
            found = {r.workload_id: decision_from_json(r.body) for r in connection.execute(rows)}
        return {w: unpack_decisions(p)[-1] for w, p in days.items() if w not in found} | found

    def between(self, workload: UUID, start: datetime, end: datetime) -> Sequence[LoggedDecision]:
        """Entries in force during [start, end), ascending; the first may begin before start."""
        d = t.decision.c
        mine = sa.select(d.body).where(d.workload_id == workload)
        before = mine.where(d.since <= start).order_by(d.since.desc()).limit(1)
        inside = mine.where(d.since > start, d.since < end).order_by(d.since)
        with self._database.read() as connection:
            bodies = [*connection.scalars(before), *connection.scalars(inside)]
            payloads = [row.payload for row in connection.execute(_days_of(workload, start, end))]
        entries = {e.since: e for payload in payloads for e in unpack_decisions(payload)}
        entries |= {e.since: e for e in map(decision_from_json, bodies)}
        earlier = [since for since in entries if since <= start]
        later = sorted(since for since in entries if start < since < end)
        return [entries[since] for since in [*([max(earlier)] if earlier else []), *later]]

    def pack(self, before: datetime, keep_from: datetime) -> int:
        """Put entries of past hours together, one workload and day a transaction."""
        hour, d = floor_to(before, _HOUR), t.decision.c
        seconds = sa.type_coerce(d.since, sa.BigInteger)
        day = (seconds - seconds % _DAY).label("start")
        query = sa.select(d.workload_id, day).where(d.since < hour).distinct()
        with self._database.read() as connection:
            waiting = connection.execute(query).all()
        packed = sum(self._pack_day(w, start // _DAY, hour) for w, start in waiting)
        with self._database.write() as connection:
            old = t.decision_day.c.day < to_epoch(keep_from) // _DAY
            connection.execute(sa.delete(t.decision_day).where(old))
        return packed

    def _pack_day(self, workload: UUID, day: int, hour: datetime) -> int:
        d, key = t.decision.c, {"workload_id": workload, "day": day}
        end = min(hour, from_epoch((day + 1) * _DAY))
        mine = sa.and_(d.workload_id == workload, d.since >= from_epoch(day * _DAY), d.since < end)
        with self._database.write() as connection:
            self._database.alone(connection, f"decisions {workload}")
            stored = connection.scalar(
                sa.select(t.decision_day.c.payload).where(
                    t.decision_day.c.workload_id == workload, t.decision_day.c.day == day
                )
            )
            bodies = connection.scalars(sa.select(d.body).where(mine)).all()
            entries = {e.since: e for e in (unpack_decisions(stored) if stored else [])}
            entries |= {e.since: e for e in map(decision_from_json, bodies)}
            payload = pack_decisions(entries[since] for since in sorted(entries))
            upsert(connection, t.decision_day, key, {"payload": payload})
            connection.execute(sa.delete(t.decision).where(mine))
        return len(bodies)


def _days_of(workload: UUID, start: datetime, end: datetime) -> sa.Select[tuple[bytes]]:
    """Packed days that touch [start, end), and the last one before them."""
    day = t.decision_day.c
    first, last = to_epoch(start) // _DAY, to_epoch(end) // _DAY
    before = (
        sa.select(sa.func.max(day.day))
        .where(day.workload_id == workload, day.day < first)
        .scalar_subquery()
    )
    wanted = sa.or_(day.day.between(first, last), day.day == before)
    return sa.select(day.payload).where(day.workload_id == workload, wanted)
