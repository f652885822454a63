"""Traces in files: `timestamp,value` as CSV, gzip or not; an empty value is a missing one."""

from datetime import timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from prescaler.core.arrays import FloatArray, IntArray
from prescaler.core.errors import AnswerNotUnderstood, NoSeries
from prescaler.core.instants import floor_to, from_epoch
from prescaler.core.series import Series, series_from_points

_LEAST_POINTS: Final = 2
_MOST: Final = 1e30
_MOST_POINTS: Final = 10_000_000
"""Nineteen years of minutes."""

_TYPES: Final = {"timestamp": "string"}
"""pandas would take bare numbers for nanoseconds since 1970, one day."""

_GZIP: Final = b"\x1f\x8b"


def read_trace(path: Path) -> Series:
    """Read a trace; its step is the most frequent distance between two stamps.

    Stamps are ISO 8601, UTC unless an offset is written, in any order. Whether it is gzip is told
    by its first bytes, not by its name.

    Raises:
        NoSeries: no such file, or fewer than two rows.
        AnswerNotUnderstood: other columns, an unreadable stamp or number, an uneven grid, or one of
            more than 10 million points.
    """
    try:
        table = pd.read_csv(path, compression="gzip" if _packed(path) else None, dtype=_TYPES)
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
        first = str(error).split(". You might")[0]
        raise AnswerNotUnderstood(f"{path}: {first[:200]}") from error
    if stamps.isna().any():
        row = int(np.flatnonzero(stamps.isna())[0]) + 2
        raise AnswerNotUnderstood(f"{path}, line {row}: a value without a timestamp")
    _check_values(path, table["timestamp"], values)
    if len(stamps) < _LEAST_POINTS:
        raise NoSeries(f"{path} has {len(stamps)} rows; at least {_LEAST_POINTS} are needed")
    wall = stamps.dt.tz_convert(None).to_numpy()
    seconds = wall.astype("datetime64[s]").astype(np.int64)
    step = _step(path, np.unique(seconds))
    start = floor_to(from_epoch(int(seconds.min())), step)
    end = start + ((from_epoch(int(seconds.max())) - start) // step + 1) * step
    return series_from_points(seconds, values, start=start, end=end, step=step)


def _packed(path: Path) -> bool:
    with path.open("rb") as opened:
        return opened.read(2) == _GZIP


def _step(path: Path, stamps: IntArray) -> timedelta:
    """The most frequent distance of stamps [N], ascending; one stray stamp must not fill memory."""
    if len(stamps) < _LEAST_POINTS:
        raise NoSeries(f"{path} has one instant only; at least {_LEAST_POINTS} are needed")
    seconds = int(pd.Series(np.diff(stamps)).mode()[0])
    if 86_400 % seconds:
        text = timedelta(seconds=seconds)
        raise AnswerNotUnderstood(f"{path}: a step of {text} does not divide a day")
    points = (int(stamps[-1]) - int(stamps[0])) // seconds + 1
    if points > _MOST_POINTS:
        first, last = (str(np.datetime64(int(s), "s")) for s in (stamps[0], stamps[-1]))
        raise AnswerNotUnderstood(
            f"{path}: {points:,} points of {seconds} s from {first} to {last}; at most "
            f"{_MOST_POINTS:,} are read. Is one of those stamps a mistake?"
        )
    return timedelta(seconds=seconds)


def _check_values(path: Path, stamps: "pd.Series[str]", values: FloatArray) -> None:
    """Demand is a number from 0 to 1e30; what lies outside is no demand, and float32 ends there."""
    wrong = np.flatnonzero((values < 0) | (values > _MOST))
    if len(wrong):
        first = int(wrong[0])
        raise AnswerNotUnderstood(
            f"{path}: {values[first]:g} at {stamps.iloc[first]} is no demand; "
            f"it must lie between 0 and {_MOST:g}"
        )
