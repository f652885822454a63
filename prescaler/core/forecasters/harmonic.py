"""Harmonic regression in civil time with autoregressive errors (statsmodels)."""

import warnings
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray
from prescaler.core.errors import ForecasterFailed, TooLittleHistory
from prescaler.core.forecasters.base import LogScale, Parameters
from prescaler.core.history import History

_DAY_HARMONICS: Final = 6
_WEEK_HARMONICS: Final = 3
_LAGS: Final = 3
_REACH: Final = timedelta(days=28)
_LEAST: Final = timedelta(days=2)
_WEEKS_FOR_A_WEEK: Final = 2


@dataclass(frozen=True)
class HarmonicAutoregression:
    """`statsmodels` AutoReg on log demand with Fourier terms of the local day and week.

    Fitted on the last four weeks: the cost is linear in points (0.06 s CPU for 8,064), and older
    weeks say little about the present level. Gaps are filled for the fit by the value of the day
    before, since AutoReg takes none.
    """

    name: str = "harmonic"

    def fit(self, history: History) -> Parameters:
        """Least squares of the lags and Fourier terms."""
        from statsmodels.tools.sm_exceptions import SingularMatrixWarning
        from statsmodels.tsa.ar_model import AutoReg

        if len(history) < history.points_in(_LEAST):
            raise TooLittleHistory(f"harmonic needs {_LEAST} of history")
        logs, terms, _ = _design(history, 0)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", SingularMatrixWarning)
                found = AutoReg(logs, lags=_LAGS, trend="c", exog=terms).fit()
        except (ValueError, np.linalg.LinAlgError, SingularMatrixWarning) as error:
            raise ForecasterFailed(f"harmonic: {error}") from error
        return {"coefficients": np.asarray(found.params, dtype=np.float64)}

    def predict(self, parameters: Parameters, history: History, horizon: int) -> FloatArray:
        """Carry the fitted recursion on from the last observations."""
        from statsmodels.tsa.ar_model import AutoReg

        logs, terms, ahead = _design(history, horizon)
        coefficients = parameters["coefficients"]
        if len(coefficients) != 1 + _LAGS + terms.shape[1]:
            raise ForecasterFailed("harmonic: the fit is of another design; it will be refitted")
        tail = min(len(logs), 10 * _LAGS)
        model = AutoReg(logs[-tail:], lags=_LAGS, trend="c", exog=terms[-tail:])
        path = model.predict(
            coefficients, start=tail, end=tail + horizon - 1, dynamic=False, exog_oos=ahead
        )
        scale = LogScale(history.demand)
        highest = scale.forward(np.array([3.0 * np.nanmax(history.demand)]))[0]
        return scale.backward(np.minimum(np.asarray(path, dtype=np.float64), highest))


def _design(history: History, horizon: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Log demand [n] without holes, its Fourier terms [n, K], and those of the next steps."""
    points = min(len(history), history.points_in(_REACH))
    first = len(history) - points
    scale = LogScale(history.demand)
    logs = _filled(scale.forward(history.demand[first:]), history.points_in(timedelta(days=1)))
    weekly = len(history) >= history.points_in(timedelta(weeks=_WEEKS_FOR_A_WEEK))
    terms = _fourier(history, first, len(history) + horizon, weekly=weekly)
    return logs, terms[:points], terms[points:]


def _fourier(history: History, first: int, last: int, *, weekly: bool) -> FloatArray:
    """[points, 2K] sines and cosines of the local day and, given two weeks, of the local week."""
    calendar = history.calendar
    day = (calendar.slot[first:last] + 0.5) / calendar.slots
    week = (calendar.weekday[first:last] + day) / 7
    most = max(1, min(_DAY_HARMONICS, (calendar.slots - 1) // 2))
    angles = [k * day for k in range(1, most + 1)]
    angles += [k * week for k in range(1, _WEEK_HARMONICS + 1)] if weekly else []
    turns = 2 * np.pi * np.stack(angles, axis=1)
    return np.concatenate([np.sin(turns), np.cos(turns)], axis=1)


def _filled(logs: FloatArray, day: int) -> FloatArray:
    """Holes take the value of the day before, else the median; only the fit ever sees them."""
    known = np.isfinite(logs)
    if not known.any():
        raise TooLittleHistory("harmonic: not one observation in the last four weeks")
    filled = logs.copy()
    for hole in np.flatnonzero(~known):
        filled[hole] = filled[hole - day] if hole >= day else np.nan
    return np.where(np.isfinite(filled), filled, np.median(logs[known]))
