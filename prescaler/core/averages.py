"""Weighted means, medians and fading sums along the first axis."""

from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray

_HALF_WAY: Final = 1e-4
"""Two middle values share the median when the weight below is half, up to rounding."""

_MOST_COMPARED: Final = 12
"""Values up to which comparing each with each beats sorting (12 of them take half the time)."""

_PLACES: Final = 4096
"""Places at a time, so that what lies between stays in the processor's cache."""


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

    weights: [K] or [K, ...], not negative. The same bits come out of both ways to find them.
    """
    flat = values.reshape(len(values), -1)
    if weights.ndim > 1 or len(values) > _MOST_COMPARED:
        found = _median_by_sorting(flat, weights.reshape(len(values), -1))
    else:
        found = np.empty(flat.shape[1])
        for first in range(0, len(found), _PLACES):
            here = slice(first, first + _PLACES)
            found[here] = _median_by_comparing(flat[:, here], weights)
    return found.reshape(values.shape[1:])


def _median_by_comparing(values: FloatArray, weights: FloatArray) -> FloatArray:
    """[N] over values [K, N]: which values lie at or below each one, as bits of a number.

    What those weigh together is read from a table. No row is sorted, and the weights do not move:
    three times as fast as sorting, and this is where a roll spent most of its time.
    """
    weighs = _sums_of_subsets(weights)
    below = np.zeros(values.shape, np.min_scalar_type(len(weighs) - 1))
    for bit, row in enumerate(values):
        below |= (row <= values) * below.dtype.type(1 << bit)
    mass = weighs[below]  # a hole is at or below nothing, not even itself
    total = mass.max(axis=0)
    low = np.where(mass >= (0.5 - _HALF_WAY) * total, values, np.inf).min(axis=0)
    high = np.where(mass > (0.5 + _HALF_WAY) * total, values, np.inf).min(axis=0)
    return np.asarray(np.where(total > 0, 0.5 * (low + high), np.nan))


def _sums_of_subsets(weights: FloatArray) -> FloatArray:
    """[2**K] the sum of those weights whose bits are set."""
    sums = np.zeros(1 << len(weights))
    for bit, weight in enumerate(weights):
        sums[1 << bit : 2 << bit] = sums[: 1 << bit] + weight
    return sums


def _median_by_sorting(values: FloatArray, weights: FloatArray) -> FloatArray:
    """[N] over values [K, N] with weights [K, N] or [K, 1].

    The K values of a place are laid side by side first: sorting short rows is several times
    faster than sorting columns. A value's row takes the place of its last bits (one part in 1e13
    for 64 rows), so that it travels with the value: a plain sort and no index is a quarter faster.
    """
    rows = np.ascontiguousarray(values.T)
    tag = (1 << (len(values) - 1).bit_length()) - 1
    ranked = ((rows.view(np.int64) & ~tag) | np.arange(len(values))).view(np.float64)
    ranked.sort(axis=1)
    order = ranked.view(np.int64) & tag
    if weights.shape[1] == 1:
        mass = weights[order, 0]
    else:
        mass = np.take_along_axis(weights.T, order, axis=1)
    known = np.isfinite(ranked)
    if not known.all():
        mass = np.where(known, mass, 0.0)
    below = np.cumsum(mass, axis=1)
    total = below[:, -1]
    low = np.count_nonzero(below < ((0.5 - _HALF_WAY) * total)[:, None], axis=1)
    high = np.count_nonzero(below <= ((0.5 + _HALF_WAY) * total)[:, None], axis=1)
    place, last = np.arange(len(rows)), len(values) - 1
    pair = sum(rows[place, order[place, np.minimum(end, last)]] for end in (low, high))
    return np.asarray(np.where(total > 0, 0.5 * pair, np.nan))


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
