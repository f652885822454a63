"""`why`, `mode`, `freeze`, `override`, `guard` on a real store."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from prescaler.adapters.clock import SystemClock
from prescaler.apps.cli import main
from prescaler.config import load_settings
from prescaler.core.control import Control, GuardTrip
from prescaler.usecases.log_decisions import KEEP, log_decisions, pack_decisions
from prescaler.usecases.serve_metric import ServingTable
from prescaler.wiring import Stores, load_serving, open_stores
from tests.apps.conftest import configuration, workload
from tests.support.migrated import migrate

Run = Callable[..., tuple[int, str, str]]
THEN = datetime(2026, 11, 24, 19, 41, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stores:
    for name in ("READ", "WEB", "ADMIN"):
        monkeypatch.setenv(f"KEY_{name}", f"{name.lower()}-key-0123456789")
    monkeypatch.setenv("COLUMNS", "200")
    path = tmp_path / "prescaler.yaml"
    monkeypatch.setenv("PRESCALER_CONFIG", str(path))
    web = workload("web", policy={"mode": "active", "min_pods": 40})
    path.write_text(yaml.safe_dump(configuration(tmp_path, workloads=[web])))
    opened = open_stores(load_settings(path).store.main)
    migrate(opened.database)
    return opened


@pytest.fixture
def run(stores: Stores, capsys: pytest.CaptureFixture[str]) -> Run:
    def runner(*arguments: str) -> tuple[int, str, str]:
        code = main._exit_code(list(arguments))
        found = capsys.readouterr()
        return code, found.out, found.err

    return runner


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    def move(now: datetime) -> None:
        monkeypatch.setattr(SystemClock, "now", lambda _: now)

    return move


def logged(stores: Stores, tmp_path: Path, now: datetime) -> None:
    """What the leader writes."""
    (web,) = load_settings(tmp_path / "prescaler.yaml").workloads
    stores.workloads.ensure(web, now)
    table = ServingTable()
    table.replace({"web": load_serving(web, stores, now)})
    log_decisions(table, {}, stores.decisions, stores.controls, now)


def test_why_answers_in_words_after_399_days_of_packing(
    run: Run, stores: Stores, tmp_path: Path, at: Callable[[datetime], None]
) -> None:
    logged(stores, tmp_path, THEN - DAY)
    logged(stores, tmp_path, THEN)
    for days in range(1, 400, 7):
        pack_decisions(stores.decisions, THEN + days * DAY)
    at(THEN + 399 * DAY)

    code, out, _ = run("why", "web", "--at", "2026-11-24 20:41")
    as_json = json.loads(run("why", "web", "--at", "2026-11-24T19:41:00Z", "--json")[1])

    assert code == 0
    assert "web, 2026-11-24 20:41:00 Europe/Paris (2026-11-24T19:41:00Z): 40 pods" in out
    assert "reason warming_up: no forecast: none had been made since the start" in out
    assert "no forecast was there" in out
    assert as_json["stages"][-1] == {
        "stage": "rounding", "load": 3200.0, "pods": 40, "text": "as it was sent",
    }  # fmt: skip


def test_where_nothing_is_known_it_says_what_that_means(
    run: Run, stores: Stores, tmp_path: Path, at: Callable[[datetime], None]
) -> None:
    at(THEN)
    code, out, _ = run("why", "web")
    assert (code, out.strip()[:18]) == (1, "nothing was logged")

    logged(stores, tmp_path, THEN)
    assert "has not come yet" in run("why", "web", "--at", "2026-11-25 00:00")[1]
    at(THEN + KEEP + 2 * DAY)
    pack_decisions(stores.decisions, THEN + KEEP + 2 * DAY)
    code, out, _ = run("why", "web", "--at", "2026-11-24 20:41", "--json")
    assert (code, "kept for 400 days" in json.loads(out)["error"]) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("why", "wbe"), "there are: web"),
        (("why", "web", "--at", "noon"), "is not an instant"),
        (("mode", "web", "maybe", "--reason", "x"), "Invalid value"),
        (("mode", "web", "off"), "--reason"),
        (("mode", "web", "off", "--reason", " "), "give a reason"),
        (("freeze", "web", "--reason", "x"), "say when it ends"),
        (("override", "web", "--reason", "x", "--until", "1h"), "either load or pods"),
        (("override", "web", "--pods", "3", "--reason", "x"), "say when it ends"),
        (
            ("override", "web", "--pods", "3", "--reason", "x", "--until", "2020-01-01 00:00"),
            "past",
        ),
        (("override", "web", "--load", "nan", "--reason", "x", "--until", "1h"), "load must lie"),
    ],
)
def test_bad_input_is_exit_2_with_a_sentence(
    run: Run, arguments: tuple[str, ...], text: str
) -> None:
    code, _, err = run(*arguments)

    assert code == 2
    assert text in err
    assert "Traceback" not in err


def test_people_take_the_wheel_and_give_it_back(run: Run, stores: Stores) -> None:
    assert run("mode", "web", "capped", "--reason", "first week", "--author", "ada")[0] == 0
    assert run("freeze", "web", "--reason", "final", "--until", "2h")[0] == 0
    code, out, _ = run(
        "override", "web", "--pods", "125", "--reason", "final", "--until", "90m", "--json"
    )
    assert (code, json.loads(out)["override"]["pods"]) == (0, 125)
    ((_, control),) = stores.controls.all().items()
    assert control.mode is not None
    assert control.mode.by.author == "ada"
    assert control.freeze is not None
    assert control.freeze.value == 40 * 80

    out = run("override", "web", "--load", "1840.5", "--reason", "final", "--until", "90m")[1]
    first, frozen, own = out.strip().split("; ")
    assert first.startswith("web: mode capped by ada since ")
    assert first.endswith(" until it is cleared (first week)")
    assert frozen.startswith("frozen at 3,200 by ")
    assert own.startswith("overridden with 1,840.5 by ")

    run("override", "web", "--clear", "--reason", "over")
    run("freeze", "web", "--clear", "--reason", "over")
    out = run("mode", "web", "active", "--reason", "as before")[1]

    assert out.strip() == "web: as in the file"
    entries = stores.audit.recent(10)
    assert [e.action for e in reversed(entries)] == [
        "mode", "freeze", "override", "override", "clear override", "unfreeze", "mode",
    ]  # fmt: skip
    assert all(e.reason for e in entries)


def test_what_a_person_sets_ends_by_itself(
    run: Run, stores: Stores, tmp_path: Path, at: Callable[[datetime], None]
) -> None:
    at(THEN)
    run("override", "web", "--pods", "125", "--reason", "final", "--until", "2026-11-24 23:30")
    (web,) = load_settings(tmp_path / "prescaler.yaml").workloads
    during, after = THEN + timedelta(hours=2), THEN + timedelta(hours=3)

    assert load_serving(web, stores, during).decide(during).pods == 125
    assert load_serving(web, stores, after).decide(after).pods == 40


def test_a_guard_is_cleared_by_hand(run: Run, stores: Stores, tmp_path: Path) -> None:
    logged(stores, tmp_path, THEN)
    (version,) = stores.workloads.current()
    trip = Control(guard=GuardTrip("residuals", "x", THEN))
    stores.controls.put(version.workload, trip, None)
    shown = run("mode", "web", "active", "--reason", "as before")[1]
    assert f"web: guard residuals tripped {THEN:%Y-%m-%dT%H:%M:%S}Z: x" in shown

    assert run("guard", "web", "--reason", "looked at it")[0] == 0

    assert stores.controls.get(version.workload).guard is None
    entry = stores.audit.recent(1)[0]
    assert (entry.action, '"residuals"' in (entry.before or "")) == ("guard cleared", True)
