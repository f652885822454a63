"""Processes know of each other, and the page says when one has gone silent."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from prescaler.adapters.database.replicas import DatabaseReplicas
from prescaler.apps.heartbeat import Heartbeat
from prescaler.core.errors import StoreUnreachable
from tests.apps.conftest import READ, Served
from tests.support.browsing import enter, text

LISTEN = "127.0.0.1:8080"
MINUTE = timedelta(minutes=1)


def beating(served: Served, role: str = "all") -> Heartbeat:
    return Heartbeat(served.stores.replicas, served.clock, role, LISTEN)


def test_one_that_died_is_missed_and_one_that_ended_is_not(served: Served) -> None:
    ours, other, third = (beating(served, role) for role in ("all", "metric", "scheduler"))
    for one in (other, third, ours):
        one.round()
    assert [one.role for one in ours.replicas(served.clock.now())].count("metric") == 1

    served.clock.move(2 * MINUTE)
    third.leave()
    ours.round()

    known = ours.replicas(served.clock.now())
    assert {one.role: one.silent(served.clock.now()) for one in known} == {
        "all": False,
        "metric": True,
    }
    assert all(one.name.endswith(":8080") for one in known)


def test_the_page_and_the_api_say_that_one_is_silent(served: Served) -> None:
    ours, other = beating(served), beating(served)
    other.round()
    ours.round()
    app = served.client.app._behind._app._app  # type: ignore[attr-defined]
    app.state.context = replace(app.state.context, replicas=ours.replicas)
    enter(served, READ)
    assert "replicas answer" not in text(served, "/")

    served.clock.move(3 * MINUTE)

    html = text(served, "/")
    assert "1 of 2 replicas answer; silent:" in html
    assert "(3 min)" in html
    found = served.get("/api/v1/status").json()
    assert [one["silent"] for one in found["replicas"]].count(True) == 1
    assert any("replicas answer" in one["text"] for one in found["warnings"])
    served.clock.move(20 * MINUTE)
    assert "replicas answer" not in text(served, "/")


def test_without_the_store_nobody_is_missed(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, other = beating(served), beating(served)
    other.round()
    ours.round()

    def broken(*_: object) -> None:
        raise StoreUnreachable("gone")

    monkeypatch.setattr(DatabaseReplicas, "beat", broken)
    monkeypatch.setattr(DatabaseReplicas, "leave", broken)
    with pytest.raises(StoreUnreachable):
        ours.round()
    stop = threading.Event()
    stop.set()
    ours.run(stop)

    assert len(ours.replicas(served.clock.now() + 2 * MINUTE)) == 1


def test_the_thread_beats_at_once_and_leaves_at_the_end(served: Served) -> None:
    stop = threading.Event()
    stop.set()
    beating(served).run(stop)

    assert served.stores.replicas.all() == []
