"""The median of the last seven days."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray
from prescaler.core.averages import weighted_median
from prescaler.core.day_table import DayTable, Smoothing
from prescaler.core.forecasters.base import NothingToLearn, Parameters

_HALF_LIFE_DAYS: Final = 3.5
"""Half of a week: yesterday counts twice as much as the day four days before it."""


@dataclass(frozen=True)
class RecentDays(NothingToLearn):
    """Weighted median of the same slot over the last seven days, whatever their weekday."""

    name: str
    smoothing: Smoothing = "near"
    plain: bool = False
    memory_days: int = 1

    def curve(self, table: DayTable, parameters: Parameters) -> FloatArray:  # noqa: ARG002
        """Median; it takes one day alone where that is all there is."""
        days = np.array([k for k in range(1, 8) if table.gap <= k < table.days])
        weights = 0.5 ** ((days - 1) / _HALF_LIFE_DAYS) if len(days) else np.ones(1)
        return weighted_median(table.lags(days, self.smoothing), weights)
