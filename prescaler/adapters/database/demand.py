"""Demand history: one packed row a day, resolution and version."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import sqlalchemy as sa

from prescaler.adapters.database import tables as t
from prescaler.adapters.database.engine import Database
from prescaler.adapters.packing import pack_points, unpack_points
from prescaler.core.arrays import FloatArray
from prescaler.core.instants import from_epoch, to_epoch
from prescaler.core.merging import NOTHING, Keep, Merged, merge
from prescaler.core.records import HistoryVersion, StoredPart
from prescaler.core.series import Series, coarsen, missing_series, overlay
from prescaler.core.spans import Span, united

_DAY: Final = 86_400


class DatabaseDemand:
    """`DemandStore` on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def known_until(self, version: HistoryVersion) -> datetime | None:
        """End of what was asked of the source so far."""
        query = sa.select(t.history_version.c.known_until).where(
            t.history_version.c.id == version.id
        )
        with self._database.read() as connection:
            return connection.scalar(query)

    def asked(self, version: HistoryVersion) -> Sequence[Span]:
        """Where the source was asked already."""
        with self._database.read() as connection:
            return _asked(connection, version)

    def append(
        self,
        version: HistoryVersion,
        series: Series,
        keep: Keep = Keep.NEWEST,
        asked: Span | None = None,
    ) -> Merged:
        """Merge a piece into its days and remember its stretch, in one transaction."""
        span = Span(series.start, series.end) if asked is None else asked
        if not len(series) and span.end <= span.start:
            return NOTHING
        found = NOTHING
        with self._database.write() as connection:
            self._database.alone(connection, f"demand {version.id}")
            if len(series):
                found = _merge(connection, version.id, series, keep)
            if span.start < span.end:
                _remember(connection, version, span)
        return found

    def read(
        self, version: HistoryVersion, start: datetime, end: datetime, step: timedelta
    ) -> Series:
        """What is stored in [start, end), holes where nothing is."""
        days = _days(start, end)
        if not days:
            return missing_series(start, step, 0)
        return (
            self._resolutions(version, days, step)
            .get(int(step.total_seconds()), _holes(days, step))
            .between(start, end)
        )

    def on_grid(
        self, version: HistoryVersion, start: datetime, end: datetime, step: timedelta
    ) -> Series:
        """All resolutions that divide `step`, made as coarse as it; the finest wins."""
        days = _days(start, end)
        if not days:
            return missing_series(start, step, 0)
        found = _holes(days, step)
        parts = self._resolutions(version, days, None)
        for seconds in sorted(parts, reverse=True):
            if step % timedelta(seconds=seconds) == timedelta(0):
                found = overlay(found, coarsen(parts[seconds], step))
        return found.between(start, end)

    def parts(self, version: HistoryVersion) -> Sequence[StoredPart]:
        """What is stored, by resolution, finest first."""
        chunk = t.demand_chunk.c
        query = (
            sa.select(
                chunk.resolution,
                sa.func.min(chunk.day),
                sa.func.max(chunk.day),
                sa.func.count(),
                sa.func.sum(sa.func.length(chunk.payload)),
            )
            .where(chunk.version_id == version.id)
            .group_by(chunk.resolution)
            .order_by(chunk.resolution)
        )
        with self._database.read() as connection:
            return [
                StoredPart(
                    timedelta(seconds=seconds),
                    from_epoch(first * _DAY),
                    from_epoch(last * _DAY),
                    days,
                    int(size),
                )
                for seconds, first, last, days, size in connection.execute(query)
            ]

    def days(self, version: HistoryVersion) -> Sequence[Span]:
        """UTC days of which anything is stored."""
        chunk = t.demand_chunk.c
        query = sa.select(chunk.day).where(chunk.version_id == version.id).distinct()
        with self._database.read() as connection:
            found = connection.scalars(query).all()
        return united([Span(from_epoch(d * _DAY), from_epoch((d + 1) * _DAY)) for d in found])

    def _resolutions(
        self, version: HistoryVersion, days: range, step: timedelta | None
    ) -> dict[int, Series]:
        """Whole days by resolution in seconds; one resolution, or all of them."""
        chunk = t.demand_chunk.c
        query = sa.select(chunk.resolution, chunk.day, chunk.payload).where(
            chunk.version_id == version.id, chunk.day.between(days[0], days[-1])
        )
        if step is not None:
            query = query.where(chunk.resolution == int(step.total_seconds()))
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        filled: dict[int, tuple[FloatArray, FloatArray]] = {}
        for row in rows:
            if row.resolution not in filled:
                hole = np.full((len(days), _DAY // row.resolution), np.nan)
                filled[row.resolution] = (hole, hole.copy())
            mean, peak = filled[row.resolution]
            mean[row.day - days[0]], peak[row.day - days[0]] = unpack_points(row.payload)
        start = from_epoch(days[0] * _DAY)
        return {
            seconds: Series(start, timedelta(seconds=seconds), mean.ravel(), peak.ravel())
            for seconds, (mean, peak) in filled.items()
        }


def _holes(days: range, step: timedelta) -> Series:
    points = len(days) * (_DAY // int(step.total_seconds()))
    return missing_series(from_epoch(days[0] * _DAY), step, points)


def _asked(connection: sa.Connection, version: HistoryVersion) -> tuple[Span, ...]:
    column = t.history_version.c.asked
    found = connection.scalar(sa.select(column).where(t.history_version.c.id == version.id))
    return tuple(Span(from_epoch(start), from_epoch(end)) for start, end in found or [])


def _remember(connection: sa.Connection, version: HistoryVersion, span: Span) -> None:
    spans = united([*_asked(connection, version), span])
    connection.execute(
        sa.update(t.history_version)
        .where(t.history_version.c.id == version.id)
        .values(
            known_until=spans[-1].end,
            asked=[[to_epoch(one.start), to_epoch(one.end)] for one in spans],
        )
    )


def _days(start: datetime, end: datetime) -> range:
    """Days since 1970 that [start, end) touches."""
    if end <= start:
        return range(0)
    return range(to_epoch(start) // _DAY, (to_epoch(end) - 1) // _DAY + 1)


def _merge(connection: sa.Connection, version_id: int, series: Series, keep: Keep) -> Merged:
    """A piece into its days: one look at what is stored, one statement a kind of change."""
    seconds, found = int(series.step.total_seconds()), NOTHING
    days = _days(series.start, series.end)
    chunk = t.demand_chunk.c
    mine = (chunk.version_id == version_id, chunk.resolution == seconds)
    query = sa.select(chunk.day, chunk.payload).where(*mine, chunk.day.between(days[0], days[-1]))
    stored = {row.day: row.payload for row in connection.execute(query)}
    new, changed = [], []
    for day in days:
        packed, brought = _merged_day(day, stored.get(day), series, keep)
        found += brought
        row = {"version_id": version_id, "resolution": seconds, "day": day, "payload": packed}
        if day not in stored and brought.added:
            new.append(row)
        elif day in stored and packed != stored[day]:
            changed.append({"the_day": day, "packed": packed})
    if new:
        connection.execute(sa.insert(t.demand_chunk), new)
    if changed:
        update = sa.update(t.demand_chunk).where(*mine, chunk.day == sa.bindparam("the_day"))
        connection.execute(update.values(payload=sa.bindparam("packed")), changed)
    return found


def _merged_day(
    day: int, payload: bytes | None, series: Series, keep: Keep
) -> tuple[bytes, Merged]:
    piece = series.between(from_epoch(day * _DAY), from_epoch((day + 1) * _DAY))
    stored = _holes(range(day, day + 1), series.step)
    if payload is not None:
        stored = Series(stored.start, stored.step, *unpack_points(payload))
    merged, found = merge(stored, piece, keep)
    return pack_points(merged.mean, merged.peak), found
