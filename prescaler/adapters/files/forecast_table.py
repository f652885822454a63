"""Forecasts of a backtest in files: one row for each cutoff and instant, with what came."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from prescaler.adapters.files.whole import whole
from prescaler.core.backtest import Issue
from prescaler.core.errors import AnswerNotUnderstood, NoSeries
from prescaler.core.instants import to_epoch
from prescaler.core.quantiles import QUANTILES
from prescaler.core.scores import Cases, cases_of
from prescaler.core.series import Series

COLUMNS: Final = tuple(f"q{quantile:g}" for quantile in QUANTILES)
_STAMP: Final = "%Y-%m-%dT%H:%M:%SZ"


def write_forecasts(path: Path, series: Series, issues: Iterable[Issue]) -> int:
    """Write `cutoff,valid_at,actual,q0.05,...,q0.99`; a missing actual is empty. Returns the rows.

    Instants behind the end of the trace stay, with an empty actual. Seven digits: a float32. The
    file appears when it is complete.
    """
    ordered = sorted(issues, key=lambda issue: issue.cutoff)
    frames = [_rows(series, issue) for issue in ordered]
    table = pd.concat(frames) if frames else pd.DataFrame(columns=["cutoff", "valid_at", *COLUMNS])
    path.parent.mkdir(parents=True, exist_ok=True)
    gzipped = {"method": "gzip", "mtime": 1}
    with whole(path) as part:
        table.to_csv(part, index=False, float_format="%.7g", compression=gzipped)
    return len(table)


def _rows(series: Series, issue: Issue) -> pd.DataFrame:
    steps = len(issue.values)
    first = series.index_of(issue.cutoff) + 1
    known = series.mean[first : first + steps]
    stamps = to_epoch(issue.cutoff) + int(series.step.total_seconds()) * np.arange(1, steps + 1)
    quantiles = pd.DataFrame(issue.values, columns=list(COLUMNS))
    frame = pd.DataFrame(
        {
            "cutoff": issue.cutoff.strftime(_STAMP),
            "valid_at": pd.to_datetime(stamps, unit="s", utc=True).strftime(_STAMP),
            "actual": np.pad(known, (0, steps - len(known)), constant_values=np.nan),
        }
    )
    return pd.concat([frame, quantiles], axis=1)


def read_cases(path: Path, series: Series) -> Cases:
    """Read such a file back as scored cases; the actuals are taken from the trace.

    Raises:
        NoSeries: no such file. AnswerNotUnderstood: not such a file, or of another trace.
    """
    try:
        table = pd.read_csv(path, parse_dates=["cutoff", "valid_at"])
    except OSError as error:
        raise NoSeries(f"{path} cannot be read: {error}") from error
    except (ValueError, KeyError) as error:
        raise AnswerNotUnderstood(f"{path} is no table of forecasts: {error}") from error
    groups = list(table.groupby("cutoff", sort=True))
    lengths = {len(group) for _, group in groups}
    if len(lengths) != 1:
        raise AnswerNotUnderstood(f"{path}: forecasts of different lengths {sorted(lengths)}")
    values = np.stack([group[list(COLUMNS)].to_numpy(np.float64) for _, group in groups])
    cutoffs = [pd.Timestamp(str(cutoff)).to_pydatetime() for cutoff, _ in groups]
    index = [series.index_of(cutoff) + 1 for cutoff in cutoffs]
    if min(index) < 1 or max(index) > len(series):
        raise AnswerNotUnderstood(f"{path}: its cutoffs lie outside of the trace")
    return cases_of(series, index, values)
