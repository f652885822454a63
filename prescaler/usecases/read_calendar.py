"""The planned events of a workload, read again only where the calendar has changed."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from prescaler.core.calendar import DAY
from prescaler.core.event_book import EventBook, EventIndex, begins
from prescaler.core.event_history import as_known
from prescaler.core.event_records import EventQuery
from prescaler.core.instants import floor_to
from prescaler.core.planned import EventState, PlannedEvent
from prescaler.core.workload import Workload
from prescaler.ports import EventStore

_PAGE: Final = 1000


class CalendarReader:
    """The calendar as a process knows it.

    One that forecasts a thousand workloads reads it once a change, not a thousand times every
    five minutes.
    """

    def __init__(self, events: EventStore) -> None:
        self._events = events
        self._key: tuple[int, datetime] | None = None
        self._index = EventIndex(())

    def book(self, workload: Workload, since: datetime) -> EventBook:
        """The confirmed events about a workload that were not over at `since`."""
        day = floor_to(since, DAY)
        revision = self._events.revision()
        if self._key is None or self._key[0] != revision or self._key[1] > day:
            self._index = EventIndex(self._events.acting_from(day))
            self._key = (revision, day)
        return self._index.book(workload.name, workload.labels, workload.aliases)

    def told(self, workload: Workload, since: datetime) -> EventBook:
        """The events about a workload that were not over at `since`, and what they were before.

        Of each, at every instant, the form counts that it had then (`core/event_history.py`); one
        that is cancelled now, until it was.
        """
        stored = list(self._all_from(floor_to(since, DAY)))
        changed = self._events.revisions([one.id for one in stored if one.revision > 1])
        forms = [form for one in stored for form in as_known(one, changed.get(one.id, ()))]
        acting = [form for form in forms if form.state is EventState.CONFIRMED]
        return EventIndex(acting).book(workload.name, workload.labels, workload.aliases)

    def _all_from(self, since: datetime) -> Iterator[PlannedEvent]:
        after = None
        while True:
            page = self._events.find(EventQuery(start=since, after=after, limit=_PAGE))
            yield from page
            if len(page) < _PAGE:
                return
            after = begins(page[-1]), page[-1].id
