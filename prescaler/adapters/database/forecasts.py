"""Forecast runs, the engine's state, and how the newest run ended."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from prescaler.adapters.database import tables as t
from prescaler.adapters.database.engine import Database
from prescaler.adapters.database.upserts import insert_on, upsert
from prescaler.adapters.packed_state import pack_state, pack_walk, unpack_state, unpack_walk
from prescaler.adapters.packing import (
    pack_forecast,
    status_from_json,
    status_to_json,
    unpack_forecast,
)
from prescaler.core.engine import ModelState
from prescaler.core.errors import StoreDamaged
from prescaler.core.forecast import Forecast, Origin
from prescaler.core.instants import floor_to
from prescaler.core.records import HistoryVersion, RunStatus, Walk
from prescaler.core.retention import thinned

_ENGINE: Final = "engine"
_WALK: Final = "walk"

_GRAINS: Final = ((3, timedelta(days=1)), (2, timedelta(hours=6)), (1, timedelta(hours=1)))
"""A run is marked with the coarsest period that it is the first of: thinning keeps that mark."""

_KEEP: Final = ((0, timedelta(0)), (1, timedelta(days=7)), (2, timedelta(days=56)))
"""Beyond this age behind the newest run, runs of this mark (and finer) are dropped."""


class DatabaseForecasts:
    """`ForecastStore` on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(
        self,
        version: HistoryVersion,
        status: RunStatus,
        forecast: Forecast | None = None,
        state: ModelState | None = None,
    ) -> bool:
        """Store the end of a run as one transaction; thin what came before it."""
        with self._database.write() as connection:
            stored = forecast is not None and _insert_run(connection, version, forecast)
            if forecast is not None and stored and forecast.origin is Origin.LIVE:
                _thin(connection, version, forecast.cutoff)
            if state is not None:
                _keep_state(connection, version, _ENGINE, pack_state(state))
            body = {"at": status.at, "body": status_to_json(status)}
            upsert(connection, t.run_status, {"version_id": version.id}, body)
        return stored

    def latest(self, version: HistoryVersion, origin: Origin = Origin.LIVE) -> Forecast | None:
        """The forecast with the newest cutoff."""
        return self._one(version, origin)

    def as_of(self, version: HistoryVersion, instant: datetime) -> Forecast | None:
        """The live forecast that was the newest at an instant."""
        return self._one(version, Origin.LIVE, t.forecast_run.c.issued_at <= instant)

    def cutoffs(
        self, version: HistoryVersion, start: datetime, end: datetime
    ) -> Sequence[datetime]:
        """Cutoffs of stored live forecasts in [start, end), ascending."""
        run = t.forecast_run.c
        query = (
            sa.select(run.cutoff)
            .where(run.version_id == version.id, run.origin == Origin.LIVE.value)
            .where(run.cutoff >= start, run.cutoff < end)
            .order_by(run.cutoff)
        )
        with self._database.read() as connection:
            return list(connection.scalars(query))

    def between(
        self,
        version: HistoryVersion,
        start: datetime,
        end: datetime,
        origin: Origin = Origin.LIVE,
        most: int | None = None,
    ) -> Sequence[Forecast]:
        """Forecasts with a cutoff in [start, end), and the last one before, ascending."""
        run = t.forecast_run.c
        mine = sa.and_(run.version_id == version.id, run.origin == origin.value)
        last = sa.select(sa.func.max(run.cutoff)).where(mine, run.cutoff < start).scalar_subquery()
        wanted = sa.and_(
            mine,
            sa.or_(sa.between(run.cutoff, start, end), run.cutoff == last),
            run.cutoff < end,
        )
        query = sa.select(run.cutoff, run.payload).order_by(run.cutoff)
        with self._database.read() as connection:
            if most is not None:
                there = connection.scalars(
                    sa.select(run.cutoff).where(wanted).order_by(run.cutoff)
                ).all()
                wanted = sa.and_(mine, run.cutoff.in_(thinned(there, most)))
            rows = connection.execute(query.where(wanted)).all()
        return [_forecast(version, row.cutoff, row.payload, origin) for row in rows]

    def newest_cutoffs(self) -> Mapping[int, datetime]:
        """Newest live cutoff by version id."""
        run = t.forecast_run.c
        query = (
            sa.select(run.version_id, sa.func.max(run.cutoff, type_=t.Instant).label("cutoff"))
            .where(run.origin == Origin.LIVE.value)
            .group_by(run.version_id)
        )
        with self._database.read() as connection:
            return {row.version_id: row.cutoff for row in connection.execute(query)}

    def statuses(self) -> Mapping[int, RunStatus]:
        """How the newest run ended, by version id."""
        query = sa.select(t.run_status.c.version_id, t.run_status.c.body)
        with self._database.read() as connection:
            return {r.version_id: status_from_json(r.body) for r in connection.execute(query)}

    def state(self, version: HistoryVersion) -> ModelState | None:
        """The engine's last refit; one that cannot be read is made anew, not mourned."""
        query = sa.select(t.model_state.c.payload).where(
            t.model_state.c.version_id == version.id, t.model_state.c.kind == _ENGINE
        )
        with self._database.read() as connection:
            payload = connection.scalar(query)
        try:
            return unpack_state(payload) if payload is not None else None
        except StoreDamaged:
            return None

    def adopt(self, version: HistoryVersion, state: ModelState) -> None:
        """Let live runs go on from this state."""
        with self._database.write() as connection:
            _keep_state(connection, version, _ENGINE, pack_state(state))

    def walk(self, version: HistoryVersion) -> Walk | None:
        """How far forecasts of the past have come; one that cannot be read is walked anew."""
        query = sa.select(t.model_state.c.payload).where(
            t.model_state.c.version_id == version.id, t.model_state.c.kind == _WALK
        )
        with self._database.read() as connection:
            payload = connection.scalar(query)
        try:
            return unpack_walk(payload) if payload is not None else None
        except StoreDamaged:
            return None

    def save_walk(self, version: HistoryVersion, walk: Walk, forecasts: Sequence[Forecast]) -> None:
        """Store forecasts of origin backfill and how far they have come."""
        with self._database.write() as connection:
            self._database.alone(connection, f"walk {version.id}")
            if forecasts:
                _thin(connection, version, forecasts[0].cutoff, Origin.BACKFILL)
            for forecast in forecasts:
                _insert_run(connection, version, forecast)
            _keep_state(connection, version, _WALK, pack_walk(walk))

    def forget_walk(self, version: HistoryVersion) -> None:
        """Remove all forecasts of origin backfill, and the walk."""
        run, state = t.forecast_run.c, t.model_state.c
        with self._database.write() as connection:
            self._database.alone(connection, f"walk {version.id}")
            connection.execute(
                sa.delete(t.forecast_run).where(
                    run.version_id == version.id, run.origin == Origin.BACKFILL.value
                )
            )
            connection.execute(
                sa.delete(t.model_state).where(state.version_id == version.id, state.kind == _WALK)
            )

    def _one(
        self, version: HistoryVersion, origin: Origin, *more: sa.ColumnElement[bool]
    ) -> Forecast | None:
        run = t.forecast_run.c
        query = (
            sa.select(run.cutoff, run.payload)
            .where(run.version_id == version.id, run.origin == origin.value, *more)
            .order_by(run.cutoff.desc())
            .limit(1)
        )
        with self._database.read() as connection:
            row = connection.execute(query).first()
        return _forecast(version, row.cutoff, row.payload, origin) if row is not None else None


