"""A robust profile of the local week, moved to the present level."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray, IntArray
from prescaler.core.errors import TooLittleHistory
from prescaler.core.forecasters.base import LogScale, Parameters
from prescaler.core.history import History

_HALF_LIFE_DAYS: Final = 21.0
"""Older weeks fade: three weeks is the half-life that week-of-minute tables in the field use."""

_SAME_WEEKDAY, _SAME_KIND, _OTHER = 1.0, 0.15, 0.01
"""Weights of past days. With few weeks the other working days carry the median, with many the
same weekday does: shrinkage without a switch."""

_SATURDAY: Final = 5
_REACH_DAYS: Final = 35
_LEVEL_SPANS: Final = (timedelta(minutes=30), timedelta(hours=3), timedelta(hours=24))
_LEVEL_LEADS: Final = tuple(
    timedelta(minutes=m) for m in (5, 15, 30, 60, 120, 240, 480, 960, 1440, 2880)
)
_ORIGINS: Final = 32
_RIDGE: Final = 0.1


@dataclass(frozen=True)
class WeekProfile:
    """Weighted median over past days of the same local slot, times a level that fades with lead.

    The level is a ridge regression, per lead, of the log residual on the mean log residuals of
    the last half hour, three hours and day.
    """

    name: str = "profile"

    def fit(self, history: History) -> Parameters:
        """Learn how far the present level carries into the future, lead by lead."""
        _need(history, timedelta(days=2))
        origins = _origins(history)
        leads = _leads(history)
        features = np.empty((len(origins), len(_LEVEL_SPANS)))
        residual = np.empty((len(origins), len(leads)))
        for row, origin in enumerate(origins):
            past = history.until(int(origin))
            actual = history.demand_at(origin + leads - 1)
            scale = LogScale(past.demand)
            ahead, features[row] = _profile(past, scale, int(leads[-1]))
            residual[row] = scale.forward(actual) - ahead[leads - 1]
        return {"carry": _ridge(features, residual), "leads": leads.astype(np.float64)}

    def predict(self, parameters: Parameters, history: History, horizon: int) -> FloatArray:
        """Profile of the coming slots, corrected by the level of the last day."""
        _need(history, timedelta(days=1))
        scale = LogScale(history.demand)
        ahead, level = _profile(history, scale, horizon)
        correction = np.interp(
            np.arange(1, horizon + 1), parameters["leads"], level @ parameters["carry"]
        )
        return scale.backward(ahead + correction)


def _need(history: History, least: timedelta) -> None:
    if len(history) < history.points_in(least):
        raise TooLittleHistory(f"profile needs {least} of history")


def _origins(history: History) -> IntArray:
    """Up to 32 past cutoffs (number of points known then), spread over the last two weeks."""
    day = history.points_in(timedelta(days=1))
    first = max(day, len(history) - 14 * day)
    last = len(history) - history.points_in(_LEVEL_LEADS[0])
    return np.unique(np.linspace(first, last, _ORIGINS).astype(np.int64))


def _leads(history: History) -> IntArray:
    """Leads in steps for which the level is learnt; none beyond what the history can show."""
    day = history.points_in(timedelta(days=1))
    longest = max(1, min(len(history) - day, history.ahead, 2 * day))
    steps = {min(longest, history.points_in(lead)) for lead in _LEVEL_LEADS}
    return np.array(sorted(steps), dtype=np.int64)


def _ridge(features: FloatArray, residual: FloatArray) -> FloatArray:
    """[spans, leads] coefficients; a lead whose truth is unknown at an origin leaves it out."""
    carry = np.zeros((features.shape[1], residual.shape[1]))
    for lead, column in enumerate(residual.T):
        known = np.isfinite(column)
        x, y = features[known], column[known]
        if len(y) < features.shape[1]:
            continue
        gram = x.T @ x
        penalty = _RIDGE * max(float(np.trace(gram)), 1e-9) / len(gram)
        carry[:, lead] = np.linalg.solve(gram + penalty * np.eye(len(gram)), x.T @ y)
    return carry


def _profile(history: History, scale: LogScale, horizon: int) -> tuple[FloatArray, FloatArray]:
    """Log profile of the next steps [H], and mean log residuals over the level spans."""
    day = history.points_in(timedelta(days=1))
    back = min(day, len(history))
    table, first_day = _day_table(history, scale)
    now = len(history)
    index = np.arange(now - back, now + horizon)
    profile = _slots_of(table, first_day, history, index)
    recent = scale.forward(history.demand[now - back :]) - profile[:back]
    level = [_mean_known(recent[-history.points_in(span) :]) for span in _LEVEL_SPANS]
    return profile[back:], np.array(level)


def _day_table(history: History, scale: LogScale) -> tuple[FloatArray, int]:
    """[days, slots] log demand of the last weeks in civil slots, and the first day's number."""
    calendar, points = history.calendar, len(history)
    last_day = int(calendar.day[points - 1])
    first_day = max(int(calendar.day[0]), last_day - _REACH_DAYS)
    use = np.flatnonzero(calendar.day[:points] >= first_day)
    table = np.full((last_day - first_day + 1, calendar.slots), np.nan)
    table[calendar.day[use] - first_day, calendar.slot[use]] = scale.forward(history.demand[use])
    return table, first_day


