"""History from files and into files."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from prescaler.core.demand_rows import BadRow, DemandRows
from prescaler.core.errors import FileRefused
from prescaler.core.merging import NOTHING, Keep, Merged
from prescaler.core.records import HistoryVersion
from prescaler.core.series import Series, coarsen, missing_series, overlay
from prescaler.core.spans import Span
from prescaler.ports import DemandStore

_WINDOW: Final = timedelta(days=28)
_DAY: Final = timedelta(days=1)
_TOLD: Final = 5
_LEAST_COMMON: Final = 30
_FACTOR: Final = 3.0
"""Demand of the same minutes that differs by more than this (in the median) is in another unit."""


@dataclass(frozen=True)
class ImportRecord:
    """What a file brought. first, last: of what was read; holes: rows without a value."""

    rows: int
    bad: int
    holes: int
    merged: Merged
    first: datetime | None
    last: datetime | None
    resolution: timedelta | None


def import_rows(rows: DemandRows, bad: list[BadRow], *, skip_bad: bool) -> list[Series]:
    """All days of a file, once all of it has been read.

    Raises:
        FileRefused: a row is bad and may not be skipped, nothing is left, or the spacing is wrong.
    """
    if bad and not skip_bad:
        told = "; ".join(f"line {row.line}: {row.text}" for row in bad[:_TOLD])
        more = f" and {len(bad) - _TOLD:,} more" if len(bad) > _TOLD else ""
        raise FileRefused(f"{told}{more}. Nothing was stored; --skip-bad takes in the other rows")
    found = list(rows.series())
    if not found:
        raise FileRefused(f"of {rows.rows:,} rows none holds a value; nothing was stored")
    return found


def store_series(
    version: HistoryVersion, series: list[Series], demand: DemandStore, keep: Keep
) -> Merged:
    """Store what a file brought, day by day; the source still counts as not asked.

    Raises:
        FileRefused: the values are plainly in another unit than those stored; nothing was stored.
        StoreError: days before it are stored; the same import later goes on from there.
    """
    if keep is Keep.STORED:
        _same_unit(version, series, demand)
    total = NOTHING
    for one in series:
        total += demand.append(version, one, keep, Span(one.start, one.start))
    return total


def _same_unit(version: HistoryVersion, series: list[Series], demand: DemandStore) -> None:
    ratios: list[float] = []
    for one in series:
        stored = demand.on_grid(version, one.start, one.end, one.step)
        both = stored.observed & one.observed & (stored.mean > 0) & (one.mean > 0)
        ratios += (one.mean[both] / stored.mean[both]).tolist()
    if len(ratios) < _LEAST_COMMON:
        return
    median = float(np.median(ratios))
    if not 1 / _FACTOR < median < _FACTOR:
        raise FileRefused(
            f"the file says {median:.3g} times what is stored for the same instants; is it in "
            f"another unit? --scale {1 / median:.3g} would bring them together, --replace "
            "overwrites. Nothing was stored"
        )


def stored_points(
    version: HistoryVersion, demand: DemandStore, span: Span, step: timedelta | None = None
) -> Iterator[Series]:
    """What is stored, a few weeks at a time: on the grid of `step`, or as it is kept.

    As it is kept, a window gives one series a resolution, finest first; what a finer one knows is
    left out of the coarser. start and end of the span are cut to whole UTC days.
    """
    start = span.start
    while start < span.end:
        end = min(span.end, start + _WINDOW)
        if step is not None:
            yield demand.on_grid(version, start, end, step)
        else:
            yield from _as_kept(version, demand, start, end)
        start = end


def _as_kept(
    version: HistoryVersion, demand: DemandStore, start: datetime, end: datetime
) -> Iterable[Series]:
    finer: list[Series] = []
    for part in demand.parts(version):
        found = demand.read(version, start, end, part.resolution)
        known = missing_series(start, part.resolution, len(found))
        for one in finer:
            if part.resolution % one.step == timedelta(0):
                known = overlay(known, coarsen(one, part.resolution))
        hidden = known.observed
        yield Series(
            found.start,
            found.step,
            np.where(hidden, np.nan, found.mean),
            np.where(hidden, np.nan, found.peak),
        )
        finer.append(found)


def stored_span(version: HistoryVersion, demand: DemandStore) -> Span | None:
    """First to last stored UTC day; None where nothing is."""
    days = demand.days(version)
    return Span(days[0].start, days[-1].end) if days else None
