"""Demand history: one packed row a day, resolution and version."""

from datetime import datetime, timedelta
from typing import Final

import numpy as np
import sqlalchemy as sa

from prescaler.adapters.database import tables as t
from prescaler.adapters.database.engine import Database
from prescaler.adapters.packing import pack_points, unpack_points
from prescaler.core.arrays import FloatArray
from prescaler.core.instants import from_epoch, to_epoch
from prescaler.core.records import HistoryVersion
from prescaler.core.series import Series, missing_series

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

    def append(self, version: HistoryVersion, series: Series) -> None:
        """Merge a piece into its days and move `known_until`, in one transaction."""
        if not len(series):
            return
        seconds = int(series.step.total_seconds())
        with self._database.write() as connection:
            self._database.alone(connection, f"demand {version.id}")
            for day in _days(series.start, series.end):
                _merge_day(connection, version.id, seconds, day, series)
            known = t.history_version.c.known_until
            connection.execute(
                sa.update(t.history_version)
                .where(
                    t.history_version.c.id == version.id,
                    sa.or_(known.is_(None), known < series.end),
                )
                .values(known_until=series.end)
            )

    def read(
        self, version: HistoryVersion, start: datetime, end: datetime, step: timedelta
    ) -> Series:
        """What is stored in [start, end), holes where nothing is."""
        seconds = int(step.total_seconds())
        days = _days(start, end)
        if not days:
            return missing_series(start, step, 0)
        query = sa.select(t.demand_chunk.c.day, t.demand_chunk.c.payload).where(
            t.demand_chunk.c.version_id == version.id,
            t.demand_chunk.c.resolution == seconds,
            t.demand_chunk.c.day.between(days[0], days[-1]),
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        mean = np.full((len(days), _DAY // seconds), np.nan)
        peak = mean.copy()
        for row in rows:
            mean[row.day - days[0]], peak[row.day - days[0]] = unpack_points(row.payload)
        whole = Series(from_epoch(days[0] * _DAY), step, mean.ravel(), peak.ravel())
        return whole.between(start, end)


def _days(start: datetime, end: datetime) -> range:
    """Days since 1970 that [start, end) touches."""
    if end <= start:
        return range(0)
    return range(to_epoch(start) // _DAY, (to_epoch(end) - 1) // _DAY + 1)


def _merge_day(
    connection: sa.Connection, version_id: int, seconds: int, day: int, series: Series
) -> None:
    piece = series.between(from_epoch(day * _DAY), from_epoch((day + 1) * _DAY))
    first = (to_epoch(piece.start) - day * _DAY) // seconds
    key = {"version_id": version_id, "resolution": seconds, "day": day}
    mean, peak, stored = _stored_day(connection, key)
    here = slice(first, first + len(piece))
    mean[here] = np.where(piece.observed, piece.mean, mean[here])
    peak[here] = np.where(piece.observed, piece.peak, peak[here])
    payload = pack_points(mean, peak)
    if payload == stored:
        return
    if stored is None:
        connection.execute(sa.insert(t.demand_chunk).values(**key, payload=payload))
    else:
        connection.execute(sa.update(t.demand_chunk).where(*_is(key)).values(payload=payload))


def _stored_day(
    connection: sa.Connection, key: dict[str, int]
) -> tuple[FloatArray, FloatArray, bytes | None]:
    stored = connection.scalar(sa.select(t.demand_chunk.c.payload).where(*_is(key)))
    if stored is None:
        hole = np.full(_DAY // key["resolution"], np.nan)
        return hole, hole.copy(), None
    mean, peak = unpack_points(stored)
    return mean.copy(), peak.copy(), stored


def _is(key: dict[str, int]) -> list[sa.ColumnElement[bool]]:
    return [t.demand_chunk.c[name] == value for name, value in key.items()]
