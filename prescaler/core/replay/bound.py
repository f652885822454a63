"""How high a rate may really be, of which only some days were seen."""

import math
from statistics import NormalDist
from typing import Final

from prescaler.core.arrays import FloatArray

LEVEL: Final = 0.8
"""How certain the advice is that a promise is kept: one-sided."""

_Z: Final = NormalDist().inv_cdf(LEVEL)


def upper_bound(bad: FloatArray, exposure: float) -> float:
    """Up to where sum(bad) / exposure may really lie, from what went wrong on each day [D] (>= 0).

    What goes wrong comes in spells. The days count as so many equal spells as have the same sum and
    the same sum of squares; the number of spells is Poisson, and the bound is Garwood's upper limit
    of its mean, times the size of a spell. Where nothing went wrong, nobody knows the size: 0 (see
    `most_spells`).
    """
    total = float(bad.sum())
    if total <= 0 or exposure <= 0:
        return 0.0
    shares = bad / total
    spells = 1.0 / float((shares**2).sum())
    return _limit(spells) * (total / spells) / exposure


def most_spells(exposure: float) -> float:
    """How many spells in a unit of exposure may still come, where none was seen in all of it."""
    return _limit(0.0) / exposure if exposure > 0 else math.inf


def _limit(count: float) -> float:
    """The quantile of Gamma(count + 1, 1) by Wilson and Hilferty; less than 1 % off from 0 on."""
    shape = count + 1.0
    return float(shape * (1.0 - 1.0 / (9.0 * shape) + _Z / (3.0 * math.sqrt(shape))) ** 3)
