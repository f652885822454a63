"""Bring demand history up to now: ask the source only for what is new, and keep it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from prescaler.core.instants import floor_to
from prescaler.core.merging import Keep
from prescaler.core.records import HistoryVersion
from prescaler.core.spans import Span, without
from prescaler.core.workload import Workload
from prescaler.ports import DemandSource, DemandStore

_PIECE: Final = timedelta(days=6)
"""Each piece is stored before the next is asked for: a crash costs one piece, not the history. Six
days by the minute are one request below the limit of a Prometheus."""

_LATE: Final = timedelta(hours=6)
"""Holes at the end of what is known are asked for again this far back: remote storage may lag."""


@dataclass(frozen=True)
class IngestRecord:
    """What an ingest did: the range that was asked for and how many observations came."""

    start: datetime
    end: datetime
    points: int


def ingest_demand(
    workload: Workload,
    version: HistoryVersion,
    source: DemandSource,
    demand: DemandStore,
    now: datetime,
) -> IngestRecord:
    """Fetch everything between what is stored and what is final now, and what is missing before.

    A stretch of the forecaster's history that the source was never asked for is missing: a backfill
    that goes from new to old was interrupted, or `forecast.history` has grown.

    Raises:
        SourceError: pieces that came before it are kept.
        StoreError: likewise.
    """
    end = workload.known_until(now)
    start = _first_wanted(workload, version, demand, end)
    points = 0
    for first, last in _pieces(start, end):
        found = source.fetch(workload.demand.query, first, last, workload.demand.resolution)
        points += demand.append(version, found).added
    for span in _never_asked(workload, version, demand, end):
        for first, last in _pieces(span.start, span.end):
            found = source.fetch(workload.demand.query, first, last, workload.demand.resolution)
            points += demand.append(version, found, Keep.STORED).added
    return IngestRecord(start, end, points)


def _never_asked(
    workload: Workload, version: HistoryVersion, demand: DemandStore, end: datetime
) -> Sequence[Span]:
    """Stretches of the forecaster's history, newest first."""
    window = Span(_first_of_all(workload, end), end)
    return tuple(reversed(without([window], demand.asked(version))))


def _first_of_all(workload: Workload, end: datetime) -> datetime:
    return floor_to(end - workload.forecast.history, workload.forecast.step)


def _first_wanted(
    workload: Workload, version: HistoryVersion, demand: DemandStore, end: datetime
) -> datetime:
    resolution = workload.demand.resolution
    known = demand.known_until(version)
    if known is None:
        return _first_of_all(workload, end)
    tail = demand.read(version, floor_to(known - _LATE, resolution), known, resolution)
    newest = tail.last_observation()
    unseen = newest[0] + resolution if newest else tail.start
    return min(unseen, floor_to(known - workload.demand.reread, resolution))


def _pieces(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    while start < end:
        last = min(end, floor_to(start, timedelta(days=1)) + _PIECE)
        yield start, last
        start = last
