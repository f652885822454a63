"""Take over what a calendar says: new events, changed ones, and those that are gone from it."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from prescaler.core.errors import (
    BadEvent,
    ChangedMeanwhile,
    FeedError,
    FeedNotUnderstood,
    StoreError,
)
from prescaler.core.event_book import last_end
from prescaler.core.event_records import (
    Complaint,
    EventWrite,
    FeedKey,
    FeedStatus,
    FoundEvent,
    FoundEvents,
)
from prescaler.core.planned import EventState, PlannedEvent
from prescaler.ports import EventStore
from prescaler.ports.events import EventSource, FeedStore
from prescaler.usecases.change_events import Planner, audit_entry, check_workloads


@dataclass(frozen=True)
class Feed:
    """A calendar that is taken over. vanish: whether what is gone from it is cancelled."""

    name: str
    source: EventSource
    vanish: bool = True
    allow_empty: bool = False
    author: str = ""


@dataclass(frozen=True)
class SyncPorts:
    """What taking over needs. workloads: the names that are configured."""

    events: EventStore
    feeds: FeedStore
    workloads: Collection[str]


@dataclass(frozen=True)
class SyncRecord:
    """What a fetch did. complaints: entries that could not be used; failure: why nothing was."""

    feed: str
    events: int = 0
    created: int = 0
    changed: int = 0
    cancelled: int = 0
    complaints: tuple[str, ...] = ()
    failure: FeedError | StoreError | ChangedMeanwhile | None = None


def sync_feed(feed: Feed, ports: SyncPorts, now: datetime) -> SyncRecord:
    """Fetch a calendar and take it over; a broken one leaves everything as it is.

    Where a person changes one of its events at that moment nothing is stored: the next time will.
    """
    try:
        record = sync_events(feed, feed.source.fetch(now), ports, now)
    except (FeedError, StoreError, ChangedMeanwhile) as failure:
        record = SyncRecord(feed.name, failure=failure)
    try:
        _note(record, ports, now)
    except StoreError as failure:
        return replace(record, failure=record.failure or failure)
    return record


@dataclass(frozen=True)
class FeedCheck:
    """What a calendar would give. problem, kind: why it gives nothing, None where it does."""

    feed: str
    events: int = 0
    complaints: tuple[str, ...] = ()
    problem: str | None = None
    kind: str | None = None


def check_feed(feed: Feed, workloads: Collection[str], now: datetime) -> FeedCheck:
    """Fetch a calendar and store nothing; failures become results."""
    try:
        found = _known_workloads(feed.source.fetch(now), workloads)
    except FeedError as error:
        return FeedCheck(feed.name, problem=str(error), kind=error.kind)
    texts = tuple(complaint.text for complaint in found.complaints)
    return FeedCheck(feed.name, len(found.events), texts)


def sync_events(feed: Feed, found: FoundEvents, ports: SyncPorts, now: datetime) -> SyncRecord:
    """Store what differs, as one transaction.

    An event that a person has changed is theirs and stays as it is. One that is gone from the
    calendar is cancelled, unless it has begun: many calendars drop what is under way or over.

    Raises:
        FeedNotUnderstood: suddenly empty, where events to come are known.
        StoreError: nothing was stored.
    """
    found = _known_workloads(found, ports.workloads)
    known = ports.events.of_feed(feed.name)
    _check_not_emptied(feed, found, known.values(), now)
    author = Planner(feed.author or f"feed {feed.name}")
    writes = [
        *news(found.events, known, author, now),
        *(_gone(found, known, author, now) if feed.vanish else ()),
    ]
    ports.events.write(writes)
    return SyncRecord(
        feed.name,
        events=len(found.events),
        created=sum(w.event.revision == 0 for w in writes),
        changed=sum(_is_change(w) for w in writes),
        cancelled=sum(w.entry.action == "cancel event" for w in writes),
        complaints=tuple(complaint.text for complaint in found.complaints),
    )


def _is_change(write: EventWrite) -> bool:
    return write.entry.action == "change event"


def _known_workloads(found: FoundEvents, workloads: Collection[str]) -> FoundEvents:
    kept, complaints = [], list(found.complaints)
    for one in found.events:
        try:
            check_workloads(one.event, workloads)
        except BadEvent as error:
            complaints.append(Complaint(one.key, f"{one.event.name[:60]}: {error}"))
        else:
            kept.append(one)
    return FoundEvents(tuple(kept), tuple(complaints))


def _check_not_emptied(
    feed: Feed, found: FoundEvents, known: Collection[PlannedEvent], now: datetime
) -> None:
    if found.events or feed.allow_empty or not feed.vanish:
        return
    ahead = sum(_may_vanish(event, now) for event in known)
    if ahead:
        raise FeedNotUnderstood(
            f"{feed.name}: gives no event at all, where {ahead} to come are known; they stay. "
            "Set `allow_empty: true` if that is meant, or cancel them"
        )


def news(
    found: Collection[FoundEvent],
    known: Mapping[FeedKey, PlannedEvent],
    author: Planner,
    now: datetime,
) -> Iterator[EventWrite]:
    """What is new or differs; what a person has changed since is theirs."""
    for one in found:
        before = known.get(one.key)
        if before is None:
            entry = audit_entry("create event", None, one.event, now, author)
            yield EventWrite(one.event, entry, one.key)
            continue
        after = replace(one.event, id=before.id, revision=before.revision)
        if before.source == after.source and before != after:
            yield EventWrite(
                after, audit_entry("change event", before, after, now, author), one.key
            )


def _gone(
    found: FoundEvents, known: Mapping[FeedKey, PlannedEvent], author: Planner, now: datetime
) -> Iterator[EventWrite]:
    """What is no longer there. An entry that could not be read is there, whatever it says."""
    there = {one.key for one in found.events}
    unreadable = {(c.key.feed, c.key.uid) for c in found.complaints if c.key is not None}
    if any(complaint.key is None for complaint in found.complaints):
        return
    for key, before in known.items():
        if key in there or (key.feed, key.uid) in unreadable:
            continue
        if _may_vanish(before, now):
            after = replace(before, state=EventState.CANCELLED)
            why = replace(author, reason="gone from the calendar")
            yield EventWrite(after, audit_entry("cancel event", before, after, now, why), key)


def _may_vanish(event: PlannedEvent, now: datetime) -> bool:
    """Whether an event is still the feed's own, and to come."""
    if event.state is EventState.CANCELLED or event.source == "api":
        return False
    if event.rule is None:
        return event.start > now
    over = last_end(event)
    return over is None or over > now


def _note(record: SyncRecord, ports: SyncPorts, now: datetime) -> None:
    before = ports.feeds.all().get(record.feed)
    failed = record.failure is not None
    ports.feeds.note(
        FeedStatus(
            name=record.feed,
            at=now,
            good_at=(before.good_at if before else None) if failed else now,
            error=str(record.failure) if failed else None,
            events=(before.events if before else 0) if failed else record.events,
            warnings=record.complaints[:20],
        )
    )
