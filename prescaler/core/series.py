"""Demand on an even UTC grid. A hole is NaN and never 0."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from prescaler.core.arrays import BoolArray, FloatArray, IntArray, frozen
from prescaler.core.errors import AnswerNotUnderstood
from prescaler.core.instants import floor_to, from_epoch, to_epoch


@dataclass(frozen=True, eq=False)
class Series:
    """Mean and peak of demand; the point stamped t covers [t, t + step).

    start: stamp of the first point, UTC, on the grid of `step`.
    mean, peak: [N] load units; NaN in both where nothing was observed.
    """

    start: datetime
    step: timedelta
    mean: FloatArray
    peak: FloatArray

    def __post_init__(self) -> None:
        if self.mean.shape != self.peak.shape or self.mean.ndim != 1:
            raise ValueError(f"mean {self.mean.shape} and peak {self.peak.shape} must be [N]")
        if floor_to(self.start, self.step) != self.start:
            raise ValueError(f"{self.start} does not lie on the grid of {self.step}")
        object.__setattr__(self, "mean", frozen(self.mean))
        object.__setattr__(self, "peak", frozen(self.peak))

    def __len__(self) -> int:
        return len(self.mean)

    @property
    def end(self) -> datetime:
        """First instant that no point covers any more."""
        return self.start + len(self) * self.step

    @property
    def stamps(self) -> IntArray:
        """[N] epoch seconds of the points."""
        seconds = int(self.step.total_seconds())
        return to_epoch(self.start) + seconds * np.arange(len(self), dtype=np.int64)

    @property
    def observed(self) -> BoolArray:
        """[N] true where there is an observation."""
        return np.isfinite(self.mean)

    def index_of(self, instant: datetime) -> int:
        """Index of the point that covers an instant; may lie outside [0, N)."""
        return (instant - self.start) // self.step

    def between(self, start: datetime, end: datetime) -> "Series":
        """The points stamped in [start, end), as far as they exist."""
        first = min(len(self), max(0, -((self.start - start) // self.step)))
        last = min(len(self), max(first, -((self.start - end) // self.step)))
        return Series(
            self.start + first * self.step, self.step, self.mean[first:last], self.peak[first:last]
        )

    def from_first_observation(self) -> "Series":
        """Without the holes before the first observation; no points where there is none."""
        known = np.flatnonzero(self.observed)
        first = int(known[0]) if len(known) else len(self)
        return self.between(self.start + first * self.step, self.end)

    def last_observation(self) -> tuple[datetime, float] | None:
        """Stamp and mean of the newest observed point."""
        known = np.flatnonzero(self.observed)
        if not len(known):
            return None
        last = int(known[-1])
        return self.start + last * self.step, float(self.mean[last])


def missing_series(start: datetime, step: timedelta, points: int) -> Series:
    """A series of holes only."""
    hole = np.full(points, np.nan)
    return Series(start, step, hole, hole)


def series_from_points(
    stamps: IntArray, values: FloatArray, *, start: datetime, end: datetime, step: timedelta
) -> Series:
    """Lay observations on the grid of [start, end); what is not finite becomes a hole.

    stamps [N] epoch seconds in any order; values [N].

    Raises:
        AnswerNotUnderstood: a stamp lies off the grid or outside the range, or two
            observations of one stamp differ.
    """
    points = (end - start) // step
    seconds = int(step.total_seconds())
    offsets = stamps - to_epoch(start)
    index = offsets // seconds
    if len(stamps) and (
        np.any(offsets % seconds) or int(index.min()) < 0 or int(index.max()) >= points
    ):
        bad = offsets[(offsets % seconds != 0) | (index < 0) | (index >= points)][0]
        raise AnswerNotUnderstood(
            f"a stamp of {from_epoch(to_epoch(start) + int(bad)):%Y-%m-%dT%H:%M:%SZ} lies off the "
            f"grid of {seconds} s that was asked for from {start:%Y-%m-%dT%H:%M:%SZ}"
        )
    grid = np.full(points, np.nan)
    known = np.isfinite(values)
    grid[index[known]] = values[known]
    if not np.array_equal(grid[index[known]], values[known]):
        raise AnswerNotUnderstood("one stamp appears twice with different values")
    return Series(start, step, grid, grid)


def sum_series(parts: Sequence[Series]) -> Series:
    """The sum of several sources on one grid; missing in one is missing in the sum.

    The peaks are added too: the sources' peaks need not coincide, so this is an upper bound
    (equal to the truth at the source's own resolution, where peak = mean).
    """
    first = parts[0]
    if any((p.start, p.step, len(p)) != (first.start, first.step, len(first)) for p in parts):
        raise ValueError("series to be summed must share their grid")
    return Series(
        first.start,
        first.step,
        np.sum([p.mean for p in parts], axis=0),
        np.sum([p.peak for p in parts], axis=0),
    )


def coarsen(series: Series, step: timedelta) -> Series:
    """The same demand on a coarser grid: mean of the means, maximum of the peaks.

    A coarse point is missing only where every fine one is. Fine points behind the last whole
    coarse one are left out: that point is not complete yet.
    """
    if step == series.step:
        return series
    ratio = step // series.step
    start = floor_to(series.start, step)
    lead = (series.start - start) // series.step
    points = (lead + len(series)) // ratio
    mean = _in_groups(series.mean, lead, points, ratio)
    peak = _in_groups(series.peak, lead, points, ratio)
    known = np.isfinite(mean)
    count = known.sum(axis=1)
    total = np.where(known, mean, 0.0).sum(axis=1)
    coarse_mean = np.divide(total, count, out=np.full(points, np.nan), where=count > 0)
    return Series(start, step, coarse_mean, np.fmax.reduce(peak, axis=1, initial=np.nan))


def _in_groups(values: FloatArray, lead: int, points: int, ratio: int) -> FloatArray:
    """[points, ratio]: the fine values that each coarse point covers, NaN before the start."""
    padded = np.concatenate([np.full(lead, np.nan), values])
    return padded[: points * ratio].reshape(points, ratio)


def overlay(below: Series, above: Series) -> Series:
    """Both on one grid that spans them; what is observed above wins, holes erase nothing."""
    if below.step != above.step:
        raise ValueError(f"cannot lay a grid of {above.step} over one of {below.step}")
    if not len(below) or not len(above):
        return below if len(below) else above
    start = min(below.start, above.start)
    points = (max(below.end, above.end) - start) // below.step
    mean, peak = np.full(points, np.nan), np.full(points, np.nan)
    for piece in (below, above):
        first = (piece.start - start) // piece.step
        here = slice(first, first + len(piece))
        mean[here] = np.where(piece.observed, piece.mean, mean[here])
        peak[here] = np.where(piece.observed, piece.peak, peak[here])
    return Series(start, below.step, mean, peak)
