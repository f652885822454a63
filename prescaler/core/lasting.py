"""What lies far beyond the usual and stays there: a new level, for about as long as it has lasted.

The correction cuts residuals at what is usual, so that a burst does not become a level. The hours
after a jump need the opposite: what has lain beyond that cut for a quarter of an hour counts in
full, for the hour ahead, and further the longer it lasts. `level_shift` takes over from there.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np

from prescaler.core.arrays import BoolArray, FloatArray, IntArray
from prescaler.core.correction import Residuals

_HOUR: Final = timedelta(hours=1)
_LEAST: Final = timedelta(minutes=15)
_LEAST_POINTS: Final = 3
_LONGEST: Final = timedelta(days=1)
"""Looked back; by then, upwards from a factor of three on, it is a confirmed level shift."""

_GROWS: Final = 0.5
_STEEPNESS: Final = 4.0
"""It counts for half at a lead of one hour and half the time it has lasted. On public traces nine
tenths of what has lasted a quarter of an hour are still there 15 minutes later, four fifths after
an hour, hardly half after three and a tenth after six, for all that has lasted up to six hours."""

_DOWN: Final = 1.0
"""Downwards it must have lasted an hour, and counts for half at half the time it has lasted: after
a dip demand is back at once, and too many pods meanwhile cost less than too few then."""


@dataclass(frozen=True, eq=False)
class Lasting:
    """K pairs of a curve and an origin at which its residual has been beyond the cut for a while.

    level: [K] mean residual of that while, of its last hour at most, on the scale of the curve;
    points: [K] for how many known points it has lasted; hour: how many points an hour has.
    """

    curve: IntArray
    origin: IntArray
    level: FloatArray
    points: IntArray
    hour: float

    @classmethod
    def none(cls, step: timedelta) -> "Lasting":
        """Nothing has stayed."""
        nobody = np.zeros(0, dtype=np.int64)
        return cls(nobody, nobody, np.zeros(0), nobody, _HOUR / step)

    @classmethod
    def of(cls, residuals: Residuals, ends: IntArray, step: timedelta) -> "Lasting":
        """Look back from the points with index `ends` [M]; holes are passed over.

        Nothing lasts on steps of which a quarter of an hour does not hold three: in three hours the
        day itself has moved on, and a service that opens early would be forecast at twenty times
        its noon (bu_lab_http: WQL of six hours 1.01 instead of 0.87).
        """
        least = _LEAST // step
        if least < _LEAST_POINTS:
            return cls.none(step)
        known = np.flatnonzero(residuals.known)
        last = np.searchsorted(known, ends, "right") - 1
        fresh = _fresh(known, last, ends, least)
        every = np.arange(len(residuals.raw))[:, None]
        curve, place = np.nonzero(residuals.beyond(every, known[last[fresh]]))
        origin = fresh[place]
        hour = _HOUR // step
        for length in (least, hour):  # few are left for each longer look
            index, same = _looked_back(residuals, known, curve, last[origin], length)
            kept = same[:, least - 1]
            curve, origin, index, same = curve[kept], origin[kept], index[kept], same[kept]
        points = same.sum(axis=1)
        long = np.flatnonzero(points == hour)
        further = _looked_back(residuals, known, curve[long], last[origin[long]], _LONGEST // step)
        points[long] = further[1].sum(axis=1)
        curve, pair = _with_the_rest(curve, origin, len(residuals.raw))
        taken = same[pair]
        values = np.where(taken, residuals.raw[curve[:, None], index[pair]], 0.0)
        level = values.sum(axis=1) / taken.sum(axis=1)
        return cls(curve, origin[pair], level, points[pair], _HOUR / step)

    def share(self, leads: IntArray) -> FloatArray:
        """[K, L] how much it counts at leads [L] in steps, beside what was learnt."""
        up, lasted = self.level > 0, self.points / self.hour
        half = up + _GROWS * lasted
        share = 1.0 / (1.0 + (leads / self.hour / half[:, None]) ** _STEEPNESS)
        return np.where((up | (lasted >= _DOWN))[:, None], share, 0.0)

    def correct(self, corrections: FloatArray, leads: IntArray) -> None:
        """Put it into corrections [C, M, L], in place."""
        learnt = corrections[self.curve, self.origin]
        moved = self.share(leads) * (self.level[:, None] - learnt)
        corrections[self.curve, self.origin] = learnt + moved


def _looked_back(
    residuals: Residuals, known: IntArray, curve: IntArray, last: IntArray, length: int
) -> tuple[IntArray, BoolArray]:
    """[K, length] so many known points back from place `last` [K], and where one side lasts."""
    back = last[:, None] - np.arange(length)
    index = known[np.maximum(back, 0)]
    side = residuals.beyond(curve[:, None], index)
    return index, np.logical_and.accumulate((side == side[:, :1]) & (back >= 0), axis=1)


def _fresh(known: IntArray, last: IntArray, ends: IntArray, least: int) -> IntArray:
    """[M'] which origins have had their newest points lately, not before a hole of as many."""
    early = np.flatnonzero(last >= least - 1)
    first = known[last[early] - least + 1]
    return np.asarray(early[ends[early] - first < 2 * least])


def _with_the_rest(curve: IntArray, origin: IntArray, curves: int) -> tuple[IntArray, IntArray]:
    """[K'] all curves where most have something that lasts, and the pair [K] whose time they share.

    A flat curve is always far off and would lag behind a jump that the others have seen.
    """
    seen, first, count = np.unique(origin, return_index=True, return_counts=True)
    most = 2 * count > curves
    found = np.zeros((int(most.sum()), curves), dtype=bool)
    here = np.isin(origin, seen[most])
    found[np.searchsorted(seen[most], origin[here]), curve[here]] = True
    row, more = np.nonzero(~found)
    return np.append(curve, more), np.append(np.arange(len(curve)), first[most][row])
