"""Planned events and their feeds."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

import sqlalchemy as sa

from prescaler.adapters.database import tables as t
from prescaler.adapters.database.control import audit_columns
from prescaler.adapters.database.engine import Database
from prescaler.adapters.database.upserts import upsert
from prescaler.core.errors import BadEvent, ChangedMeanwhile, StoreDamaged, UnknownEvent
from prescaler.core.event_book import begins, last_end
from prescaler.core.event_history import Revision, revisions_of
from prescaler.core.event_records import EventQuery, EventWrite, FeedKey, FeedStatus, subject_of
from prescaler.core.event_text import from_stored, to_plain
from prescaler.core.planned import EventState, PlannedEvent
from prescaler.core.records import AuditEntry

_EVENT = (t.event.c.id, t.event.c.revision, t.event.c.body)
_ONE_ROW = 1
_SUBJECTS_AT_ONCE: Final = 500
_ENTRY = [column for column in t.audit.c if column.name != "id"]


class DatabaseEvents:
    """`EventStore` on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def revision(self) -> int:
        """Moves whenever any event is changed or forgotten."""
        with self._database.read() as connection:
            return connection.scalar(sa.select(t.calendar.c.revision)) or 0

    def get(self, identity: UUID) -> PlannedEvent:
        """One event."""
        with self._database.read() as connection:
            row = connection.execute(sa.select(*_EVENT).where(t.event.c.id == identity)).first()
        if row is None:
            raise unknown(identity)
        return _event(row)

    def find(self, query: EventQuery) -> Sequence[PlannedEvent]:
        """Events by start and id."""
        asked = sa.select(*_EVENT).order_by(t.event.c.starts_at, t.event.c.id).limit(query.limit)
        if query.start is not None:
            over = t.event.c.over_at
            asked = asked.where(sa.or_(over.is_(None), over > query.start))
        if query.end is not None:
            asked = asked.where(t.event.c.starts_at < query.end)
        if query.kind is not None:
            asked = asked.where(t.event.c.kind == query.kind)
        if query.state is not None:
            asked = asked.where(t.event.c.state == query.state.value)
        if query.after is not None:
            start, identity = query.after
            later = sa.and_(t.event.c.starts_at == start, t.event.c.id > identity)
            asked = asked.where(sa.or_(t.event.c.starts_at > start, later))
        return self._all(asked)

    def acting_from(self, instant: datetime) -> Sequence[PlannedEvent]:
        """Confirmed events that are not over for good at an instant."""
        over = t.event.c.over_at
        return self._all(
            sa.select(*_EVENT)
            .where(t.event.c.state == EventState.CONFIRMED.value)
            .where(sa.or_(over.is_(None), over > instant))
            .order_by(t.event.c.starts_at, t.event.c.id)
        )

    def revisions(self, identities: Collection[UUID]) -> Mapping[UUID, Sequence[Revision]]:
        """What these events were, oldest form first, as far back as the audit is kept."""
        wanted = {subject_of(identity): identity for identity in identities}
        entries: dict[str, list[AuditEntry]] = {}
        with self._database.read() as connection:
            for some in _pieces(list(wanted)):
                query = sa.select(*_ENTRY).where(t.audit.c.subject.in_(some))
                ordered = query.order_by(t.audit.c.at, t.audit.c.id)
                for row in connection.execute(ordered).mappings():
                    entries.setdefault(row["subject"], []).append(AuditEntry(**row))
        return {wanted[subject]: _revisions(subject, its) for subject, its in entries.items()}

    def of_feed(self, feed: str) -> Mapping[FeedKey, PlannedEvent]:
        """What came from a feed, cancelled events included."""
        query = sa.select(*_EVENT, t.event.c.uid, t.event.c.recurrence)
        with self._database.read() as connection:
            rows = connection.execute(query.where(t.event.c.feed == feed)).all()
        return {FeedKey(feed, row.uid, row.recurrence): _event(row) for row in rows}

    def write(self, writes: Sequence[EventWrite]) -> Sequence[PlannedEvent]:
        """Store all of them or none."""
        if not writes:
            return []
        created = [_columns(write) for write in writes if write.event.revision == 0]
        try:
            with self._database.write() as connection:
                self._count_change(connection)
                for write in writes:
                    if write.event.revision:
                        _swap(connection, write)
                if created:
                    connection.execute(sa.insert(t.event), created)
                entries = [audit_columns(write.entry) for write in writes]
                connection.execute(sa.insert(t.audit), entries)
        except sa.exc.IntegrityError as error:
            raise _changed("one of the events") from error
        return [replace(w.event, revision=w.event.revision + 1) for w in writes]

    def forget(self, before: datetime, entry: AuditEntry) -> int:
        """Remove events that were over for good before an instant."""
        with self._database.write() as connection:
            done = connection.execute(sa.delete(t.event).where(t.event.c.over_at <= before))
            if done.rowcount:
                self._count_change(connection)
                connection.execute(sa.insert(t.audit).values(audit_columns(entry)))
            return done.rowcount

    def _all(self, query: sa.Select[Any]) -> list[PlannedEvent]:
        with self._database.read() as connection:
            return [_event(row) for row in connection.execute(query).all()]

    def _count_change(self, connection: sa.Connection) -> None:
        """Also makes writers wait for each other, so that the count never stands still."""
        following = {"revision": t.calendar.c.revision + 1}
        connection.execute(
            sa.update(t.calendar).where(t.calendar.c.id == _ONE_ROW).values(following)
        )


