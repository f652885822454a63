"""The command line, read as a stranger."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from prescaler.adapters.database.schema import head
from prescaler.apps.cli import main
from prescaler.apps.cli.options import table_of
from tests.apps.conftest import configuration
from tests.support.builders import DAY, MINUTE, daily_demand
from tests.support.prometheus import PrometheusServer

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("READ", "WEB", "ADMIN"):
        monkeypatch.setenv(f"KEY_{name}", f"{name.lower()}-key-0123456789")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("PRESCALER_CONFIG", str(tmp_path / "prescaler.yaml"))
    (tmp_path / "prescaler.yaml").write_text(yaml.safe_dump(configuration(tmp_path)))
    return tmp_path


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def runner(*arguments: str) -> tuple[int, str, str]:
        code = main._exit_code(list(arguments))
        found = capsys.readouterr()
        return code, found.out, found.err

    return runner


def test_help_names_every_command(run: Run) -> None:
    code, out, _ = run("--help")

    assert code == 0
    for command in ("serve", "scheduler", "check", "forecast", "keda", "demo", "db"):
        assert command in out


def test_a_narrow_terminal_breaks_a_table_and_cuts_nothing_off() -> None:
    table = table_of("cutoff", "outcome")
    table.add_row("2026-11-26T04:00:00Z", "stored")
    narrow = Console(width=24, file=io.StringIO(), record=True)

    narrow.print(table)

    shown = narrow.export_text()
    assert "\u2026" not in shown
    assert sum(map(shown.count, "0123456789")) == 14


def test_the_version_is_one_line(run: Run) -> None:
    assert run("--version")[1].strip().count(".") == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["keda"],
        ["check", "--nonsense"],
        ["serve", "--only", "x"],
        ["db", "x"],
        ["demo", "--timezone", "Mars/Base"],
        ["keda", "web", "--variant", "x"],
    ],
)
def test_wrong_usage_is_exit_2_and_no_traceback(run: Run, arguments: list[str]) -> None:
    code, _, err = run(*arguments)

    assert code == 2
    assert "Traceback" not in err
    assert err.strip()


def test_a_bad_configuration_is_exit_3_with_all_problems(run: Run, folder: Path) -> None:
    (folder / "prescaler.yaml").write_text("workloads: [{nme: x}]\n")

    code, _, err = run("check")
    json_code, out, _ = run("check", "--json")

    assert code == json_code == 3
    assert "problems in the configuration" in err
    assert json.loads(out)["kind"] == "configuration"
    assert any("did you mean name" in p["text"] for p in json.loads(out)["problems"])


def test_check_is_content_with_a_good_file(run: Run) -> None:
    code, out, _ = run("check")

    assert code == 0
    assert "2 workloads, no problem" in out


def test_the_database_is_brought_up_once(run: Run) -> None:
    assert run("db", "current")[0] == 1
    assert run("db", "upgrade")[1].strip() == f"schema none -> {head()}"
    assert run("db", "upgrade")[1].strip() == f"nothing to do: schema {head()}"
    assert run("db", "current", "--json")[:2] == (
        0,
        f'{{\n  "schema": "{head()}",\n  "needed": "{head()}"\n}}\n',
    )


def test_a_database_without_its_folder_is_exit_5(run: Run, folder: Path) -> None:
    store = {"url": f"sqlite:///{folder / 'gone' / 'store.sqlite'}"}
    (folder / "prescaler.yaml").write_text(yaml.safe_dump(configuration(folder, store=store)))

    code, _, err = run("db", "upgrade")

    assert code == 5
    assert "No such file or directory" in err


def test_a_database_that_is_not_migrated_is_exit_5_with_the_command(run: Run) -> None:
    code, _, err = run("forecast")

    assert code == 5
    assert "prescaler db upgrade" in err


def test_the_scaledobject_is_printed_to_paste(run: Run) -> None:
    code, out, _ = run("keda", "web", "--variant", "carry-on", "--fallback-pods", "7")
    scaled, authentication = yaml.safe_load_all(out)

    assert code == 0
    assert out.startswith("# web: variant carry-on. Needs KEDA 2.20")
    assert scaled["spec"]["fallback"]["replicas"] == 7
    assert authentication["kind"] == "TriggerAuthentication"
    assert json.loads(run("keda", "web", "--json")[1])[0]["kind"] == "ScaledObject"


def test_an_unknown_workload_is_said_with_those_there_are(run: Run) -> None:
    code, _, err = run("keda", "wbe")

    assert code == 2
    assert "there are: api, web" in err


def test_a_source_that_is_down_is_said_by_probe(run: Run) -> None:
    run("db", "upgrade")
    code, out, _ = run("check", "--probe", "--json")

    assert code == 4
    probes = json.loads(out)["probes"]
    assert {p["kind"] for p in probes} == {"unreachable"}


@pytest.fixture
def with_prometheus(folder: Path, prometheus: PrometheusServer) -> None:
    """`web` has two weeks of real series, `api` two series, and a third workload none."""
    import time

    now = int(time.time()) // 60 * 60
    values = daily_demand(15, step=MINUTE)
    start = now - (len(values) - 5) * 60
    samples = [(start + 60 * i, v) for i, v in enumerate(values) if start + 60 * i <= now]
    # The server outlives the test: a minute later the same stamps would hold other values.
    web, api = f"cli_web_{now}", f"cli_api_{now}"
    prometheus.write({"__name__": web}, samples)
    for app in ("a", "b"):
        prometheus.write({"__name__": api, "app": app}, samples[-60:])
    document = configuration(folder, prometheus={"main": {"url": prometheus.url, "max_qps": 100}})
    for one, query in zip(document["workloads"], (web, api), strict=True):
        one["demand"] = {**one["demand"], "query": query, "delay": "0s"}
        one["forecast"] = {"history": "28d"}
    document["workloads"].append({**document["workloads"][0], "name": "none"})
    document["workloads"][2]["demand"] = {"source": ["main"], "query": "cli_none"}
    (folder / "prescaler.yaml").write_text(yaml.safe_dump(document))


@pytest.mark.usefixtures("with_prometheus")
def test_probe_says_what_each_query_finds(run: Run) -> None:
    run("db", "upgrade")
    code, out, _ = run("check", "--probe", "--json")
    web, api, none = json.loads(out)["probes"]

    assert code == 1
    assert (web["series"], web["problem"]) == (1, None)
    assert 14 * 24 <= web["hours"] <= 15 * 24 + 1
    assert (api["series"], api["kind"]) == (2, "several_series")
    assert (none["series"], none["kind"]) == (0, "no_series")
    assert "sum(...)" in run("check", "--probe")[1].replace("\n", "")


@pytest.mark.usefixtures("with_prometheus")
def test_forecast_runs_once_and_shows_what_came(run: Run) -> None:
    run("db", "upgrade")
    code, out, _ = run("forecast", "web")
    again, out_again, _ = run("forecast", "web", "--json")

    assert (code, again) == (0, 0)
    assert "stored" in out
    assert "pods at" in out
    assert json.loads(out_again)[0]["outcome"] == "unchanged"


@pytest.mark.usefixtures("with_prometheus")
def test_a_dry_run_stores_nothing(run: Run, folder: Path) -> None:
    code, out, err = run("forecast", "web", "--dry-run", "--json")

    assert code == 0
    assert json.loads(out)[0]["peak"]["pods"] > 0
    assert not (folder / "store.sqlite").exists()
    assert "without stored history and planned events: " in err
    assert "is not there yet" in err


@pytest.mark.usefixtures("with_prometheus", "wide")
def test_a_dry_run_plans_with_the_calendar_as_a_real_run_does(run: Run, folder: Path) -> None:
    from datetime import UTC, datetime, timedelta

    run("db", "upgrade")
    start = (datetime.now(UTC) + timedelta(hours=6)).isoformat(timespec="seconds")
    dry = ("forecast", "web", "--dry-run", "--json")
    before = json.loads(run(*dry)[1])[0]["peak"]
    options = ("--start", start, "--for", "2h", "-w", "web", "--factor", "9")
    assert run("events", "add", "Semi-final", *options)[0] == 0

    code, out, err = run(*dry)
    peak = json.loads(out)[0]["peak"]
    shown = run("forecast", "web", "--dry-run")[1]
    real = json.loads(run("forecast", "web", "--json")[1])[0]

    assert (code, err) == (0, "")
    assert peak["pods"] > 2 * before["pods"]
    assert (before["events"], peak["events"]) == ([], ["Semi-final"])
    assert "with Semi-final" in shown
    assert real["outcome"] == "stored"  # the dry ones before it stored nothing
    assert real["peak"]["events"] == ["Semi-final"]
    assert real["peak"]["pods"] == pytest.approx(peak["pods"], rel=0.05)


@pytest.mark.usefixtures("with_prometheus")
def test_a_dry_run_on_a_damaged_store_is_refused(run: Run, folder: Path) -> None:
    (folder / "store.sqlite").write_text("no database at all, however long one looks at it")

    code, _, err = run("forecast", "web", "--dry-run")

    assert code == 5
    assert "a dry run needs its history and calendar" in err


@pytest.mark.usefixtures("with_prometheus")
def test_a_workload_without_forecast_is_exit_1_with_the_reason(run: Run) -> None:
    run("db", "upgrade")
    code, out, _ = run("forecast", "--json")
    by_name = {record["workload"]: record for record in json.loads(out)}

    assert code == 1
    assert by_name["web"]["outcome"] == "stored"
    assert by_name["none"]["outcome"] == "too_little_history"
    assert "try it in Prometheus" in by_name["none"]["source_failure"]["text"]
    assert "sum(...)" in by_name["api"]["source_failure"]["text"]


def test_a_defect_shows_no_traceback_unless_asked(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("prescaler.apps.cli.check.load_settings", broken)

    code, _, err = run("check")

    assert code == 70
    assert "defect ZeroDivisionError: oops; --debug shows where" in err
    with pytest.raises(ZeroDivisionError):
        run("check", "--debug")


@pytest.mark.parametrize(
    ("arguments", "kind"), [(["events", "add"], "usage"), (["check"], "defect")]
)
def test_a_script_gets_a_document_whatever_went_wrong(
    run: Run, monkeypatch: pytest.MonkeyPatch, arguments: list[str], kind: str
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("[/nonsense] oops")

    monkeypatch.setattr("prescaler.apps.cli.check.load_settings", broken)

    code, out, err = run(*arguments, "--json")

    assert (code, err) == ({"usage": 2, "defect": 70}[kind], "")
    assert json.loads(out)["kind"] == kind
    assert run(*arguments)[2].startswith(kind)


def test_without_a_command_only_the_help_is_shown(run: Run) -> None:
    code, out, err = run()

    assert (code, err) == (2, "")
    assert "Usage" in out


def test_ctrl_c_is_exit_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("prescaler.apps.cli.check.load_settings", interrupted)

    assert run("check")[0] == 130


def test_what_people_have_set_is_listed_by_check(run: Run, folder: Path) -> None:
    from datetime import UTC, datetime

    from prescaler.config import load_settings
    from prescaler.core.control import Authored, Control, Override
    from prescaler.wiring import open_stores

    run("db", "upgrade")
    settings = load_settings(folder / "prescaler.yaml")
    stores = open_stores(settings.store.main)
    now = datetime.now(UTC)
    version = stores.workloads.ensure(settings.workloads[0], now)
    by = Authored("ada", "final", now - DAY, now + DAY)
    stores.controls.put(version.workload, Control(override=Override(by, None, 125)), None)
    stores.database.close()

    found = json.loads(run("check", "--json")[1])["differs_from_file"]

    assert [(f["workload"], f["override"]["pods"]) for f in found] == [("web", 125)]
    shown = run("check")[1]
    assert "web differs from the file: overridden with 125 pods by ada since " in shown
    assert shown.rstrip().endswith("(final)")
