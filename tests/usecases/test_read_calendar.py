"""The calendar of a workload, as it is and as it was told."""

from datetime import datetime, timedelta

import pytest

from prescaler.adapters.memory_events import MemoryEvents
from prescaler.core.planned import PlannedEvent
from prescaler.core.records import AuditEntry
from prescaler.usecases import read_calendar
from prescaler.usecases.change_events import (
    EventPorts,
    Planner,
    cancel_event,
    change_event,
    plan_event,
)
from prescaler.usecases.read_calendar import CalendarReader
from tests.support.builders import DAY, MONDAY, policy, workload
from tests.support.fakes import SetClock

HOUR = timedelta(hours=1)
ADA = Planner("ada")
NIGHT = {
    "name": "night",
    "start": "2026-11-27T20:00:00Z",
    "end": "2026-11-27T22:00:00Z",
    "workloads": ["web"],
    "factor": 2.0,
}


class Calendar:
    """A calendar in memory, and what of it was known when."""

    def __init__(self) -> None:
        self.entries: list[AuditEntry] = []
        self.clock = SetClock(MONDAY)
        self.events = MemoryEvents(self.entries)
        self.ports = EventPorts(self.clock, self.events, {"web", "api"})
        self.reader = CalendarReader(self.events)

    def known(self, at: datetime | None, name: str = "web") -> list[str]:
        """Names and first hours of what acted on a workload within two weeks."""
        book = self.reader.told(workload(name=name), MONDAY)
        found = book.effects(policy(), MONDAY, MONDAY + 14 * DAY, at)
        return [f"{one.name} {one.start:%d %H}" for one in found]

    def changed(self, event: PlannedEvent, **fields: object) -> PlannedEvent:
        """An hour later."""
        self.clock.move(HOUR)
        return change_event(event.id, {**NIGHT, **fields}, ADA, self.ports)


def test_of_each_event_the_form_counts_that_it_had_then() -> None:
    calendar = Calendar()
    event = plan_event(NIGHT, ADA, calendar.ports)
    calendar.changed(event, start="2026-11-27T18:00:00Z")
    calendar.changed(event, name="late night", start="2026-11-27T21:00:00Z")
    calendar.clock.move(HOUR)
    cancel_event(event.id, ADA, calendar.ports)

    seen = [calendar.known(MONDAY + n * HOUR) for n in range(-1, 5)]

    assert seen == [["night 27 20"]] * 2 + [["night 27 18"], ["late night 27 21"], [], []]
    assert calendar.known(None) == [], "in hindsight it was cancelled"
    assert calendar.reader.book(workload(), MONDAY).events == ()


def test_whom_an_event_was_about_counts_too() -> None:
    calendar = Calendar()
    event = plan_event(NIGHT, ADA, calendar.ports)
    calendar.changed(event, workloads=["api"])

    assert calendar.known(MONDAY) == ["night 27 20"]
    assert calendar.known(MONDAY, "api") == []
    assert calendar.known(MONDAY + HOUR) == []
    assert calendar.known(MONDAY + HOUR, "api") == ["night 27 20"]


def test_a_long_calendar_is_read_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_calendar, "_PAGE", 3)
    calendar = Calendar()
    for number in range(7):
        plan_event({**NIGHT, "name": f"night {number}"}, ADA, calendar.ports)

    assert len(calendar.known(None)) == 7
