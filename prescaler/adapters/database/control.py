"""Run-time control and the audit of who changed it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

import sqlalchemy as sa

from prescaler.adapters.database import tables as t
from prescaler.adapters.database.engine import Database
from prescaler.adapters.database.upserts import upsert
from prescaler.adapters.packing import control_from_json, control_to_json
from prescaler.core.control import Control, LastValid
from prescaler.core.errors import ChangedMeanwhile
from prescaler.core.records import ALL_ENTRIES, AuditEntry, AuditQuery


class DatabaseControl:
    """`ControlStore` on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> Mapping[UUID, Control]:
        """Every workload's control state."""
        return self._found(sa.true(), sa.true())

    def get(self, workload: UUID) -> Control:
        """One workload's control state."""
        mine = (t.control.c.workload_id == workload, t.last_valid.c.workload_id == workload)
        return self._found(*mine).get(workload, Control())

    def _found(
        self, of_control: sa.ColumnElement[bool], of_valid: sa.ColumnElement[bool]
    ) -> dict[UUID, Control]:
        c, v = t.control.c, t.last_valid.c
        query = sa.select(c.workload_id, c.revision, c.body).where(of_control)
        valid = sa.select(v.workload_id, v.value, v.at).where(of_valid)
        with self._database.read() as connection:
            found = {
                row.workload_id: replace(control_from_json(row.body), revision=row.revision)
                for row in connection.execute(query)
            }
            for row in connection.execute(valid):
                control = found.get(row.workload_id, Control())
                found[row.workload_id] = replace(control, last_valid=LastValid(row.value, row.at))
        return found

    def put(self, workload: UUID, control: Control, entry: AuditEntry | None) -> Control:
        """Store the state if its revision is still the stored one, with its audit entry."""
        following = replace(control, revision=control.revision + 1, last_valid=None)
        try:
            with self._database.write() as connection:
                if not _swap(connection, workload, control.revision, following):
                    raise _changed()
                if entry is not None:
                    connection.execute(sa.insert(t.audit).values(audit_columns(entry)))
        except sa.exc.IntegrityError as error:
            raise _changed() from error
        return replace(following, last_valid=control.last_valid)

    def put_last_valid(self, values: Mapping[UUID, LastValid]) -> None:
        """Remember the last values that rested on a forecast; no revision changes."""
        with self._database.write() as connection:
            for workload, last in values.items():
                body = {"value": last.value, "at": last.at}
                upsert(connection, t.last_valid, {"workload_id": workload}, body)


class DatabaseAudit:
    """`AuditStore` on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def recent(self, limit: int, query: AuditQuery = ALL_ENTRIES) -> Sequence[AuditEntry]:
        """The newest entries that are asked for, newest first."""
        c = t.audit.c
        columns = [c.id.label("number"), *(one for one in c if one.name != "id")]
        found = sa.select(*columns).where(*_asked(query)).order_by(c.at.desc(), c.id.desc())
        with self._database.read() as connection:
            rows = connection.execute(found.limit(limit)).mappings()
            return [AuditEntry(**row) for row in rows]


def _asked(query: AuditQuery) -> list[sa.ColumnElement[bool]]:
    c, text = t.audit.c, query.text.lower()
    searched = (c.author, c.action, c.subject, c.reason)
    mark = query.mark
    wanted = (
        c.at >= query.start if query.start is not None else None,
        c.at < query.end if query.end is not None else None,
        c.author == query.author if query.author is not None else None,
        c.subject == query.subject if query.subject is not None else None,
        sa.or_(*(sa.func.lower(one).contains(text, autoescape=True) for one in searched))
        if text
        else None,
        sa.or_(c.at < mark[0], sa.and_(c.at == mark[0], c.id < mark[1])) if mark else None,
    )
    return [one for one in wanted if one is not None]


def audit_columns(entry: AuditEntry) -> dict[str, object]:
    """An audit entry as column values."""
    return {column.name: getattr(entry, column.name) for column in t.audit.c if column.name != "id"}


def _swap(connection: sa.Connection, workload: UUID, revision: int, following: Control) -> bool:
    body = {"revision": following.revision, "body": control_to_json(following)}
    if revision == 0:
        connection.execute(sa.insert(t.control).values(workload_id=workload, **body))
        return True
    done = connection.execute(
        sa.update(t.control)
        .where(t.control.c.workload_id == workload, t.control.c.revision == revision)
        .values(**body)
    )
    return bool(done.rowcount)


def _changed() -> ChangedMeanwhile:
    return ChangedMeanwhile("somebody else changed this workload since you read it; read it again")
