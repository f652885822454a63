"""A ridge regression that blends the days and weeks before into one curve."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray
from prescaler.core.averages import faded_sums, weighted_mean, weighted_median
from prescaler.core.day_table import DayTable
from prescaler.core.forecasters.base import Parameters

_HALF_LIFE_DAYS: Final = 56.0
_RIDGE: Final = 0.02
"""Penalty as a share of the mean variance of the features: enough to split weight evenly between
two that say the same."""

_CLIP: Final = 6.0
"""Robust deviations beyond which a target is cut: an outlier must not bend every coming day."""


@dataclass(frozen=True)
class DayRegression:
    """Least squares of a day on yesterday, its weekday and their averages; older days fade.

    The coefficients of a row are learnt from rows that were whole a day before it, so that the
    curve of a past day is the one that could have been drawn then.
    """

    name: str = "regression"
    plain: bool = False
    memory_days: int = 1

    def fit(self, table: DayTable) -> Parameters:
        """Coefficients [D, F] of every row of the table, behind the cutoff those of today.

        first_day: [1] the day of row 0; a later roll sees another window of days.
        """
        whole = table.asked(np.arange(table.days))
        features, base = _features(whole)
        target = whole.logs["none"] - base
        known = np.isfinite(target) & (np.arange(table.days)[:, None] >= _first_row(table))
        spread = 1.4826 * np.median(np.abs(target[known])) + 1e-9 if known.any() else 1.0
        target = np.where(known, np.clip(target, -_CLIP * spread, _CLIP * spread), 0.0)
        masked = np.where(known[..., None], features, 0.0)
        turned = np.swapaxes(masked, 1, 2)
        gram = faded_sums(turned @ masked, _HALF_LIFE_DAYS)
        moment = faded_sums((turned @ target[..., None])[..., 0], _HALF_LIFE_DAYS)
        count = faded_sums(known.sum(axis=1).astype(np.float64), _HALF_LIFE_DAYS)
        learnt = _solved(gram, moment, count)
        behind = np.minimum(np.arange(table.days) - 1 - table.gap, table.present - 1)
        behind = np.where(np.arange(table.days) > table.present, table.present - 1, behind)
        usable = np.where((behind >= 0)[:, None], learnt[np.maximum(behind, 0)], 0.0)
        return {"coefficients": usable, "first_day": np.array([float(table.first_day)])}

    def curve(self, table: DayTable, parameters: Parameters) -> FloatArray:
        """The base plus what the regression adds."""
        features, base = _features(table)
        coefficients = parameters["coefficients"]
        moved = table.first_day - int(parameters["first_day"][0])
        rows = np.clip(table.rows + moved, 0, len(coefficients) - 1)
        return base + (features @ coefficients[rows][:, :, None])[..., 0]


def _first_row(table: DayTable) -> int:
    """Rows before this one have too little behind them to learn from."""
    weeks = 10
    return 7 if table.present >= weeks else min(2, max(1, table.present // 4))


def _features(table: DayTable) -> tuple[FloatArray, FloatArray]:
    """[R, S, F] deviations of earlier days from a base curve, with a constant, and the base."""
    days, weeks = table.lags(range(1, 8)), table.lags(range(7, 29, 7))
    base = weighted_median(weeks, 0.5 ** (np.arange(len(weeks)) / 2.0))
    everyday = weighted_mean(days, np.ones(len(days)))
    base = np.where(np.isfinite(base), base, everyday)
    columns = [
        table.lagged(table.gap),
        table.lagged(1 + table.gap),
        everyday,
        weighted_mean(days[:3], np.ones(len(days[:3]))),
        table.lagged(7),
        weighted_mean(weeks, np.ones(len(weeks))),
    ]
    deviations = [np.where(np.isfinite(c), c - base, 0.0) for c in columns]
    found = np.stack([*deviations, np.ones_like(base)], axis=-1)
    return np.where(np.isfinite(base)[..., None], found, 0.0), base


def _solved(gram: FloatArray, moment: FloatArray, count: FloatArray) -> FloatArray:
    """[D, F] ridge solutions; a row that has seen nothing gets zeros."""
    features = gram.shape[-1]
    variance = np.trace(gram[:, :-1, :-1], axis1=1, axis2=2) / (features - 1)
    penalty = np.repeat((_RIDGE * variance)[:, None], features, axis=1)
    penalty[:, -1] = _RIDGE * count
    matrix = gram + (penalty + 1e-9)[:, :, None] * np.eye(features)
    return np.asarray(np.linalg.solve(matrix, moment[..., None])[..., 0])
