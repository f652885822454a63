"""Bad days of a database: each under its own name, and nothing half done."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from prescaler.adapters.database import engine as engine_module
from prescaler.adapters.database import tables as t
from prescaler.adapters.database.demand import DatabaseDemand
from prescaler.adapters.database.engine import Database
from prescaler.adapters.database.forecasts import DatabaseForecasts
from prescaler.adapters.database.schema import check, current, head, upgrade
from prescaler.adapters.database.workloads import DatabaseWorkloads
from prescaler.core.errors import (
    ConfigurationError,
    PrescalerError,
    StoreBusy,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreIncompatible,
    StoreNotMigrated,
    StoreUnreachable,
)
from prescaler.core.records import Outcome, RunStatus
from tests.support.builders import MINUTE, MONDAY, forecast, series, workload
from tests.support.migrated import migrated_file
from tests.support.ports import free_port
from tests.support.postgres import PostgresServer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    opened = Database(migrated_file(path))
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("mysql://u:p@h/d", "begins with mysql; known: sqlite"),
        ("not a url", "cannot be read"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
    ],
)
def test_a_url_of_no_use_is_refused(url: str, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        Database(url)


def test_a_database_that_was_never_migrated_names_the_command(path: Path) -> None:
    with pytest.raises(StoreNotMigrated, match=r"never migrated.*prescaler db upgrade"):
        check(Database(f"sqlite:///{path}"))
    with pytest.raises(StoreNotMigrated, match="prescaler db upgrade"):
        DatabaseWorkloads(Database(f"sqlite:///{path}")).current()


def set_schema(database: Database, revision: str, readable_from: int) -> None:
    with database.write() as connection:
        connection.execute(sa.text(f"UPDATE alembic_version SET version_num = '{revision}'"))
        connection.execute(sa.update(t.schema_compat).values(readable_from=readable_from))


def test_an_older_schema_is_refused_with_the_command(database: Database) -> None:
    set_schema(database, "0000", 1)

    with pytest.raises(StoreNotMigrated, match="is at schema 0000, this release needs"):
        check(database)


def test_a_newer_schema_that_is_readable_still_works(database: Database) -> None:
    set_schema(database, "0999", int(head()))

    check(database)
    assert upgrade(database) == ("0999", "0999")


def test_a_newer_schema_that_is_not_readable_is_refused(database: Database) -> None:
    set_schema(database, "0999", 998)

    with pytest.raises(StoreIncompatible, match="readable from 0998 on"):
        check(database)
    with pytest.raises(StoreIncompatible):
        upgrade(database)


def test_a_locked_file_is_busy(
    database: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "_BUSY_SECONDS", 0.1)
    impatient = Database(f"sqlite:///{path}")
    other = sqlite3.connect(path)
    other.execute("BEGIN EXCLUSIVE")

    with pytest.raises(StoreBusy, match="locked by another program"):
        DatabaseWorkloads(impatient).ensure(workload(), MONDAY)

    other.close()
    assert DatabaseWorkloads(impatient).ensure(workload(), MONDAY).number == 1
    impatient.close()


def test_a_full_disk_is_said_and_leaves_the_old(database: Database) -> None:
    version = DatabaseWorkloads(database).ensure(workload(), MONDAY)
    demand = DatabaseDemand(database)
    demand.append(version, series(np.ones(5), MONDAY, MINUTE))

    @sa.event.listens_for(database.engine, "begin")
    def _no_room(connection: sa.Connection) -> None:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")

    noise = np.random.default_rng(1).random(40 * 1440)
    with pytest.raises(StoreFull, match="disk is full; free some space"):
        demand.append(version, series(noise, MONDAY, MINUTE))
    sa.event.remove(database.engine, "begin", _no_room)

    assert demand.known_until(version) == MONDAY + 5 * MINUTE
    found = demand.read(version, MONDAY, MONDAY + 10 * MINUTE, MINUTE)
    assert list(found.mean[:5]) == [1.0] * 5
    assert np.isnan(found.mean[5:]).all()


def test_a_file_that_is_no_database_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("shopping list " * 100)

    with pytest.raises(StoreDamaged, match=r"no SQLite database: .*prescaler db upgrade"):
        current(Database(f"sqlite:///{path}"))


def test_a_folder_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(StoreUnreachable, match="no such folder"):
        current(Database(f"sqlite:///{tmp_path / 'missing' / 'x.sqlite'}"))


def test_a_damaged_forecast_is_a_named_error_and_a_damaged_fit_is_made_anew(
    database: Database,
) -> None:
    version = DatabaseWorkloads(database).ensure(workload(), MONDAY)
    forecasts = DatabaseForecasts(database)
    forecasts.save(version, RunStatus(MONDAY, Outcome.STORED), forecast())
    with database.write() as connection:
        connection.execute(sa.update(t.forecast_run).values(payload=b"garbage"))
        connection.execute(
            sa.insert(t.model_state).values(version_id=version.id, kind="engine", payload=b"x")
        )

    with pytest.raises(StoreDamaged):
        forecasts.latest(version)
    assert forecasts.state(version) is None


def test_a_failure_in_the_middle_leaves_the_old(database: Database) -> None:
    version = DatabaseWorkloads(database).ensure(workload(), MONDAY)
    forecasts = DatabaseForecasts(database)
    with database.write() as connection:
        connection.execute(sa.text("DROP TABLE run_status"))

    with pytest.raises(StoreNotMigrated):
        forecasts.save(version, RunStatus(MONDAY, Outcome.STORED), forecast())

    assert forecasts.latest(version) is None


def test_a_postgres_that_is_not_there_is_unreachable() -> None:
    with pytest.raises(StoreUnreachable, match=r"connection.*refused|Connection refused"):
        current(Database(f"postgresql://test@127.0.0.1:{free_port()}/x"))


def test_no_error_ever_shows_a_password() -> None:
    database = Database(f"postgresql://ada:s3cret@127.0.0.1:{free_port()}/x")

    with pytest.raises(PrescalerError) as caught:
        current(database)

    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in database.place


def test_a_database_that_does_not_exist_is_unreachable(postgres: PostgresServer) -> None:
    with pytest.raises(StoreUnreachable, match="does not exist"):
        current(Database(postgres.url("nowhere")))


def test_a_postgres_that_was_never_migrated_names_the_command(postgres: PostgresServer) -> None:
    database = Database(postgres.fresh_database())

    with pytest.raises(StoreNotMigrated, match="prescaler db upgrade"):
        check(database)
    with pytest.raises(StoreNotMigrated, match="prescaler db upgrade"):
        DatabaseWorkloads(database).current()
    database.close()


def write_impatiently(database: Database) -> None:
    with database.write() as connection:
        connection.execute(sa.text("SET LOCAL lock_timeout = '100ms'"))
        connection.execute(sa.delete(t.control))


def cut_off(database: Database) -> None:
    with database.write() as connection:
        connection.execute(sa.text("SELECT pg_terminate_backend(pg_backend_pid())"))


def test_a_lock_that_is_not_free_in_time_is_busy(postgres: PostgresServer) -> None:
    database = Database(postgres.migrated_database())
    other = sa.create_engine(database.url)
    with other.begin() as holder:
        holder.execute(sa.text("LOCK TABLE control IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(StoreBusy, match="lock was not free"):
            write_impatiently(database)
    other.dispose()
    database.close()


def test_a_connection_that_is_cut_is_unreachable_and_the_next_one_works(
    postgres: PostgresServer,
) -> None:
    database = Database(postgres.migrated_database())
    with pytest.raises(StoreError):
        cut_off(database)

    assert current(database) == head()
    database.close()
