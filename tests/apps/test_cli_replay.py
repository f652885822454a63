"""`replay` at the command line."""

import gzip
import json
import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from prescaler.adapters.files.replay_page import page, write_page
from prescaler.apps.cli import main
from prescaler.apps.cli import replay as command
from prescaler.apps.cli.replay_view import show
from prescaler.config import load_settings
from prescaler.core.errors import BadParameter
from prescaler.usecases.replay_period import Crew, Replay, Subject, Wish
from prescaler.wiring import clock, open_stores
from tests.apps.conftest import configuration
from tests.support.builders import MINUTE, daily_demand, series
from tests.support.migrated import migrate
from tests.support.processes import wait_for
from tests.support.replayed import kept

Run = Callable[..., tuple[int, str, str]]
QUICK = ("--since", "6h", "--runs", "1", "--processes", "1")
MATCH = (
    "name,kind,start,end\n<b>final</b>,football,2026-11-25T20:00:00Z,2026-11-25T21:00:00Z\n"
    "wrong,football,2026-11-25T20:00:00Z,2026-11-25T19:00:00Z\n"
)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], wide: None) -> Run:
    def runner(*arguments: str) -> tuple[int, str, str]:
        code = main._exit_code(["replay", *arguments])
        found = capsys.readouterr()
        return code, found.out, found.err

    return runner


def write(path: Path, days: float) -> Path:
    """A trace of minutes that ends on Wednesday at midnight."""
    values = np.repeat(daily_demand(days), 5)
    stamps = pd.date_range(end="2026-11-25T23:59:00Z", periods=len(values), freq="1min")
    rows = zip(stamps, values, strict=True)
    text = "\n".join(f"{at:%Y-%m-%dT%H:%M:%SZ},{v:.3f}" for at, v in rows)
    path.write_bytes(gzip.compress(f"timestamp,value\n{text}\n".encode()))
    return path


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return write(tmp_path / "shop.csv.gz", 2.5)


@pytest.fixture
def events(tmp_path: Path) -> Path:
    path = tmp_path / "matches.csv"
    path.write_text(MATCH)
    return path


def test_a_trace_with_events_gives_a_table_a_document_and_a_report(
    run: Run, trace: Path, events: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.html"
    code, said, told = run(
        "--csv", str(trace), "--events", str(events), *QUICK, "--no-sweep", "--html", str(report)
    )
    html = report.read_text()

    assert code == 0, told
    assert "left out: line 3" in told
    assert "shop: 2026-11-25T18:00:00Z to 2026-11-26T00:00:00Z, 0.2 days, 1 events" in said
    assert "guessed: 99.5 % level / 30" in said
    for name in ("reactive at 70 %", "prescaler with events at 70 %", "oracle, no delays"):
        assert name in said
        assert name in html
    assert "&lt;b&gt;final&lt;/b&gt;" in html
    assert "<b>final" not in html
    assert not re.search(r"(src|href)=|https?://|<script", html), "it needs nothing but itself"


def test_json_of_one_arm_with_a_promise(run: Run, trace: Path) -> None:
    code, said, _ = run(
        "--csv", str(trace), *QUICK, "--arms", "reactive", "--promise", "0.01%", "--json"
    )
    found = json.loads(said)

    assert code == 1, "too little history is no yes"
    assert found["advice"]["verdict"] == "too_little_history"
    assert [row["setting"]["arm"] for row in found["arms"]] == ["reactive"]
    assert len(found["sweep"]) == 12


def test_the_end_of_the_period_and_lost_spot_nodes(run: Run, trace: Path) -> None:
    code, said, told = run(
        "--csv", str(trace), *QUICK, "--until", "2026-11-25T13:00:00+01:00",
        "--arms", "static_peak", "--no-sweep", "--spot-loss", "0.5", "--json",
    )  # fmt: skip
    found = json.loads(said)

    assert code == 0, told
    assert found["period"]["start"] == "2026-11-25T06:00:00Z"
    assert found["period"]["end"] == "2026-11-25T12:00:00Z"
    assert found["assumptions"]["spot_loss"] == 0.5
    assert found["arms"][0]["lost"] > 0


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((), "either the name of a workload or --csv"),
        (("web", "--csv", "x.csv"), "either the name of a workload or --csv"),
        (("--csv", "x.csv", "--arms", "magic"), "there are static_peak, reactive"),
        (("--csv", "x.csv", "--promise", "never"), "is no promise"),
        (("--csv", "x.csv", "--since", "soon"), "is not a duration"),
        (("--csv", "x.csv", "--timezone", "Mars/Base"), "is no zone"),
        (("--csv", "x.csv", "--capacity", "0"), "carries more than nothing"),
        (("--csv", "x.csv", "--capacity", "nan"), "carries more than nothing"),
        (("--csv", "x.csv", "--events", "x.doc"), "must end in"),
        (("--csv", "x.csv", "--until", "2026-11-25T20:00:00"), "write it with its offset"),
        (("--csv", "x.csv", "--until", "2026-11-31T20:00:00Z"), "is not an instant"),
        (("--csv", "x.csv", "--until", "yesterday"), "is not an instant"),
        (("--csv", "x.csv", "--spot-loss", "1"), "is 0 or more and below 1"),
        (("--csv", "x.csv", "--spot-loss", "-0.1"), "is 0 or more and below 1"),
        (("--csv", "x.csv", "--spot-loss", "nan"), "is 0 or more and below 1"),
        (
            ("--csv", "TRACE", "--until", "2026-11-26T00:00:01Z"),
            "the file ends at 2026-11-26T00:00:00Z",
        ),
        (
            ("--csv", "TRACE", "--until", "2026-11-23T12:00:00Z"),
            "nothing is known before 2026-11-23T12:00:00Z",
        ),
        (("--csv", "TRACE", "--until", "2026-11-23T15:00:00Z"), "a replay needs 6 hours"),
        (
            ("web", "--until", "2199-01-01T00:00:00+01:00"),
            "2198-12-31T23:00:00Z lies in the future",
        ),
        (("--csv", "TRACE", "--since", "5h"), "a replay needs 6 hours"),
        (("--csv", "TRACE", "--html", "/nowhere/at/all.html"), "the folder is not there"),
        (("--csv", "TRACE", "--html", "/"), "is a folder; name the file"),
        (("--csv", "x.csv", "--promise", "1%", "--no-sweep"), "leave --no-sweep out"),
        (("--csv", "TRACE", *QUICK, "--arms", "today_floor"), "no planned event"),
    ],
)
def test_what_cannot_be_is_refused(
    run: Run, trace: Path, arguments: Sequence[str], text: str
) -> None:
    code, _, told = run(*(str(trace) if a == "TRACE" else a for a in arguments))

    assert code == 2, told
    assert text in told


