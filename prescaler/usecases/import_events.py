"""Take in a file of events: all of them or none, and a second time only what has changed."""

from collections.abc import Sequence
from dataclasses import dataclass

from prescaler.core.errors import BadEvent, BadEvents
from prescaler.core.event_records import EventWrite, FoundEvents
from prescaler.core.planned import PlannedEvent
from prescaler.usecases.change_events import EventPorts, Planner, check_reason, check_workloads
from prescaler.usecases.sync_events import news


@dataclass(frozen=True)
class ImportRecord:
    """What an import did, or would do: `created` and `changed` as stored, `same` untouched.

    same: how many entries were in the store already, or have been changed by a person since.
    """

    created: tuple[PlannedEvent, ...]
    changed: tuple[PlannedEvent, ...]
    same: int


def import_events(
    feed: str, found: FoundEvents, who: Planner, ports: EventPorts, *, dry_run: bool = False
) -> ImportRecord:
    """Store what a file says, all or none; dry_run stores nothing.

    feed: the name that the entries' keys carry, under which they are known again.

    Raises:
        BadEvents: an entry that cannot be used; nothing was stored.
        NotAllowed: an event that is not this person's to plan, or to change.
    """
    check_reason(who)
    complaints = [(None, one.text) for one in found.complaints]
    for one in found.events:
        try:
            check_workloads(one.event, ports.workloads)
        except BadEvent as error:
            complaints.append((None, f"{one.event.name[:60]}: {error}"))
    if complaints:
        raise BadEvents(complaints)
    known = ports.events.of_feed(feed)
    writes = list(news(found.events, known, who, ports.clock.now().replace(microsecond=0)))
    for write in writes:
        who.may(write.event)
        before = known.get(write.key) if write.key is not None else None
        if before is not None:
            who.may(before)
    stored = [write.event for write in writes] if dry_run else ports.events.write(writes)
    return _record(writes, stored, len(found.events))


def _record(
    writes: Sequence[EventWrite], stored: Sequence[PlannedEvent], entries: int
) -> ImportRecord:
    new = [write.event.revision == 0 for write in writes]
    return ImportRecord(
        tuple(event for event, fresh in zip(stored, new, strict=True) if fresh),
        tuple(event for event, fresh in zip(stored, new, strict=True) if not fresh),
        entries - len(writes),
    )
