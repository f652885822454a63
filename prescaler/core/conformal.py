"""Widths corrected online: each forecast is checked, and the next is wider or narrower for it.

Quantile tracking (Gibbs and Candes 2021; Angelopoulos, Candes and Tibshirani 2023): after each
outcome the logarithm of a width moves by `rate` times (missed - promised share of misses), so the
share of misses in the long run is within O(1 / (rate x outcomes)) of the promise, whatever the
demand does.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray, IntArray
from prescaler.core.history import History
from prescaler.core.instants import to_epoch
from prescaler.core.quantiles import MEDIAN, QUANTILES
from prescaler.core.track_record import TrackRecord
from prescaler.core.widths import factors_at

_RATE: Final = 0.03
"""A miss of the 0.95 quantile widens it by 3 %, a hit narrows it by 0.15 %: with an outcome an hour
a wrong width is halfway corrected in days, and ordinary luck moves it by a few per cent."""

_SETTLES_IN: Final = 12.0
"""Outcomes after which an eager start has lost half of its extra rate (steps that shrink keep the
promise too: Angelopoulos, Barber and Bates 2024)."""

_LEAST, _MOST = np.log(0.5), np.log(3.0)
_WATCHED_MINUTES: Final = (15, 60, 180, 360, 720, 1440)
_LEVELS: Final = np.array(QUANTILES)
_PROMISED: Final = np.where(QUANTILES[MEDIAN] < _LEVELS, 1.0 - _LEVELS, _LEVELS)


@dataclass(frozen=True, eq=False)
class Watch:
    """What was said at some leads, until it is known whether it was right.

    leads: [J] in steps; width: [J, Q] logarithm of the factor on a deviation from the median;
    cutoffs: [R] epoch seconds of forecasts that wait; said: [R, J, Q] their values, naive: [R, J]
    what naive said; record: how all of them turned out, up to `judged_at` (epoch seconds).
    """

    leads: IntArray
    width: FloatArray
    cutoffs: IntArray
    said: FloatArray
    naive: FloatArray
    record: TrackRecord
    judged_at: int

    @classmethod
    def new(cls, step: timedelta, horizon: int) -> "Watch":
        """Nothing watched yet, no correction."""
        steps = {max(1, timedelta(minutes=m) // step) for m in _WATCHED_MINUTES}
        leads = np.array(sorted(s for s in steps if s <= horizon) or [horizon], dtype=np.int64)
        return cls.at(leads)

    @classmethod
    def at(cls, leads: IntArray) -> "Watch":
        """The same, at these leads [J] in steps."""
        size = (len(leads), len(QUANTILES))
        none = np.zeros(0, np.int64)
        empty, record = np.zeros((0, len(leads))), TrackRecord.empty(len(leads))
        return cls(leads, np.zeros(size), none, np.zeros((0, *size)), empty, record, 0)

    def factors(self, leads: IntArray) -> FloatArray:
        """[H, Q] what deviations are multiplied by."""
        return factors_at(self.leads, self.width, leads)

    def learned(self, history: History, eager: float = 0.0) -> "Watch":
        """With every outcome that has become known, oldest first; what still waits stays.

        eager: how many times the usual rate is added for the very first outcome.
        """
        step = int(history.step.total_seconds())
        due = self.cutoffs[:, None] + self.leads * step
        index = (due - to_epoch(history.series.start)) // step
        ready = (index < len(history)) & (index >= 0)
        now = to_epoch(history.cutoff)
        width, record = self.width.copy(), self.record
        if self.judged_at:
            record = record.faded(timedelta(seconds=now - self.judged_at))
        for row, lead in sorted(np.argwhere(ready).tolist(), key=lambda k: (due[k[0], k[1]], k)):
            actual, said = float(history.demand[index[row, lead]]), self.said[row, lead]
            rate = _RATE * (1.0 + eager / (1.0 + float(record.seen[lead]) / _SETTLES_IN))
            width[lead] = _moved(width[lead], actual, said, rate)
            record = record.with_outcome(lead, actual, said, float(self.naive[row, lead]))
        waiting = ~np.all(index < len(history), axis=1)
        return replace(
            self,
            width=width,
            cutoffs=self.cutoffs[waiting],
            said=np.where(ready[:, :, None], np.nan, self.said)[waiting],
            naive=self.naive[waiting],
            record=record,
            judged_at=now,
        )

    def saying(self, history: History, values: FloatArray, naive: FloatArray) -> "Watch":
        """With one more forecast [H, Q], and naive's [H], that wait for their outcome."""
        cutoff = np.array([to_epoch(history.cutoff)], dtype=np.int64)
        said = values[self.leads - 1][None]
        return replace(
            self,
            cutoffs=np.concatenate([self.cutoffs, cutoff]),
            said=np.concatenate([self.said, said]),
            naive=np.concatenate([self.naive, naive[self.leads - 1][None]]),
        )


def _moved(width: FloatArray, actual: float, said: FloatArray, rate: float) -> FloatArray:
    """[Q] widths after one outcome; a hole, an outcome judged before or a tie says nothing."""
    upper = QUANTILES[MEDIAN] < _LEVELS
    missed = np.where(upper, actual > said, actual < said)
    told = np.isfinite(said) & np.isfinite(actual) & (actual != said)
    told[MEDIAN] = False
    return np.where(told, np.clip(width + rate * (missed - _PROMISED), _LEAST, _MOST), width)
