"""Calendars for use cases under test."""

from collections.abc import Sequence

from prescaler.adapters.memory_events import MemoryEvents
from prescaler.adapters.memory_uplifts import MemoryUplifts
from prescaler.core.event_records import EventWrite
from prescaler.core.planned import PlannedEvent
from prescaler.core.records import AuditEntry
from prescaler.usecases.crowd_lore import LorePorts
from prescaler.usecases.read_calendar import CalendarReader


def calendar(events: Sequence[PlannedEvent]) -> MemoryEvents:
    """A calendar with these events."""
    store = MemoryEvents()
    store.write([EventWrite(event, _entry(event)) for event in events])
    return store


def lore_ports(events: Sequence[PlannedEvent] = ()) -> LorePorts:
    """A calendar with these events, and nothing learnt yet."""
    return LorePorts(CalendarReader(calendar(events)), MemoryUplifts())


def _entry(event: PlannedEvent) -> AuditEntry:
    return AuditEntry(event.start, "test", "add event", event.name, "planned", None, None)
