"""How sure a difference is: days are drawn again in blocks, the same days for both sides."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray

_BLOCK: Final = 3
"""Days in a row that are drawn together: a busy evening is followed by another one."""

_DRAWS: Final = 1000
_OUTER: Final = (0.025, 0.975)


@dataclass(frozen=True)
class Interval:
    """A value and the 95 % interval around it; None where there is nothing to divide by."""

    value: float | None
    low: float | None
    high: float | None


def relative_change(ours: FloatArray, theirs: FloatArray, *, seed: int) -> Interval:
    """sum(ours) / sum(theirs) - 1 of sums by day [D], paired by day (circular block bootstrap).

    Draws in which theirs is nothing are left out: a quotient says nothing there.
    """
    total = float(theirs.sum())
    if total <= 0:
        return Interval(None, None, None)
    days = len(ours)
    block = min(_BLOCK, days)
    blocks = -(-days // block)
    first = np.random.default_rng(seed).integers(0, days, (_DRAWS, blocks, 1))
    rows = ((first + np.arange(block)) % days).reshape(_DRAWS, -1)[:, :days]
    below = theirs[rows].sum(axis=1)
    some = below > 0
    found = ours[rows].sum(axis=1)[some] / below[some] - 1.0
    low, high = (float(x) for x in np.quantile(found, _OUTER))
    return Interval(float(ours.sum()) / total - 1.0, low, high)
