"""Identities of workloads and versions of their history."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

import sqlalchemy as sa

from prescaler.adapters.database import tables as t
from prescaler.adapters.database.engine import Database
from prescaler.core.records import HistoryVersion, VersionInfo
from prescaler.core.workload import Workload


class DatabaseWorkloads:
    """`WorkloadStore` on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ensure(self, workload: Workload, now: datetime) -> HistoryVersion:
        """The current version; created, renamed from an alias, or opened anew as needed."""
        with self._database.read() as connection:
            found = _find(connection, workload)
        if found is not None:
            return found
        with self._database.write() as connection:
            self._database.alone(connection, "workloads")
            identity = _identity(connection, workload, now)
            return _find(connection, workload) or _open(connection, workload, identity, now)

    def versions(self, name: str) -> Sequence[VersionInfo]:
        """All versions of the history of a workload by its present name, oldest first."""
        query = (
            sa.select(t.history_version, t.workload.c.name)
            .join(t.workload, t.workload.c.id == t.history_version.c.workload_id)
            .where(t.workload.c.name == name)
            .order_by(t.history_version.c.number)
        )
        with self._database.read() as connection:
            return [
                VersionInfo(
                    HistoryVersion(row.id, row.workload_id, row.name, row.number, row.fingerprint),
                    row.query,
                    row.opened_at,
                )
                for row in connection.execute(query)
            ]

    def current(self) -> Sequence[HistoryVersion]:
        """The newest version of every workload that was ever ensured."""
        newest = (
            sa.select(t.history_version.c.workload_id, sa.func.max(t.history_version.c.number))
            .group_by(t.history_version.c.workload_id)
            .subquery()
        )
        query = (
            sa.select(t.history_version, t.workload.c.name)
            .join(t.workload, t.workload.c.id == t.history_version.c.workload_id)
            .join(
                newest,
                sa.and_(
                    newest.c[0] == t.history_version.c.workload_id,
                    newest.c[1] == t.history_version.c.number,
                ),
            )
        )
        with self._database.read() as connection:
            return [
                HistoryVersion(row.id, row.workload_id, row.name, row.number, row.fingerprint)
                for row in connection.execute(query)
            ]


def _find(connection: sa.Connection, workload: Workload) -> HistoryVersion | None:
    """The newest version, if the workload is known by its name and its query is the same."""
    row = connection.execute(
        sa.select(t.history_version)
        .join(t.workload)
        .where(t.workload.c.name == workload.name)
        .order_by(t.history_version.c.number.desc())
        .limit(1)
    ).first()
    if row is None or row.fingerprint != workload.fingerprint:
        return None
    return _version(workload, row.id, row.workload_id, row.number)


def _open(
    connection: sa.Connection, workload: Workload, identity: UUID, now: datetime
) -> HistoryVersion:
    """Open the next version of a workload's history."""
    number = 1 + (
        connection.scalar(
            sa.select(sa.func.max(t.history_version.c.number)).where(
                t.history_version.c.workload_id == identity
            )
        )
        or 0
    )
    key = connection.scalar(
        sa.insert(t.history_version)
        .values(
            workload_id=identity,
            number=number,
            fingerprint=workload.fingerprint,
            query=workload.demand.query,
            opened_at=now,
        )
        .returning(t.history_version.c.id)
    )
    return _version(workload, int(key or 0), identity, number)


def _version(workload: Workload, key: int, identity: UUID, number: int) -> HistoryVersion:
    return HistoryVersion(key, identity, workload.name, number, workload.fingerprint)


def _identity(connection: sa.Connection, workload: Workload, now: datetime) -> UUID:
    """The uuid of the workload: by name, else by an alias (which renames it), else a new one."""
    for name in (workload.name, *workload.aliases):
        query = sa.select(t.workload.c.id).where(t.workload.c.name == name)
        found: UUID | None = connection.scalar(query)
        if found is not None:
            connection.execute(
                sa.update(t.workload).where(t.workload.c.id == found).values(name=workload.name)
            )
            return found
    created = uuid4()
    connection.execute(sa.insert(t.workload).values(id=created, name=workload.name, created_at=now))
    return created
