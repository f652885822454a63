"""How sure a difference is: the same days of both sides, in a few groups of days in a row."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray

LEAST_DAYS: Final = 14
"""With fewer, no rule that was tried held what it promises and said anything (docs/replay.md)."""

_LEAST_GROUPS: Final = 4
_MOST_GROUPS: Final = 8
_DAYS_IN_A_GROUP: Final = 5

_STUDENT: Final = {4: 3.1824, 5: 2.7764, 6: 2.5706, 7: 2.4469, 8: 2.3646}
"""The 0.975 quantile of Student's t with one degree of freedom less than there are groups."""


@dataclass(frozen=True)
class Interval:
    """A value and the 95 % interval around it.

    value None: nothing to divide by. low, high None: too few days, or a group of days that has
    nothing to divide by.
    """

    value: float | None
    low: float | None
    high: float | None


def relative_change(
    ours: FloatArray, theirs: FloatArray, seen: FloatArray | None = None
) -> Interval:
    """sum(ours) / sum(theirs) - 1 of sums by day [D], paired by day.

    seen: [D] share of each day that was observed, None: all of it. An hour at the end is no day,
    and a day without any observation says nothing.

    The t-interval of the means of groups of days in a row (Ibragimov and Mueller 2010): days of one
    group may depend on each other as they like, as long as the groups hardly do; groups may also
    differ in how far they scatter. What is averaged is by how much a day departs from the quotient
    of the sums, which is linear in it (Cochran 1977, 6.3).
    """
    total = float(theirs.sum())
    if total <= 0:
        return Interval(None, None, None)
    change, days = float(ours.sum()) / total - 1.0, len(ours)
    if seen is not None:
        ours, theirs, days = ours[seen > 0], theirs[seen > 0], round(float(seen.sum()))
    if days < LEAST_DAYS:
        return Interval(change, None, None)
    groups = min(_MOST_GROUPS, max(_LEAST_GROUPS, days // _DAYS_IN_A_GROUP))
    first = np.rint(np.arange(groups) * (len(ours) / groups)).astype(np.int64)
    if np.any(np.add.reduceat(theirs, first) <= 0):
        return Interval(change, None, None)
    off = np.add.reduceat(ours - (1.0 + change) * theirs, first) * (groups / total)
    spread = math.sqrt(float((off**2).sum()) / (groups * (groups - 1)))
    reach = _STUDENT[groups] * spread
    return Interval(change, max(-1.0, change - reach), change + reach)
