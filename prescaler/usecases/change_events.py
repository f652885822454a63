"""People plan events: every change is checked, audited, and lost by nobody."""

import difflib
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from prescaler.core.errors import BadEvent, BadEvents, BadParameter, ChangedMeanwhile, UnknownEvent
from prescaler.core.event_book import exceptions_moved, last_end, occurrences
from prescaler.core.event_records import EventWrite, subject_of
from prescaler.core.event_text import from_plain, to_plain
from prescaler.core.instants import format_instant
from prescaler.core.planned import EventState, PlannedEvent
from prescaler.core.records import AuditEntry, storable_text
from prescaler.ports import Clock, EventStore

MOST_AT_ONCE: Final = 10_000
_MOST_COMPLAINTS: Final = 100
_LONGEST_REASON: Final = 2000


def _anything(_: PlannedEvent) -> None:
    """Whoever has the database may plan everything."""


@dataclass(frozen=True)
class Planner:
    """Who plans, and why. may: refuses events that are not this person's to touch.

    revision: what the person had read, None = whatever it is.
    """

    author: str
    reason: str = ""
    revision: int | None = None
    may: Callable[[PlannedEvent], None] = _anything


@dataclass(frozen=True)
class EventPorts:
    """What a change of events needs. workloads: the names that are configured, aliases too."""

    clock: Clock
    events: EventStore
    workloads: Collection[str]


def read_event(plain: Any, ports: EventPorts, *, identity: UUID | None = None) -> PlannedEvent:
    """An event as somebody wrote it, fit to be stored, maybe in the place of one that is there.

    Times that were taken out of a series stay out where its start moves.

    Raises:
        BadEvent: naming every field that is wrong; also a workload that is not configured.
    """
    event = from_plain(plain, identity or uuid4())
    check_workloads(event, ports.workloads)
    if identity is None:
        return event
    try:
        before = ports.events.get(identity)
    except UnknownEvent:
        return event
    return replace(event, exceptions=exceptions_moved(before, event))


