"""Traces for benchmarks: files of `timestamp,value`, their civil zones, and the protocol's cutoffs.

A trace is a real series of demand: `NAME.csv.gz` with the columns timestamp and value. A table
`INDEX.md` beside the files may name a civil zone in words; what it names is written here.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from prescaler.adapters.files.traces import read_trace
from prescaler.core.errors import NoSeries
from prescaler.core.history import History
from prescaler.core.series import Series, coarsen

SCORED_STEP = timedelta(minutes=5)
"""The step of the protocol; a coarser trace keeps its own."""

ZONES = {
    "appserver_2015": "Europe/Paris",
    "appserver_2017": "Europe/Paris",
    "bu_lab_http": "America/New_York",
    "ms_ecommerce_api": "America/Los_Angeles",
    "nab_nyc_taxi": "America/New_York",
    "nasa_http": "America/New_York",
    "wc98_web": "Europe/Paris",
}
"""Civil zones that the sources state or that their clock changes show; others are UTC."""

COUNTRIES = {
    "appserver_2015": "FR",
    "appserver_2017": "FR",
    "bu_lab_http": "US",
    "ms_ecommerce_api": "US",
    "nab_nyc_taxi": "US",
    "nasa_http": "US",
}
"""Countries of those zones, for public holidays. The main table is made without any."""

_LEAST_HISTORY = timedelta(days=28)
_LEAST_SHARE = 0.6
_SPAN = timedelta(days=56)


@dataclass(frozen=True, eq=False)
class Trace:
    """One series on its scored step."""

    name: str
    path: Path
    series: Series
    zone: ZoneInfo

    @property
    def step(self) -> timedelta:
        """The step it is scored at."""
        return self.series.step

    def cutoffs(self, number: int) -> list[datetime]:
        """Cutoffs spread evenly over what may be scored (see `first_cutoff`)."""
        first = (first_cutoff(self.series) - self.series.start) // self.step
        chosen = np.unique(np.linspace(first, len(self.series) - 2, number).astype(int))
        return [self.series.start + int(i) * self.step for i in chosen]

    def history(self, cutoff: datetime, reach: timedelta, ahead: int) -> History:
        """What was known at a cutoff, at most `reach` back."""
        known = self.series.between(cutoff - reach, cutoff + self.step)
        return History.of(known, self.zone, ahead)


def first_cutoff(series: Series) -> datetime:
    """First cutoff that leaves 28 days or 60 % of history, in the last eight weeks."""
    least = min(_LEAST_HISTORY // series.step, int(_LEAST_SHARE * len(series)))
    first = max(least, len(series) - _SPAN // series.step)
    return series.start + (first - 1) * series.step


def load_traces(directory: Path) -> list[Trace]:
    """Every trace of a directory, by name.

    Raises:
        NoSeries: the directory holds none.
    """
    files = sorted(directory.glob("*.csv.gz")) if directory.is_dir() else []
    if not files:
        raise NoSeries(
            f"{directory} holds no trace; a trace is a file NAME.csv.gz with the "
            "columns timestamp,value"
        )
    return [_load(path) for path in files]


def _load(path: Path) -> Trace:
    series = read_trace(path)
    name = path.name.removesuffix(".csv.gz")
    coarse = coarsen(series, max(series.step, SCORED_STEP))
    zone = ZoneInfo(ZONES[name]) if name in ZONES else ZoneInfo("UTC")
    return Trace(name, path, coarse, zone)
