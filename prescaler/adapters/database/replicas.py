"""Who serves: one row a process."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from prescaler.adapters.database import tables as t
from prescaler.adapters.database.engine import Database
from prescaler.adapters.database.upserts import upsert
from prescaler.core.replicas import Replica

_NAME, _ROLE, _VERSION = 200, 20, 50


class DatabaseReplicas:
    """`ReplicaStore` on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def beat(self, replica: Replica, forget_before: datetime) -> None:
        """Say that one is there; forget those last seen before an instant."""
        values = {
            "name": replica.name[:_NAME],
            "role": replica.role[:_ROLE],
            "version": replica.version[:_VERSION],
            "started_at": replica.started_at,
            "seen_at": replica.seen_at,
        }
        with self._database.write() as connection:
            upsert(connection, t.replica, {"id": replica.id}, values)
            connection.execute(sa.delete(t.replica).where(t.replica.c.seen_at < forget_before))

    def leave(self, replica: UUID) -> None:
        """One ends as it should."""
        with self._database.write() as connection:
            connection.execute(sa.delete(t.replica).where(t.replica.c.id == replica))

    def all(self) -> Sequence[Replica]:
        """Everybody who has not left and is not forgotten."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(t.replica)).mappings().all()
        return [Replica(**row) for row in rows]
