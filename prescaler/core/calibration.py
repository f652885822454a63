"""Quantiles from empirical residuals of the combined forecast at past cutoffs."""

from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray
from prescaler.core.quantiles import MEDIAN, QUANTILES, uncrossed, weighted_quantiles

_POWER: Final = 0.65
"""Residuals grow with the level, but slower than in proportion (between Poisson's 0.5 and 1)."""

_AGE_POWER: Final = 0.5 / 4.0
_FEW_DAYS: Final = 0.7
"""Widening 1 + 0.7 / validated days: few past days show too few of the rare misses."""

_LEAST: Final = 8


def spread(
    actual: FloatArray,
    combined: FloatArray,
    age_days: FloatArray,
    offset: float,
    bands: list[slice],
) -> FloatArray:
    """[B, Q] quantiles of the scaled residuals, lead band by lead band; the median is kept at 0.

    actual, combined: [K, H]; NaN actuals are left out. A band with fewer than 8 residuals takes
    those of all leads.
    """
    residual = (actual - combined) / _scale(combined, offset)
    recency = np.broadcast_to((0.5 ** (age_days * _AGE_POWER))[:, None], residual.shape)
    widening = 1.0 + _FEW_DAYS / max(1.0, float(np.ptp(age_days)))
    levels = np.array(QUANTILES)
    rows = []
    for band in bands:
        values, weights = _known(residual[:, band], recency[:, band])
        if len(values) < _LEAST:
            values, weights = _known(residual, recency)
        rows.append(
            weighted_quantiles(values, weights, levels) if len(values) else np.zeros(len(levels))
        )
    table = np.stack(rows) * widening
    table[:, MEDIAN] = 0.0
    table[:, :MEDIAN] = np.minimum(table[:, :MEDIAN], 0.0)
    table[:, MEDIAN + 1 :] = np.maximum(table[:, MEDIAN + 1 :], 0.0)
    return table


def spread_around(
    median: FloatArray, table: FloatArray, offset: float, bands: list[slice]
) -> FloatArray:
    """[H, Q] quantiles around a median [H], never negative, never crossed."""
    per_lead = np.empty((len(median), table.shape[1]))
    for row, band in enumerate(bands):
        per_lead[band] = table[row]
    values = median[:, None] + per_lead * _scale(median, offset)[:, None]
    return uncrossed(np.maximum(values, 0.0))


def _scale(level: FloatArray, offset: float) -> FloatArray:
    return np.asarray((np.maximum(level, 0.0) + offset) ** _POWER, dtype=np.float64)


def _known(residual: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    known = np.isfinite(residual)
    return residual[known], weight[known]
