"""Public holidays: where history shows that they look like Sundays, ordinary days forget them.

A holiday must not be taken for what its weekday is like: for weeks a copy of it would stand in for
a working day. To also move a holiday that comes towards the shape of a Sunday was tried and did
harm (docs/forecasting.md).
"""

from dataclasses import replace
from datetime import date, timedelta
from typing import Final

import numpy as np

from prescaler.core.arrays import BoolArray, FloatArray
from prescaler.core.averages import weighted_median
from prescaler.core.calendar import is_holiday
from prescaler.core.day_table import DayTable

_MUST_EXPLAIN: Final = 0.2
"""Of the deviation of past holidays from their weekday, what half the way to a Sunday must explain.
A day just like a Sunday would show a half, one just like its weekday nothing or less."""

_WEEKS: Final = 4
_SUNDAY, _SATURDAY = 6, 5
_EPOCH: Final = date(1970, 1, 1)


def without_days_off(table: DayTable, country: str | None) -> DayTable:
    """The table without what was observed on public holidays, where those differ visibly.

    Raises:
        UnknownCountry: no tables for it.
    """
    off = _days_off(table, country)
    if not off[: table.present].any():
        return table
    logs = {name: np.where(off[:, None], np.nan, found) for name, found in table.logs.items()}
    calm = replace(table, logs=logs)
    return calm if _like_sundays(table, calm, np.flatnonzero(off[: table.present])) else table


def _days_off(table: DayTable, country: str | None) -> BoolArray:
    """[D] true for public holidays on Monday to Friday."""
    if country is None:
        return np.zeros(table.days, dtype=bool)
    days = (_EPOCH + timedelta(days=table.first_day + row) for row in range(table.days))
    return np.array([d.weekday() < _SATURDAY and is_holiday(d, country) for d in days])


def _like_sundays(table: DayTable, calm: DayTable, rows: np.ndarray) -> bool:
    """Whether half the way from the weekday's shape to a Sunday's fits past holidays better."""
    usual = missed = 0.0
    for row in rows.tolist():
        weekday, sunday = _shapes(calm, row)
        came = table.logs["near"][row]
        known = np.isfinite(came + weekday + sunday)
        usual += float(np.abs(came - weekday)[known].sum())
        missed += float(np.abs(came - 0.5 * (weekday + sunday))[known].sum())
    return usual > 0 and missed <= (1.0 - _MUST_EXPLAIN) * usual


def _shapes(table: DayTable, row: int) -> tuple[FloatArray, FloatArray]:
    """[S] what the weekday of a row, and what a Sunday looked like in the weeks before it."""
    asked = table.asked(np.array([row]))
    back = (int(table.weekday[row]) - _SUNDAY) % 7
    weeks = np.stack([asked.lagged(7 * k)[0] for k in range(1, _WEEKS + 1)])
    sundays = np.stack([asked.lagged(back + 7 * k)[0] for k in range(_WEEKS)])
    weights = np.ones(_WEEKS)
    return weighted_median(weeks, weights), weighted_median(sundays, weights)
