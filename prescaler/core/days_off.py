"""Public holidays: ordinary days forget them, and one that comes goes the way of those before it.

A holiday must not be taken for what its weekday is like: for weeks a copy of it would stand in for
a working day. How far towards a Sunday a service goes on holidays is its own: it is measured once,
the day after, and remembered for longer than the history reaches, so that Christmas knows the last
one. Without a remembered holiday nothing is moved (docs/forecasting.md).
"""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

import numpy as np

from prescaler.core.arrays import BoolArray, FloatArray, IntArray
from prescaler.core.averages import weighted_median
from prescaler.core.calendar import holiday_name, is_holiday
from prescaler.core.day_table import DayTable, day_table
from prescaler.core.history import DayOff, History
from prescaler.core.scales import DemandScale

_MUST_EXPLAIN: Final = 0.2
"""Of the deviation of past holidays from their weekday, what half the way to a Sunday must explain.
A day just like a Sunday would show a half, one just like its weekday nothing or less."""

_WEEKS: Final = 4
_SUNDAY, _SATURDAY = 6, 5
_EPOCH: Final = date(1970, 1, 1)

_REMEMBERED: Final = timedelta(days=3 * 366)
_NEEDS: Final = 8
"""Days behind a holiday to measure it: its weekday and a Sunday."""

_LEAST_KNOWN: Final = 0.5
_WIDEST: Final = (-0.5, 1.5)
"""A day may go further than a Sunday, or the other way; one such day must not outvote others."""

_DOUBT: Final = 1.0
_ERRORS: Final = 0.7
_APART: Final = 0.4
_APART_DAYS: Final = 2.0
"""All holidays together: their mean, as if one more had been an ordinary day, less 0.7 standard
errors; the deviation is pulled towards 0.4, which is that of holidays of the same service."""

_OTHERS: Final = 0.5
"""Holidays of the same name differ half as much from year to year as different ones of one year:
all others together count for half a day of the same name."""


@dataclass(frozen=True, eq=False)
class DaysOff:
    """A table for ordinary days, and the rows that are holidays with what they go by.

    calm: what was observed on holidays is a hole where that differs visibly; rows: [K] holidays of
    Monday to Friday, share: [K] how far each goes towards a Sunday.
    """

    calm: DayTable
    rows: IntArray
    share: FloatArray

    def moved(self, drawn: FloatArray, asked: IntArray) -> FloatArray:
        """[F, R, S] curves of the rows asked for, holidays on their way to a Sunday's shape."""
        for row, share in zip(self.rows.tolist(), self.share.tolist(), strict=True):
            here = np.flatnonzero(asked == row)
            if share > 0 and len(here):
                sunday = _sunday(self.calm, row)
                way = np.where(np.isfinite(sunday), sunday - drawn[:, here[0]], 0.0)
                drawn[:, here[0]] += share * way
        return drawn


def days_off(table: DayTable, history: History) -> DaysOff:
    """What the holidays of a table mean for its curves.

    Raises:
        UnknownCountry: no tables for the country.
    """
    country = history.country
    off = _days_off(table.first_day, table.days, country)
    if country is None or not off.any():
        return DaysOff(table, np.zeros(0, dtype=np.int64), np.zeros(0))
    rows = np.flatnonzero(off)
    days = [_day(table.first_day + row) for row in rows.tolist()]
    share = [expected_way(day, country, history.holidays, table.gap) for day in days]
    return DaysOff(_calm(table, off), rows, np.array(share))


def expected_way(day: date, country: str, seen: tuple[DayOff, ...], gap: int = 0) -> float:
    """0 .. 1, how far towards a Sunday a holiday goes, by those that ended `gap` days before it."""
    known = [one for one in seen if one.day + timedelta(days=gap) < day]
    known = [one for one in known if is_holiday(one.day, country)]
    if not known:
        return 0.0
    ways, count = np.array([one.way for one in known]), len(known)
    square = (ways.var() * count + _APART**2 * _APART_DAYS) / (count + _APART_DAYS)
    all_others = float(ways.sum() / (count + _DOUBT) - _ERRORS * np.sqrt(square / count))
    name = holiday_name(day, country)
    same = [one.way for one in known if holiday_name(one.day, country) == name]
    way = (sum(same) + _OTHERS * max(0.0, all_others)) / (len(same) + _OTHERS)
    return float(np.clip(way, 0.0, 1.0))


