"""Demand history in memory: for dry runs, and tests that need no database."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from prescaler.core.instants import floor_to
from prescaler.core.merging import NOTHING, Keep, Merged, merge
from prescaler.core.records import HistoryVersion, StoredPart
from prescaler.core.series import Series, coarsen, missing_series, overlay
from prescaler.core.spans import Span, united

_DAY = timedelta(days=1)


class MemoryDemand:
    """`DemandStore` in memory."""

    def __init__(self) -> None:
        self._series: dict[tuple[int, timedelta], Series] = {}
        self._asked: dict[int, tuple[Span, ...]] = {}

    def known_until(self, version: HistoryVersion) -> datetime | None:
        """End of what was asked of the source so far."""
        spans = self._asked.get(version.id)
        return spans[-1].end if spans else None

    def asked(self, version: HistoryVersion) -> Sequence[Span]:
        """Where the source was asked already."""
        return self._asked.get(version.id, ())

    def append(
        self,
        version: HistoryVersion,
        series: Series,
        keep: Keep = Keep.NEWEST,
        asked: Span | None = None,
    ) -> Merged:
        """Store a piece and remember its stretch."""
        span = Span(series.start, series.end) if asked is None else asked
        if span.start < span.end:
            self._asked[version.id] = united([*self.asked(version), span])
        if not len(series):
            return NOTHING
        key = (version.id, series.step)
        stored = self._series.get(key, missing_series(series.start, series.step, 0))
        self._series[key], found = merge(stored, series, keep)
        return found

    def read(
        self, version: HistoryVersion, start: datetime, end: datetime, step: timedelta
    ) -> Series:
        """What is stored in [start, end); holes where nothing is."""
        asked = missing_series(start, step, max(0, (end - start) // step))
        found = self._series.get((version.id, step))
        return asked if found is None else overlay(asked, found.between(start, end))

    def on_grid(
        self, version: HistoryVersion, start: datetime, end: datetime, step: timedelta
    ) -> Series:
        """All resolutions that divide `step`, made as coarse as it; the finest wins."""
        found = missing_series(start, step, max(0, (end - start) // step))
        for (key, resolution), series in sorted(self._series.items(), key=lambda i: -i[0][1]):
            if key == version.id and step % resolution == timedelta(0) and len(found):
                fine = series.between(start, end)
                whole = overlay(
                    missing_series(start, resolution, (end - start) // resolution), fine
                )
                found = overlay(found, coarsen(whole, step))
        return found

    def parts(self, version: HistoryVersion) -> Sequence[StoredPart]:
        """What is stored, by resolution; its bytes are those of the arrays."""
        return [
            StoredPart(
                resolution,
                days[0].start,
                days[-1].end - _DAY,
                sum(span.length // _DAY for span in days),
                8 * len(series),
            )
            for (key, resolution), series in sorted(self._series.items(), key=lambda i: i[0])
            if key == version.id and (days := _days_of(series))
        ]

    def days(self, version: HistoryVersion) -> Sequence[Span]:
        """UTC days of which anything is stored."""
        mine = [series for (key, _), series in self._series.items() if key == version.id]
        return united([span for series in mine for span in _days_of(series)])


def _days_of(series: Series) -> tuple[Span, ...]:
    known = series.stamps[series.observed]
    starts = [floor_to(series.start, _DAY) + int(d) * _DAY for d in _day_numbers(series, known)]
    return united([Span(start, start + _DAY) for start in starts])


def _day_numbers(series: Series, stamps: np.ndarray) -> np.ndarray:
    first = int(floor_to(series.start, _DAY).timestamp())
    return np.unique((stamps - first) // 86_400)
