"""Files of a backtest: what is written can be read back and scored again."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from prescaler.adapters.files.forecast_plot import check_plot, plot_forecasts
from prescaler.adapters.files.forecast_table import read_cases, write_forecasts
from prescaler.core.backtest import Issue
from prescaler.core.errors import AnswerNotUnderstood, BadParameter, NoSeries
from prescaler.core.quantiles import QUANTILES
from prescaler.core.series import Series
from tests.support.builders import MONDAY, STEP, daily_demand

HEAD = "cutoff,valid_at,actual,q0.05,q0.1,q0.25,q0.5,q0.75,q0.9,q0.95,q0.99"


def series() -> Series:
    values = daily_demand(3)
    values[500] = np.nan
    return Series(MONDAY, STEP, values, values)


def issues(known: Series, *places: int) -> list[Issue]:
    random = np.random.default_rng(1)
    return [
        Issue(
            known.start + i * known.step,
            whole=True,
            values=np.sort(random.gamma(2, 50, (12, len(QUANTILES))), axis=1).astype(np.float32),
        )
        for i in places
    ]


def test_a_round_trip_keeps_seven_digits(tmp_path: Path) -> None:
    known = series()
    made = issues(known, 495, len(known) - 4)

    rows = write_forecasts(tmp_path / "deep" / "f.csv.gz", known, reversed(made))
    found = read_cases(tmp_path / "deep" / "f.csv.gz", known)

    assert rows == 24
    np.testing.assert_array_equal(found.index, [496, len(known) - 3])
    np.testing.assert_allclose(found.values, np.stack([i.values for i in made]), rtol=6e-7)
    assert np.isnan(found.actual[0, 4])
    assert np.isnan(found.actual[1, 3:]).all()


def test_the_columns_are_those_of_the_contract(tmp_path: Path) -> None:
    write_forecasts(tmp_path / "f.csv.gz", series(), issues(series(), 499))

    lines = gzip.decompress((tmp_path / "f.csv.gz").read_bytes()).decode().splitlines()

    assert lines[0] == HEAD
    assert lines[1].startswith("2026-11-24T17:35:00Z,2026-11-24T17:40:00Z,,")


def test_nothing_is_written_as_a_table_without_rows(tmp_path: Path) -> None:
    assert write_forecasts(tmp_path / "f.csv.gz", series(), []) == 0


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("cutoff,valid_at\n", "different lengths"),
        ("a,b\n1,2\n", "no table of forecasts"),
        (f"{HEAD}\n1970-01-01T00:00:00Z,1970-01-01T00:05:00Z{',1' * 9}\n", "outside of the trace"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, text: str, error: str) -> None:
    (tmp_path / "f.csv").write_text(text)

    with pytest.raises(AnswerNotUnderstood, match=error):
        read_cases(tmp_path / "f.csv", series())


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoSeries, match="cannot be read"):
        read_cases(tmp_path / "none.csv.gz", series())


def test_a_picture_is_drawn(tmp_path: Path) -> None:
    known = series()

    plot_forecasts(tmp_path / "p.png", known, issues(known, *range(300, 500, 20)), "a trace")

    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in tmp_path.iterdir()] == ["p.png"]


@pytest.mark.parametrize("name", ["p.nonsense", "p", "folder.png", "file/p.png"])
def test_a_picture_that_cannot_be_written_is_refused_before_the_work(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").write_text("x")

    with pytest.raises(BadParameter, match="--plot"):
        check_plot(tmp_path / name)


def test_a_folder_for_the_picture_is_made(tmp_path: Path) -> None:
    check_plot(tmp_path / "deep" / "p.svg")

    assert (tmp_path / "deep").is_dir()


def test_a_picture_whose_folder_is_gone_by_then_is_a_named_error(tmp_path: Path) -> None:
    known = series()

    with pytest.raises(BadParameter, match="No such file"):
        plot_forecasts(tmp_path / "gone" / "p.png", known, issues(known, 400), "a trace")


def test_a_table_that_cannot_be_finished_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "f.csv.gz"
    write_forecasts(path, series(), issues(series(), 499))
    before = path.read_bytes()

    def full(self: object, path: Path, **_: object) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pandas.DataFrame.to_csv", full)
    with pytest.raises(OSError, match="No space left"):
        write_forecasts(path, series(), issues(series(), 498))

    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
