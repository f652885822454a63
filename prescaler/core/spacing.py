"""The spacing that observations really have, where a source repeats them on a finer grid.

A gauge that was recorded every five minutes, read every minute, gives each value five times: the
server looks back for the last one. Kept like that, four of five points would be invented. What
betrays it: over a long stretch values change at one phase of a coarser grid only.
"""

from datetime import timedelta
from typing import Final

import numpy as np

from prescaler.core.series import Series

_LEAST_CHANGES: Final = 24
"""Chance puts all of them on one phase of two in 1 of 8 million cases."""


def own_spacing(series: Series, longest: timedelta) -> tuple[int, int]:
    """How many grid points one observation was spread over, and the phase of the first (0 ... k-1).

    (1, 0) where nothing betrays a coarser spacing. longest: the coarsest spacing of interest; only
    its divisors are found.
    """
    starts = _starts(series)
    if len(starts) < _LEAST_CHANGES:
        return 1, 0
    most = max(1, longest // series.step)
    offset = int(series.start.timestamp()) // int(series.step.total_seconds())
    for ratio in range(most, 1, -1):
        phases = (starts + offset) % ratio
        if most % ratio == 0 and np.all(phases == phases[0]):
            return ratio, int(phases[0])
    return 1, 0


def _starts(series: Series) -> np.ndarray:
    """Indices at which a value begins that the point before does not have."""
    before, here = series.mean[:-1], series.mean[1:]
    begins = np.isfinite(here) & ~np.equal(before, here)
    return np.asarray(np.flatnonzero(begins) + 1)


def unrepeated(series: Series, longest: timedelta) -> Series:
    """The series on the spacing that its observations have; itself where that is its own.

    Only a series whose ends lie on the coarser grid is changed, so that pieces still fit together.
    """
    ratio, phase = own_spacing(series, longest)
    step = ratio * series.step
    seconds = int(step.total_seconds())
    if ratio == 1 or int(series.start.timestamp()) % seconds or len(series) % ratio:
        return series
    return Series(series.start, step, series.mean[phase::ratio], series.peak[phase::ratio])
