"""Planned events in memory: for previews, replays, and tests that need no database."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from prescaler.core.errors import BadEvent, ChangedMeanwhile, StoreDamaged, UnknownEvent
from prescaler.core.event_book import begins, last_end
from prescaler.core.event_history import Revision, revisions_of
from prescaler.core.event_records import EventQuery, EventWrite, FeedKey, FeedStatus, subject_of
from prescaler.core.planned import EventState, PlannedEvent
from prescaler.core.records import AuditEntry


class MemoryEvents:
    """`EventStore` in memory; audit entries go into the list that it is given."""

    def __init__(self, entries: list[AuditEntry] | None = None) -> None:
        self._events: dict[UUID, PlannedEvent] = {}
        self._keys: dict[FeedKey, UUID] = {}
        self._entries = entries if entries is not None else []
        self._revision = 0

    def revision(self) -> int:
        """Moves whenever any event is changed or forgotten."""
        return self._revision

    def get(self, identity: UUID) -> PlannedEvent:
        """One event."""
        if identity not in self._events:
            raise UnknownEvent(f"no event {identity} is stored")
        return self._events[identity]

    def find(self, query: EventQuery) -> Sequence[PlannedEvent]:
        """Events by start and id."""
        return [event for event in self._sorted() if _asked(event, query)][: query.limit]

    def acting_from(self, instant: datetime) -> Sequence[PlannedEvent]:
        """Confirmed events that are not over for good at an instant."""
        found = self._sorted()
        return [e for e in found if e.state is EventState.CONFIRMED and _lasts(e, instant)]

    def revisions(self, identities: Collection[UUID]) -> Mapping[UUID, Sequence[Revision]]:
        """What these events were, oldest form first."""
        found = {}
        for identity in identities:
            its = [e for e in self._entries if e.subject == subject_of(identity)]
            try:
                found[identity] = revisions_of(sorted(its, key=lambda entry: entry.at))
            except BadEvent as error:
                raise StoreDamaged(f"the history of the event {identity}: {error}") from error
        return {identity: its for identity, its in found.items() if its}

    def of_feed(self, feed: str) -> Mapping[FeedKey, PlannedEvent]:
        """What came from a feed, cancelled events included."""
        return {key: self._events[i] for key, i in self._keys.items() if key.feed == feed}

    def write(self, writes: Sequence[EventWrite]) -> Sequence[PlannedEvent]:
        """Store all of them or none."""
        for write in writes:
            self._check(write)
        done = [replace(w.event, revision=w.event.revision + 1) for w in writes]
        for write, event in zip(writes, done, strict=True):
            self._events[event.id] = event
            if write.key is not None:
                self._keys[write.key] = event.id
            self._entries.append(write.entry)
        self._revision += bool(done)
        return done

    def forget(self, before: datetime, entry: AuditEntry) -> int:
        """Remove events that were over for good before an instant."""
        gone = {e.id for e in self._events.values() if not _lasts(e, before)}
        self._events = {i: e for i, e in self._events.items() if i not in gone}
        self._keys = {key: i for key, i in self._keys.items() if i not in gone}
        if gone:
            self._revision += 1
            self._entries.append(entry)
        return len(gone)

    def _sorted(self) -> list[PlannedEvent]:
        return sorted(self._events.values(), key=_place)

    def _check(self, write: EventWrite) -> None:
        known = self._events.get(write.event.id)
        if known is None and write.event.revision:
            raise UnknownEvent(f"no event {write.event.id} is stored")
        taken = (
            write.key is not None and self._keys.get(write.key, write.event.id) != write.event.id
        )
        if taken or (known.revision if known else 0) != write.event.revision:
            raise ChangedMeanwhile(
                "somebody else changed the event since you read it; read it again"
            )


class MemoryFeeds:
    """`FeedStore` in memory."""

    def __init__(self) -> None:
        self._statuses: dict[str, FeedStatus] = {}

    def all(self) -> Mapping[str, FeedStatus]:
        """The newest fetch of every feed, by name."""
        return dict(self._statuses)

    def note(self, status: FeedStatus) -> None:
        """Replace what is known of a feed."""
        self._statuses[status.name] = status


def _place(event: PlannedEvent) -> tuple[datetime, UUID]:
    return begins(event), event.id


def _lasts(event: PlannedEvent, instant: datetime) -> bool:
    over = last_end(event)
    return over is None or over > instant


def _asked(event: PlannedEvent, query: EventQuery) -> bool:
    return (
        (query.start is None or _lasts(event, query.start))
        and (query.end is None or _place(event)[0] < query.end)
        and (query.kind is None or event.kind == query.kind)
        and (query.state is None or event.state is query.state)
        and (query.after is None or _place(event) > query.after)
    )
