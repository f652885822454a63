"""What is stored and asked around planned events: where they came from, who wrote them, when."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from prescaler.core.planned import EventState, PlannedEvent
from prescaler.core.records import AuditEntry


def subject_of(identity: UUID) -> str:
    """What the audit calls an event."""
    return f"event {identity}"


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


@dataclass(frozen=True)
class FoundEvent:
    """One entry of a calendar, as its feed knows it."""

    key: FeedKey
    event: PlannedEvent


@dataclass(frozen=True)
class Complaint:
    """An entry that could not be used; the event known under its key, if any, stays as it was."""

    key: FeedKey | None
    text: str


@dataclass(frozen=True)
class FoundEvents:
    """What a source of events gave."""

    events: tuple[FoundEvent, ...]
    complaints: tuple[Complaint, ...] = ()


@dataclass(frozen=True)
class FeedRules:
    """How a calendar is read. defaults: fields of every entry that does not say otherwise.

    zone: of times without an offset. length: of entries without an end. only: words of which an
    entry's name or category must contain one. obey: whether X-PRESCALER-* lines count.
    """

    name: str
    zone: ZoneInfo
    defaults: Mapping[str, Any] = field(default_factory=dict)
    length: timedelta | None = None
    only: tuple[str, ...] = ()
    obey: bool = False
    allow_empty: bool = False
    source: str = "feed"

    @property
    def feed(self) -> str:
        """Under which name its entries are known again: a file is never taken for a feed."""
        return self.name if self.source == "feed" else f"{self.source}:{self.name}"
