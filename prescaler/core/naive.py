"""Seasonal naive in elapsed time: the bar that every forecast is measured against."""

from datetime import timedelta
from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray
from prescaler.core.history import History

NAIVE_PERIODS: Final = (timedelta(days=1), timedelta(weeks=1))


def seasonal_naive(history: History, period: timedelta, horizon: int) -> FloatArray:
    """[H] the value a period of elapsed time ago, whole periods further back where that is a hole.

    What no period shows is interpolated between what they do; all NaN where they show nothing.
    """
    points = history.points_in(period)
    lead = np.arange(1, horizon + 1)
    source = len(history) - 1 + lead - np.ceil(lead / points).astype(np.int64) * points
    copied = np.full(horizon, np.nan)
    while np.any(wanted := np.isnan(copied) & (source >= 0)):
        copied[wanted] = history.demand[source[wanted]]
        source = source - points
    known = np.flatnonzero(np.isfinite(copied))
    if not len(known):
        return copied
    return np.asarray(np.interp(np.arange(horizon), known, copied[known]), dtype=np.float64)


def better_naive(history: History) -> timedelta:
    """The period that would have missed less over the last week; a day where nothing tells."""
    demand, recent = history.demand, slice(-history.points_in(timedelta(weeks=1)), None)
    best, least = NAIVE_PERIODS[0], np.inf
    for period in NAIVE_PERIODS:
        points = history.points_in(period)
        if points >= len(demand):
            continue
        missed = np.abs(demand[points:] - demand[:-points])[recent]
        if np.isfinite(missed).any() and float(np.nanmean(missed)) < least:
            best, least = period, float(np.nanmean(missed))
    return best