def _slots_of(table: FloatArray, first_day: int, history: History, index: IntArray) -> FloatArray:
    """Profile at grid points: each day from the days before it."""
    calendar = history.calendar
    profile = np.empty(len(index))
    for day in np.unique(calendar.day[index]):
        here = calendar.day[index] == day
        weekday = int(calendar.weekday[index][here][0])
        shape = _shape_for(table[: max(0, int(day) - first_day)], weekday, int(day) - first_day)
        profile[here] = shape[calendar.slot[index][here]]
    if np.any(np.isnan(profile)):
        known = table[np.isfinite(table)]
        fallback = float(np.median(known)) if len(known) else 0.0
        profile = np.where(np.isnan(profile), fallback, profile)
    return profile


def _shape_for(past: FloatArray, weekday: int, row: int) -> FloatArray:
    """[slots] smoothed weighted median of past days for a day of this weekday in row `row`."""
    if not len(past):
        return np.full(past.shape[1], np.nan)
    age = row - np.arange(len(past))
    weekdays = (weekday - age) % 7
    same_kind = _kind(weekdays) == _kind(np.array([weekday]))
    weight = np.where(weekdays == weekday, _SAME_WEEKDAY, np.where(same_kind, _SAME_KIND, _OTHER))
    return _smoothed(_weighted_median(past, weight * 0.5 ** (age / _HALF_LIFE_DAYS)))


def _kind(weekday: IntArray) -> IntArray:
    """Working days are one kind, Saturday and Sunday one each."""
    return np.asarray(np.where(weekday < _SATURDAY, 0, weekday), dtype=np.int64)


def _weighted_median(rows: FloatArray, weight: FloatArray) -> FloatArray:
    """[slots] over rows [days, slots]; NaN rows carry no weight, a slot without any stays NaN."""
    order = np.argsort(rows, axis=0)
    ranked = np.take_along_axis(rows, order, axis=0)
    mass = np.where(np.isfinite(ranked), weight[order], 0.0)
    total = np.cumsum(mass, axis=0)
    middle = np.argmax(total >= 0.5 * total[-1], axis=0)
    median = ranked[middle, np.arange(rows.shape[1])]
    return np.asarray(np.where(total[-1] > 0, median, np.nan), dtype=np.float64)


def _smoothed(shape: FloatArray) -> FloatArray:
    """Half of each slot, a quarter of its neighbours; wider would flatten vertical edges."""
    around = np.stack([np.roll(shape, 1), shape, np.roll(shape, -1)])
    weight = np.where(np.isfinite(around), np.array([[0.25], [0.5], [0.25]]), 0.0)
    total = weight.sum(axis=0)
    mixed = (np.nan_to_num(around) * weight).sum(axis=0)
    hole = np.full(len(shape), np.nan)
    return np.asarray(np.divide(mixed, total, out=hole, where=total > 0), dtype=np.float64)


def _mean_known(values: FloatArray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else 0.0
