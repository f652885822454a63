"""A learnt uplift: how many times ordinary demand, minute by minute, as a distribution."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray, IntArray
from prescaler.core.instants import to_epoch
from prescaler.core.quantiles import QUANTILES
from prescaler.core.uplift.crowds import Frame

DRAWS: Final = 24
_AT: Final = (np.arange(DRAWS) + 0.5) / DRAWS
"""Equally likely values that stand for a distribution: their products stand for the product's
(576 pairs; a product of quantiles would not be a quantile of the product)."""

_SEEN_SHARE: Final = 0.6
_SEEN_FOR: Final = 1800.0
_SEEN_AFTER: Final = timedelta(minutes=30)
"""A crowd that has been coming for half an hour is known better: on the World Cup of 1998 the
error ahead was 42 % of an evening's at 15 minutes, 62 % at 30, 83 % at an hour, all at two."""


@dataclass(frozen=True)
class Evidence:
    """One past occurrence and its share of the curve."""

    name: str
    start: datetime
    share: float


@dataclass(frozen=True, eq=False)
class UpliftCurve:
    """middle: [K] median log uplift on `frame`; spread: [K, 24] equally likely log deviations.

    offset: load units that were added before logarithms. shrunk: share of the declared factor.
    """

    frame: Frame
    middle: FloatArray
    spread: FloatArray
    offset: float
    evidence: tuple[Evidence, ...] = field(default=())
    shrunk: float = 0.0

    def factors(self) -> FloatArray:
        """[K, 3] uplift at 0.1, 0.5, 0.9: how many times ordinary demand."""
        tails = np.quantile(self.spread, (0.1, 0.9), axis=1)
        around = np.column_stack([tails[0], np.zeros(len(self.middle)), tails[1]])
        return np.asarray(np.exp(self.middle[:, None] + around))

    def suggested(self) -> float:
        """One number for the whole: the median uplift of the steps while it lasts."""
        lasts = slice(self.frame.before, self.frame.before + self.frame.during)
        return float(np.exp(np.median(self.middle[lasts])))

    def begins(self, start: datetime) -> datetime:
        """The first instant of its frame."""
        return start - self.frame.before * self.frame.step

    def ends(self, start: datetime) -> datetime:
        """The first instant behind its frame."""
        return start + (self.frame.during + self.frame.after) * self.frame.step

    def boost(self, stamps: IntArray, start: datetime) -> FloatArray:
        """[G] median uplift at instants (epoch seconds), 1 outside the frame."""
        rows = self.frame.rows(stamps, start)
        return np.where(rows >= 0, np.exp(self.middle[rows]), 1.0)

    def lifted(
        self, stamps: IntArray, start: datetime, values: FloatArray, cutoff: datetime | None = None
    ) -> FloatArray:
        """[G, Q] quantiles of demand with the crowd, from those without it [G, Q].

        stamps: [G] epoch seconds. Outside the frame nothing changes. Quantiles of the product of
        two independent distributions. cutoff: what the values know; a crowd that had begun to come
        by then has already shown in them how large it is.
        """
        rows = self.frame.rows(stamps, start)
        inside = np.flatnonzero(rows >= 0)
        lifted = values.astype(np.float64)
        if not len(inside):
            return lifted
        first, group = _groups(rows[inside], lifted[inside])
        at = inside[first]
        narrow = self._narrowed(stamps[at], start, cutoff)
        lifted[inside] = self._product(lifted[at], rows[at], narrow)[group]
        return lifted

    def _narrowed(self, stamps: IntArray, start: datetime, cutoff: datetime | None) -> FloatArray:
        """[G] share of the spread that is left."""
        if cutoff is None or cutoff < self.begins(start) + _SEEN_AFTER:
            return np.ones(len(stamps))
        lead = np.maximum(0, stamps - to_epoch(cutoff))
        return np.asarray(1.0 - _SEEN_SHARE * np.exp(-lead / _SEEN_FOR))

    def _product(self, values: FloatArray, rows: IntArray, narrow: FloatArray) -> FloatArray:
        drawn = drawn_from(np.log(np.maximum(values, 0.0) + self.offset))
        uplift = self.middle[rows, None] + self.spread[rows] * narrow[:, None]
        sums = drawn[:, :, None] + uplift[:, None, :]
        found = np.quantile(sums.reshape(len(rows), DRAWS * DRAWS), QUANTILES, axis=1).T
        return np.asarray(np.maximum(np.exp(found) - self.offset, 0.0))

    def lowered(self, stamps: IntArray, start: datetime, demand: FloatArray) -> FloatArray:
        """[G] demand without the crowd, from demand with it [G]; NaN stays NaN."""
        rows = self.frame.rows(stamps, start)
        log_uplift = np.where(rows >= 0, self.middle[rows], 0.0)
        without = (demand + self.offset) * np.exp(-log_uplift) - self.offset
        return np.asarray(np.where(rows >= 0, np.maximum(without, 0.0), demand))


def _groups(rows: IntArray, values: FloatArray) -> tuple[IntArray, IntArray]:
    """Where runs of equal rows and values begin, and [G] to which run each belongs.

    Cells are finer than the steps of forecast and curve: most of them repeat their neighbour.
    """
    new = np.ones(len(rows), dtype=bool)
    new[1:] = (rows[1:] != rows[:-1]) | (values[1:] != values[:-1]).any(axis=1)
    return np.flatnonzero(new), np.cumsum(new) - 1


def drawn_from(quantiles: FloatArray) -> FloatArray:
    """[G, 24] equally likely values from eight quantiles [G, 8]; nothing is extrapolated."""
    upper = np.clip(np.searchsorted(QUANTILES, _AT), 1, len(QUANTILES) - 1)
    levels = np.asarray(QUANTILES)
    share = (_AT - levels[upper - 1]) / (levels[upper] - levels[upper - 1])
    share = np.clip(share, 0.0, 1.0)
    below, above = quantiles[:, upper - 1], quantiles[:, upper]
    return np.asarray(below + share * (above - below))
