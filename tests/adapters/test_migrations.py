"""The schema is what the migrations make of it, on both databases."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory

from prescaler.adapters.database.engine import Database
from prescaler.adapters.database.schema import alembic_config, check, current, head, upgrade
from prescaler.adapters.database.tables import metadata


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    else:
        url = request.getfixturevalue("postgres").fresh_database()
    opened = Database(url)
    yield opened
    opened.close()


def test_an_empty_database_is_brought_up_once(database: Database) -> None:
    assert upgrade(database) == (None, head())
    assert upgrade(database) == (head(), head())
    assert current(database) == head()
    check(database)


def test_the_tables_in_code_are_those_of_the_migrations(database: Database) -> None:
    upgrade(database)
    with database.write() as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.check(config)


def test_two_at_once_wait_for_each_other(database: Database) -> None:
    places = [Database(database.url.render_as_string(hide_password=False)) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        found = sorted(pool.map(upgrade, places), key=str)

    assert found == [(head(), head()), (head(), head()), (None, head())]
    for place in places:
        place.close()


def test_every_migration_can_be_taken_back(database: Database) -> None:
    upgrade(database)
    with database.write() as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.downgrade(config, "base")

    with database.read() as connection:
        left = set(sa.inspect(connection).get_table_names())
    assert left <= {"alembic_version"}
    assert upgrade(database) == (None, head())


def test_revisions_are_numbers_in_one_line() -> None:
    script = ScriptDirectory.from_config(alembic_config())
    revisions = [revision.revision for revision in script.walk_revisions()]

    assert revisions == [f"{n:04d}" for n in range(len(revisions), 0, -1)]
    assert len(script.get_heads()) == 1


def test_the_schema_says_since_when_it_is_readable(database: Database) -> None:
    upgrade(database)
    with database.read() as connection:
        found = connection.scalar(sa.text("SELECT readable_from FROM schema_compat"))

    assert isinstance(found, int)
    assert 1 <= found <= int(head())


def test_every_name_fits_into_postgres() -> None:
    for table in metadata.tables.values():
        names = {str(c.name) for c in table.constraints} | {str(i.name) for i in table.indexes}
        assert all(len(name) <= 63 for name in names)


def test_stretches_asked_of_a_source_are_filled_in_for_older_histories(database: Database) -> None:
    config = alembic_config()
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        one = "00000000000040008000000000000001"
        into = "INSERT INTO history_version (id, workload_id, number, fingerprint, query, opened_at"
        rows = [
            f"INSERT INTO workload (id, name, created_at) VALUES ('{one}', 'web', 0)",
            f"{into}, known_until) VALUES (1, '{one}', 1, 'f', 'q', 0, 900000)",
            f"{into}) VALUES (2, '{one}', 2, 'g', 'r', 0)",
            "INSERT INTO demand_chunk (version_id, resolution, day, payload) VALUES (1, 60, 7, '')",
            "INSERT INTO demand_chunk (version_id, resolution, day, payload) VALUES (1, 60, 3, '')",
        ]
        for row in rows:
            connection.exec_driver_sql(row)
    upgrade(database)

    with database.read() as connection:
        query = sa.select(metadata.tables["history_version"].c.asked).order_by(
            metadata.tables["history_version"].c.id
        )
        found = connection.scalars(query).all()
    assert found == [[[3 * 86_400, 900_000]], None]