def _forecast(
    version: HistoryVersion, cutoff: datetime, payload: bytes, origin: Origin
) -> Forecast:
    return unpack_forecast(
        payload,
        workload=version.workload,
        version=version.number,
        cutoff=cutoff,
        origin=origin,
    )


def _insert_run(connection: sa.Connection, version: HistoryVersion, forecast: Forecast) -> bool:
    grain = _grain(connection, version, forecast)
    values = {
        "version_id": version.id,
        "cutoff": forecast.cutoff,
        "origin": forecast.origin.value,
        "issued_at": forecast.issued_at,
        "grain": grain,
        "payload": pack_forecast(forecast),
        # Only runs that are kept are scored, so that every lead counts alike.
        "unscored_from": forecast.first_valid_at if grain else None,
    }
    query = insert_on(connection, t.forecast_run).values(values).on_conflict_do_nothing()
    return connection.scalar(query.returning(t.forecast_run.c.id)) is not None


def _grain(connection: sa.Connection, version: HistoryVersion, forecast: Forecast) -> int:
    """The coarsest period in which no other run of this origin lies yet."""
    run = t.forecast_run.c
    mine = sa.and_(run.version_id == version.id, run.origin == forecast.origin.value)
    for grain, period in _GRAINS:
        start = floor_to(forecast.cutoff, period)
        earlier = sa.select(run.id).where(
            mine, run.cutoff >= start, run.cutoff < forecast.cutoff, run.grain >= grain
        )
        if connection.scalar(earlier.limit(1)) is None:
            return grain
    return 0


def _keep_state(
    connection: sa.Connection, version: HistoryVersion, kind: str, payload: bytes
) -> None:
    key = {"version_id": version.id, "kind": kind}
    upsert(connection, t.model_state, key, {"payload": payload})


def _thin(
    connection: sa.Connection,
    version: HistoryVersion,
    newest: datetime,
    origin: Origin = Origin.LIVE,
) -> None:
    run = t.forecast_run.c
    for grain, age in _KEEP:
        connection.execute(
            sa.delete(t.forecast_run).where(
                run.version_id == version.id,
                run.origin == origin.value,
                run.grain <= grain,
                run.cutoff < newest - age,
            )
        )
