"""How good forecasts were, day by day, as sums that can be added up in any order.

A sum knows nothing of the forecasts it came from: days are added to weeks, live runs to backfilled
ones, and the ratios are taken last. The means, ratios and gaps are those of `scores`.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np

from prescaler.core.arrays import BoolArray, FloatArray, IntArray
from prescaler.core.forecast import BUCKETS, Forecast, Origin
from prescaler.core.instants import from_epoch, to_epoch
from prescaler.core.quantiles import MEDIAN, QUANTILES
from prescaler.core.scores import COVERED, PERIODS, SCORED, coverage_gap, pinball
from prescaler.core.series import Series

_Q: Final = len(QUANTILES)
_PLAIN: Final = 3
_NAIVE: Final = {name: _PLAIN + 3 * i for i, name in enumerate(PERIODS)}
_PINBALL: Final = _PLAIN + 3 * len(PERIODS)
WIDTH: Final = _PINBALL + 3 * _Q
"""Numbers in a row: n, |y|, |y - f|; per naive: n, ours, its own; per quantile: pinball, <, =."""

_LEAST_SHARE: Final = 0.5
_SECONDS_A_DAY: Final = 86_400
REACH_BACK: Final = max(PERIODS.values())
"""How much demand before a forecast's cutoff its naive twins need."""


@dataclass(frozen=True, eq=False)
class ScoreSums:
    """Sums over pairs of a value that was forecast and what came. row: [WIDTH]."""

    row: FloatArray

    @classmethod
    def none(cls) -> "ScoreSums":
        """Of no pairs."""
        return cls(np.zeros(WIDTH))

    def __add__(self, other: "ScoreSums") -> "ScoreSums":
        return ScoreSums(self.row + other.row)

    @property
    def instants(self) -> int:
        """Pairs with an actual."""
        return int(self.row[0])

    @property
    def error(self) -> float:
        """Mean absolute error of the median (load units); NaN of no pairs."""
        return _quotient(self.row[2], self.row[0], nothing=math.nan)

    @property
    def wql(self) -> float:
        """2 x sum of pinball losses / sum |y|, mean over five quantiles; of zeros it is the sum."""
        if not self.instants:
            return math.nan
        losses = self.row[_PINBALL : _PINBALL + _Q][list(SCORED)]
        return float(2.0 * losses.mean() / (self.row[1] if self.row[1] > 0 else 1.0))

    @property
    def error_ratio(self) -> float:
        """Error over that of the better naive forecast; NaN where both naive ones are missing."""
        return self._ratios().get(self.better_naive, math.nan)

    @property
    def better_naive(self) -> str:
        """The naive forecast that missed less; empty where both are missing."""
        ratios = self._ratios()
        return max(ratios, key=lambda name: ratios[name]) if ratios else ""

    def coverage(self) -> dict[str, tuple[float, float]]:
        """Quantile -> share of actuals below it, and at or below it."""
        seen = self.row[0]
        if not seen:
            return {}
        below, tied = (self.row[_PINBALL + n * _Q :][:_Q] / seen for n in (1, 2))
        return {f"{QUANTILES[q]:g}": (float(below[q]), float(below[q] + tied[q])) for q in COVERED}

    def gaps(self) -> dict[str, float]:
        """Quantile -> distance of its coverage from itself, percentage points."""
        return {q: coverage_gap(float(q), *shares) for q, shares in self.coverage().items()}

    def _ratios(self) -> dict[str, float]:
        """Error ratio to each naive forecast that is known for at least half of the pairs."""
        found = {}
        for name, at in _NAIVE.items():
            seen, ours, theirs = self.row[at : at + 3]
            if seen and seen >= _LEAST_SHARE * self.row[0]:
                found[name] = _quotient(ours, theirs, nothing=0.0 if ours <= 0 else math.inf)
        return found


@dataclass(frozen=True)
class ScoreDay:
    """The sums of one UTC day (of the instants that were forecast) in one bucket of leads."""

    day: date
    origin: Origin
    bucket: str
    sums: ScoreSums


DayScores = Mapping[tuple[date, str], ScoreSums]


def added(rows: Iterable[ScoreSums]) -> ScoreSums:
    """All of them as one."""
    total = ScoreSums.none()
    for row in rows:
        total = total + row
    return total


def score_days(actual: Series, forecast: Forecast, start: datetime, end: datetime) -> DayScores:
    """Sums of the values that a forecast gave for [start, end), by UTC day and bucket.

    actual: demand on the forecast's step, from `REACH_BACK` before its cutoff on where it is
    known. What was not observed is not counted, nor is a pair with a quantile that is not finite.
    """
    stamps = forecast.stamps
    asked = np.flatnonzero((stamps >= to_epoch(start)) & (stamps < to_epoch(end)))
    rows, known = _rows(actual, forecast, asked)
    days = stamps[asked] // _SECONDS_A_DAY
    leads = (asked + 1) * forecast.step.total_seconds()
    found: dict[tuple[date, str], ScoreSums] = {}
    for bucket, longest in BUCKETS.items():
        near = known & (leads <= max(longest, forecast.step).total_seconds())
        for day in np.unique(days[near]):
            sums = rows[near & (days == day)].sum(axis=0)
            found[from_epoch(int(day) * _SECONDS_A_DAY).date(), bucket] = ScoreSums(sums)
    return found


def _rows(actual: Series, forecast: Forecast, asked: IntArray) -> tuple[FloatArray, BoolArray]:
    """[G, WIDTH] what each asked-for step adds, and [G] whether it counts at all."""
    first = (forecast.first_valid_at - actual.start) // actual.step
    came = _taken(actual, first + asked)
    said = forecast.values[asked].astype(np.float64)
    known = np.isfinite(came) & np.isfinite(said).all(axis=1)
    missed = np.abs(came - said[:, MEDIAN])
    rows = np.zeros((len(asked), WIDTH))
    rows[:, :_PLAIN] = np.column_stack([np.ones(len(asked)), np.abs(came), missed])
    for name, period in PERIODS.items():
        naive = _taken(actual, first + asked - _back(asked, period, forecast.step))
        there = np.isfinite(naive)
        row = [there, np.where(there, missed, 0.0), np.where(there, np.abs(came - naive), 0.0)]
        rows[:, _NAIVE[name] : _NAIVE[name] + 3] = np.column_stack(row)
    for q, quantile in enumerate(QUANTILES):
        rows[:, _PINBALL + q] = pinball(came, said[:, q], quantile)
        rows[:, _PINBALL + _Q + q] = came < said[:, q]
        rows[:, _PINBALL + 2 * _Q + q] = came == said[:, q]
    return rows, known


def _taken(actual: Series, index: IntArray) -> FloatArray:
    """Demand at places of the series; NaN outside of it."""
    inside = (index >= 0) & (index < len(actual))
    if not len(actual):
        return np.full(len(index), np.nan)
    return np.where(inside, actual.mean[np.clip(index, 0, len(actual) - 1)], np.nan)


def _back(asked: IntArray, period: timedelta, step: timedelta) -> IntArray:
    """[G] steps back to the newest whole period ago that was known at the cutoff."""
    points = period // step
    return np.asarray(np.ceil((asked + 1) / points) * points, dtype=np.int64)


def _quotient(ours: float, theirs: float, *, nothing: float) -> float:
    return float(ours / theirs) if theirs > 0 else nothing


def day_of(instant: datetime) -> date:
    """The UTC day of an instant."""
    return instant.astimezone(UTC).date()
