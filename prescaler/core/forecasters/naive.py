"""Seasonal naive: the value of the same moment one day, or one week, of elapsed time ago."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from prescaler.core.arrays import FloatArray
from prescaler.core.errors import ForecasterFailed, TooLittleHistory
from prescaler.core.forecasters.base import Parameters
from prescaler.core.history import History


@dataclass(frozen=True)
class SeasonalNaive:
    """Copies the newest whole period that was observed; exactly 24 h or 168 h of elapsed time."""

    name: str
    period: timedelta

    def fit(self, history: History) -> Parameters:
        """Learn nothing; only look whether there is a period at all."""
        self._points(history)
        return {}

    def predict(self, parameters: Parameters, history: History, horizon: int) -> FloatArray:  # noqa: ARG002 - it learns none
        """Copy, looking further back where that moment was not observed."""
        points = self._points(history)
        lead = np.arange(1, horizon + 1)
        source = len(history) - 1 + lead - np.ceil(lead / points).astype(np.int64) * points
        copied = np.full(horizon, np.nan)
        while np.any(wanted := np.isnan(copied) & (source >= 0)):
            copied[wanted] = history.demand[source[wanted]]
            source = source - points
        known = np.flatnonzero(np.isfinite(copied))
        if not len(known):
            raise ForecasterFailed(f"{self.name}: no observation in any earlier {self.period}")
        filled = np.interp(np.arange(horizon), known, copied[known])
        return np.asarray(filled, dtype=np.float64)

    def _points(self, history: History) -> int:
        points = history.points_in(self.period)
        if len(history) < points:
            raise TooLittleHistory(f"{self.name} needs {self.period} of history")
        return points
