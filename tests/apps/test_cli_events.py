"""`events` on a real store."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml

from prescaler.adapters.clock import SystemClock
from prescaler.apps.cli import main
from prescaler.config import load_settings
from prescaler.core.records import Outcome, RunStatus
from prescaler.wiring import Stores, open_stores
from tests.apps.conftest import NOW, configuration
from tests.support.builders import forecast
from tests.support.migrated import migrate
from tests.support.planning import CALENDAR

Run = Callable[..., tuple[int, str, str]]
TONIGHT = ("--start", "2026-11-23 21:00", "--for", "2h", "-w", "web", "--kind", "football")


@pytest.fixture
def stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wide: None) -> Iterator[Stores]:
    for name in ("READ", "WEB", "ADMIN"):
        monkeypatch.setenv(f"KEY_{name}", f"{name.lower()}-key-0123456789")
    path = tmp_path / "prescaler.yaml"
    monkeypatch.setenv("PRESCALER_CONFIG", str(path))
    monkeypatch.setattr(SystemClock, "now", lambda _: NOW)
    path.write_text(yaml.safe_dump(configuration(tmp_path)))
    settings = load_settings(path)
    opened = open_stores(settings.store.main)
    migrate(opened.database)
    web = settings.workloads[0]
    version = opened.workloads.ensure(web, NOW)
    made = replace(forecast(), workload=version.workload, version=version.number)
    opened.forecasts.save(version, RunStatus(NOW, Outcome.STORED), made)
    yield opened
    opened.database.close()


@pytest.fixture
def run(stores: Stores, capsys: pytest.CaptureFixture[str]) -> Run:
    def runner(*arguments: str | Path) -> tuple[int, str, str]:
        code = main._exit_code(["events", *map(str, arguments)])
        found = capsys.readouterr()
        return code, found.out, found.err

    return runner


def listed(run: Run, *options: str) -> list[dict[str, Any]]:
    code, out, _ = run("list", "--json", *options)
    assert code == 0
    found: list[dict[str, Any]] = json.loads(out)["items"]
    return found


def test_an_event_is_planned_in_local_time_and_its_effect_is_shown(run: Run) -> None:
    code, out, _ = run("add", "Semi-final", *TONIGHT, "--factor", "2", "--reason", "the cup")

    assert code == 0
    assert "planned: Semi-final (football), Mon 23 Nov 2026 21:00 to 23:00 Europe/Paris" in out
    assert "as declared: nothing is learnt of its kind yet" in out
    (event,) = listed(run)
    assert (event["start"], event["end"]) == ("2026-11-23T20:00:00Z", "2026-11-23T22:00:00Z")
    assert event["timezone"] == "Europe/Paris"
    code, out, _ = run("list")
    assert f"{event['id'][:8]} │ 2026-11-23 Mon 21:00-23:00 │ Semi-final (football) │ web" in out
    assert "x2" in out


def test_a_dry_run_stores_nothing(run: Run) -> None:
    code, out, _ = run("add", "Semi-final", *TONIGHT, "--factor", "2", "--dry-run", "--json")

    found = json.loads(out)
    assert (code, found["stored"]) == (0, False)
    (plan,) = found["plans"]
    assert plan["pods"] > 1.8 * plan["without"]
    assert listed(run) == []
    assert "nothing stored; it would be" in run("add", "x", *TONIGHT, "--dry-run")[1]


def test_everything_may_be_said(run: Run, stores: Stores) -> None:
    code, _, err = run(
        *("add", "Sale", "--start", "2026-11-30 10:00", "--end", "2026-11-30T12:00:00+01:00"),
        *("--label", "team=player", "--added", "50", "--min-pods", "9", "--stack", "multiply"),
        *("--ramp-before", "15m", "--ramp-after", "30m", "--state", "draft"),
        *("--rule", "FREQ=WEEKLY", "--except", "2026-12-07 10:00", "--tag", "stage=final"),
        *("--known-from", "2026-11-25 00:00", "--description", "winter", "--author", "ada"),
        *("--timezone", "Europe/Berlin"),
    )  # fmt: skip

    assert code == 0
    assert "only confirmed events act" in err
    (event,) = listed(run)
    assert event["workloads"] == {"names": [], "labels": {"team": "player"}}
    assert event["exceptions"] == ["2026-12-07T09:00:00Z"]
    assert (event["stack"], event["state"], event["min_pods"]) == ("multiply", "draft", 9)
    assert (event["ramp_after"], event["labels"]) == ("30m", {"stage": "final"})
    assert stores.audit.recent(1)[0].author == "ada"


def test_an_edit_changes_what_is_named_and_a_new_start_moves_the_end(run: Run) -> None:
    run("add", "Semi-final", *TONIGHT, "--factor", "2")
    (event,) = listed(run)

    code, out, _ = run("edit", event["id"][:8], "--start", "2026-11-23 20:30", "--factor", "3")

    assert code == 0
    assert "20:30 to 22:30" in out
    (changed,) = listed(run)
    assert (changed["factor"], changed["kind"], changed["revision"]) == (3.0, "football", 2)
    code, out, _ = run("edit", event["id"], "--for", "1h", "--dry-run")
    assert "20:30 to 21:30" in out
    assert listed(run)[0]["revision"] == 2
    assert run("edit", event["id"], "--timezone", "UTC", "--name", "Final", "--json")[0] == 0
    assert listed(run)[0]["name"] == "Final"


@pytest.mark.parametrize("rule", ["FREQ=DAILY;COUNT=2", "FREQ=DAILY"])
def test_a_dry_move_says_what_the_move_will_do(run: Run, rule: str) -> None:
    run("add", "League", *TONIGHT, "--rule", rule, "--factor", "3")
    (event,) = listed(run)
    times = ("--occurrence", "2026-11-23 21:00", "--start", "2026-11-23 21:30")  # they overlap
    asked = ("move", event["id"], *times, "--json")

    dry = json.loads(run(*asked, "--dry-run")[1])
    done = json.loads(run(*asked)[1])

    (plan,) = dry["plans"]
    assert plan["pods"] > plan["without"]
    assert plan["extra_pod_hours"] > 0
    assert dry["plans"] == done["plans"]


def test_a_dry_edit_says_what_the_edit_will_do(run: Run) -> None:
    run("add", "Semi-final", *TONIGHT, "--factor", "3")
    (event,) = listed(run)
    asked = ("edit", event["id"], "--start", "2026-11-23 21:30", "--factor", "2", "--json")

    dry = json.loads(run(*asked, "--dry-run")[1])
    done = json.loads(run(*asked)[1])

    assert dry["plans"][0]["pods"] > dry["plans"][0]["without"]
    assert dry["plans"] == done["plans"]


def test_one_time_of_a_repeating_event_moves(run: Run, stores: Stores) -> None:
    run("add", "League", *TONIGHT, "--rule", "FREQ=DAILY;COUNT=2")
    (event,) = listed(run)
    asked = ("move", event["id"][:8], "--occurrence", "2026-11-24 21:00")

    dry = run(*asked, "--start", "2026-11-25 20:00", "--for", "1h", "--dry-run")
    wrong = run("move", event["id"], "--occurrence", "2026-11-26 21:00", "--start", "2026-11-27")
    both = run(*asked, "--start", "2026-11-25 20:00", "--end", "2026-11-25 21:00", "--for", "1h")
    assert (dry[0], "20:00 to 21:00" in dry[1], len(listed(run))) == (0, True, 1)
    assert (wrong[0], both[0]) == (2, 2)
    assert "occurrence: none starts at 2026-11-26T20:00:00Z" in wrong[2]

    code, out, _ = run(*asked, "--start", "2026-11-25 20:00", "--json", "--author", "ada")

    assert (code, json.loads(out)["event"]["end"]) == (0, "2026-11-25T21:00:00Z")
    series, single = listed(run)
    assert series["exceptions"] == ["2026-11-24T20:00:00Z"]
    assert (single["start"], single["rule"]) == ("2026-11-25T19:00:00Z", None)
    assert {e.author for e in stores.audit.recent(2)} == {"ada"}


def test_a_cancelled_event_is_only_listed_when_asked_for(run: Run) -> None:
    run("add", "Semi-final", *TONIGHT)
    (event,) = listed(run)

    code, out, _ = run("cancel", event["id"][:6], "--reason", "rain")

    assert (code, "cancelled: Semi-final" in out) == (0, True)
    assert listed(run) == []
    assert run("list")[1].strip() == "nothing is planned"
    assert len(listed(run, "--state", "cancelled")) == 1
    assert json.loads(run("cancel", event["id"], "--json")[1])["items"][0]["state"] == "cancelled"


def test_the_list_is_narrowed_and_says_what_it_leaves_out(run: Run) -> None:
    run("add", "a", *TONIGHT)
    run("add", "b", "--start", "2026-11-25 21:00", "--for", "1h", "-w", "api", "--kind", "opera")
    run("add", "c", "--start", "2026-11-20 21:00", "--for", "1h", "-w", "all")

    assert [e["name"] for e in listed(run)] == ["a", "b"]
    assert [e["name"] for e in listed(run, "--from", "2026-11-01 00:00")] == ["c", "a", "b"]
    assert [e["name"] for e in listed(run, "--to", "2026-11-24 00:00")] == ["a"]
    assert [e["name"] for e in listed(run, "--workload", "api")] == ["b"]
    assert [e["name"] for e in listed(run, "--kind", "opera")] == ["b"]
    assert "1 of 2 events" in run("list", "--limit", "1")[1]
    assert run("list", "--workload", "nobody")[0] == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("add", "x"), "start: is missing"),
        (("add", "x", *TONIGHT, "--end", "2026-11-23 23:00"), "not both"),
        (("add", "x", "--start", "2026-11-23 21:00", "--for", "soon", "-w", "web"), "duration"),
        (("add", "x", "--start", "2026-03-29 02:30", "--for", "1h"), "the clock skips it"),
        (("add", "x", *TONIGHT, "--timezone", "Mars"), "--timezone 'Mars' is none"),
        (("add", "x", *TONIGHT, "-w", "wbe"), "did you mean 'web'"),
        (("add", "x", *TONIGHT, "--tag", "final"), "no key=value"),
        (("add", "x", *TONIGHT, "--factor", "-1"), "factor"),
        (("add", "x", *TONIGHT, "--rule", "FREQ=HOURLY"), "rule"),
        (("edit", "ab"), "at least 4 characters"),
        (("edit", "abcd"), "no event has an id"),
        (("cancel", "00000000-0000-4000-8000-000000000001"), "no event"),
        (("import", "/nowhere/x.ics"), "cannot be read"),
        (("import", "/nowhere/x.txt"), "Say --format"),
        (("clean", "--retention", "10"), "forecasts look back"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_reason(
    run: Run, arguments: tuple[str, ...], words: str
) -> None:
    code, _, err = run(*arguments)

    assert code == (4 if "cannot be read" in words else 2)
    assert words in err
    assert listed(run) == []


def test_a_calendar_is_imported_once_after_a_look(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "The Cup.ics"
    file.write_text(CALENDAR)
    options = ("--workload", "web", "--factor", "1.5", "--kind", "football")

    code, out, err = run("import", file, *options, "--dry-run")
    assert (code, listed(run)) == (0, [])
    assert "new: Semi-final (football), Tue 24 Nov 2026 21:00 to 23:00 Europe/Paris" in out
    assert "nothing stored: 1 new, 0 changed, 0 as they were" in err

    assert "1 new" in run("import", file, *options)[2]
    assert "0 new, 0 changed, 1 as they were" in run("import", file, *options)[2]
    assert listed(run)[0]["source"] == "import:the-cup"
    moved = tmp_path / "moved.ics"
    moved.write_text(CALENDAR.replace("T21", "T20"))
    found = json.loads(run("import", moved, *options, "--name", "the-cup", "--json")[1])
    assert (found["created"], found["changed"]) == (0, 1)


def test_of_a_long_import_only_the_beginning_is_shown(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "many.csv"
    rows = [f"n{n},k,2026-12-01T20:00Z,2026-12-01T22:00Z" for n in range(25)]
    file.write_text("\n".join(["name,kind,start,end", *rows, ""]))

    code, out, _ = run("import", file, "--workload", "all")

    assert code == 0
    assert "new: and 5 more" in out
    assert len(listed(run)) == 25


def test_all_of_a_source_is_cancelled_at_once_but_what_is_over_or_somebodys_own(
    run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "cup.csv"
    days = ("2026-10-01", "2026-12-01", "2026-12-02", "2026-12-03")
    rows = [f"n{day[-2:]},k,{day}T20:00Z,{day}T22:00Z" for day in days]
    file.write_text("\n".join(["name,kind,start,end", *rows, ""]))
    run("import", file, "--workload", "all")
    mine = next(e for e in listed(run) if e["name"] == "n03")
    run("edit", mine["id"], "--factor", "2")

    code, out, _ = run("cancel", "--source", "import:cup", "--reason", "season is off")

    assert (code, out.count("cancelled:")) == (0, 2)
    early = ("--from", "2026-09-01 00:00")
    assert [e["name"] for e in listed(run, *early)] == ["n01", "n03"]
    assert "nothing was left" in run("cancel", "--source", "import:cup")[1]
    assert run("cancel")[0] == run("cancel", "abcd", "--source", "feed:x")[0] == 2


def test_a_bad_file_is_refused_whole(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    good = "a,k,2026-12-01T20:00Z,2026-12-01T22:00Z"
    file.write_text(f"name,kind,start,end\n{good}\nb,k,2026-12-01T20:00Z,2026-12-01T19:00Z\n")
    page = tmp_path / "page.ics"
    page.write_text("<!doctype html>")

    code, _, err = run("import", file, "--workload", "all")
    assert (code, listed(run)) == (2, [])
    assert "nothing was stored. line 3: end: must lie behind the start" in err
    code, _, err = run("import", page, "--workload", "all")
    assert (code, "is an HTML page" in err) == (2, True)


def test_events_that_are_long_over_are_forgotten(run: Run) -> None:
    run("add", "old", "--start", "2026-08-01 21:00", "--for", "1h", "-w", "web")
    run("add", "new", *TONIGHT)
    early = ("--from", "2026-01-01 00:00")

    assert json.loads(run("clean", "--json")[1]) == {"forgotten": 0}
    assert "1 events forgotten" in run("clean", "--retention", "60d")[1]
    assert [e["name"] for e in listed(run, *early)] == ["new"]
    assert "0 events forgotten" in run("clean", "--retention", "1", "--force")[1]


def test_a_preview_beyond_the_forecast_says_so(run: Run) -> None:
    far = ("add", "far", "--start", "2027-01-05 21:00", "--for", "1h", "-w", "web")

    out = run(*far, "--min-pods", "70", "--dry-run")[1]
    assert "the forecast does not reach that far yet" in out
    assert "20:53:30" in out  # six syncs, a pod and a node before 21:00
    assert "no forecast yet" in run(*far[:-1], "api", "--dry-run")[1]
    most = run(*far, "--min-pods", "300", "--dry-run")[1]
    assert "the HPA stops at 200 pods" in most
    over = ("add", "over", "--start", "2026-01-05 21:00", "--for", "1h", "-w", "web")
    assert "no plan to show" in run(*over)[1]


def test_an_id_that_is_not_one_event_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = iter([UUID(int=0xABCD << 112), UUID(int=(0xABCD << 112) + 1)])
    monkeypatch.setattr("prescaler.usecases.change_events.uuid4", lambda: next(ids))
    run("add", "a", *TONIGHT)
    run("add", "b", *TONIGHT)

    code, _, err = run("cancel", "ABCD")

    assert code == 2
    assert "2 events have an id that begins with 'ABCD'" in err