class DatabaseFeeds:
    """`FeedStore` on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> Mapping[str, FeedStatus]:
        """The newest fetch of every feed, by name."""
        names = ("name", "at", "good_at", "error", "events", "warnings")
        query = sa.select(*(t.feed.c[name] for name in names))
        with self._database.read() as connection:
            rows = connection.execute(query).mappings().all()
        return {
            row["name"]: FeedStatus(**{**row, "warnings": tuple(row["warnings"])}) for row in rows
        }

    def note(self, status: FeedStatus) -> None:
        """Replace what is known of a feed."""
        values = {**vars(status), "warnings": list(status.warnings)}
        name = values.pop("name")
        with self._database.write() as connection:
            known = connection.scalar(sa.select(t.feed.c.id).where(t.feed.c.name == name))
            upsert(connection, t.feed, {"name": name}, {"id": known or uuid4(), **values})


def unknown(identity: UUID) -> UnknownEvent:
    """The error for an id that is not stored."""
    return UnknownEvent(f"no event {identity} is stored")


def _event(row: Any) -> PlannedEvent:
    try:
        return from_stored(row.body, row.revision)
    except BadEvent as error:
        raise StoreDamaged(f"the stored event {row.id} cannot be read back: {error}") from error


def _pieces(subjects: list[str]) -> Iterator[list[str]]:
    for first in range(0, len(subjects), _SUBJECTS_AT_ONCE):
        yield subjects[first : first + _SUBJECTS_AT_ONCE]


def _revisions(subject: str, entries: list[AuditEntry]) -> list[Revision]:
    try:
        return revisions_of(entries)
    except BadEvent as error:
        raise StoreDamaged(f"the history of the {subject} cannot be read back: {error}") from error


def _columns(write: EventWrite) -> dict[str, Any]:
    event, key = write.event, write.key
    return {
        "id": event.id,
        "revision": event.revision + 1,
        "kind": event.kind,
        "state": event.state.value,
        "starts_at": begins(event),
        "over_at": last_end(event),
        "feed": key.feed if key else None,
        "uid": key.uid if key else None,
        "recurrence": key.recurrence if key else None,
        "body": to_plain(event),
    }


def _swap(connection: sa.Connection, write: EventWrite) -> None:
    event = write.event
    columns = {
        k: v for k, v in _columns(write).items() if k not in ("id", "feed", "uid", "recurrence")
    }
    mine = sa.and_(t.event.c.id == event.id, t.event.c.revision == event.revision)
    if connection.execute(sa.update(t.event).where(mine).values(columns)).rowcount:
        return
    if connection.scalar(sa.select(t.event.c.id).where(t.event.c.id == event.id)) is None:
        raise unknown(event.id)
    raise _changed(f"the event {event.name!r}")


def _changed(what: str) -> ChangedMeanwhile:
    return ChangedMeanwhile(f"somebody else changed {what} since you read it; read it again")
