"""Old rows: counting them, dropping them in small batches, making fine demand coarse."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from prescaler.adapters.database import tables as t
from prescaler.adapters.database.engine import Database
from prescaler.adapters.database.upserts import upsert
from prescaler.adapters.packing import pack_points, unpack_points
from prescaler.core.errors import BadParameter
from prescaler.core.instants import from_epoch, to_epoch
from prescaler.core.jobs import JobState
from prescaler.core.retention import COARSE, Amount, Kept
from prescaler.core.series import Series, coarsen, overlay

_DAY: Final = 86_400
_COARSE: Final = int(COARSE.total_seconds())

_TABLES: Final[Mapping[Kept, tuple[sa.Table, sa.ColumnElement[Any]]]] = {
    Kept.FINE_DEMAND: (t.demand_chunk, sa.func.length(t.demand_chunk.c.payload)),
    Kept.COARSE_DEMAND: (t.demand_chunk, sa.func.length(t.demand_chunk.c.payload)),
    Kept.FORECAST_RUNS: (t.forecast_run, sa.func.length(t.forecast_run.c.payload)),
    Kept.SCORES: (t.score_day, sa.func.length(t.score_day.c.payload)),
    Kept.DECISIONS: (t.decision_day, sa.func.length(t.decision_day.c.payload)),
    Kept.EVENTS: (t.event, sa.func.length(sa.cast(t.event.c.body, sa.Text))),
    Kept.AUDIT: (t.audit, sa.func.coalesce(sa.func.length(t.audit.c.after), 0)),
    Kept.JOBS: (t.job, sa.func.coalesce(sa.func.length(t.job.c.result), 0)),
}
"""Where each kind lies, and how large a row of it is."""


class DatabaseUpkeep:
    """`UpkeepStore` on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def old(self, kind: Kept, before: datetime) -> Amount:
        """What would be done away with."""
        return self._amount(kind, *_old(kind, before))

    def drop(self, kind: Kept, before: datetime, limit: int) -> int:
        """Forget at most `limit` rows in one transaction."""
        if kind is Kept.FINE_DEMAND:
            raise BadParameter("fine demand is made coarse, not dropped")
        table = _TABLES[kind][0]
        key = sa.tuple_(*table.primary_key.columns)
        some = sa.select(*table.primary_key.columns).where(*_old(kind, before)).limit(limit)
        with self._database.write() as connection:
            rows = connection.execute(some).all()
            if not rows:
                return 0
            done = connection.execute(sa.delete(table).where(key.in_([tuple(r) for r in rows])))
            return done.rowcount

    def coarsen(self, before: datetime, step: timedelta, limit: int) -> int:
        """Keep days before an instant on a coarser grid, a transaction each."""
        chunk = t.demand_chunk.c
        query = (
            sa.select(chunk.version_id, chunk.day)
            .where(chunk.resolution < int(step.total_seconds()), chunk.day < _day(before))
            .distinct()
            .order_by(chunk.version_id, chunk.day)
            .limit(limit)
        )
        with self._database.read() as connection:
            days = connection.execute(query).all()
        for version_id, day in days:
            self._coarsen_day(version_id, day, step)
        return len(days)

    def sizes(self) -> Mapping[str, Amount]:
        """Everything that is stored, by kind."""
        return {kind.value: self._amount(kind, *_all(kind)) for kind in Kept}

    def _amount(self, kind: Kept, *where: sa.ColumnElement[bool]) -> Amount:
        table, size = _TABLES[kind]
        total = sa.func.coalesce(sa.func.sum(size), 0)
        query = sa.select(sa.func.count(), total).select_from(table).where(*where)
        with self._database.read() as connection:
            rows, used = connection.execute(query).one()
        return Amount(int(rows), int(used))

    def _coarsen_day(self, version_id: int, day: int, step: timedelta) -> None:
        chunk, seconds = t.demand_chunk.c, int(step.total_seconds())
        here = (chunk.version_id == version_id, chunk.day == day, chunk.resolution <= seconds)
        with self._database.write() as connection:
            self._database.alone(connection, f"demand {version_id}")
            query = sa.select(chunk.resolution, chunk.payload).where(*here)
            rows = connection.execute(query.order_by(chunk.resolution.desc())).all()
            kept: Series | None = None
            for row in rows:
                fine = Series(
                    from_epoch(day * _DAY),
                    timedelta(seconds=row.resolution),
                    *unpack_points(row.payload),
                )
                coarse = coarsen(fine, step)
                kept = coarse if kept is None else overlay(kept, coarse)
            if kept is None:
                return
            key = {"version_id": version_id, "resolution": seconds, "day": day}
            upsert(connection, t.demand_chunk, key, {"payload": pack_points(kept.mean, kept.peak)})
            finer = (*here[:2], chunk.resolution < seconds)
            connection.execute(sa.delete(t.demand_chunk).where(*finer))


def _all(kind: Kept) -> tuple[sa.ColumnElement[bool], ...]:
    resolution = t.demand_chunk.c.resolution
    if kind is Kept.FINE_DEMAND:
        return (resolution < _COARSE,)
    return (resolution >= _COARSE,) if kind is Kept.COARSE_DEMAND else ()


def _old(kind: Kept, before: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    day = _day(before)
    run = t.forecast_run.c
    newest = sa.select(sa.func.max(run.id)).group_by(run.version_id, run.origin)
    ended = [state.value for state in JobState if state.final]
    found: Mapping[Kept, tuple[sa.ColumnElement[bool], ...]] = {
        Kept.FINE_DEMAND: (t.demand_chunk.c.day < day,),
        Kept.COARSE_DEMAND: (t.demand_chunk.c.day < day,),
        Kept.FORECAST_RUNS: (run.cutoff < before, run.id.not_in(newest)),
        Kept.SCORES: (t.score_day.c.day < day,),
        Kept.DECISIONS: (t.decision_day.c.day < day,),
        Kept.EVENTS: (t.event.c.over_at < before,),
        Kept.AUDIT: (t.audit.c.at < before,),
        Kept.JOBS: (t.job.c.touched_at < before, t.job.c.state.in_(ended)),
    }
    return (*_all(kind), *found[kind])


def _day(instant: datetime) -> int:
    return to_epoch(instant) // _DAY
