"""The maximum inside a step beside its mean: pods must carry the minute, not the mean."""

from datetime import timedelta
from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray
from prescaler.core.history import History

_REACH: Final = timedelta(days=14)
_HOURS: Final = 24


def peak_by_hour(history: History) -> FloatArray:
    """[24] sum of the maxima over the sum of the means by local hour, last two weeks.

    A ratio of sums, not a mean of ratios: quiet minutes must not shout.
    """
    points = min(len(history), history.points_in(_REACH))
    mean, peak = history.series.mean[-points:], history.series.peak[-points:]
    calendar = history.calendar
    slot = calendar.slot[len(history) - points : len(history)]
    hour = slot * _HOURS // calendar.slots
    known = np.isfinite(mean) & np.isfinite(peak)
    total = np.bincount(hour[known], mean[known], _HOURS)
    highest = np.bincount(hour[known], peak[known], _HOURS)
    ratio = np.divide(highest, total, out=np.ones(_HOURS), where=total > 0)
    return np.asarray(np.clip(ratio, 1.0, None), dtype=np.float64)


def peak_ahead(peak: FloatArray, history: History, horizon: int) -> FloatArray:
    """[H] ratio of maximum to mean of the steps behind a history."""
    calendar = history.calendar
    slot = calendar.slot[len(history) : len(history) + horizon]
    return peak[slot * _HOURS // calendar.slots]
