"""How the forecasts of a workload turned out, lead by lead: error beside naive, and coverage."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray, IntArray
from prescaler.core.forecast import BUCKETS
from prescaler.core.quantiles import MEDIAN, QUANTILES

_HALF_LIFE: Final = timedelta(days=7)
_LEAST_OUTCOMES: Final = 12.0
_TOLD: Final = ("0.9", "0.95", "0.99")


@dataclass(frozen=True, eq=False)
class TrackRecord:
    """Sums over outcomes in which one of a week ago counts half.

    seen, error, naive_error: [J]; reached: [J, Q] outcomes at or below each quantile; half of a tie
    counts (a zero forecast of a zero says nothing about a quantile).
    """

    seen: FloatArray
    error: FloatArray
    naive_error: FloatArray
    reached: FloatArray

    @classmethod
    def empty(cls, leads: int) -> "TrackRecord":
        """Nothing has been judged yet."""
        none = np.zeros(leads)
        return cls(none, none, none, np.zeros((leads, len(QUANTILES))))

    def faded(self, elapsed: timedelta) -> "TrackRecord":
        """After some time without outcomes."""
        kept = 0.5 ** (max(elapsed, timedelta(0)) / _HALF_LIFE)
        return TrackRecord(
            self.seen * kept, self.error * kept, self.naive_error * kept, self.reached * kept
        )

    def with_outcome(
        self, lead: int, actual: float, said: FloatArray, naive: float
    ) -> "TrackRecord":
        """With one actual beside what was said about it [Q]; holes say nothing."""
        if not np.isfinite([actual, naive, *said]).all():
            return self
        row = np.zeros(len(self.seen))
        row[lead] = 1.0
        share = (actual < said) + 0.5 * (actual == said)
        return TrackRecord(
            self.seen + row,
            self.error + row * abs(actual - said[MEDIAN]),
            self.naive_error + row * abs(actual - naive),
            self.reached + row[:, None] * share,
        )

    def told(self, leads: IntArray, step: timedelta) -> dict[str, Mapping[str, float]]:
        """Bucket -> outcomes, error_ratio and coverage of some quantiles, at its longest lead.

        A bucket with fewer than twelve outcomes is left out.
        """
        found: dict[str, Mapping[str, float]] = {}
        for name, longest in BUCKETS.items():
            at = np.flatnonzero(leads == max(1, longest // step))
            if len(at) and self.seen[at[0]] >= _LEAST_OUTCOMES:
                found[name] = self._row(int(at[0]))
        return found

    def _row(self, lead: int) -> dict[str, float]:
        seen, naive = float(self.seen[lead]), float(self.naive_error[lead])
        row = {"outcomes": round(seen, 1)}
        if naive > 0:
            row["error_ratio"] = round(float(self.error[lead]) / naive, 4)
        for name in _TOLD:
            share = float(self.reached[lead, QUANTILES.index(float(name))]) / seen
            row[name] = round(share, 4)
        return row