def remembered(
    history: History, scale: DemandScale, earlier: tuple[DayOff, ...]
) -> tuple[DayOff, ...]:
    """The earlier holidays and those that have ended since, oldest first.

    Raises:
        UnknownCountry: no tables for the country.
    """
    days = history.calendar.day
    first, today = int(days[0]), int(days[len(history) - 1])
    kept = [one for one in earlier if _day(today) - one.day <= _REMEMBERED]
    off = _days_off(first, today - first, history.country)
    done = {one.day for one in kept}
    new = [r for r in np.flatnonzero(off).tolist() if r >= _NEEDS and _day(first + r) not in done]
    if new:
        table = day_table(history, scale, 1)
        holes = np.append(off, np.zeros(table.days - len(off), dtype=bool))
        ways = ((row, _way(table, _without(table, holes), row)) for row in new)
        kept += [DayOff(_day(first + row), way) for row, way in ways if way is not None]
    return tuple(sorted(kept, key=lambda one: one.day))


def _way(table: DayTable, calm: DayTable, row: int) -> float | None:
    """How far a day went, by least squares over its slots; None where half of them are unknown."""
    weekday, sunday, came = _weekday(calm, row), _sunday(calm, row), table.logs["near"][row]
    known = np.isfinite(came + weekday + sunday)
    if known.mean() < _LEAST_KNOWN:
        return None
    whole, gone = (sunday - weekday)[known], (came - weekday)[known]
    return float(np.clip(whole @ gone / (whole @ whole + 1e-9), *_WIDEST))


def _day(since_epoch: int) -> date:
    return _EPOCH + timedelta(days=since_epoch)


def _days_off(first_day: int, days: int, country: str | None) -> BoolArray:
    """[days] true for public holidays on Monday to Friday."""
    if country is None:
        return np.zeros(days, dtype=bool)
    dates = (_day(first_day + row) for row in range(days))
    return np.array([d.weekday() < _SATURDAY and is_holiday(d, country) for d in dates], dtype=bool)


def _calm(table: DayTable, off: BoolArray) -> DayTable:
    """The table without what was observed on holidays, where those differ visibly."""
    past = np.flatnonzero(off[: table.present])
    calm = _without(table, off)
    return calm if len(past) and _like_sundays(table, calm, past) else table


def _without(table: DayTable, off: BoolArray) -> DayTable:
    logs = {name: np.where(off[:, None], np.nan, found) for name, found in table.logs.items()}
    return replace(table, logs=logs)


def _like_sundays(table: DayTable, calm: DayTable, rows: IntArray) -> bool:
    """Whether half the way from the weekday's shape to a Sunday's fits past holidays better."""
    usual = missed = 0.0
    for row in rows.tolist():
        weekday, sunday = _weekday(calm, row), _sunday(calm, row)
        came = table.logs["near"][row]
        known = np.isfinite(came + weekday + sunday)
        usual += float(np.abs(came - weekday)[known].sum())
        missed += float(np.abs(came - 0.5 * (weekday + sunday))[known].sum())
    return usual > 0 and missed <= (1.0 - _MUST_EXPLAIN) * usual


def _weekday(table: DayTable, row: int) -> FloatArray:
    """[S] what the weekday of a row looked like in the weeks before it."""
    return _usual(table, row, range(7, 7 * _WEEKS + 1, 7))


def _sunday(table: DayTable, row: int) -> FloatArray:
    """[S] what a Sunday looked like in the weeks before a row."""
    back = (int(table.weekday[row]) - _SUNDAY) % 7
    return _usual(table, row, range(back, back + 7 * _WEEKS, 7))


def _usual(table: DayTable, row: int, lags: range) -> FloatArray:
    asked = table.asked(np.array([row]))
    return weighted_median(np.stack([asked.lagged(lag)[0] for lag in lags]), np.ones(_WEEKS))
