"""How many pods ran, beside what was planned for them: asked of the source when somebody looks.

Counts are not stored: Prometheus keeps them already. Twenty people who look at the same chart cost
one query; a source that does not answer costs them their pods, not the chart.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import BoundedSemaphore, Lock
from typing import Final

import numpy as np

from prescaler.core.arrays import IntArray
from prescaler.core.errors import BadParameter, SourceError
from prescaler.core.instants import floor_to, from_epoch, to_epoch
from prescaler.core.records import PodHistory
from prescaler.core.series import Series
from prescaler.ports import PodSource
from prescaler.usecases.review import Columns, Span
from prescaler.usecases.serve_metric import Served

_MOST_POINTS: Final = 5000
_KEPT: Final = 64
_FRESH: Final = timedelta(seconds=30)
_AT_ONCE: Final = 4
_TURN_SECONDS: Final = 2.0
"""Questions under way: a source that hangs must not take all threads that draw pages."""


@dataclass(frozen=True)
class PodsSeen:
    """`running` and `ready` on one grid, NaN unknown. why: what kept all from being known."""

    columns: Columns
    why: str | None = None


class PodReview:
    """Counts of the past by workload, each kept for half a minute.

    sources: the present ones, by name.
    """

    def __init__(self, sources: Callable[[], Mapping[str, PodSource]] = dict) -> None:
        self._sources = sources
        self._lock = Lock()
        self._turns = BoundedSemaphore(_AT_ONCE)
        self._kept: OrderedDict[tuple[str, int, int, int], tuple[datetime, PodHistory]] = (
            OrderedDict()
        )

    def look(self, served: Served, span: Span, now: datetime) -> PodsSeen:
        """Counts at the even instants of a span, up to the present.

        Raises:
            BadParameter: more than 5,000 instants, or none.
        """
        stamps = _grid(span, now)
        nothing = Columns(stamps[:0], span.step, _columns(_unknown()))
        query = served.workload.pods
        source = self._sources().get(query.source) if query is not None else None
        if query is None or source is None:
            return PodsSeen(nothing, "the pods of this workload are not observed")
        if not len(stamps):
            return PodsSeen(nothing)
        key = (served.workload.name, int(stamps[0]), len(stamps), _seconds(span))
        found = self._remembered(key, now)
        if found is None:
            if not self._turns.acquire(timeout=_TURN_SECONDS):
                return PodsSeen(nothing, "others are asking at this moment; look again")
            try:
                found = source.history(query, stamps)
            except SourceError as error:
                return PodsSeen(nothing, str(error))
            finally:
                self._turns.release()
            self._remember(key, found, now)
        return PodsSeen(Columns(stamps, span.step, _columns(found)))

    def ready(self, now: datetime) -> Callable[[Served, Span], Series | None]:
        """Ready pods for many questions in a row; none is asked after one that got no answer."""
        silent = False

        def asked(served: Served, span: Span) -> Series | None:
            nonlocal silent
            if silent or served.workload.pods is None:
                return None
            seen = self.look(served, span, now)
            silent = seen.why is not None
            counts = seen.columns.columns["ready"]
            stamps = seen.columns.stamps
            if silent or not len(stamps):
                return None
            return Series(from_epoch(int(stamps[0])), span.step, counts, counts)

        return asked

    def _remembered(self, key: tuple[str, int, int, int], now: datetime) -> PodHistory | None:
        with self._lock:
            at, found = self._kept.get(key, (now, None))
        return found if timedelta(0) <= now - at < _FRESH else None

    def _remember(self, key: tuple[str, int, int, int], found: PodHistory, now: datetime) -> None:
        with self._lock:
            self._kept[key] = (now, found)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)


def _grid(span: Span, now: datetime) -> IntArray:
    """Instants [start, end) that are over, on whole steps."""
    start, end = floor_to(span.start, span.step), min(span.end, now)
    points = max(0, -((start - end) // span.step))
    if points > _MOST_POINTS:
        raise BadParameter(f"{points} instants; at most {_MOST_POINTS}: ask with a larger step")
    return to_epoch(start) + _seconds(span) * np.arange(points, dtype=np.int64)


def _seconds(span: Span) -> int:
    return int(span.step.total_seconds())


def _unknown() -> PodHistory:
    return PodHistory(np.empty(0), np.empty(0))


def _columns(found: PodHistory) -> dict[str, np.ndarray]:
    return {"running": found.running, "ready": found.ready}
