"""`backtest` at the command line."""

import gzip
import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench import recompute
from prescaler.adapters.files.whole import alone_in
from prescaler.apps.cli import main
from prescaler.core.errors import BadParameter
from tests.support.builders import daily_demand

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("COLUMNS", "200")

    def runner(*arguments: str) -> tuple[int, str, str]:
        code = main._exit_code(["backtest", *arguments])
        found = capsys.readouterr()
        return code, found.out, found.err

    return runner


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    values = daily_demand(35, step=pd.Timedelta("1h").to_pytimedelta())
    stamps = pd.date_range("2026-03-01", periods=len(values), freq="1h", tz="UTC")
    text = "\n".join(
        f"{at:%Y-%m-%dT%H:%M:%SZ},{v:.3f}" for at, v in zip(stamps, values, strict=True)
    )
    path = tmp_path / "trace.csv.gz"
    path.write_bytes(gzip.compress(f"timestamp,value\n{text}\n".encode()))
    return path


def test_it_writes_forecasts_summary_and_picture(run: Run, trace: Path, tmp_path: Path) -> None:
    out, plot = tmp_path / "out", tmp_path / "p.png"

    code, said, _ = run(
        "--csv",
        str(trace),
        "--out",
        str(out),
        "--timezone",
        "UTC",
        "--cutoffs",
        "4",
        "--roll-every",
        "6h",
        "--refit-every",
        "6h",
        "--processes",
        "1",
        "--plot",
        str(plot),
    )

    assert code in (0, 1)
    assert "error/naive" in said
    written = {p.name for p in out.iterdir()}
    assert written == {".lock", "forecasts.csv.gz", "short.csv.gz", "summary.json"}
    assert plot.exists()
    found = json.loads((out / "summary.json").read_bytes())
    assert found["forecasts"]["day_grid"] == 4
    assert found["scores"]["24h"]["error_ratio"] < 1
    assert code == max(s["error_ratio"] > 1 for s in found["scores"].values())


QUICK = ("--cutoffs", "3", "--roll-every", "6h", "--refit-every", "1d", "--processes", "1")


@pytest.fixture
def holed(tmp_path: Path) -> Path:
    """Five weeks of ten minutes with holes, a closed hour and a row that stands twice."""
    values = daily_demand(35, step=timedelta(minutes=10))
    stamps = pd.date_range("2026-03-01", periods=len(values), freq="10min", tz="UTC")
    rows = [f"{at:%Y-%m-%dT%H:%M:%SZ},{v:.3f}" for at, v in zip(stamps, values, strict=True)]
    for place in (*range(700, 760), *range(4500, 4520), *range(4900, 4903)):
        rows[place] = rows[place].split(",")[0] + ","
    rows[4700:4706] = [row.split(",")[0] + ",0" for row in rows[4700:4706]]
    path = tmp_path / "holed.csv"
    path.write_text("timestamp,value\n" + "\n".join([*rows[::-1], rows[5]]) + "\n")
    return path


@pytest.mark.parametrize("step", ["10m", "30m"])
def test_every_score_can_be_computed_again_from_the_files_alone(
    run: Run, holed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], step: str
) -> None:
    out = tmp_path / "out"
    run("--csv", str(holed), "--out", str(out), "--step", step, *QUICK)

    assert recompute.main(holed, out) == 0
    assert capsys.readouterr().out.count("gap 0.99") == 4

    summary = json.loads((out / "summary.json").read_bytes())
    summary["scores"]["6h"]["wql_ratio"] += 0.001
    (out / "summary.json").write_text(json.dumps(summary))
    assert recompute.main(holed, out) == 1


