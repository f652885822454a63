"""The plan's own calibration: the maximum over a window of 0.95 quantiles is not its 0.95 quantile.

A plan serves the highest demand of the next minutes. Each of them stays below its 0.95 quantile
19 times out of 20, all of them together do not; and what pods must carry is the peak inside the
step, not the mean. So the maximum that a forecast promised for a window is put beside the highest
peak that came in it, and the widths that the plan uses are corrected until its promise holds: the
same rule as for single instants (`core/conformal.py`), learnt apart from it.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray
from prescaler.core.conformal import Watch
from prescaler.core.history import History
from prescaler.core.series import Series

WINDOW: Final = timedelta(minutes=15)
"""What a plan looks ahead by default: the step under way, a lead of a minute or two, a hold of
five minutes."""

EAGER: Final = 9.0
"""The first outcome moves a width by up to 0.3, ten times the lasting rate: without it five days
pass before the plan of a restless service keeps its promise."""


def learned(watch: Watch, history: History) -> Watch:
    """With the highest peak of each window that is over; one with a hole says nothing."""
    steps = history.points_in(WINDOW)
    if len(history) <= steps:
        return watch
    highest = highest_ahead(history.series.peak, steps)
    known = history.until(len(highest))
    series = known.series
    windows = Series(series.start, series.step, highest, highest)
    return watch.learned(replace(known, series=windows), eager=EAGER)


def saying(
    watch: Watch, history: History, values: FloatArray, peak_ratio: FloatArray, naive: FloatArray
) -> Watch:
    """With what a plan made of this forecast [H, Q] would promise for the windows to come."""
    steps = history.points_in(WINDOW)
    promised = highest_ahead(values * peak_ratio[:, None], steps, tail=True)
    copied = highest_ahead(naive * peak_ratio, steps, tail=True)
    return watch.saying(history, promised, copied)


def highest_ahead(values: FloatArray, steps: int, *, tail: bool = False) -> FloatArray:
    """[N - steps + 1, ...] maximum of the `steps` values from each one on.

    tail: [N, ...], the last ones of what is left.
    """
    if tail:
        values = np.concatenate([values, np.repeat(values[-1:], steps - 1, axis=0)])
    windows = np.lib.stride_tricks.sliding_window_view(values, steps, axis=0)
    return np.asarray(windows.max(axis=-1))
