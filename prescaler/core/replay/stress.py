"""Scenarios built on a real trace: crowds that come, stay away or move; shifts; clock changes."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from prescaler.core.arrays import FloatArray
from prescaler.core.instants import to_epoch
from prescaler.core.planned import Occurrence, PlannedEvent
from prescaler.core.series import Series

RAMP: Final = timedelta(minutes=2)
"""How fast a crowd comes: five to ten times the load within two minutes of kick-off."""

_FADES: Final = timedelta(minutes=15)
_WEEK: Final = timedelta(weeks=1)
_HOUR: Final = timedelta(hours=1)
_LAST_MONTH: Final = 10
_SUNDAY: Final = 6


def with_crowds(series: Series, events: Sequence[Occurrence], factor: float) -> Series:
    """Demand `factor` times as high from two minutes after each start on, until its end.

    It fades within a quarter of an hour. Where two overlap, the crowd is counted once.
    """
    middle = series.stamps + series.step.total_seconds() / 2
    strength = np.zeros(len(series))
    for one in events:
        rising = (middle - to_epoch(one.start)) / RAMP.total_seconds()
        falling = 1.0 - (middle - to_epoch(one.end)) / _FADES.total_seconds()
        strength = np.maximum(strength, np.clip(np.minimum(rising, falling), 0.0, 1.0))
    return _scaled(series, 1.0 + (factor - 1.0) * strength)


def level_shift(series: Series, at: datetime, factor: float) -> Series:
    """Demand `factor` times as high from an instant on, for good."""
    return _scaled(series, np.where(series.stamps >= to_epoch(at), factor, 1.0))


def unseen(series: Series, spans: Sequence[tuple[datetime, datetime]]) -> Series:
    """What Prometheus shows where it was away for some spans."""
    hidden = np.zeros(len(series), dtype=np.bool_)
    for start, end in spans:
        hidden |= (series.stamps >= to_epoch(start)) & (series.stamps < to_epoch(end))
    return _scaled(series, np.where(hidden, np.nan, 1.0))


def moved(events: Sequence[PlannedEvent], by: timedelta) -> list[PlannedEvent]:
    """A calendar that is wrong by some minutes."""
    return [replace(one, start=one.start + by, end=one.end + by) for one in events]


def across_clock_change(series: Series, at: datetime, zone: ZoneInfo) -> tuple[Series, datetime]:
    """The trace dated anew, so that the clock of `zone` goes back near `at`, and when that is.

    Weekdays stay. From then on demand is an hour later in UTC: people live by the wall clock.

    Raises:
        ValueError: the zone has no clock change in October.
    """
    change = _clock_goes_back(at.year, zone)
    weeks = round((change - at) / _WEEK)
    start = series.start + weeks * _WEEK
    hour = _HOUR // series.step
    where = (change - start) // series.step
    mean, peak = (_hour_twice(x, where, hour) for x in (series.mean, series.peak))
    return Series(start, series.step, mean, peak), change


def _hour_twice(values: FloatArray, where: int, hour: int) -> FloatArray:
    kept = values[: len(values) - hour]
    return np.concatenate([kept[:where], values[where - hour : where], kept[where:]])


def _clock_goes_back(year: int, zone: ZoneInfo) -> datetime:
    last = max(
        day
        for day in (datetime(year, _LAST_MONTH, n, tzinfo=UTC) for n in range(25, 32))
        if day.weekday() == _SUNDAY
    )
    for hour in range(48):
        at = last + (hour - 12) * _HOUR
        before, after = ((at + shift).astimezone(zone).utcoffset() for shift in (-_HOUR, 0 * _HOUR))
        if before is not None and after is not None and after < before:
            return at
    raise ValueError(f"{zone.key} has no clock change in October of {year}")


def _scaled(series: Series, factor: FloatArray) -> Series:
    return replace(series, mean=series.mean * factor, peak=series.peak * factor)
