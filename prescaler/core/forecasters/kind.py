"""Days of the same kind: working days, Saturdays, Sundays."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray, IntArray
from prescaler.core.averages import weighted_mean, weighted_median
from prescaler.core.day_table import DayTable, Smoothing
from prescaler.core.forecasters.base import NothingToLearn, Parameters

_LAGS: Final = (*range(1, 15), 21, 28)
"""Two weeks day by day, then the same weekday: older working days say little that is new."""

_HALF_LIFE_DAYS: Final = 14.0
_SAME_WEEKDAY: Final = 1.5
_SATURDAY: Final = 5


@dataclass(frozen=True)
class DayKind(NothingToLearn):
    """Weighted median (or, widely smoothed, mean) over the past days of the same kind."""

    name: str
    smoothing: Smoothing = "near"
    plain: bool = False
    memory_days: int = 7

    def curve(self, table: DayTable, parameters: Parameters) -> FloatArray:  # noqa: ARG002
        """Five times as many days as the same weekday alone has."""
        days = np.array([k for k in _LAGS if table.gap <= k < table.days], dtype=np.int64)
        drawn = np.full((len(table.rows), table.slots), np.nan)
        weekdays = table.weekday[table.rows]
        for weekday in np.unique(weekdays):  # rows that look at the same lags
            here = weekdays == weekday
            alike = days[kind_of((weekday - days) % 7) == kind_of(weekday)]
            if len(alike):
                drawn[here] = self._average(table.asked(table.rows[here]), alike)
        return drawn

    def _average(self, table: DayTable, days: IntArray) -> FloatArray:
        """[R, S] over lags that are all of the kind of the rows asked for."""
        values = table.lags(days, self.smoothing)
        if self.smoothing == "wide":
            return weighted_mean(values, 0.5 ** (days / (2 * _HALF_LIFE_DAYS)))
        weights = 0.5 ** (days / _HALF_LIFE_DAYS) * np.where(days % 7 == 0, _SAME_WEEKDAY, 1.0)
        return weighted_median(values, weights)


def kind_of(weekday: IntArray) -> IntArray:
    """Working days are one kind (0), Saturday and Sunday one each."""
    return np.asarray(np.where(weekday < _SATURDAY, 0, weekday), dtype=np.int64)
