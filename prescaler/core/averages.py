"""Weighted means, medians and fading sums along the first axis."""

import numpy as np

from prescaler.core.arrays import FloatArray

_HALF_WAY: float = 1e-4
"""Two middle values share the median when the weight below is half, up to rounding."""


def weighted_mean(values: FloatArray, weights: FloatArray) -> FloatArray:
    """[...] over values [K, ...] with weights [K] or [K, ...]; a place without values is NaN."""
    known = np.isfinite(values)
    mass = np.where(known, _spread(weights, values), 0.0)
    total = mass.sum(axis=0)
    mixed = (np.where(known, values, 0.0) * mass).sum(axis=0)
    hole = np.full(values.shape[1:], np.nan)
    return np.asarray(np.divide(mixed, total, out=hole, where=total > 0))


def weighted_median(values: FloatArray, weights: FloatArray) -> FloatArray:
    """[...] over values [K, ...]; the mean of both middle values where the weight is halved.

    The K values of a place are laid side by side first: sorting short rows is several times
    faster than sorting columns, and this is where a refit spends most of its time.
    """
    number = len(values)
    rows = np.ascontiguousarray(values.reshape(number, -1).T)
    order = np.argsort(rows, axis=1)
    ranked = np.take_along_axis(rows, order, axis=1)
    if weights.ndim == 1:
        mass = weights[order]
    else:
        mass = np.take_along_axis(weights.reshape(number, -1).T, order, axis=1)
    below = np.cumsum(np.where(np.isfinite(ranked), mass, 0.0), axis=1)
    total = below[:, -1]
    low = np.count_nonzero(below < ((0.5 - _HALF_WAY) * total)[:, None], axis=1)
    high = np.count_nonzero(below <= ((0.5 + _HALF_WAY) * total)[:, None], axis=1)
    place, last = np.arange(len(rows)), number - 1
    pair = ranked[place, np.minimum(low, last)] + ranked[place, np.minimum(high, last)]
    return np.asarray(np.where(total > 0, 0.5 * pair, np.nan)).reshape(values.shape[1:])


def faded_sums(values: FloatArray, half_life: float) -> FloatArray:
    """[N, ...] running sums of [N, ...] in which a share halves every `half_life` entries."""
    decay = 0.5 ** (1.0 / half_life)
    faded = values.copy()
    for entry in range(1, len(faded)):
        faded[entry] += decay * faded[entry - 1]
    return faded


def _spread(weights: FloatArray, values: FloatArray) -> FloatArray:
    if weights.ndim == values.ndim:
        return weights
    return weights.reshape((-1,) + (1,) * (values.ndim - 1))
