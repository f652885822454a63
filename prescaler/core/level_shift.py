"""Level shifts: from one hour on demand is lastingly another multiple of what it was.

Found hour by hour in the change against the week before, and followed by laying what came before a
shift on the level behind it: shapes, weights and residuals of the past then hold for the present.
Bursts, planned crowds and single days off are no shifts; `correction` follows those.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from prescaler.core.arrays import BoolArray, FloatArray
from prescaler.core.history import History
from prescaler.core.scales import DemandScale
from prescaler.core.series import Series

_HOUR: Final = timedelta(hours=1)
_DAY: Final = 24
_WEEK: Final = 168
"""In hours."""

_LEAST: Final = float(np.log(1.4))
_NOISES: Final = 4.0
"""A shift is a factor of at least 1.4, and four robust deviations of the change over a week: the
residuals of the last hours and days follow what is less without a step."""

_STEEP: Final = float(np.log(3.0))
_SOON: Final = 12
_UP: Final = 30
_DOWN: Final = 72
"""Hours it must have lasted: upwards from a factor of three on half a day, longer than a match
evening; below, longer than a day. Downwards three days, longer than most holidays and outages last:
too many pods meanwhile cost less than too few when they end."""

_MOSTLY: Final = 0.9
_SELDOM: Final = 0.1
"""Share of hours that must lie beyond half of the shift behind it, and that may before it."""

_FURTHEST: Final = 50.0
"""Beyond this, in either direction, it is a service that was switched on or off, not a level."""

_MOST: Final = 4


@dataclass(frozen=True)
class LevelShift:
    """From `at` on demand is `factor` times what it was."""

    at: datetime
    factor: float


def level_shifts(history: History) -> tuple[LevelShift, ...]:
    """The lasting shifts of a history with observations; the first eight days show none."""
    found: list[LevelShift] = []
    while len(found) < _MOST and (shift := _oldest(history)) is not None:
        found.append(shift)
        history = levelled(history, (shift,))
    return tuple(found)


def levelled(history: History, shifts: Sequence[LevelShift]) -> History:
    """The history with everything before a shift laid on the level behind it."""
    if not shifts:
        return history
    series, factor = history.series, np.ones(len(history))
    for shift in shifts:
        factor[: max(0, series.index_of(shift.at))] *= shift.factor
    moved = Series(series.start, series.step, series.mean * factor, series.peak * factor)
    return replace(history, series=moved)


def _oldest(history: History) -> LevelShift | None:
    """The first shift that has not been levelled yet."""
    hourly = _hourly(history)
    if len(hourly) < _WEEK + _DAY:
        return None
    scale = DemandScale.of(history.demand)
    weekly = _since(scale.forward(hourly, "log"), _WEEK)
    least = max(_LEAST, _NOISES * _noise(weekly))
    awake = np.nan_to_num(hourly) > scale.offset
    awake[_WEEK:] |= awake[:-_WEEK].copy()
    for hour in _edges(weekly, least):
        shift = _lasting(weekly, awake, hour, least)
        if shift and _moved(hourly, scale, awake, hour) * np.sign(shift) >= abs(shift) / 2:
            factor = _ratio(hourly, hour)
            if 1 / _FURTHEST <= factor <= _FURTHEST:
                return LevelShift(_instant(history, hour), factor)
    return None


def _hourly(history: History) -> FloatArray:
    """[hours] mean demand of each hour, counted back from the last point; NaN where unknown."""
    points = history.points_in(_HOUR)
    parts = history.demand[len(history) % points :].reshape(-1, points)
    seen = np.isfinite(parts)
    total = np.where(seen, parts, 0.0).sum(axis=1)
    return np.where(seen.any(axis=1), total / np.maximum(seen.sum(axis=1), 1), np.nan)


def _instant(history: History, hour: int) -> datetime:
    points = history.points_in(_HOUR)
    return history.series.start + (len(history) % points + hour * points) * history.step


def _since(logs: FloatArray, lag: int) -> FloatArray:
    """[hours] change against `lag` hours before; 0 where that is unknown, which is no shift."""
    change = np.zeros(len(logs))
    change[lag:] = np.nan_to_num(logs[lag:] - logs[:-lag])
    return change


def _noise(weekly: FloatArray) -> float:
    """Robust deviation of the change from its own level of half a day."""
    middle = np.median(sliding_window_view(weekly[_WEEK:], _SOON), axis=1)
    return 1.4826 * float(np.median(np.abs(weekly[_WEEK : _WEEK + len(middle)] - middle)))


def _edges(weekly: FloatArray, least: float) -> Iterator[int]:
    """Hours at which the change of half a day differs from that of the half day before."""
    middle = np.median(sliding_window_view(weekly, _SOON), axis=1)
    total = np.convolve(weekly, np.ones(_SOON), "valid")
    step = np.abs(total[_SOON:] - total[:-_SOON])
    hour = _WEEK
    while hour + _SOON <= len(weekly):
        if abs(middle[hour] - middle[hour - _SOON]) < least / 2:
            hour += 1
            continue
        first = hour - _SOON
        yield hour + int(np.argmax(step[first : first + _SOON + 1]))
        hour += _SOON


def _lasting(weekly: FloatArray, awake: BoolArray, hour: int, least: float) -> float:
    """The shift where nearly all awake hours behind it lie beyond its half, and few before it."""
    told = weekly[hour : hour + _WEEK][awake[hour : hour + _WEEK]]
    before = weekly[hour - _DAY : hour][awake[hour - _DAY : hour]]
    shift = float(np.median(told)) if len(told) >= _SOON // 2 else 0.0
    if abs(shift) < least or len(weekly) - hour < _needed(shift):
        return 0.0
    ours, theirs = (part * np.sign(shift) > abs(shift) / 2 for part in (told, before))
    lasts = bool(ours[-1]) and ours.mean() >= _MOSTLY and theirs.sum() <= _SELDOM * len(theirs)
    return shift if lasts else 0.0


def _needed(shift: float) -> int:
    """Hours that it must have lasted."""
    if shift < 0:
        return _DOWN
    return _SOON if shift >= _STEEP else _UP


def _moved(hourly: FloatArray, scale: DemandScale, awake: BoolArray, hour: int) -> float:
    """By how much demand itself moves there; the change over a week also shows what moved then.

    Over a fortnight, as far as the history reaches back, else over a day.
    """
    fortnight = 2 * _WEEK
    lag = fortnight if hour >= fortnight else _DAY
    change = _since(scale.forward(hourly, "log"), lag)
    behind = change[hour : hour + _DAY][awake[hour : hour + _DAY]]
    before = change[hour - _DAY : hour][awake[hour - _DAY : hour]]
    moved = float(np.median(behind)) if len(behind) else 0.0
    return moved - float(np.median(before)) if lag == fortnight and len(before) else moved


def _ratio(hourly: FloatArray, hour: int) -> float:
    """Demand since a shift, at most a week of it, over the same hours of the week before."""
    behind = hourly[hour : hour + _WEEK]
    before = hourly[hour - _WEEK : hour - _WEEK + len(behind)]
    both = np.isfinite(behind) & np.isfinite(before)
    total = float(before[both].sum())
    return float(behind[both].sum()) / total if total > 0 else np.inf
