"""Who schedules: one holder of a lock, whose death frees it."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

import sqlalchemy as sa
import structlog

from prescaler.adapters.database.engine import Database
from prescaler.core.errors import StoreUnreachable

_LEADER_LOCK: Final = 0x7072_6573_6361_6C02
_LOG: Final = structlog.get_logger()


class PostgresLeadership:
    """A session advisory lock on one connection of its own.

    The database must be reached directly: behind a transaction pooler a session lock belongs to
    whoever gets the server connection next. The server notices a vanished holder by TCP keepalives
    (10 s + 3 x 5 s) and frees the lock.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: sa.Connection | None = None

    def acquire(self) -> bool:
        """Try to become or stay the leader."""
        try:
            if self._connection is not None:
                self._connection.execute(sa.text("SELECT 1"))
                return True
            return self._try()
        except sa.exc.DBAPIError as error:
            self.release()
            raise StoreUnreachable(f"leadership: {self._database.place}: {error.orig}") from error

    def release(self) -> None:
        """Unlock, so that a follower may lead at once, and close the connection."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            if not connection.invalidated:
                connection.execute(sa.select(sa.func.pg_advisory_unlock(_LEADER_LOCK)))
        except sa.exc.DBAPIError:
            _LOG.info("leadership_connection_lost", place=self._database.place)
        connection.invalidate()
        connection.close()

    def _try(self) -> bool:
        connection = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        for setting, value in (("idle", 10), ("interval", 5), ("count", 3)):
            connection.exec_driver_sql(f"SET tcp_keepalives_{setting} = {value}")
        if connection.scalar(sa.select(sa.func.pg_try_advisory_lock(_LEADER_LOCK))):
            self._connection = connection
            return True
        connection.close()
        return False


class FileLeadership:
    """A lock on a file beside an SQLite database; the system frees it when the holder dies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    def acquire(self) -> bool:
        """Try to become or stay the leader."""
        if self._file is not None:
            return True
        try:
            file = self._path.open("a+")
        except OSError as error:
            raise StoreUnreachable(f"leadership: {self._path}: {error.strerror}") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        with suppress(
            OSError
        ):  # the lock counts; on a full disk it holds without its holder's number
            os.ftruncate(file.fileno(), 0)
            os.write(file.fileno(), f"{os.getpid()}\n".encode())
        self._file = file
        return True

    def release(self) -> None:
        """Close the file, which frees the lock."""
        if self._file is not None:
            self._file.close()
            self._file = None


def leadership_on(database: Database) -> PostgresLeadership | FileLeadership:
    """The leadership that fits a database."""
    if database.sqlite:
        return FileLeadership(Path(f"{database.url.database}.leader.lock"))
    return PostgresLeadership(database)
