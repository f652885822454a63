"""The eight quantiles that every forecast carries, and laws that hold for any set of them."""

from statistics import NormalDist
from typing import Final

import numpy as np

from prescaler.core.arrays import Float32Array, FloatArray

QUANTILES: Final[tuple[float, ...]] = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
MEDIAN: Final = QUANTILES.index(0.5)


def weighted_quantiles(values: FloatArray, weights: FloatArray, levels: FloatArray) -> FloatArray:
    """Empirical quantiles [..., Q] of one sample under one or several sets of weights.

    values: [N], weights: [..., N], N >= 1, weights >= 0 with positive sums. Plotting position
    (k - 0.5)/n with linear interpolation (Hyndman and Fan 1996, type 5), carried over to weights.
    """
    order = np.argsort(values, kind="stable")
    ranked, weight = values[order], weights[..., order]
    middle = np.cumsum(weight, axis=-1) - 0.5 * weight
    position = middle / weight.sum(axis=-1, keepdims=True)
    rows = position.reshape(-1, len(values))
    found = np.stack([np.interp(levels, row, ranked) for row in rows])
    return found.reshape(*weights.shape[:-1], len(levels))


def widening(cases: float) -> FloatArray:
    """[Q] >= 1, by what the quantiles of so many independent cases fall short of the next one's.

    Student's quantile of a new case over the normal one, by the first terms of its expansion in
    1 / cases (Cornish and Fisher 1937): rare misses need more of it than frequent ones.
    """
    squared = np.square([NormalDist().inv_cdf(level) for level in QUANTILES])
    second = (5.0 * np.square(squared) + 16.0 * squared + 3.0) / 96.0
    return np.asarray(1.0 + (squared + 3.0) / (4.0 * cases) + second / cases**2)


def quantile_at(values: FloatArray | Float32Array, quantile: float) -> FloatArray:
    """Read any quantile off rows of forecasts: values [H, Q] -> [H].

    Between two of the eight it is interpolated in the quantile, outside of them the nearest one
    is taken: nothing is extrapolated into a tail that nobody has measured.
    """
    upper = min(int(np.searchsorted(QUANTILES, quantile)), len(QUANTILES) - 1)
    if upper == 0 or quantile >= QUANTILES[upper]:
        return values[:, upper].astype(np.float64)
    low, high = QUANTILES[upper - 1], QUANTILES[upper]
    share = (quantile - low) / (high - low)
    below, above = values[:, upper - 1], values[:, upper]
    return np.asarray(below + share * (above - below), dtype=np.float64)


def uncrossed(values: FloatArray) -> FloatArray:
    """Values [H, Q] put in order in every row (rearrangement, Chernozhukov et al. 2010)."""
    return np.sort(values, axis=1)
