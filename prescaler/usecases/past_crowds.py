"""Planned events of the past as they were known then: what was to be expected, not what came."""

from collections import OrderedDict
from datetime import datetime
from threading import Lock
from typing import Final
from uuid import UUID

from prescaler.core.event_book import EMPTY_BOOK, EventBook, acts_at, effects_of
from prescaler.core.events import EventEffect
from prescaler.core.planned import Occurrence
from prescaler.core.uplift import AROUND, UpliftModel
from prescaler.usecases.read_calendar import CalendarReader
from prescaler.usecases.serve_metric import Served

_KEPT: Final = 2000

_Key = tuple[UUID, datetime, datetime, UUID, int, datetime]


class PastCrowds:
    """Effects of events on workloads, worked out once: about 17 ms for each learnt curve.

    Served answers keep events in memory only while they may still act; a look back reads the
    calendar itself.
    """

    def __init__(self, calendar: CalendarReader | None = None) -> None:
        self._calendar = calendar
        self._lock = Lock()
        self._kept: OrderedDict[_Key, tuple[EventEffect, ...]] = OrderedDict()

    def book(self, served: Served, since: datetime) -> EventBook:
        """The confirmed events about a workload that were not over at `since`.

        Raises:
            StoreError: the calendar cannot be read.
        """
        if self._calendar is None:
            return EMPTY_BOOK
        with self._lock:
            return self._calendar.book(served.workload, since)

    def effects(
        self, served: Served, start: datetime, end: datetime, known_at: datetime, *, ahead: bool
    ) -> tuple[EventEffect, ...]:
        """What acts in [start, end), as it was known at an instant.

        ahead: of each event what was known when it began, where that is earlier.
        """
        book = self.book(served, start - AROUND)
        found = book.occurrences(start - AROUND, end + AROUND)
        kept: list[EventEffect] = []
        for occurrence in found:
            at = min(known_at, occurrence.start) if ahead else known_at
            kept += self._effect(served, occurrence, at)
        return tuple(e for e in kept if e.begins < end and e.fades_until > start)

    def _effect(
        self, served: Served, occurrence: Occurrence, at: datetime
    ) -> tuple[EventEffect, ...]:
        stored, event = served.state.uplift, occurrence.event
        version = served.state.version
        if stored is None or version is None or not acts_at(event, at):
            return effects_of([occurrence], served.policy, at)
        key = (
            version.workload, stored.learned_at, at, event.id, event.revision, occurrence.start
        )  # fmt: skip
        with self._lock:
            found = self._kept.get(key)
        if found is None:
            model = _as_of(stored.model, at)
            found = effects_of([occurrence], served.policy, at, model)
            self._keep(key, found)
        return found

    def _keep(self, key: _Key, found: tuple[EventEffect, ...]) -> None:
        with self._lock:
            self._kept[key] = found
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)


def _as_of(model: UpliftModel, at: datetime) -> UpliftModel:
    """What was known by then; the model itself where it has learnt nothing since."""
    newest = max(
        (kind.examples[-1].crowd.shows_until for kind in model.kinds.values() if kind.examples),
        default=at,
    )
    return model if newest <= at else model.as_of(at)
