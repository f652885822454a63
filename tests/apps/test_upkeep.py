"""The leader prunes once a day, and a store that is gone costs nothing but a line."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from prescaler.apps.scheduler.upkeep import Upkeep
from prescaler.core.errors import StoreUnreachable
from prescaler.core.retention import Amount, Kept, Retention
from tests.support.builders import MONDAY
from tests.support.fakes import SetClock

SETTINGS: Any = SimpleNamespace(retention=Retention(), workloads=())


class Store:
    def __init__(self) -> None:
        self.asked: list[Kept] = []
        self.fails = False

    def old(self, kind: Kept, before: object) -> Amount:
        if self.fails:
            raise StoreUnreachable("gone")
        self.asked.append(kind)
        return Amount()


@pytest.fixture
def store() -> Store:
    return Store()


def upkeep(store: Store, clock: SetClock) -> Upkeep:
    return Upkeep(SimpleNamespace(upkeep=store), clock, lambda: True)  # type: ignore[arg-type]


def finish(one: Upkeep) -> None:
    if one._thread is not None:
        one._thread.join(5)


def test_it_prunes_once_a_day(store: Store) -> None:
    clock = SetClock(MONDAY)
    one = upkeep(store, clock)
    one.round(SETTINGS)
    assert store.asked == []
    for _ in range(3):
        clock.move(timedelta(minutes=11))
        one.round(SETTINGS)
        finish(one)
    assert store.asked == list(Kept)

    clock.move(timedelta(days=1))
    one.round(SETTINGS)
    finish(one)
    assert store.asked == [*Kept, *Kept]


def test_a_store_that_is_gone_is_said(store: Store) -> None:
    store.fails = True
    with capture_logs() as logs:
        upkeep(store, SetClock(MONDAY)).prune(SETTINGS, MONDAY)

    assert [(line["event"], line["error"]) for line in logs] == [("history_not_pruned", "gone")]
