"""`backfill` as anybody would call it, on a real Prometheus."""

import contextlib
import copy
import io
import itertools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from prescaler.apps.cli import main
from prescaler.core.instants import from_epoch
from tests.support.builders import MINUTE, daily_demand
from tests.support.ports import free_port
from tests.support.prometheus import PrometheusServer

_NUMBERS = itertools.count()
DAYS = 12


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


class Place:
    """A configuration, a database, a Prometheus with twelve days of demand by the minute."""

    def __init__(self, folder: Path, prometheus: PrometheusServer) -> None:
        self.folder = folder
        self.end = int(time.time()) // 300 * 300 - 600
        self.names = {name: f"backfilled_{next(_NUMBERS)}" for name in ("web", "api")}
        self.values = daily_demand(DAYS, step=MINUTE)
        self.values[5000:5120] = np.nan
        stamps = self.end - 60 * np.arange(len(self.values), 0, -1)
        known = np.isfinite(self.values)
        for metric in self.names.values():
            rows = zip(stamps[known].tolist(), self.values[known].tolist(), strict=True)
            prometheus.write({"__name__": metric}, rows)
        self.configure(prometheus.url)
        self.cli("db", "upgrade")

    def configure(self, url: str) -> None:
        target = {"namespace": "prod", "max_pods": 9}
        document = {
            "prometheus": {"main": {"url": url, "max_qps": 1000.0}},
            "store": {"url": f"sqlite:///{self.folder / 'store.sqlite'}"},
            "defaults": {
                "capacity": {"per_pod": 10},
                "forecast": {"history": "7d", "horizon": "6h"},
            },
            "workloads": [
                {
                    "name": name,
                    "scale_target": {"name": name, **target},
                    "demand": {"source": ["main"], "query": f"last_over_time({metric}[1m])"},
                }
                for name, metric in self.names.items()
            ],
        }
        (self.folder / "prescaler.yaml").write_text(yaml.safe_dump(document))

    def cli(self, *arguments: str) -> "Done":
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main._exit_code([*arguments, "--config", str(self.folder / "prescaler.yaml")])
        return Done(code, out.getvalue(), err.getvalue())

    def json(self, *arguments: str) -> Any:
        done = self.cli(*arguments, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def place(shared: Place, tmp_path: Path, prometheus: PrometheusServer) -> Place:
    """With a database of its own."""
    mine = copy.copy(shared)
    mine.folder = tmp_path
    mine.configure(prometheus.url)
    mine.cli("db", "upgrade")
    return mine


@pytest.fixture(scope="module")
def shared(prometheus: PrometheusServer, tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("backfill"), prometheus)


def test_a_backfill_from_first_look_to_forecasts(place: Place) -> None:
    preview = place.json("backfill", "web", "--since", "13d", "--dry-run")
    assert preview["workloads"][0]["requests"] == 3
    assert preview["workloads"][0]["forecasts"] == 0

    first = place.json("backfill", "--all", "--since", "13d")
    web = next(one for one in first["workloads"] if one["workload"] == "web")
    known = int(np.isfinite(place.values).sum())
    assert abs(web["points_added"] - known) <= 2
    assert web["points"] == web["points_added"]
    assert web["gaps"] == 1
    gap_ends = from_epoch(place.end - 60 * (len(place.values) - 5120))
    assert web["longest_gaps"][0].endswith(f"to {gap_ends:%Y-%m-%dT%H:%M:%SZ}")
    assert web["failure"] is None
    assert not first["interrupted"]

    again = place.json("backfill", "--all", "--since", "13d")
    assert [one["points_differing"] for one in again["workloads"]] == [0, 0]
    assert sum(one["points_added"] for one in again["workloads"]) <= 4

    walked = place.json("backfill", "web", "--since", "13d", "--forecasts", "2d", "--every", "6h")
    assert walked["workloads"][0]["forecasts"]["made"] == 8
    more = place.json("backfill", "web", "--since", "13d", "--forecasts", "2d", "--every", "6h")
    assert more["workloads"][0]["forecasts"]["made"] == 0


def test_history_goes_out_and_in_again(place: Place, tmp_path: Path) -> None:
    place.json("backfill", "web", "--since", "3d")
    out, back = tmp_path / "out.csv", tmp_path / "back.csv"

    rows = place.json("history", "export", "web", "--out", str(out))["rows"]
    loaded = place.json("history", "import", str(out), "--workload", "api")
    place.json("history", "export", "api", "--out", str(back))

    assert (rows, loaded["points_added"], loaded["bad"]) == (loaded["rows"], rows, 0)
    assert out.read_bytes() == back.read_bytes()
    assert place.json("history", "import", str(out), "-w", "api")["points_same"] == rows
    coarse = place.json("history", "export", "web", "--out", str(back), "--step", "5m")["rows"]
    assert 0 < coarse < rows


def test_a_bad_file_stores_nothing(place: Place, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text(
        "timestamp,value\n2026-01-01T00:00:00Z,1\n2026-01-01T00:01:00Z,x\n"
    )

    done = place.cli("history", "import", str(tmp_path / "bad.csv"), "-w", "web")
    assert done.returncode == 1
    assert "line 3: 'x' is no number" in done.stderr
    assert place.cli("history", "export", "web", "--out", str(tmp_path / "x.csv")).returncode == 2

    done = place.cli("history", "import", str(tmp_path / "bad.csv"), "-w", "web", "--skip-bad")
    assert done.returncode == 0
    assert "left out, line 3" in done.stdout
    assert "1 points are new" in done.stdout


def test_status_and_prune_say_what_is_there(place: Place) -> None:
    place.json("backfill", "web", "--since", "3d")

    found = place.json("history", "status")
    (web,) = found["histories"]
    assert (web["workload"], web["version"], web["current"], web["gaps"]) == ("web", 1, True, 0)
    assert web["resolutions"][0]["resolution"] == "1m"
    assert found["sizes"]["fine_demand"]["rows"] == web["resolutions"][0]["days"]
    shown = place.cli("history", "status", "web").stdout
    assert "1m x" in shown
    assert place.cli("history", "status", "nobody").returncode == 2

    dry = place.json("history", "prune", "--dry-run")
    assert dry["dry_run"] is True
    assert {one["kind"] for one in dry["kinds"]} >= {"fine_demand", "audit", "jobs"}
    assert sum(one["rows"] for one in place.json("history", "prune")["kinds"]) == 0


def test_off_a_terminal_it_says_plain_lines(place: Place) -> None:
    done = place.cli("backfill", "web", "--since", "2d", "--again")

    assert done.returncode == 0, done.stderr
    assert "demand: 1 workloads" in done.stderr
    assert "\x1b" not in done.stderr + done.stdout
    assert "0 s left" in done.stderr


def test_a_source_out_of_reach_is_4_and_says_so(
    place: Place, tmp_path: Path, prometheus: PrometheusServer
) -> None:
    place.configure(f"http://127.0.0.1:{free_port()}")
    done = place.cli("backfill", "api", "--since", "30d")
    place.configure(prometheus.url)

    assert done.returncode == 4, done.stdout + done.stderr
    assert "refused" in done.stdout


BAD: dict[str, tuple[tuple[str, ...], Callable[[str], bool]]] = {
    "no workload": ((), lambda e: "--all" in e),
    "unknown": (("nobody",), lambda e: "known: web, api" in e),
    "1970": (("web", "--since", "1970-01-01T00:00:00Z"), lambda e: "20 years" in e),
    "year 3000": (("web", "--since", "3000-01-01T00:00:00Z"), lambda e: "future" in e),
    "no unit": (("web", "--since", "400"), lambda e: "offset" in e),
    "naive": (("web", "--since", "2026-01-01T00:00:00"), lambda e: "offset" in e),
    "upside down": (("web", "--since", "1d", "--until", "2d"), lambda e: "before --until" in e),
    "every alone": (("web", "--every", "1h"), lambda e: "--forecasts" in e),
    "every 7 h": (("web", "--forecasts", "1d", "--every", "7h"), lambda e: "divide a day" in e),
    "no rate": (("web", "--max-qps", "0"), lambda e: "--max-qps" in e),
    "too many": (("web", "--concurrency", "99"), lambda e: "--concurrency" in e),
}


@pytest.mark.parametrize(("arguments", "says"), BAD.values(), ids=BAD)
def test_bad_requests_are_2_and_say_what_to_do(
    shared: Place, arguments: tuple[str, ...], says: Callable[[str], bool]
) -> None:
    done = shared.cli("backfill", *arguments)

    assert done.returncode == 2, done.stdout + done.stderr
    assert says(done.stderr), done.stderr
    assert "Traceback" not in done.stderr
