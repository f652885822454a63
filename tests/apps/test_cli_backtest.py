"""`backtest` at the command line."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from prescaler.apps.cli import main
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
    assert {p.name for p in out.iterdir()} == {"forecasts.csv.gz", "short.csv.gz", "summary.json"}
    assert plot.exists()
    found = json.loads((out / "summary.json").read_bytes())
    assert found["forecasts"]["day_grid"] == 4
    assert found["scores"]["24h"]["error_ratio"] < 1
    assert code == max(s["error_ratio"] > 1 for s in found["scores"].values())
    _recompute(out, found)


def _recompute(out: Path, found: dict[str, object]) -> None:
    """The median's error, from the file alone."""
    table = pd.read_csv(out / "forecasts.csv.gz", parse_dates=["cutoff", "valid_at"]).dropna()
    error = float(np.abs(table["actual"] - table["q0.5"]).mean())
    scores: dict[str, dict[str, float]] = found["scores"]  # type: ignore[assignment]
    assert scores["24h"]["error"] == pytest.approx(error, rel=1e-5)
    assert scores["24h"]["instants"] == len(table)


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
