"""One evening of a repeating event moves; the others stay."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from prescaler.adapters.memory_events import MemoryEvents
from prescaler.core.errors import BadEvent, ChangedMeanwhile, NotAllowed
from prescaler.core.event_book import occurrences
from prescaler.core.event_records import EventQuery
from prescaler.core.event_text import to_plain
from prescaler.core.planned import EventState, PlannedEvent
from prescaler.core.records import AuditEntry
from prescaler.usecases.change_events import (
    EventPorts,
    Move,
    Planner,
    change_event,
    move_occurrence,
    plan_event,
    read_event,
)
from tests.support.fakes import SetClock

TUESDAY = datetime(2026, 11, 24, 20, tzinfo=UTC)
WEEK = timedelta(weeks=1)
ADA = Planner("ada", "the stadium is taken")
LEAGUE = {
    "name": "League night",
    "kind": "football",
    "start": "2026-11-24T21:00:00+01:00",
    "end": "2026-11-24T23:00:00+01:00",
    "timezone": "Europe/Paris",
    "workloads": ["web"],
    "factor": 2.5,
    "rule": "FREQ=WEEKLY;COUNT=4",
    "labels": {"stage": "league"},
}


class Calendar:
    """A calendar in memory with one event that repeats."""

    def __init__(self) -> None:
        self.audit: list[AuditEntry] = []
        self.events = MemoryEvents(self.audit)
        self.ports = EventPorts(SetClock(TUESDAY - WEEK), self.events, {"web"})
        self.event = plan_event(LEAGUE, Planner("ada"), self.ports)

    def starts(self) -> list[datetime]:
        stored = self.events.find(EventQuery())
        found = [o for e in stored for o in occurrences(e, TUESDAY - WEEK, TUESDAY + 9 * WEEK)]
        return sorted(o.start for o in found)


@pytest.mark.parametrize("number", range(4))
def test_any_time_of_it_can_move(number: int) -> None:
    calendar, day = Calendar(), timedelta(days=1)
    was = [TUESDAY + n * WEEK for n in range(4)]
    assert calendar.starts() == was

    done = move_occurrence(
        calendar.event.id, Move(was[number], was[number] + day), ADA, calendar.ports
    )

    assert calendar.starts() == sorted({*was, was[number] + day} - {was[number]})
    single = done.single
    assert (single.start, single.end) == (
        was[number] + day,
        was[number] + day + timedelta(hours=2),
    )
    assert (single.rule, single.exceptions, single.source) == (None, frozenset(), "api")
    assert single.effect == calendar.event.effect
    assert single.known_from == TUESDAY - WEEK, "when it was moved"
    assert (single.kind, single.labels) == ("football", {"stage": "league"})
    assert done.series.revision == 2


def test_both_changes_stand_in_the_audit() -> None:
    calendar = Calendar()
    done = move_occurrence(
        calendar.event.id, Move(TUESDAY + WEEK, TUESDAY + WEEK / 2), ADA, calendar.ports
    )

    series, single = calendar.audit[1:]

    assert (series.action, series.subject) == ("move occurrence", f"event {calendar.event.id}")
    assert (single.action, single.subject) == ("create event", f"event {done.single.id}")
    assert {entry.reason for entry in (series, single)} == {"the stadium is taken"}
    assert json.loads(series.before or "")["exceptions"] == []
    assert json.loads(series.after or "")["exceptions"] == ["2026-12-01T20:00:00Z"]


def test_what_does_not_take_place_cannot_move() -> None:
    calendar = Calendar()
    once = plan_event({**LEAGUE, "rule": None}, Planner("ada"), calendar.ports)
    later = TUESDAY + WEEK

    def tried(identity: UUID, *times: datetime) -> str:
        with pytest.raises(BadEvent) as caught:
            move_occurrence(identity, Move(*times), ADA, calendar.ports)
        return str(caught.value)

    assert "takes place once" in tried(once.id, TUESDAY, later)
    assert "none starts at 2026-11-24T20:01:00Z" in tried(
        calendar.event.id, TUESDAY + timedelta(minutes=1), later
    )
    assert "none starts at" in tried(calendar.event.id, TUESDAY + 4 * WEEK, later)
    assert "end: must lie behind the start" in tried(calendar.event.id, TUESDAY, later, later)
    assert calendar.starts() == sorted([TUESDAY, *(TUESDAY + n * WEEK for n in range(4))])
    move_occurrence(calendar.event.id, Move(TUESDAY, later), ADA, calendar.ports)
    assert "none starts at" in tried(calendar.event.id, TUESDAY, later)


def test_whoever_was_slower_changes_nothing() -> None:
    calendar = Calendar()
    identity, seen = calendar.event.id, calendar.event.revision
    change_event(identity, {**LEAGUE, "factor": 3}, Planner("grace"), calendar.ports)
    late = replace(ADA, revision=seen)

    with pytest.raises(ChangedMeanwhile):
        move_occurrence(identity, Move(TUESDAY, TUESDAY + WEEK / 2), late, calendar.ports)

    assert len(calendar.starts()) == 4
    assert len(calendar.audit) == 2


def test_a_person_who_may_not_touch_it_moves_nothing() -> None:
    calendar = Calendar()

    def never(_: PlannedEvent) -> None:
        raise NotAllowed("not yours")

    with pytest.raises(NotAllowed):
        move_occurrence(
            calendar.event.id,
            Move(TUESDAY, TUESDAY + WEEK / 2),
            replace(ADA, may=never),
            calendar.ports,
        )
    assert len(calendar.starts()) == 4


def test_of_a_full_list_of_exceptions_nothing_more_is_taken_out() -> None:
    calendar = Calendar()
    many = [
        (TUESDAY + timedelta(days=n)).isoformat().replace("+00:00", "Z") for n in range(2, 1002)
    ]
    full = {**LEAGUE, "rule": "FREQ=YEARLY", "exceptions": many}
    event = plan_event(full, Planner("ada"), calendar.ports)

    with pytest.raises(BadEvent, match="exceptions: write a list of at most 1000"):
        move_occurrence(event.id, Move(TUESDAY, TUESDAY + WEEK / 2), ADA, calendar.ports)

    assert calendar.events.get(event.id).state is EventState.CONFIRMED


def change(calendar: Calendar, **changes: object) -> None:
    stored = calendar.events.get(calendar.event.id)
    plain = {k: v for k, v in to_plain(stored).items() if k in LEAGUE or k == "exceptions"}
    change_event(calendar.event.id, {**plain, **changes}, ADA, calendar.ports)


@pytest.mark.parametrize("minutes", [-30, 45, 180])
def test_an_evening_that_was_taken_out_stays_out_when_the_kick_off_moves(minutes: int) -> None:
    """180: into the next day."""
    calendar, by = Calendar(), timedelta(minutes=minutes)
    change(calendar, exceptions=[(TUESDAY + WEEK).isoformat()])

    start = TUESDAY + by
    change(calendar, start=start.isoformat(), end=(start + timedelta(hours=2)).isoformat())

    assert calendar.starts() == [TUESDAY + n * WEEK + by for n in (0, 2, 3)]


def test_a_series_that_moves_over_a_change_of_clocks_keeps_what_is_out() -> None:
    calendar = Calendar()
    april = datetime(2027, 4, 6, 19, tzinfo=UTC)  # 21:00 in Paris, in summer
    change(calendar, rule="FREQ=WEEKLY;COUNT=30", exceptions=[april.isoformat()])

    change(calendar, start="2026-11-24T20:30:00+01:00", end="2026-11-24T22:30:00+01:00")

    stored = calendar.events.get(calendar.event.id)
    assert stored.exceptions == {april - timedelta(minutes=30)}


def test_exceptions_that_are_written_anew_are_left_as_they_are() -> None:
    calendar = Calendar()
    change(calendar, exceptions=[(TUESDAY + WEEK).isoformat()])
    new = TUESDAY + timedelta(minutes=30)

    change(
        calendar,
        start=new.isoformat(),
        end=(new + timedelta(hours=2)).isoformat(),
        exceptions=[(new + 2 * WEEK).isoformat()],
    )

    assert calendar.starts() == [new + n * WEEK for n in (0, 1, 3)]


def test_of_an_event_that_repeats_no_more_nothing_is_moved() -> None:
    calendar = Calendar()
    change(calendar, exceptions=[(TUESDAY + WEEK).isoformat()])

    change(calendar, rule=None)

    assert calendar.events.get(calendar.event.id).exceptions == {TUESDAY + WEEK}


def test_a_look_at_a_change_shows_what_stays_out_and_of_an_unknown_event_what_is_written() -> None:
    calendar = Calendar()
    change(calendar, exceptions=[(TUESDAY + WEEK).isoformat()])
    later = {"start": "2026-11-24T21:30:00+01:00", "end": "2026-11-24T23:30:00+01:00"}
    written = {**LEAGUE, **later, "exceptions": [(TUESDAY + WEEK).isoformat()]}

    known = read_event(written, calendar.ports, identity=calendar.event.id)
    unknown = read_event(written, calendar.ports, identity=UUID(int=1))

    assert known.exceptions == {TUESDAY + WEEK + timedelta(minutes=30)}
    assert unknown.exceptions == {TUESDAY + WEEK}
