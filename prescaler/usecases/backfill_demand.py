"""Bring a workload's whole history in: newest first, once, and resumable at any point."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, zip_longest
from typing import Final

from prescaler.core.errors import SourceError
from prescaler.core.gaps import gaps
from prescaler.core.instants import floor_to
from prescaler.core.merging import NOTHING, Keep, Merged
from prescaler.core.records import HistoryVersion, SourceFailure
from prescaler.core.series import Series, missing_series, overlay
from prescaler.core.spacing import unrepeated
from prescaler.core.spans import Span, without
from prescaler.core.workload import Workload
from prescaler.ports import DemandSource, DemandStore

_DAY: Final = timedelta(days=1)
_MOST_POINTS: Final = 10_000
"""Of a piece, which is fetched and stored as one; the source may cut it further."""

_LOOKED_AT: Final = timedelta(days=28)
"""Of history at once when it is summed up: memory stays small however long it is."""


@dataclass(frozen=True)
class BackfillRange:
    """What is wanted. again: also where the source was asked before; replace: what it says wins."""

    span: Span
    again: bool = False
    replace: bool = False

    @property
    def keep(self) -> Keep:
        """Who wins where the source and the store differ."""
        return Keep.NEWEST if self.replace else Keep.STORED


@dataclass(eq=False)
class Target:
    """A workload on its way: what is asked of it, and what came so far."""

    workload: Workload
    version: HistoryVersion
    source: DemandSource
    pieces: Sequence[Span]
    done: int = 0
    merged: Merged = NOTHING
    failure: SourceFailure | None = None
    finished_at: float | None = None


@dataclass(frozen=True)
class HistorySummary:
    """What is stored of a workload: observations, first and last of them, gaps, bytes."""

    points: int
    first: datetime | None
    last: datetime | None
    gaps: tuple[Span, ...]
    bytes: int


def pieces(
    workload: Workload, asked: Sequence[Span], stored: Sequence[Span], wanted: BackfillRange
) -> tuple[Span, ...]:
    """Stretches to ask for, newest first, each at most 10,000 points and whole days where it can.

    A stretch that was asked for and of which nothing is stored is asked for again: the server may
    have got its old blocks since.
    """
    done = () if wanted.again or wanted.replace else _both(asked, stored)
    resolution = workload.demand.resolution
    span = Span(floor_to(wanted.span.start, resolution), floor_to(wanted.span.end, resolution))
    left = without([span], done)
    return tuple(reversed([piece for part in left for piece in _cut(part, resolution)]))


def _both(one: Sequence[Span], other: Sequence[Span]) -> tuple[Span, ...]:
    return without(one, without(one, other))


def _cut(span: Span, resolution: timedelta) -> Iterator[Span]:
    """At days counted from 1970, so that later calls cut at the same places."""
    length = max(1, _MOST_POINTS * resolution // _DAY) * _DAY
    start = span.start
    while start < span.end:
        end = min(span.end, floor_to(start, length) + length)
        yield Span(start, end)
        start = end


def backfill_demand(
    targets: Sequence[Target],
    keep: Keep,
    demand: DemandStore,
    executor: Executor,
    *,
    side_by_side: int = 2,
    progress: Callable[[Target], bool] = lambda _: True,
) -> None:
    """Fetch and store the pieces of all targets, the newest of each first.

    The executor fetches, `side_by_side` pieces at once; this thread stores, so that the source is
    never idle. A source that fails ends its own workload only; `target.failure` says why. progress:
    called after each piece; False stops everything, and what was being fetched is dropped.

    Raises:
        StoreError: what was stored before stays; the same call later goes on from there.
    """
    rounds = zip_longest(*([(target, piece) for piece in target.pieces] for target in targets))
    waiting = (one for layer in rounds for one in layer if one is not None)
    running: dict[Future[Series | SourceError | None], tuple[Target, Span]] = {}
    going = True
    try:
        while going:
            for target, piece in islice(waiting, 2 * side_by_side - len(running)):
                running[executor.submit(_fetched, target, piece)] = (target, piece)
            if not running:
                return
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for job in done:
                target, piece = running.pop(job)
                _keep(target, piece, job.result(), keep, demand)
                going = progress(target) and going
    finally:
        for job in running:
            job.cancel()


def _fetched(target: Target, piece: Span) -> Series | SourceError | None:
    """In the executor: a piece, or why there is none; None where others have failed already."""
    if target.failure is not None:
        return None
    query, resolution = target.workload.demand.query, target.workload.demand.resolution
    try:
        found = target.source.fetch(query, piece.start, piece.end, resolution)
    except SourceError as error:
        return error
    return unrepeated(found, target.workload.forecast.step)


def _keep(
    target: Target,
    piece: Span,
    found: Series | SourceError | None,
    keep: Keep,
    demand: DemandStore,
) -> None:
    if isinstance(found, SourceError):
        target.failure = target.failure or SourceFailure(found.kind, str(found))
    elif found is not None:
        target.merged += demand.append(target.version, found, keep, piece)
        target.done += 1


def summary(resolution: timedelta, version: HistoryVersion, demand: DemandStore) -> HistorySummary:
    """Look through everything that is stored of a version; resolution: the finest of interest."""
    parts = demand.parts(version)
    if not parts:
        return HistorySummary(0, None, None, (), 0)
    span = Span(min(p.first_day for p in parts), max(p.last_day for p in parts) + _DAY)
    looked = _Looked(resolution, version, demand)
    holes = tuple(gaps(looked.pieces(span)))
    return HistorySummary(
        looked.points, looked.first, looked.last, holes, sum(p.bytes for p in parts)
    )


class _Looked:
    """Reads history a few weeks at a time, on the finest grid, and counts on the way."""

    def __init__(self, resolution: timedelta, version: HistoryVersion, demand: DemandStore) -> None:
        self.points = 0
        self.first: datetime | None = None
        self.last: datetime | None = None
        self._version = version
        self._demand = demand
        stored = [part.resolution for part in demand.parts(version)]
        self._steps = sorted({resolution, *stored})

    def pieces(self, span: Span) -> Iterator[Series]:
        start = span.start
        while start < span.end:
            end = min(span.end, start + _LOOKED_AT)
            piece = self._piece(Span(start, end))
            newest = piece.last_observation()
            if newest is not None:
                self.first = self.first or piece.from_first_observation().start
                self.last = newest[0]
            yield piece
            start = end

    def _piece(self, span: Span) -> Series:
        """Coarser observations cover the finer points that lie inside them."""
        fine = self._steps[0]
        found = missing_series(span.start, fine, 0)
        for step in reversed(self._steps):
            part = self._demand.read(self._version, span.start, span.end, step)
            self.points += int(part.observed.sum())
            spread = Series(
                part.start, fine, part.mean.repeat(step // fine), part.peak.repeat(step // fine)
            )
            found = overlay(found, spread)
        return found