def test_the_same_trace_gives_the_same_bytes_whatever_the_processes(
    run: Run, trace: Path, tmp_path: Path
) -> None:
    options = ("--csv", str(trace), "--cutoffs", "3", "--roll-every", "12h", "--refit-every", "1d")
    for processes in ("1", "2"):
        run(*options, "--out", str(tmp_path / processes), "--processes", processes)

    for name in ("forecasts.csv.gz", "short.csv.gz", "summary.json"):
        one, two = ((tmp_path / n / name).read_bytes() for n in ("1", "2"))
        assert one == two


def crowded(tmp_path: Path) -> tuple[Path, Path]:
    """Five weeks of half hours with a crowd on every third evening, and their calendar."""
    values = daily_demand(35, step=timedelta(minutes=30))
    stamps = pd.date_range("2026-03-01", periods=len(values), freq="30min", tz="UTC")
    evening = (np.arange(len(values)) // 48 % 3 == 2) & np.isin(
        np.arange(len(values)) % 48, (40, 41)
    )
    rows = (
        f"{at:%Y-%m-%dT%H:%M:%SZ},{v:.3f}"
        for at, v in zip(stamps, np.where(evening, 8 * values, values), strict=True)
    )
    csv, events = tmp_path / "crowds.csv", tmp_path / "events.csv"
    csv.write_text("\n".join(["timestamp,value", *rows, ""]))
    starts = stamps[evening & (np.arange(len(values)) % 48 == 40)]
    table = [f"match {n},football,{at:%Y-%m-%dT%H:%M:%SZ}" for n, at in enumerate(starts)]
    ends = [f"{at + pd.Timedelta('1h'):%Y-%m-%dT%H:%M:%SZ}" for at in starts]
    lines = [f"{head},{end}" for head, end in zip(table, ends, strict=True)]
    events.write_text("\n".join(["name,kind,start,end", *lines, ""]))
    return csv, events


def test_planned_events_are_used_from_when_they_were_known(run: Run, tmp_path: Path) -> None:
    csv, events = crowded(tmp_path)
    late = tmp_path / "late.csv"
    head, *lines = events.read_text().splitlines()
    late.write_text("\n".join([head + ",known_at", *(x + ",2027-01-01T00:00:00Z" for x in lines)]))
    found = {}
    for name, given in (("none", ()), ("known", (events,)), ("late", (late,))):
        more = [word for path in given for word in ("--events", str(path))]
        run("--csv", str(csv), "--out", str(tmp_path / name), *QUICK, *more)
        found[name] = json.loads((tmp_path / name / "summary.json").read_bytes())

    errors = {name: summary["scores"]["24h"]["error"] for name, summary in found.items()}
    assert errors["known"] < 0.7 * errors["none"]
    assert errors["late"] == errors["none"]
    assert [summary["known"]["events"] for summary in found.values()] == [0, len(lines), len(lines)]


def test_two_runs_do_not_mix_their_files(run: Run, trace: Path, tmp_path: Path) -> None:
    with alone_in(tmp_path / "o"):
        code, _, error = run("--csv", str(trace), "--out", str(tmp_path / "o"), *QUICK)

    assert code == 2
    assert "another run writes there" in error


