"""Rows of a file laid on the grid of a workload: checked one by one, kept a day at a time.

Memory grows with the number of days, not of rows: a day by the minute takes 36 kB.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import gcd
from typing import Final

import numpy as np

from prescaler.core.arrays import BoolArray, FloatArray, IntArray
from prescaler.core.durations import format_duration
from prescaler.core.errors import FileRefused
from prescaler.core.instants import from_epoch, to_epoch
from prescaler.core.series import Series

EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Before that no Prometheus kept anything; 1970 is a stamp in the wrong unit, or none."""

_AHEAD: Final = timedelta(days=1)
_DAY: Final = 86_400
_LARGEST: Final = 1e30
_LEAST_ROWS: Final = 24
"""Fewer say nothing about how far apart rows lie."""


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be taken in; line: as an editor counts."""

    line: int
    text: str


class DemandRows:
    """Collects rows; at the end gives them as series of one grid, a day each.

    resolution: of the workload; rows that lie closer become mean and maximum. step: of its
    forecast; rows that lie further apart keep their own spacing, if that divides it.
    """

    def __init__(self, resolution: timedelta, step: timedelta, now: datetime) -> None:
        self.rows = self.holes = 0
        self._seconds = int(resolution.total_seconds())
        self._step = int(step.total_seconds())
        self._latest = to_epoch(now + _AHEAD)
        self._days: dict[int, _Day] = {}
        self._first: int | None = None
        self._spacing = 0

    def add(self, lines: IntArray, stamps: IntArray, values: FloatArray) -> list[BadRow]:
        """Take in rows: their lines, epoch seconds, values (NaN: missing); gives the bad ones."""
        bad = _impossible(stamps, values, self._latest)
        found = [BadRow(int(lines[i]), text) for i, text in bad.items()]
        good = np.ones(len(stamps), dtype=bool)
        good[list(bad)] = False
        known = good & np.isfinite(values)
        self.rows += len(stamps)
        self.holes += int((good & ~known).sum())
        for day in np.unique(stamps[known] // _DAY).tolist():
            mine = np.flatnonzero(known & (stamps // _DAY == day))
            kept = self._days.setdefault(day, _Day(_DAY // self._seconds))
            twice = kept.add(stamps[mine] - day * _DAY, values[mine], self._seconds)
            found += [
                BadRow(int(lines[i]), f"a second value for {_shown(int(stamps[i]))}")
                for i in mine[twice].tolist()
            ]
        self._measure(stamps[known])
        return sorted(found, key=lambda row: row.line)

    def series(self) -> Iterator[Series]:
        """Everything, ascending, a day each.

        Raises:
            FileRefused: rows lie further apart than the forecast's step.
        """
        spacing = self._grid()
        for day in sorted(self._days):
            mean, peak = self._days[day].values()
            start = from_epoch(day * _DAY)
            fine = Series(start, timedelta(seconds=self._seconds), mean, peak)
            yield fine if spacing == self._seconds else _spread(fine, spacing)

    def _measure(self, stamps: IntArray) -> None:
        """The spacing of the rows: the greatest common divisor of all distances."""
        if not len(stamps):
            return
        if self._first is None:
            self._first = int(stamps[0])
        distances = np.unique(np.abs(stamps - self._first))
        self._spacing = gcd(self._spacing, int(np.gcd.reduce(distances)))

    def _grid(self) -> int:
        if self._spacing <= self._seconds:
            return self._seconds
        if self._spacing > self._step and self.rows >= _LEAST_ROWS:
            raise FileRefused(
                f"rows lie {format_duration(timedelta(seconds=self._spacing))} apart, further than "
                f"forecast.step {format_duration(timedelta(seconds=self._step))}; nothing is "
                "invented between them: choose a longer step for this workload"
            )
        fits = self._step % self._spacing == 0 and self._spacing % self._seconds == 0
        return self._spacing if fits else self._seconds


class _Day:
    """Sums, counts and maxima of a day's points, and which seconds have been seen."""

    def __init__(self, points: int) -> None:
        self._total = np.zeros(points)
        self._count = np.zeros(points, dtype=np.uint32)
        self._peak = np.full(points, -np.inf, dtype=np.float32)
        self._seen = np.zeros(_DAY // 8, dtype=np.uint8)

    def add(self, seconds: IntArray, values: FloatArray, spacing: int) -> BoolArray:
        """Take in rows of this day; true where the second already had one (that one stays)."""
        _, first = np.unique(seconds, return_index=True)
        twice = np.ones(len(seconds), dtype=bool)
        twice[first] = False
        bit = np.left_shift(1, seconds % 8).astype(np.uint8)
        twice |= (self._seen[seconds // 8] & bit) != 0
        new = ~twice
        np.bitwise_or.at(self._seen, seconds[new] // 8, bit[new])
        index = seconds[new] // spacing
        np.add.at(self._total, index, values[new])
        np.add.at(self._count, index, 1)
        np.maximum.at(self._peak, index, values[new].astype(np.float32))
        return twice

    def values(self) -> tuple[FloatArray, FloatArray]:
        """Mean and maximum, holes where nothing came."""
        known = self._count > 0
        mean = np.divide(self._total, self._count, out=np.full(len(known), np.nan), where=known)
        return mean, np.where(known, np.maximum(self._peak, mean), np.nan)


def _impossible(stamps: IntArray, values: FloatArray, latest: int) -> dict[int, str]:
    """Index -> why, of rows that mean nothing."""
    found: dict[int, str] = {}
    for i in np.flatnonzero(stamps < to_epoch(EARLIEST)).tolist():
        found[i] = f"the stamp means {_shown(int(stamps[i]))}; is its unit right (--stamps)?"
    for i in np.flatnonzero(stamps > latest).tolist():
        found[i] = f"the stamp means {_shown(int(stamps[i]))}, in the future; is its unit right?"
    for i in np.flatnonzero(values < 0).tolist():
        found[i] = f"{values[i]:g} is negative; demand cannot be"
    for i in np.flatnonzero(values > _LARGEST).tolist():
        found[i] = f"{values[i]:g} is beyond any demand"
    return found


def _shown(seconds: int) -> str:
    try:
        return f"{from_epoch(seconds):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError, OSError):
        return f"second {seconds}"


def _spread(fine: Series, spacing: int) -> Series:
    """Rows of a coarser spacing on that grid; each coarse point holds at most one of them."""
    ratio = spacing // int(fine.step.total_seconds())
    mean = np.fmax.reduce(fine.mean.reshape(-1, ratio), axis=1)
    peak = np.fmax.reduce(fine.peak.reshape(-1, ratio), axis=1)
    return Series(fine.start, ratio * fine.step, mean, peak)
