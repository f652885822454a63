"""Demand as the simulator needs it: tick by tick, with the signal that reactive scaling reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from prescaler.core.arrays import BoolArray, FloatArray, IntArray
from prescaler.core.errors import TooLittleHistory
from prescaler.core.instants import to_epoch
from prescaler.core.planned import Occurrence
from prescaler.core.replay.scaling import TICK
from prescaler.core.series import Series

_RATE_TICKS: Final = 4
"""Ticks of the 1-minute mean rate that reactive scaling reads."""

_LATE_TICKS: Final = 2
"""Its age: 30 s."""

BEFORE_EVENT: Final = timedelta(minutes=90)
AFTER_EVENT: Final = timedelta(minutes=30)
"""An event window: from an hour and a half before the start to half an hour after the end."""

_BUSY: Final = 0.995
_USUAL_PODS: Final = 30


@dataclass(frozen=True, eq=False)
class Load:
    """T ticks (epoch seconds, even). demand: [T] load units, NaN unknown: not measured then.

    signal: [T] what reactive scaling sees, NaN where its query gives nothing. event: [T] true
    inside an event window. day: [T] number of the day since the first tick.
    """

    ticks: IntArray
    demand: FloatArray
    signal: FloatArray
    event: BoolArray
    day: IntArray

    def __len__(self) -> int:
        return len(self.ticks)

    @property
    def days(self) -> int:
        """Days, a part of one counted whole."""
        return int(self.day[-1]) + 1


def lay_out(
    series: Series,
    start: datetime,
    end: datetime,
    events: Sequence[Occurrence] = (),
    seen: Series | None = None,
) -> Load:
    """Put demand of [start, end) on ticks; between the middles of two points it is a straight line.

    seen: what Prometheus shows, where that is not all there was. Holes stay holes.

    Raises:
        TooLittleHistory: nothing was observed there.
    """
    seconds = int(TICK.total_seconds())
    ticks = np.arange(to_epoch(start), to_epoch(end), seconds, dtype=np.int64)
    demand = known_at(series, ticks)
    if not np.isfinite(demand).any():
        raise TooLittleHistory("no demand was observed in the period that is to be played again")
    shown = demand if seen is None else np.where(_known(seen, ticks), demand, np.nan)
    return Load(
        ticks=ticks,
        demand=demand,
        signal=_signal(shown),
        event=_event_mask(ticks, events),
        day=(ticks - ticks[0]) // int(timedelta(days=1).total_seconds()),
    )


def known_at(series: Series, ticks: IntArray) -> FloatArray:
    """[T] demand at ticks, a straight line between the middles of two points; NaN in holes."""
    observed = series.observed
    half = series.step.total_seconds() / 2
    centre = ticks + TICK.total_seconds() / 2
    if not observed.any():
        return np.full(len(ticks), np.nan)
    found = np.interp(centre, series.stamps[observed] + half, series.mean[observed])
    return np.where(_known(series, ticks), found, np.nan)


def _known(series: Series, ticks: IntArray) -> BoolArray:
    """[T] whether the point that covers a tick was observed."""
    rows = (ticks - to_epoch(series.start)) // int(series.step.total_seconds())
    inside = (rows >= 0) & (rows < len(series))
    return np.asarray(inside & series.observed[np.clip(rows, 0, len(series) - 1)])


def _signal(demand: FloatArray) -> FloatArray:
    """[T] mean of the minute that ended 30 s ago; before there is one, the first tick's."""
    back = _RATE_TICKS + _LATE_TICKS
    padded = np.concatenate([np.full(back, demand[0]), demand])
    windows = np.lib.stride_tricks.sliding_window_view(padded, _RATE_TICKS)
    return np.asarray(windows[: len(demand)].mean(axis=1))


def _event_mask(ticks: IntArray, events: Sequence[Occurrence]) -> BoolArray:
    mask = np.zeros(len(ticks), dtype=np.bool_)
    for one in events:
        first, last = to_epoch(one.start - BEFORE_EVENT), to_epoch(one.end + AFTER_EVENT)
        mask |= (ticks >= first) & (ticks < last)
    return mask


def usual_capacity(series: Series) -> float:
    """What one pod carries, where nobody says: so much that the 99.5 % level needs 30 pods.

    Raises:
        TooLittleHistory: there is no demand to measure it by.
    """
    known = series.mean[series.observed]
    level = float(np.quantile(known, _BUSY)) if len(known) else 0.0
    if level <= 0:
        raise TooLittleHistory("there is no demand from which a pod's capacity could be guessed")
    return level / _USUAL_PODS
