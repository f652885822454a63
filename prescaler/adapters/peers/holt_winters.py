"""Holt-Winters as the field uses it: additive daily season, the last 14 days (statsmodels).

The settings are those of predictive-horizontal-pod-autoscaler; a user who comes from there sees in
`prescaler backtest --beside holt_winters` what changes for the own traffic.
"""

import warnings
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray
from prescaler.core.calendar import DAY
from prescaler.core.errors import ForecasterFailed
from prescaler.core.history import History
from prescaler.core.quantiles import MEDIAN, QUANTILES

_REACH: Final = timedelta(days=14)
_LEAST_SEASONS: Final = 2


@dataclass(frozen=True)
class HoltWinters:
    """A backtest's model. Its quantiles are the empirical ones of its in-sample errors."""

    name: str = "holt_winters"

    def refit(self, history: History, horizon: int, previous: object | None) -> object:  # noqa: ARG002
        """Fit on what is known, holes filled by the day before; the result is the forecast itself.

        Raises:
            ForecasterFailed: fewer than two days, or a fit that gives no numbers.
        """
        from statsmodels.tsa.holtwinters import ExponentialSmoothing

        day = history.points_in(DAY)
        known = _filled(history.demand[-(_REACH // history.step) :], day)
        if len(known) < _LEAST_SEASONS * day:
            raise ForecasterFailed("Holt-Winters needs two days of history")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of each fit that stops early; errors count
            fitted = ExponentialSmoothing(
                known, trend=None, seasonal="add", seasonal_periods=day, use_boxcox=False
            ).fit()
        path = np.asarray(fitted.forecast(horizon), dtype=np.float64)
        if not np.isfinite(path).all():
            raise ForecasterFailed("Holt-Winters gave no numbers")
        spread = np.quantile(np.asarray(fitted.resid, dtype=np.float64), QUANTILES)
        spread[MEDIAN] = 0.0
        return np.maximum(path[:, None] + spread, 0.0)

    def roll(self, state: object, history: History, horizon: int) -> FloatArray:  # noqa: ARG002
        """What the fit said."""
        return np.asarray(state, dtype=np.float64)


def _filled(demand: FloatArray, day: int) -> FloatArray:
    filled = demand.copy()
    for hole in np.flatnonzero(~np.isfinite(filled)):
        filled[hole] = filled[hole - day] if hole >= day else np.nan
    known = filled[np.isfinite(filled)]
    if not len(known):
        raise ForecasterFailed("Holt-Winters: nothing was observed in the last 14 days")
    return np.where(np.isfinite(filled), filled, np.median(known))