def check_workloads(event: PlannedEvent, known: Collection[str]) -> None:
    """Refuse names that no workload has: the event would do nothing, in silence."""
    unknown = sorted(event.selection.names - set(known))
    if unknown:
        near = difflib.get_close_matches(unknown[0], list(known), 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        names = ", ".join(repr(name[:60]) for name in unknown[:10])
        raise BadEvent(f"workloads: no workload {names} is configured{hint}")


def plan_event(plain: Any, who: Planner, ports: EventPorts) -> PlannedEvent:
    """Store a new event."""
    event = read_event(plain, ports)
    who.may(event)
    return _write([_entry("create event", None, event, who, ports)], ports)[0]


def plan_events(many: Sequence[Any], who: Planner, ports: EventPorts) -> Sequence[PlannedEvent]:
    """Store many new events, all or none.

    Raises:
        BadEvents, NotAllowed
    """
    found = check_events(many, who, ports)
    return _write([_entry("create event", None, event, who, ports) for event in found], ports)


def check_events(many: Sequence[Any], who: Planner, ports: EventPorts) -> Sequence[PlannedEvent]:
    """Many new events as they would be stored; nothing is.

    Raises:
        BadEvents: each problem with its index.
    """
    if len(many) > MOST_AT_ONCE:
        raise BadParameter(f"{len(many)} events at once; at most {MOST_AT_ONCE}")
    found, complaints = [], []
    for number, plain in enumerate(many):
        try:
            found.append(read_event(plain, ports))
        except BadEvent as error:
            complaints.append((number, str(error)))
            if len(complaints) >= _MOST_COMPLAINTS:
                break
    if complaints:
        raise BadEvents(complaints)
    for event in found:
        who.may(event)
    return found


def change_event(identity: UUID, plain: Any, who: Planner, ports: EventPorts) -> PlannedEvent:
    """Replace an event. What came from a feed is this person's own from now on.

    Raises:
        UnknownEvent, BadEvent, ChangedMeanwhile
    """
    before = _read_before(identity, who, ports)
    after = replace(read_event(plain, ports, identity=identity), revision=before.revision)
    who.may(after)
    return _write([_entry("change event", before, after, who, ports)], ports)[0]


@dataclass(frozen=True)
class Move:
    """One time of a repeating event that takes place at another time.

    occurrence: its present start. end: None = it keeps its length.
    """

    occurrence: datetime
    start: datetime
    end: datetime | None = None


@dataclass(frozen=True)
class Moved:
    """What a move made: the event without that time, and that time as an event of its own."""

    series: PlannedEvent
    single: PlannedEvent


def moved(before: PlannedEvent, move: Move, identity: UUID) -> Moved:
    """What a move would make; nothing is stored.

    Raises:
        BadEvent: it does not repeat, nothing of it starts then, or the new times cannot be.
    """
    if before.rule is None:
        raise BadEvent("rule: the event takes place once; change its start and end")
    found = occurrences(before, move.occurrence, move.occurrence + timedelta(seconds=1))
    lasted = next((o for o in found if o.start == move.occurrence), None)
    if lasted is None:
        text = format_instant(move.occurrence)
        raise BadEvent(f"occurrence: none starts at {text}; `exceptions` lists those taken out")
    end = move.end if move.end is not None else move.start + (lasted.end - lasted.start)
    plain = to_plain(before)
    kept = [*plain["exceptions"], format_instant(move.occurrence)]
    series = from_plain({**plain, "exceptions": kept}, before.id)
    times = {"start": format_instant(move.start), "end": format_instant(end)}
    single = from_plain({**plain, **times, "rule": None, "exceptions": []}, identity)
    return Moved(replace(series, revision=before.revision), single)


def move_occurrence(identity: UUID, move: Move, who: Planner, ports: EventPorts) -> Moved:
    """Move one time of a repeating event; the others stay, and both changes come or neither.

    The new time is known from now on: a replay of the days before must not know of it.

    Raises:
        UnknownEvent, BadEvent, ChangedMeanwhile
    """
    before = _read_before(identity, who, ports)
    made = moved(before, move, uuid4())
    now, known = _now(ports), made.single.known_from
    single = replace(made.single, known_from=now if known is None else max(known, now))
    made = replace(made, single=single)
    who.may(made.single)
    writes = [
        _entry("move occurrence", before, made.series, who, ports),
        _entry("create event", None, made.single, who, ports),
    ]
    return Moved(*_write(writes, ports))


def cancel_event(identity: UUID, who: Planner, ports: EventPorts) -> PlannedEvent:
    """Cancel an event: it acts no more, and stays to be looked at."""
    before = _read_before(identity, who, ports)
    if before.state is EventState.CANCELLED:
        return before
    after = replace(before, state=EventState.CANCELLED, source="api")
    return _write([_entry("cancel event", before, after, who, ports)], ports)[0]


def cancel_source(source: str, who: Planner, ports: EventPorts) -> Sequence[PlannedEvent]:
    """Cancel everything of a feed (`feed:cup`) or an import (`import:cup`) that is not over.

    What a person has changed since is theirs, and stays.
    """
    now = _now(ports)
    writes = []
    for before in ports.events.of_feed(source.removeprefix("feed:")).values():
        over = last_end(before)
        mine = before.source == source and before.state is not EventState.CANCELLED
        if mine and (over is None or over > now):
            who.may(before)
            after = replace(before, state=EventState.CANCELLED)
            writes.append(_entry("cancel event", before, after, who, ports))
    return _write(writes, ports)


def clean_events(before: datetime, who: Planner, ports: EventPorts) -> int:
    """Forget events that were over for good before an instant; gives how many."""
    if before > ports.clock.now():
        raise BadParameter("only events that are over can be forgotten")
    text = f"events over before {format_instant(before)}"
    entry = AuditEntry(_now(ports), who.author, "forget events", text, who.reason, None, None)
    return ports.events.forget(before, entry)


def audit_entry(
    action: str,
    before: PlannedEvent | None,
    after: PlannedEvent,
    at: datetime,
    who: Planner,
) -> AuditEntry:
    """Who did what to an event, with all of it before and after."""
    return AuditEntry(
        at=at,
        author=who.author[:200],
        action=action,
        subject=subject_of(after.id),
        reason=who.reason,
        before=_text(before) if before else None,
        after=_text(after),
    )


def _read_before(identity: UUID, who: Planner, ports: EventPorts) -> PlannedEvent:
    before = ports.events.get(identity)
    who.may(before)
    if who.revision is not None and who.revision != before.revision:
        raise ChangedMeanwhile("somebody else changed this event since you read it; read it again")
    return before


def _entry(
    action: str,
    before: PlannedEvent | None,
    after: PlannedEvent,
    who: Planner,
    ports: EventPorts,
) -> EventWrite:
    check_reason(who)
    return EventWrite(after, audit_entry(action, before, after, _now(ports), who))


def check_reason(who: Planner) -> None:
    """Refuse a reason that no audit wants to hold."""
    if len(who.reason) > _LONGEST_REASON:
        raise BadParameter(f"a reason has at most {_LONGEST_REASON} characters")
    if not storable_text(who.reason):
        raise BadParameter("reason: contains a zero byte or half a character")


def _write(writes: Sequence[EventWrite], ports: EventPorts) -> Sequence[PlannedEvent]:
    return ports.events.write(writes)


def _now(ports: EventPorts) -> datetime:
    return ports.clock.now().replace(microsecond=0)


def _text(event: PlannedEvent) -> str:
    return json.dumps(to_plain(event), allow_nan=False)
