"""The real application on a real (SQLite) store, asked through ASGI."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi.testclient import TestClient

from prescaler.adapters.telemetry.metrics import Telemetry
from prescaler.apps.api.app import everything
from prescaler.apps.api.context import ApiContext
from prescaler.apps.api.keys import KeyRing
from prescaler.apps.api.metric import Doorkeeper
from prescaler.apps.cli.options import ERR, OUT
from prescaler.apps.keeper import Keeper
from prescaler.config import load_settings
from prescaler.core.forecast import Forecast
from prescaler.core.records import Outcome, RunStatus
from prescaler.wiring import Stores, open_snapshot, open_stores
from tests.support.builders import MONDAY, forecast
from tests.support.fakes import SetClock
from tests.support.migrated import migrate

NOW = MONDAY + timedelta(hours=1)
READ, WEB_ONLY, ADMIN = "read-key-0123456789", "web-key-0123456789", "admin-key-0123456789"
HEAD = {"X-API-Key": READ}
AS_ADMIN = {"X-API-Key": ADMIN}
WRITE = {"X-API-Key": "write-key-0123456789"}
WEB_WRITER = {"X-API-Key": "web-write-key-0123456789"}


def configuration(folder: Path, **changes: Any) -> dict[str, Any]:
    """Two workloads, three keys, SQLite."""
    base: dict[str, Any] = {
        "prometheus": {"main": {"url": "http://127.0.0.1:9"}},
        "store": {"url": f"sqlite:///{folder / 'store.sqlite'}"},
        "server": {"snapshot_dir": str(folder / "snapshot"), "public_url": "http://prescaler:8080"},
        "keys": [
            {"name": "keda", "value_env": "KEY_READ"},
            {"name": "web-only", "value_env": "KEY_WEB", "workloads": ["web"]},
            {"name": "ada", "scope": "admin", "value_env": "KEY_ADMIN"},
        ],
        "workloads": [workload("web"), workload("api", labels={"team": "core"})],
    }
    return {**base, **changes}


def workload(name: str, **changes: Any) -> dict[str, Any]:
    """One workload as YAML, mode active."""
    return {
        "name": name,
        "labels": {"team": "player"},
        "scale_target": {"name": name, "namespace": "prod", "min_pods": 2, "max_pods": 200},
        "demand": {"source": ["main"], "query": f"sum({name})"},
        "capacity": {"per_pod": 100},
        "policy": {"mode": "active"},
        "forecast": {"timezone": "Europe/Paris"},
        **changes,
    }


@dataclass
class Served:
    """A running application and what lies behind it."""

    client: TestClient
    keeper: Keeper
    stores: Stores
    clock: SetClock
    telemetry: Telemetry
    path: Path

    def get(self, path: str, **more: Any) -> Any:
        """Ask with a key of scope read."""
        return self.client.get(path, headers=HEAD, **more)

    def metric(self, name: str = "web", query: str = "") -> Any:
        """Ask as KEDA does."""
        return self.get(f"/api/v1/workloads/{name}/metric{query}")

    def store(self, name: str = "web", at: datetime = NOW, **changes: Any) -> Forecast:
        """Store a forecast and serve it."""
        one = next(w for w in self.keeper.settings.workloads if w.name == name)
        version = self.stores.workloads.ensure(one, at)
        made = replace(forecast(), workload=version.workload, version=version.number, **changes)
        status = RunStatus(at, Outcome.STORED, last_actual=900.0, last_actual_at=at)
        self.stores.forecasts.save(version, status, made)
        self.keeper.refresh()
        return made


Serve = Callable[..., Served]


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Start the application with a configuration (default: the one above)."""
    monkeypatch.setenv("KEY_READ", READ)
    monkeypatch.setenv("KEY_WEB", WEB_ONLY)
    monkeypatch.setenv("KEY_ADMIN", ADMIN)
    opened: list[Stores] = []

    def start(**changes: Any) -> Served:
        path = tmp_path / "prescaler.yaml"
        path.write_text(yaml.safe_dump(configuration(tmp_path, **changes)))
        settings = load_settings(path)
        stores, clock, telemetry = open_stores(settings.store.main), SetClock(NOW), Telemetry()
        opened.append(stores)
        migrate(stores.database)
        snapshot = open_snapshot(settings.server.snapshot_dir)
        keeper = Keeper(path, settings, stores, snapshot, telemetry, clock)
        telemetry.watch(keeper.observations)
        telemetry.snapshot_age.set_function(keeper.snapshot_age)
        keeper.start()
        context = ApiContext(
            table=keeper.table,
            stores=stores,
            door=Doorkeeper(KeyRing(settings.keys), clock),
            clock=clock,
            telemetry=telemetry,
            settings=lambda: keeper.settings,
            refresh=keeper.refresh,
            health=keeper.health,
        )
        client = TestClient(everything(context), raise_server_exceptions=False)
        return Served(client, keeper, stores, clock, telemetry, path)

    yield start
    for stores in opened:
        stores.database.close()


@pytest.fixture
def served(serve: Serve) -> Served:
    """The application with its default configuration and one forecast for `web`."""
    found = serve()
    found.store()
    return found


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal on which no table breaks its cells; the console has read COLUMNS long before."""
    for console in (OUT, ERR):
        monkeypatch.setattr(console, "_width", 300)


def signed_in(served: Served, key: str) -> bool:
    """Whether a key opens the pages."""
    answer = served.client.post("/sign-in", data={"key": key}, follow_redirects=False)
    return answer.status_code == HTTPStatus.SEE_OTHER


@pytest.fixture
def reader(served: Served) -> Served:
    """Somebody with a key of scope read."""
    assert signed_in(served, READ)
    return served


@pytest.fixture
def admin(served: Served) -> Served:
    """Somebody with a key of scope admin."""
    assert signed_in(served, ADMIN)
    return served


@pytest.fixture
def writers(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Served:
    """Keys of scope write: one for everything, one for `web` alone."""
    monkeypatch.setenv("KEY_WRITE", WRITE["X-API-Key"])
    monkeypatch.setenv("KEY_WEB_WRITE", WEB_WRITER["X-API-Key"])
    found = serve(
        keys=[
            {"name": "keda", "value_env": "KEY_READ"},
            {"name": "web-only", "value_env": "KEY_WEB", "workloads": ["web"]},
            {"name": "ada", "scope": "admin", "value_env": "KEY_ADMIN"},
            {"name": "grace", "scope": "write", "value_env": "KEY_WRITE"},
            {
                "name": "web-team",
                "scope": "write",
                "value_env": "KEY_WEB_WRITE",
                "workloads": ["web"],
            },
        ]
    )
    found.store()
    return found
