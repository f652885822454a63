"""Traces in files: `timestamp,value` as CSV, gzip or not; an empty value is a missing one."""

from datetime import UTC, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from prescaler.core.arrays import FloatArray
from prescaler.core.errors import AnswerNotUnderstood, NoSeries
from prescaler.core.instants import floor_to
from prescaler.core.series import Series, series_from_points

_LEAST_POINTS: Final = 2
_MOST: Final = 1e30


def read_trace(path: Path) -> Series:
    """Read a trace; its step is the most frequent distance between two stamps.

    Stamps are ISO 8601, UTC unless an offset is written, in any order.

    Raises:
        NoSeries: no such file, or fewer than two rows.
        AnswerNotUnderstood: other columns, an unreadable stamp or number, or an uneven grid.
    """
    try:
        table = pd.read_csv(path)
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise NoSeries(f"{path} cannot be read: {error}") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise AnswerNotUnderstood(f"{path} is no CSV: {error}") from error
    if list(table.columns[:2]) != ["timestamp", "value"]:
        raise AnswerNotUnderstood(
            f"{path}: the columns are {', '.join(map(str, table.columns[:4]))}; "
            "they must begin with timestamp,value"
        )
    return _series(path, table)


def _series(path: Path, table: pd.DataFrame) -> Series:
    try:
        stamps = pd.to_datetime(table["timestamp"], utc=True, format="ISO8601")
        values = pd.to_numeric(table["value"]).to_numpy(dtype=np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise AnswerNotUnderstood(f"{path}: {error}") from error
    _check_values(path, table["timestamp"], values)
    if len(stamps) < _LEAST_POINTS:
        raise NoSeries(f"{path} has {len(stamps)} rows; at least {_LEAST_POINTS} are needed")
    wall = stamps.dt.tz_convert(None).to_numpy()
    seconds = wall.astype("datetime64[s]").astype(np.int64)
    step = timedelta(seconds=int(pd.Series(np.diff(np.sort(seconds))).mode()[0]))
    if step <= timedelta(0) or timedelta(days=1) % step:
        raise AnswerNotUnderstood(f"{path}: a step of {step} does not divide a day")
    first = stamps.min().to_pydatetime().astimezone(UTC)
    last = stamps.max().to_pydatetime().astimezone(UTC)
    start = floor_to(first, step)
    return series_from_points(seconds, values, start=start, end=last + step, step=step)


def _check_values(path: Path, stamps: "pd.Series[str]", values: FloatArray) -> None:
    """Demand is a number from 0 to 1e30; what lies outside is no demand, and float32 ends there."""
    wrong = np.flatnonzero((values < 0) | (values > _MOST))
    if len(wrong):
        first = int(wrong[0])
        raise AnswerNotUnderstood(
            f"{path}: {values[first]:g} at {stamps.iloc[first]} is no demand; "
            f"it must lie between 0 and {_MOST:g}"
        )
