"""What past crowds taught, by history version."""

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa

from prescaler.adapters.database import tables as t
from prescaler.adapters.database.engine import Database
from prescaler.adapters.database.upserts import upsert
from prescaler.adapters.packed_uplift import pack_uplift, unpack_uplift
from prescaler.core.errors import StoreDamaged
from prescaler.core.records import HistoryVersion
from prescaler.core.uplift import UpliftModel


class DatabaseUplifts:
    """`UpliftStore` on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, version: HistoryVersion) -> UpliftModel | None:
        """What was learnt last; what cannot be read is learnt anew, not mourned."""
        query = sa.select(t.uplift_curve.c.payload).where(t.uplift_curve.c.version_id == version.id)
        with self._database.read() as connection:
            payload = connection.scalar(query)
        try:
            return unpack_uplift(payload) if payload is not None else None
        except StoreDamaged:
            return None

    def put(self, version: HistoryVersion, model: UpliftModel, at: datetime) -> None:
        """Replace what was learnt before."""
        values = {"learned_at": at, "payload": pack_uplift(model)}
        with self._database.write() as connection:
            upsert(connection, t.uplift_curve, {"version_id": version.id}, values)

    def learned(self) -> Mapping[int, datetime]:
        """When each version's was stored, by version id."""
        query = sa.select(t.uplift_curve.c.version_id, t.uplift_curve.c.learned_at)
        with self._database.read() as connection:
            return {row.version_id: row.learned_at for row in connection.execute(query)}
