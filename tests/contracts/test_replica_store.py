"""Who serves, on both databases."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from prescaler.adapters.database.engine import Database
from prescaler.adapters.database.replicas import DatabaseReplicas
from prescaler.core.replicas import Replica
from prescaler.ports.replicas import ReplicaStore
from tests.support.builders import DAY, MONDAY
from tests.support.migrated import migrated_file

ONE = Replica(UUID(int=1), "prescaler-1:8080", "all", "0.1.0", MONDAY, MONDAY)
TWO = replace(ONE, id=UUID(int=2), name="prescaler-2:8080", role="metric")
SECOND = timedelta(seconds=1)


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ReplicaStore]:
    """An empty one."""
    if request.param == "sqlite":
        url = migrated_file(tmp_path / "store.sqlite")
    else:
        url = request.getfixturevalue("postgres").migrated_database()
    database = Database(url)
    yield DatabaseReplicas(database)
    database.close()


def test_each_is_known_by_its_newest_beat(store: ReplicaStore) -> None:
    store.beat(ONE, MONDAY - DAY)
    store.beat(TWO, MONDAY - DAY)
    again = replace(ONE, seen_at=MONDAY + 10 * SECOND)
    store.beat(again, MONDAY - DAY)

    assert sorted(store.all(), key=lambda one: one.id.int) == [again, TWO]


def test_who_leaves_is_not_known_any_more(store: ReplicaStore) -> None:
    store.beat(ONE, MONDAY)
    store.leave(ONE.id)
    store.leave(TWO.id)

    assert store.all() == []


def test_who_died_is_forgotten_by_the_next_beat(store: ReplicaStore) -> None:
    store.beat(ONE, MONDAY - DAY)
    store.beat(replace(TWO, seen_at=MONDAY + DAY), MONDAY + SECOND)

    assert [one.id for one in store.all()] == [TWO.id]


def test_long_names_are_cut(store: ReplicaStore) -> None:
    store.beat(replace(ONE, name="n" * 300, role="r" * 30, version="v" * 60), MONDAY)

    (found,) = store.all()
    assert (len(found.name), len(found.role), len(found.version)) == (200, 20, 50)
