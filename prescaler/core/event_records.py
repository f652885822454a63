"""What is stored and asked around planned events: where they came from, who wrote them, when."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from prescaler.core.planned import EventState, PlannedEvent
from prescaler.core.records import AuditEntry


@dataclass(frozen=True, order=True)
class FeedKey:
    """Who an event is in its feed. recurrence: the moved occurrence's own start, "" = the event."""

    feed: str
    uid: str
    recurrence: str = ""


@dataclass(frozen=True)
class EventWrite:
    """One event to be stored with its audit entry. event.revision: what was read, 0 = new."""

    event: PlannedEvent
    entry: AuditEntry
    key: FeedKey | None = None


@dataclass(frozen=True)
class EventQuery:
    """Which stored events: those that may touch [start, end), by kind and state.

    after: start and id of the last one of the page before.
    """

    start: datetime | None = None
    end: datetime | None = None
    kind: str | None = None
    state: EventState | None = None
    after: tuple[datetime, UUID] | None = None
    limit: int = 100


@dataclass(frozen=True)
class FeedStatus:
    """How the newest fetch of a feed went. good_at: when it last gave a calendar."""

    name: str
    at: datetime
    good_at: datetime | None
    error: str | None
    events: int
    warnings: tuple[str, ...] = ()
