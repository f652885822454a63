"""Migrations: bringing a database up to this release, and refusing one that it cannot work with."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

import prescaler
from prescaler.adapters.database import tables as t
from prescaler.adapters.database.engine import Database
from prescaler.core.errors import (
    ServerAssetMissing,
    StoreIncompatible,
    StoreNotMigrated,
    StoreUnreachable,
)

_UPGRADE_LOCK: Final = 0x7072_6573_6361_6C01
_LOCK_TIMEOUT: Final = "5s"


def migrations_folder() -> Path:
    """Where the migrations lie: inside an installed package, else beside it in a checkout.

    Raises:
        ServerAssetMissing: in neither place.
    """
    package = Path(prescaler.__file__).parent
    for folder in (package / "_migrations", package.parent / "migrations"):
        if (folder / "env.py").is_file():
            return folder
    raise ServerAssetMissing(f"no migrations beside {package}; install prescaler again")


def alembic_config() -> Config:
    """Alembic's settings, without a database: each call brings its own connection."""
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    return config


def head() -> str:
    """The newest revision that this release knows."""
    return ScriptDirectory.from_config(alembic_config()).get_current_head() or ""


def current(database: Database) -> str | None:
    """The revision of a database, None where it was never migrated."""
    with database.read() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(database: Database) -> tuple[str | None, str]:
    """Bring the database to this release's schema; gives the revision before and after.

    Two at once wait for each other. A migration that cannot get its locks within 5 s gives up and
    leaves everything as it was, rather than stopping the answers of a running release.
    """
    with _one_at_a_time(database):
        before = current(database)
        if before is not None and before > head():
            check(database)
            return before, before
        with database.write() as connection:
            if not database.sqlite:
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
                connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            config = alembic_config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    return before, head()


def check(database: Database) -> None:
    """Refuse a database that this release cannot work with.

    Raises:
        StoreNotMigrated: older than this release; says the command that mends it.
        StoreIncompatible: newer, and not readable by this release.
    """
    found, known = current(database), head()
    if found is None or found < known:
        state = "was never migrated" if found is None else f"is at schema {found}"
        raise StoreNotMigrated(
            f"{database.place} {state}, this release needs {known}: run `prescaler db upgrade`"
        )
    if found > known:
        with database.read() as connection:
            readable = connection.scalar(sa.select(t.schema_compat.c.readable_from)) or 0
        if readable > int(known):
            raise StoreIncompatible(
                f"{database.place} is at schema {found}, readable from {readable:04d} on; "
                f"this release knows {known}: install the newer release again"
            )


def _lock_file(database: Database) -> TextIO:
    try:
        return Path(f"{database.url.database}.upgrade.lock").open("w", encoding="utf-8")
    except OSError as error:
        raise StoreUnreachable(
            f"{database.place}: {error.strerror}, or no right to write"
        ) from error


@contextmanager
def _one_at_a_time(database: Database) -> Iterator[None]:
    if database.sqlite:
        with _lock_file(database) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        return
    with database.read() as connection:
        connection.execute(sa.select(sa.func.pg_advisory_lock(_UPGRADE_LOCK)))
        try:
            yield
        finally:
            connection.execute(sa.select(sa.func.pg_advisory_unlock(_UPGRADE_LOCK)))
