"""Scores of stored forecasts, and how far each run has been scored."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

import sqlalchemy as sa

from prescaler.adapters.database import tables as t
from prescaler.adapters.database.engine import Database
from prescaler.adapters.database.upserts import upsert
from prescaler.adapters.packing import pack_sums, unpack_forecast, unpack_sums
from prescaler.core.errors import StoreDamaged
from prescaler.core.forecast import Origin
from prescaler.core.instants import from_epoch, to_epoch
from prescaler.core.records import HistoryVersion, UnscoredRun
from prescaler.core.score_days import DayScores, ScoreDay, ScoreSums

_DAY: Final = 86_400


class _MovedMeanwhile(Exception):
    """Somebody else has scored one of the runs."""


class DatabaseScores:
    """`ScoreStore` on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def unscored(
        self, version: HistoryVersion, origin: Origin, before: datetime, limit: int
    ) -> Sequence[UnscoredRun]:
        """Kept runs with values for before an instant that were not scored, oldest first."""
        run = t.forecast_run.c
        query = (
            sa.select(run.cutoff, run.unscored_from, run.payload)
            .where(*_mine(version, origin), run.unscored_from < before)
            .order_by(run.cutoff)
            .limit(limit)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        damaged: list[datetime] = []
        found = list(_read(rows, version, origin, damaged))
        if damaged:
            self._give_up(version, origin, damaged)
        return found

    def add(
        self,
        version: HistoryVersion,
        origin: Origin,
        scores: DayScores,
        progress: Mapping[datetime, tuple[datetime, datetime | None]],
    ) -> bool:
        """Add sums and move runs on, all or nothing."""
        try:
            with self._database.write() as connection:
                self._database.alone(connection, f"scores {version.id}")
                for cutoff, (before, after) in progress.items():
                    _move(connection, version, origin, cutoff, (before, after))
                for (day, bucket), sums in scores.items():
                    _add(connection, _key(version, origin, day, bucket), sums)
        except _MovedMeanwhile:
            return False
        return True

    def between(self, version: HistoryVersion, start: date, end: date) -> Sequence[ScoreDay]:
        """Scores of the UTC days in [start, end), ascending by day."""
        score = t.score_day.c
        query = (
            sa.select(t.score_day)
            .where(score.version_id == version.id)
            .where(score.day >= _number(start), score.day < _number(end))
            .order_by(score.day, score.origin, score.bucket)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [
            ScoreDay(_date(r.day), Origin(r.origin), r.bucket, ScoreSums(unpack_sums(r.payload)))
            for r in rows
        ]

    def forget(self, version: HistoryVersion, origin: Origin) -> None:
        """Drop the scores of an origin and score its runs anew."""
        score, run = t.score_day.c, t.forecast_run.c
        with self._database.write() as connection:
            self._database.alone(connection, f"scores {version.id}")
            connection.execute(
                sa.delete(t.score_day).where(
                    score.version_id == version.id, score.origin == origin.value
                )
            )
            connection.execute(
                sa.update(t.forecast_run)
                .where(*_mine(version, origin), run.grain > 0)
                .values(unscored_from=run.cutoff)
            )

    def _give_up(
        self, version: HistoryVersion, origin: Origin, cutoffs: Sequence[datetime]
    ) -> None:
        """What cannot be read back must not be asked for every hour."""
        with self._database.write() as connection:
            connection.execute(
                sa.update(t.forecast_run)
                .where(*_mine(version, origin), t.forecast_run.c.cutoff.in_(cutoffs))
                .values(unscored_from=None)
            )


def _read(
    rows: Sequence[Any], version: HistoryVersion, origin: Origin, damaged: list[datetime]
) -> Iterator[UnscoredRun]:
    for row in rows:
        try:
            found = unpack_forecast(
                row.payload,
                workload=version.workload,
                version=version.number,
                cutoff=row.cutoff,
                origin=origin,
            )
        except StoreDamaged:
            damaged.append(row.cutoff)
            continue
        yield UnscoredRun(row.unscored_from, found)


def _mine(version: HistoryVersion, origin: Origin) -> tuple[sa.ColumnElement[bool], ...]:
    run = t.forecast_run.c
    return run.version_id == version.id, run.origin == origin.value


def _move(
    connection: sa.Connection,
    version: HistoryVersion,
    origin: Origin,
    cutoff: datetime,
    way: tuple[datetime, datetime | None],
) -> None:
    """Move a run on, if it is where it was when it was read."""
    run, (before, after) = t.forecast_run.c, way
    here = sa.and_(*_mine(version, origin), run.cutoff == cutoff, run.unscored_from == before)
    done = connection.execute(sa.update(t.forecast_run).where(here).values(unscored_from=after))
    if not done.rowcount:
        raise _MovedMeanwhile


def _add(connection: sa.Connection, key: dict[str, Any], sums: ScoreSums) -> None:
    score = t.score_day.c
    mine = [score[name] == value for name, value in key.items()]
    stored = connection.scalar(sa.select(score.payload).where(*mine))
    row = sums.row if stored is None else sums.row + unpack_sums(stored)
    upsert(connection, t.score_day, key, {"payload": pack_sums(row)})


def _key(version: HistoryVersion, origin: Origin, day: date, bucket: str) -> dict[str, Any]:
    return {
        "version_id": version.id,
        "day": _number(day),
        "origin": origin.value,
        "bucket": bucket,
    }


def _number(day: date) -> int:
    return to_epoch(datetime(day.year, day.month, day.day, tzinfo=UTC)) // _DAY


def _date(number: int) -> date:
    return from_epoch(number * _DAY).date()
