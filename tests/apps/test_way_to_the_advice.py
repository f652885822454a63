"""The way that an advice tells leads to what `prescaler keda` prints once it has been gone."""

import json
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from prescaler.apps.cli import main
from prescaler.config import load_settings
from prescaler.core.replay.ground import Arm, Setting
from prescaler.core.replay.objects import Place, changes, object_for, settings_for
from prescaler.wiring import clock, open_stores, reactive_sources
from tests.apps.conftest import configuration, workload
from tests.support.builders import MINUTE, daily_demand, series
from tests.support.migrated import migrate

REACTIVE = Setting(Arm.REACTIVE, 0.7)
OURS = Setting(Arm.CALENDAR, 0.7, 0.95, timedelta(minutes=5))
TARGET = {"name": "web", "namespace": "prod", "min_pods": 2, "max_pods": 200}
TWO = {
    "main": {"url": "http://127.0.0.1:9", "headers": {"X-Scope-OrgID": "shop"}},
    "west": {"url": "http://127.0.0.1:10"},
}
KINDS: Mapping[str, Mapping[str, Any]] = {
    "one source": {},
    "two sources": {"demand": {"source": ["main", "west"], "query": "sum(web)"}},
    "in pods": {"capacity": {"per_pod": 100, "unit": "pods"}},
    "two triggers": {"scale_target": {**TARGET, "min_pods": 0}},
    "no tolerance": {"lead_time": {"tolerance": {"up": 0, "down": 0}}},
    "a query of its own": {"reactive": {"query": "sum(live)", "target": 60}},
}
ADVISED = {
    "hotter": Setting(Arm.CALENDAR, 0.9, 0.99, timedelta(minutes=15)),
    "without events": Setting(Arm.PLAIN, 0.8, 0.75, timedelta(0)),
    "reactive * K": Setting(Arm.CALENDAR, 0.9, 0.95, None, 0.5),
}


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KEY_READ", "KEY_WEB", "KEY_ADMIN"):
        monkeypatch.setenv(name, f"{name}-0123456789-0123456789")


def written(folder: Path, document: Mapping[str, Any]) -> Path:
    path = folder / "prescaler.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def by_name(value: Any) -> Any:
    """Lists as mappings, as a person finds their entries: triggers by name, else by type."""
    if isinstance(value, Mapping):
        return {name: by_name(part) for name, part in value.items()}
    if not isinstance(value, Sequence) or isinstance(value, str):
        return value
    named = [
        (one.get("name", one["type"]) if "metadata" in one else str(number), by_name(one))
        for number, one in enumerate(value)
    ]
    assert len(dict(named)) == len(named)
    return dict(named)


def gone(before: Mapping[str, Any], way: Sequence[Mapping[str, Any]]) -> Any:
    """What a person has who makes every change that is told, and no other."""
    found = deepcopy(by_name(before))
    for one in way:
        *folders, leaf = re.findall(r"[^.\[\]]+", one["path"])
        place = found
        for folder in folders:
            place = place.setdefault(folder, {})
        assert place.get(leaf) == one["before"], one["path"]
        if one["after"] is None:
            del place[leaf]
        else:
            place[leaf] = one["after"]
    return without_husks(found)


def without_husks(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    parts = {name: without_husks(part) for name, part in value.items()}
    return {name: part for name, part in parts.items() if part != {}}


def configured(document: Mapping[str, Any], way: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The file with the fields of `web` changed as told."""
    found = deepcopy(dict(document))
    for one in way:
        section, field = one["path"].split(".")
        found["workloads"][0].setdefault(section, {})[field] = one["after"]
    return found


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("present", [REACTIVE, OURS], ids=["from reactive", "from ours"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("advised", ADVISED)
def test_the_changes_lead_to_what_keda_prints_for_the_new_configuration(
    advised: str, kind: str, present: Setting, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = configuration(tmp_path, prometheus=TWO, workloads=[workload("web", **KINDS[kind])])
    settings = load_settings(written(tmp_path, document))
    web, after = settings.workload("web"), ADVISED[advised]
    assert web is not None
    place = Place(settings.server.public_url, tuple(reactive_sources(settings, web)))
    before = object_for(web, present, place)
    objects = [asdict(one) for one in changes(before, object_for(web, after, place))]
    fields = [asdict(one) for one in changes(settings_for(web, present), settings_for(web, after))]

    path = written(tmp_path, configured(configured(document, starts(web, present)), fields))
    code = main._exit_code(["keda", "web", "--config", str(path), "--json"])
    printed = json.loads(capsys.readouterr().out)[0]

    assert code == 0
    assert gone(before, objects) == by_name(printed)
    assert objects, "nothing would have been proved"


def starts(web: Any, present: Setting) -> list[dict[str, Any]]:
    """The file as it stands before: what the present setting says of every field."""
    return [{"path": p, "after": value} for p, value in settings_for(web, present).items()]


@pytest.mark.usefixtures("keys")
def test_an_advice_at_the_command_line_points_at_the_configured_servers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Reactive today, so that no forecast has to be walked."""
    web = workload("web", **KINDS["two sources"], policy={"mode": "shadow"})
    document = configuration(tmp_path, prometheus=TWO, workloads=[web])
    path = written(tmp_path, document)
    stores = open_stores(document["store"]["url"])
    migrate(stores.database)
    now = clock().now().replace(second=0, microsecond=0)
    known = load_settings(path).workload("web")
    assert known is not None
    values = np.repeat(daily_demand(8), 5)
    stores.demand.append(
        stores.workloads.ensure(known, now), series(values, now - timedelta(days=8), MINUTE)
    )
    stores.database.close()

    main._exit_code(
        ["replay", "web", "--config", str(path), "--since", "7d", "--runs", "1", "--processes", "1",
         "--arms", "reactive", "--promise", "10m/1d", "--json"]
    )  # fmt: skip
    way = json.loads(capsys.readouterr().out)["advice"]["way"]

    triggers = way["scaled_object"]["spec"]["triggers"]
    assert [one["metadata"]["serverAddress"] for one in triggers] == [
        "http://127.0.0.1:9",
        "http://127.0.0.1:10",
    ]
