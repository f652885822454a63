"""Connections: one transaction a unit of work, and every failure under its own name."""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url

from prescaler.core.errors import (
    ConfigurationError,
    StoreBusy,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreNotMigrated,
    StoreUnreachable,
)

_BUSY_SECONDS: Final = 10
_RESTORE: Final = "restore it, or move it away and begin anew by `prescaler db upgrade`"
_UPGRADE: Final = "run `prescaler db upgrade`"

_BY_SQLSTATE: Final[dict[str, tuple[type[StoreError], str]]] = {
    "53100": (StoreFull, "the database server has no space left; free some, nothing was lost"),
    "55P03": (StoreBusy, "a lock was not free in time; it will be tried again"),
    "57014": (StoreBusy, "the database cancelled a statement that took too long"),
    "40P01": (StoreBusy, "two transactions waited for each other; it will be tried again"),
    "42P01": (StoreNotMigrated, f"a table is missing: {_UPGRADE}"),
    "42703": (StoreNotMigrated, f"a column is missing: {_UPGRADE}"),
}
_BY_TEXT: Final[tuple[tuple[str, type[StoreError], str], ...]] = (
    ("database is locked", StoreBusy, "the database file is locked by another program"),
    ("database table is locked", StoreBusy, "the database file is locked by another program"),
    ("database or disk is full", StoreFull, "its disk is full; free some space, nothing was lost"),
    ("readonly database", StoreUnreachable, "the database file may not be written to"),
    ("unable to open database", StoreUnreachable, "no such folder, or no right to write there"),
    ("not a database", StoreDamaged, f"no SQLite database: {_RESTORE}"),
    ("malformed", StoreDamaged, f"the database file is damaged: {_RESTORE}"),
    ("disk i/o error", StoreUnreachable, "its disk is full or fails: look at `df`"),
    ("no such table", StoreNotMigrated, f"a table is missing: {_UPGRADE}"),
    ("no such column", StoreNotMigrated, f"a column is missing: {_UPGRADE}"),
)  # fmt: skip


class Database:
    """One database, SQLite or PostgreSQL.

    Raises:
        ConfigurationError: the URL names another kind, or cannot be read.
    """

    def __init__(self, url: str, *, pool_size: int = 5) -> None:
        self.url = _parse(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = _sqlite(self.url) if self.sqlite else _postgres(self.url, pool_size)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A connection for reading; what it sees is one moment."""
        with self._named_errors(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction: all of it or nothing."""
        # SQLite must take its write lock at the start: a reader that turns into a writer
        # half-way cannot wait for another writer, it fails.
        writer = self.engine.execution_options(prescaler_write=True)
        with self._named_errors(), writer.begin() as connection:
            yield connection

    def alone(self, connection: sa.Connection, what: str) -> None:
        """Until the transaction ends, let nobody else be alone with the same thing.

        SQLite has one writer anyway; PostgreSQL takes an advisory lock of the transaction.
        """
        if not self.sqlite:
            key = int.from_bytes(hashlib.sha256(what.encode()).digest()[:8], "big", signed=True)
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.IntegrityError:
            # Two at once: the caller knows what the loser of that race has to do.
            raise
        except sa.exc.DBAPIError as error:
            raise named_error(error, self.place) from error
        except sa.exc.TimeoutError as error:
            raise StoreBusy(f"no free connection to {self.place} in time") from error

    @property
    def place(self) -> str:
        """Where it is, without any password."""
        return self.url.render_as_string(hide_password=True)


def named_error(error: sa.exc.DBAPIError, place: str) -> StoreError:
    """The named failure behind a driver's exception; never with a password in it."""
    sqlstate = getattr(error.orig, "sqlstate", None) or ""
    if sqlstate in _BY_SQLSTATE:
        kind, advice = _BY_SQLSTATE[sqlstate]
        return kind(f"{place}: {advice}")
    text = str(error.orig)
    for mark, kind, advice in _BY_TEXT:
        if mark in text.lower():
            return kind(f"{place}: {advice}")
    first = re.sub(r"\s+", " ", text)[:200]
    if isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError):
        return StoreUnreachable(f"{place}: {first}")
    return StoreError(f"{place}: {first}")


def _parse(url: str) -> URL:
    try:
        found = make_url(url)
    except sa.exc.ArgumentError:
        raise ConfigurationError(
            "the store's URL cannot be read; write sqlite:///FILE or "
            "postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"
        ) from None
    if found.drivername in ("postgresql", "postgres"):
        found = found.set(drivername="postgresql+psycopg")
    if found.drivername not in ("sqlite", "postgresql+psycopg"):
        raise ConfigurationError(
            f"the store's URL begins with {found.drivername}; known: sqlite, postgresql+psycopg"
        )
    if found.drivername == "sqlite" and found.database in (None, "", ":memory:"):
        raise ConfigurationError("the store needs a file: sqlite:///FILE")
    return found


def _sqlite(url: URL) -> sa.Engine:
    engine = sa.create_engine(url, connect_args={"timeout": _BUSY_SECONDS})

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        writing = connection.get_execution_options().get("prescaler_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


def _postgres(url: URL, pool_size: int) -> sa.Engine:
    return sa.create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=10,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": 5,
            "tcp_user_timeout": 10_000,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            # Prepared statements do not survive a transaction pooler.
            "prepare_threshold": None,
            "options": "-c statement_timeout=30000 -c lock_timeout=5000 -c timezone=UTC",
            "application_name": "prescaler",
        },
    )
