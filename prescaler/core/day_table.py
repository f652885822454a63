"""Demand as a table of civil days by slots, so that a daily shape is a row."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, Literal

import numpy as np

from prescaler.core.arrays import FloatArray, IntArray
from prescaler.core.history import History
from prescaler.core.scales import DemandScale

Smoothing = Literal["none", "near", "wide"]

_NEAR: Final = timedelta(minutes=5)
_WIDE: Final = timedelta(minutes=40)
"""Half-widths of the triangles. Narrow, since smoothing ruins vertical edges (one slot of five
minutes gains a point of error over three); the wide one is there for noisy series."""


@dataclass(frozen=True, eq=False)
class DayTable:
    """Log demand of D civil days with S slots each; the last rows lie in the future.

    logs: smoothing -> [D, S], NaN for holes and for the future; weekday: [D], 0 = Monday;
    first_day: days since 1970 of row 0; present: the row of the cutoff; rows: [R] those that are
    asked for; gap: the least age in days of what may be looked at (1 for leads up to a day).
    """

    logs: dict[Smoothing, FloatArray]
    weekday: IntArray
    first_day: int
    present: int
    rows: IntArray
    gap: int = 1

    @property
    def slots(self) -> int:
        """S, slots a day."""
        return int(self.logs["none"].shape[1])

    @property
    def days(self) -> int:
        """D, rows of the whole table."""
        return int(self.logs["none"].shape[0])

    def lagged(self, days: int, smoothing: Smoothing = "near") -> FloatArray:
        """[R, S] the same slots `days` civil days earlier; NaN where that is unknown or too new."""
        if days < self.gap:
            return np.full((len(self.rows), self.slots), np.nan)
        return self._at(self.rows - days, smoothing)

    def lags(self, days: Iterable[int], smoothing: Smoothing = "near") -> FloatArray:
        """[K, R, S] several lags; those that reach behind the first row are left out."""
        some = np.array([k for k in days if self.gap <= k < self.days], dtype=np.int64)
        if not len(some):
            return np.full((1, len(self.rows), self.slots), np.nan)
        return self._at(self.rows - some[:, None], smoothing)

    def _at(self, source: IntArray, smoothing: Smoothing) -> FloatArray:
        """[..., S] rows of the table, holes where they lie before its first."""
        found = self.logs[smoothing][np.maximum(source, 0)]
        found[source < 0] = np.nan
        return np.asarray(found)

    def asked(self, rows: IntArray) -> "DayTable":
        """The same table with other rows asked for."""
        return replace(self, rows=rows)


def day_table(history: History, scale: DemandScale, horizon: int, gap: int = 1) -> DayTable:
    """Lay a history and the `horizon` points behind it on civil days; all rows are asked for.

    On the long day of a clock change the second of two points in one slot counts.
    """
    points = len(history)
    first_day, last_day = (int(history.calendar.day[i]) for i in (0, points + horizon - 1))
    shape = (last_day - first_day + 1, history.calendar.slots)
    cells = cells_of(history, points + horizon)[:points]
    raw = scale.forward(history.demand, "log")
    kinds: dict[Smoothing, int] = {
        "none": 0,
        "near": _NEAR // history.step,
        "wide": max(1, _WIDE // history.step),
    }
    logs = {name: _laid(smoothed(raw, width), cells, shape) for name, width in kinds.items()}
    rows = np.arange(shape[0])
    return DayTable(
        logs=logs,
        weekday=(rows + first_day + 3) % 7,  # 1970-01-01 was a Thursday
        first_day=first_day,
        present=int(history.calendar.day[points - 1]) - first_day,
        rows=rows,
        gap=gap,
    )


def cells_of(history: History, points: int) -> IntArray:
    """[points] place of each grid point in the table of days by slots, row by row."""
    calendar = history.calendar
    day = calendar.day[:points] - calendar.day[0]
    return np.asarray(day * calendar.slots + calendar.slot[:points], dtype=np.int64)


def smoothed(values: FloatArray, half_width: int) -> FloatArray:
    """[N] triangular mean over known neighbours; a point without any stays NaN."""
    if half_width <= 0:
        return values
    known = np.isfinite(values)
    kernel = 1.0 + half_width - np.abs(np.arange(-half_width, half_width + 1))
    total = np.convolve(np.where(known, values, 0.0), kernel, "full")
    inner = slice(half_width, half_width + len(values))
    if known.all() and len(values) > 2 * half_width:
        return np.asarray(total[inner] / _whole(kernel, len(values)))
    weight = _in_boxes(_in_boxes(known.astype(np.int64), half_width), half_width)
    hole = np.full(len(values), np.nan)
    return np.asarray(np.divide(total[inner], weight[inner], out=hole, where=weight[inner] > 0))


def _whole(kernel: FloatArray, points: int) -> FloatArray:
    """[N] what a kernel weighs where no neighbour is missing, but for those beyond the ends."""
    half_width = len(kernel) // 2
    weight = np.full(points, kernel.sum())
    weight[:half_width] = np.cumsum(kernel)[half_width:-1]
    weight[points - half_width :] = weight[:half_width][::-1]
    return weight


def _in_boxes(counts: IntArray, before: int) -> IntArray:
    """[N + before] sums over each place and the `before` places before it; twice, a triangle."""
    sums = np.cumsum(np.pad(counts, (0, before)))
    sums[before + 1 :] -= sums[: -before - 1].copy()
    return sums


def _laid(values: FloatArray, cells: IntArray, shape: tuple[int, int]) -> FloatArray:
    table = np.full(shape[0] * shape[1], np.nan)
    table[cells] = values
    return table.reshape(shape)
