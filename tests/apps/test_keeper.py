"""What keeps on being served while files, store and snapshot misbehave."""

import threading
import time
from datetime import timedelta

import pytest
import yaml

from prescaler.adapters.telemetry.metrics import Telemetry
from prescaler.apps.keeper import Keeper
from prescaler.config import Settings, load_settings
from prescaler.core.decision import Status
from prescaler.core.errors import StoreNotMigrated
from prescaler.wiring import open_snapshot, open_stores
from tests.apps.conftest import NOW, Serve, Served, configuration, workload


def rewrite(served: Served, **changes: object) -> None:
    document = configuration(served.path.parent, **changes)
    served.path.write_text(yaml.safe_dump(document))


def test_a_changed_file_is_served_at_the_next_round(served: Served) -> None:
    seen: list[Settings] = []
    served.keeper.on_settings.append(seen.append)
    rewrite(served, workloads=[workload("web"), workload("new")])

    served.keeper.round()

    assert [s.workload.name for s in served.keeper.table] == ["web", "new"]
    assert served.metric().json()["status"] == "active"
    assert served.metric("api").status_code == 404
    assert [len(s.workloads) for s in seen] == [2]


def test_a_bad_file_leaves_the_good_one_running_and_is_loud(served: Served) -> None:
    served.path.write_text("workloads: [")

    served.keeper.round()
    served.keeper.round()

    assert served.metric().json()["status"] == "active"
    assert not served.get("/api/v1/status").json()["configuration"]["ok"]
    assert "prescaler_config_valid 0.0" in served.client.get("/metrics").text
    rewrite(served)
    served.keeper.round()
    assert "prescaler_config_valid 1.0" in served.client.get("/metrics").text


def test_a_file_that_is_gone_for_a_moment_is_no_end(served: Served) -> None:
    served.path.rename(served.path.with_suffix(".away"))
    served.keeper.round()
    served.path.with_suffix(".away").rename(served.path)
    served.keeper.round()

    assert served.metric().json()["status"] == "active"
    assert served.get("/api/v1/status").json()["configuration"]["ok"]


def test_a_reload_may_be_asked_for(served: Served) -> None:
    seen: list[Settings] = []
    served.keeper.on_settings.append(seen.append)

    served.keeper.round()
    assert seen == []
    served.keeper.ask_reload()
    served.keeper.round()
    assert len(seen) == 1


def test_a_database_of_another_release_is_refused_at_the_start(serve: Serve) -> None:
    served = serve()
    settings = load_settings(served.path)
    stores = open_stores(f"sqlite:///{served.path.parent / 'empty.sqlite'}")
    keeper = Keeper(
        served.path, settings, stores, open_snapshot(settings.server.snapshot_dir), Telemetry(),
        served.clock,
    )  # fmt: skip

    with pytest.raises(StoreNotMigrated):
        keeper.start()
    stores.database.close()


def restarted_without_store(served: Served) -> Keeper:
    """A new process on the same snapshot, with a database that cannot be reached."""
    settings = load_settings(served.path)
    dead = open_stores(f"sqlite:///{served.path.parent / 'gone' / 'store.sqlite'}")
    snapshot = open_snapshot(settings.server.snapshot_dir)
    keeper = Keeper(served.path, settings, dead, snapshot, Telemetry(), served.clock)
    keeper.start()
    return keeper


def test_a_restart_without_store_and_prometheus_serves_the_snapshot(served: Served) -> None:
    before = served.metric().json()["value"]
    served.clock.move(timedelta(minutes=20))

    keeper = restarted_without_store(served)

    decided = keeper.table.get("web").decide(served.clock.now())
    assert decided.status is Status.ACTIVE
    assert decided.value == pytest.approx(before, rel=0.1)
    assert decided.age == timedelta(hours=1, minutes=20)
    assert keeper.health()["store"]["ok"] is False
    assert decided.forecast is not None
    late = keeper.table.get("web").decide(served.clock.now() + timedelta(minutes=30))
    assert late.reason == "stale_demand"


def test_without_a_snapshot_it_is_neutral_and_says_why(served: Served) -> None:
    (served.path.parent / "snapshot" / "snapshot.sqlite").unlink()

    keeper = restarted_without_store(served)

    assert keeper.table.get("web").decide(NOW).reason == "warming_up"
    assert keeper.table.loaded


def test_a_change_through_one_replica_is_served_by_the_other(served: Served) -> None:
    settings = load_settings(served.path)
    stores = open_stores(settings.store.main)
    other = Keeper(
        served.path,
        settings,
        stores,
        open_snapshot(str(served.path.parent / "other")),
        Telemetry(),
        served.clock,
    )
    other.start()
    assert other.table.get("web").decide(NOW).status is Status.ACTIVE

    served.client.put(
        "/api/v1/workloads/web/override",
        headers={"X-API-Key": "admin-key-0123456789"},
        json={"pods": 125, "reason": "final"},
    )
    other.round()

    assert other.table.get("web").decide(NOW).pods == 125
    stores.database.close()


def test_rounds_go_on_after_a_defect(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prescaler.apps.keeper.EVERY_SECONDS", 0.01)
    calls = []

    def broken() -> None:
        calls.append(1)
        raise ZeroDivisionError

    monkeypatch.setattr(served.keeper, "round", broken)
    stop = threading.Event()
    thread = threading.Thread(target=served.keeper.run, args=(stop,))
    thread.start()
    end = time.monotonic() + 5
    while len(calls) < 3 and time.monotonic() < end:
        time.sleep(0.01)
    stop.set()
    thread.join()

    assert len(calls) >= 3


def test_the_snapshots_age_is_known(served: Served) -> None:
    served.clock.move(timedelta(seconds=30))

    assert "prescaler_snapshot_age_seconds 30.0" in served.client.get("/metrics").text