def test_files_that_are_not_there(run: Run, trace: Path, tmp_path: Path) -> None:
    for arguments in (
        ("--csv", str(tmp_path / "none.csv")),
        ("--csv", str(trace), "--events", str(tmp_path / "none.csv")),
    ):
        code, _, told = run(*arguments)
        assert code == 4
        assert "cannot be read" in told


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("KEY_READ", "KEY_WEB", "KEY_ADMIN"):
        monkeypatch.setenv(name, f"{name}-0123456789-0123456789")
    path = tmp_path / "prescaler.yaml"
    document = configuration(tmp_path)
    path.write_text(yaml.safe_dump(document))
    stores = open_stores(document["store"]["url"])
    migrate(stores.database)
    stores.database.close()
    return path


def test_a_workload_needs_a_name_and_a_past(run: Run, config: Path) -> None:
    code, _, told = run("nobody", "--config", str(config))
    assert (code, "no workload 'nobody'" in told) == (2, True)

    code, _, told = run("web", "--config", str(config))
    assert (code, "prescaler backfill" in told) == (4, True)


def test_a_workload_is_played_from_its_stored_past(
    run: Run, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores = open_stores(configuration(tmp_path)["store"]["url"])
    settings = load_settings(config)
    web = settings.workload("web")
    assert web is not None
    now = clock().now().replace(second=0, microsecond=0)
    version = stores.workloads.ensure(web, now)
    values = np.repeat(daily_demand(2), 5)
    stores.demand.append(version, series(values, now - timedelta(days=2), MINUTE))
    stores.database.close()

    code, said, told = run(
        "web", "--config", str(config), *QUICK, "--arms", "reactive", "--no-sweep", "--json"
    )

    assert code == 0, told
    found = json.loads(said)
    assert found["workload"] == "web"
    assert found["present"]["setting"]["arm"] == "prescaler"
    assert found["assumptions"]["running_pods_known"] is True


def test_an_advice_is_shown_with_the_way_to_it(
    run: Run, trace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight days of forecasts take minutes; reactive alone says enough about the words."""
    long = write(trace.with_name("long.csv.gz"), 8)
    code, said, _ = run(
        "--csv", str(long), "--since", "7d", "--runs", "1", "--processes", "1",
        "--arms", "reactive", "--promise", "10m/1d", "--utilisation", "0.5",
    )  # fmt: skip

    assert code == 1
    assert "Prediction does not pay here" in said
    assert re.search(r"promise 10m/1d .*at most .*margin", said)
    assert "best without a forecast" in said
    assert "prescaler.yaml:" in said
    assert "ScaledObject:" in said
    assert "- spec.triggers[reactive].metadata.threshold" in said


def told(**changes: Any) -> dict[str, Any]:
    """A document with everything in it, small."""
    measures = {
        "pod_hours": 10.0, "dropped": 0.0, "bad_minutes_a_week": 0.0, "utilisation": 0.5,
        "kwh": 1.0, "cost": 0.5, "actions": 3.0,
    }  # fmt: skip
    change = {"change": 0.1, "low": -0.1, "high": 0.2}
    row = {
        "setting": {"arm": "reactive", "text": "reactive at 70 %"},
        "all": measures,
        "in_events": measures,
        "readiness": None,
        "minutes_late": None,
        "against_present": {
            "pod_hours": change,
            "dropped": {"change": None, "low": None, "high": None},
        },
    }
    base = {
        "workload": "web",
        "period": {"start": "a", "end": "b", "days": 1.0, "events": 1, "known_share": 0.9},
        "assumptions": {
            "per_pod": 10.0,
            "seeds": [1, 2],
            "prices": {"pod_hour": 0.05, "currency": "EUR"},
        },
        "arms": [row],
        "events": [],
        "sweep": [row, {**row, "all": {**measures, "pod_hours": 12.0, "dropped": 0.01}}],
        "frontier": {"reactive": [0]},
        "advice": None,
        "series": {
            "stamps": ["2026-11-24T20:00:00Z", "2026-11-24T20:01:00Z", "2026-11-24T20:02:00Z"],
            "columns": {
                "demand": [10.0, None, 30.0],
                "ready:reactive": [1.0, 2.0, 2.0],
                "dropped:reactive": [0.0, 0.0, 5.0],
            },
        },
    }
    return {**base, **changes}


def test_the_report_has_curves_with_holes_and_a_frontier() -> None:
    html = page(told())

    assert html.count("<svg") == 3
    assert "10.0 % of demand is missing" in html
    assert 'class="dot reactive kept"' in html
    assert 'class="dot reactive"' in html
    (demand,) = re.findall(r'class="line demand" d="([^"]*)"', html)
    assert demand.count("M") == 2, "a hole lifts the pen"
    assert "+10.0 % (-10.0 to +20.0)" in html


def test_the_report_says_that_days_were_too_few_for_an_interval() -> None:
    short = told()
    short["arms"][0]["against_present"]["pod_hours"].update(low=None, high=None)

    assert "+10.0 % (too few days for an interval)" in page(short)


def sleeping() -> dict[str, Any]:
    found: dict[str, Any] = kept()["result"]
    found["assumptions"]["sleep"] = {
        "polling_seconds": 30.0, "cooldown_seconds": 300.0, "wakes_to": 1, "wake_at": 0.1,
    }  # fmt: skip
    for row in found["arms"]:
        row["asleep"] = 0.375
    return found


def test_of_a_workload_that_may_sleep_the_time_at_0_pods_is_shown(
    capsys: pytest.CaptureFixture[str], wide: None
) -> None:
    show(sleeping())
    said = capsys.readouterr().out
    html = page(sleeping())

    assert "KEDA polls every 30 s and takes it to 0 pods 300 s after the last active poll" in said
    assert "asleep %" in said
    assert "37.5" in said
    assert "<th>asleep</th>" in html
    assert "37.5 %" in html
    assert "polling seconds 30.0, cooldown seconds 300.0, wakes to 1, wake at 0.1" in html
    awake = page(kept()["result"])
    assert "<th>asleep</th>" not in awake
    assert "None" not in awake


def test_the_report_of_little() -> None:
    empty: dict[str, Any] = {"stamps": [], "columns": {}}
    html = page(told(sweep=[], series=empty))

    assert "<svg" not in html
    calm = told()
    calm["series"]["columns"]["dropped:reactive"] = [0.0, None, 0.0]
    assert "Nothing was dropped." in page(calm)
    late = told()
    late["advice"] = {
        "promise": {"text": "1%"},
        "best": None,
        "words": ["Too <little>"],
        "way": {
            "configuration": [{"path": "a", "before": None, "after": "<x>"}],
            "scaled_object_changes": [],
        },
    }
    html = page(late)
    assert "Too &lt;little&gt;" in html
    assert "+ a: &lt;x&gt;" in html
    assert "ScaledObject" not in html


def test_a_report_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(BadParameter, match="cannot be written"):
        write_page(tmp_path, told())


def test_an_interrupt_ends_the_workers(
    run: Run, trace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(subject: Subject, wish: Wish, crew: Crew, progress: object) -> Replay:
        crew.processes.submit(sum, [1, 2]).result()
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "replay_period", interrupted)
    code, _, _ = run("--csv", str(trace), *QUICK)

    assert code == 130
    # Whoever of two threads comes second to reap a dead child hears of it a moment later.
    wait_for(lambda: not active_children(), 10)
