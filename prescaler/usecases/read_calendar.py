"""The planned events of a workload, read again only where the calendar has changed."""

from datetime import datetime

from prescaler.core.calendar import DAY
from prescaler.core.event_book import EventBook, EventIndex
from prescaler.core.instants import floor_to
from prescaler.core.workload import Workload
from prescaler.ports import EventStore


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
