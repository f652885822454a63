"""The same weekday of the last four weeks."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray
from prescaler.core.averages import weighted_mean, weighted_median
from prescaler.core.day_table import DayTable, Smoothing
from prescaler.core.forecasters.base import NothingToLearn, Parameters

_HALF_LIFE_WEEKS: Final = 2.0


@dataclass(frozen=True)
class RecentWeeks(NothingToLearn):
    """Weighted median (or, widely smoothed, mean) of the same weekday's slot over four weeks."""

    name: str
    smoothing: Smoothing = "near"
    plain: bool = False
    memory_days: int = 7

    def curve(self, table: DayTable, parameters: Parameters) -> FloatArray:  # noqa: ARG002
        """One outlier in four weeks moves the median little; the mean is for noise."""
        weeks = np.array([k for k in range(1, 5) if table.gap <= 7 * k < table.days])
        weights = 0.5 ** ((weeks - 1) / _HALF_LIFE_WEEKS) if len(weeks) else np.ones(1)
        average = weighted_mean if self.smoothing == "wide" else weighted_median
        return average(table.lags(7 * weeks, self.smoothing), weights)
