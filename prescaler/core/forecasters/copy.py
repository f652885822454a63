"""The same slots of the newest whole period: seasonal naive, bare or a little smoothed."""

from dataclasses import dataclass

import numpy as np

from prescaler.core.arrays import FloatArray
from prescaler.core.day_table import DayTable, Smoothing
from prescaler.core.forecasters.base import NothingToLearn, Parameters


@dataclass(frozen=True)
class PeriodCopy(NothingToLearn):
    """Copies one civil day or week, and looks further back where that was a hole."""

    name: str
    period_days: int
    smoothing: Smoothing = "none"
    plain: bool = False

    @property
    def memory_days(self) -> int:
        """One period."""
        return self.period_days

    def curve(self, table: DayTable, parameters: Parameters) -> FloatArray:  # noqa: ARG002
        """The newest known value one or more periods ago, up to four."""
        oldest = 4 * self.period_days + table.gap
        copied = np.full((len(table.rows), table.slots), np.nan)
        for days in range(self.period_days, oldest, self.period_days):
            missing = np.isnan(copied)
            if not missing.any():
                break
            copied = np.where(missing, table.lagged(days, self.smoothing), copied)
        return copied
