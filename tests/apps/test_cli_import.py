"""`import prescaling-exporter` on the example that the documentation shows."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from prescaler.apps.cli import main
from prescaler.config import load_settings
from prescaler.wiring import open_stores
from tests.apps.conftest import configuration
from tests.support.migrated import migrate

Run = Callable[..., tuple[int, str, str]]
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
HPAS, EVENTS = EXAMPLES / "prescaling-hpas.yaml", EXAMPLES / "prescaling-events.yaml"


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("COLUMNS", "200")

    def runner(*arguments: str) -> tuple[int, str, str]:
        code = main._exit_code(["import", "prescaling-exporter", *map(str, arguments)])
        found = capsys.readouterr()
        return code, found.out, found.err

    return runner


def test_the_example_is_taken_over_and_its_report_is_the_one_shown(
    run: Run, tmp_path: Path
) -> None:
    out, events, told = (tmp_path / n for n in ("w.yaml", "e.yaml", "r.md"))
    code, shown, _ = run(
        "--annotations", HPAS, "--events", EVENTS, "--out", out, "--events-out", events,
        "--report", told,
    )  # fmt: skip

    assert code == 0
    assert "12 workloads with their windows, 6 events" in shown
    assert told.read_text() == (EXAMPLES / "prescaling-report.md").read_text()
    assert len(yaml.safe_load(out.read_text())["workloads"]) == 12
    assert len(yaml.safe_load(events.read_text())["events"]) == 6


def test_the_written_workloads_are_a_good_configuration(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("READ", "WEB", "ADMIN"):
        monkeypatch.setenv(f"KEY_{name}", f"{name.lower()}-key-0123456789")
    query = 'sum(rate(http_requests_total{app="{name}"}[1m]))'
    out = tmp_path / "workloads.yaml"
    run("--annotations", HPAS, "--out", out, "--source", "main", "--query", query, "--per-pod", 100)
    top = {**configuration(tmp_path), "workloads": [], "include": ["workloads.yaml"]}
    path = tmp_path / "prescaler.yaml"
    path.write_text(yaml.safe_dump(top))

    settings = load_settings(path)
    stores = open_stores(settings.store.main)
    migrate(stores.database)
    again = ("--annotations", HPAS, "--events", EVENTS, "--to-store", "--config", path, "--json")
    first, second = (json.loads(run(*map(str, again))[1]) for _ in range(2))

    assert len(settings.workloads) == 12
    assert (first["stored"], second["stored"]) == (6, 0)
    assert len(stores.audit.recent(99)) == 6
    stores.database.close()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "cannot be read"),
        ("a: [b", "neither YAML nor JSON"),
        ("[" * 200 + "]" * 200, "nested more than"),
        ("\x00", "neither YAML nor JSON"),
    ],
)
def test_a_file_that_is_none_is_said(
    run: Run, tmp_path: Path, content: str | None, text: str
) -> None:
    path = tmp_path / "hpas.yaml"
    if content is not None:
        path.write_text(content)

    code, _, err = run("--annotations", path)

    assert code == 2
    assert text in err


def test_refused_lines_are_exit_1_and_a_bad_zone_or_place_exit_2(run: Run, tmp_path: Path) -> None:
    empty = tmp_path / "empty.yaml"
    empty.write_text("")
    odd = tmp_path / "odd.json"
    odd.write_text('{"items": [{"kind": "Pod", "metadata": {"name": "x"}}], "kind": "List"}')

    assert run("--annotations", empty)[0] == 0
    assert run("--annotations", odd)[0] == 1
    assert "is no time zone" in run("--annotations", HPAS, "--timezone", "Mars/Base")[2]
    assert "cannot be written" in run("--annotations", HPAS, "--out", tmp_path / "no" / "w")[2]