def eventually_free(folder: Path) -> bool:
    """A worker that was just being started holds the lock until its program is loaded."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            with alone_in(folder):
                return True
        except BadParameter:
            time.sleep(0.05)
    return False


def test_a_run_that_is_killed_leaves_no_summary_of_other_forecasts(
    trace: Path, tmp_path: Path
) -> None:
    """Killed while it works: what stood there is whole, and the folder is free again."""
    out = tmp_path / "o"
    command = (
        sys.executable,
        "-m",
        "prescaler",
        "backtest",
        "--csv",
        str(trace),
        "--out",
        str(out),
    )
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        while not (out / ".lock").exists():
            assert process.poll() is None
        process.kill()

    assert [path.name for path in out.iterdir()] == [".lock"]
    assert eventually_free(out)


def test_a_trace_without_a_single_value_is_said_so(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "holes.csv"
    stamps = pd.date_range("2026-03-01", periods=500, freq="1h")
    path.write_text("timestamp,value\n" + "".join(f"{at:%Y-%m-%dT%H:%M:%SZ},\n" for at in stamps))

    code, _, error = run("--csv", str(path), "--out", str(tmp_path / "o"))

    assert code == 4
    assert "every value is missing" in error


def test_a_known_forecaster_may_stand_beside(run: Run, trace: Path, tmp_path: Path) -> None:
    _, said, _ = run(
        *("--csv", str(trace), "--out", str(tmp_path), "--cutoffs", "2", "--roll-every", "4d"),
        *("--refit-every", "1d", "--processes", "1", "--beside", "holt_winters", "--json"),
    )

    other = json.loads(said)["beside"]["holt_winters"]
    assert other["24h"]["error_ratio"] > 0
    assert 0 <= other["24h"]["reached"]["0.95"] <= 1


def test_one_that_cannot_be_fitted_anywhere_is_said_so(run: Run, tmp_path: Path) -> None:
    """Two days of every third hour: enough for us, too little for Holt-Winters."""
    values = daily_demand(2.7, step=pd.Timedelta("1h").to_pytimedelta())
    stamps = pd.date_range("2026-03-01", periods=len(values), freq="1h", tz="UTC")
    path = tmp_path / "short.csv"
    rows = (f"{at:%Y-%m-%dT%H:%M:%SZ},{v:.3f}" for at, v in zip(stamps, values, strict=True))
    path.write_text("\n".join(["timestamp,value", *rows, ""]))

    _, said, _ = run(
        *("--csv", str(path), "--out", str(tmp_path / "o"), "--cutoffs", "2"),
        *("--roll-every", "1d", "--processes", "1", "--history", "40h"),
        *("--beside", "holt_winters"),
    )

    assert "holt_winters could not be fitted at any cutoff" in said


def test_json_is_one_document(run: Run, trace: Path, tmp_path: Path) -> None:
    code, said, _ = run(
        "--csv",
        str(trace),
        "--out",
        str(tmp_path),
        "--cutoffs",
        "2",
        "--roll-every",
        "2d",
        "--refit-every",
        "1d",
        "--processes",
        "1",
        "--json",
    )

    assert code in (0, 1)
    assert json.loads(said)["trace"]["step"] == "1h"


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        ({"--csv": "none.csv"}, 4, "cannot be read"),
        ({"--timezone": "Mars/Olympus"}, 2, "no zone"),
        ({"--timezone": "Europe"}, 2, "no zone"),
        ({"--timezone": "x" * 5000}, 2, "no zone"),
        ({"--country": "XX"}, 2, "no public holidays are known for country 'XX'; write"),
        ({"--events": "none.csv"}, 4, "cannot be read"),
        ({"--events": "calendar.doc"}, 2, "must end in .csv, .ics or .yaml"),
        ({"--plot": "/proc/no/p.png"}, 2, "--plot /proc/no/p.png"),
        ({"--plot": "p.doc"}, 2, "must end in .png, .svg, .pdf"),
        ({"--step": "5"}, 2, "not a duration"),
        ({"--step": "90m"}, 2, "multiple of the trace's 1h"),
        ({"--step": "5h"}, 2, "divide a day"),
        ({"--processes": "-1"}, 2, "greater than or equal to 0"),
        ({"--out": "/proc/nothing"}, 2, "--out /proc/nothing"),
        ({"--cutoffs": "1"}, 2, "at least 2"),
        ({"--horizon": "0s"}, 2, "longer than nothing"),
    ],
)
def test_a_wrong_request_says_what_to_write(
    run: Run, trace: Path, tmp_path: Path, changes: dict[str, str], code: int, says: str
) -> None:
    options = {"--csv": str(trace), "--out": str(tmp_path / "o"), **changes}

    found, _, error = run(*(word for pair in options.items() for word in pair))

    assert found == code
    assert says in error
