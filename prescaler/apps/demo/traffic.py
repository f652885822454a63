"""What the demonstration plays: generated traffic, or a real trace moved to the present."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from prescaler.adapters.files.traces import read_trace
from prescaler.core.arrays import FloatArray
from prescaler.core.instants import floor_to
from prescaler.core.series import Series
from prescaler.core.synthetic import BACKOFFICE, CATALOGUE, PLAYER, synthetic

HISTORY: Final = timedelta(weeks=8)
_AHEAD: Final = timedelta(days=7)
_MINUTE: Final = timedelta(minutes=1)
_SEED: Final = 1998
_STEP: Final = timedelta(minutes=5)
_PODS_AT_HIGH: Final = 30
_HIGH: Final = 0.995


@dataclass(frozen=True)
class Played:
    """One workload of the demonstration.

    demand: by the minute, from the start of history to beyond the present. step: of its forecast.
    label: `synthetic`, or the trace's file name. matches: whether it was made with match evenings.
    """

    name: str
    demand: Series
    step: timedelta
    zone: ZoneInfo
    label: str
    matches: bool = False

    @property
    def per_pod(self) -> float:
        """Capacity of a pod by the rule of thumb that the 99.5 % level needs 30 pods."""
        known = self.demand.mean[self.demand.observed]
        high = float(np.quantile(known, _HIGH)) if len(known) else 0.0
        return high / _PODS_AT_HIGH if high > 0 else 1.0

    def at(self, instant: datetime) -> float | None:
        """Demand at an instant, None in a gap or beyond the end."""
        index = self.demand.index_of(instant)
        if not 0 <= index < len(self.demand):
            return None
        value = float(self.demand.mean[index])
        return value if np.isfinite(value) else None


def generated(now: datetime, zone: ZoneInfo) -> list[Played]:
    """Three synthetic workloads of one television evening."""
    start = floor_to(now - HISTORY, timedelta(days=1))
    return [
        Played(
            traffic.name,
            synthetic(
                traffic, start=start, end=now + _AHEAD, now=now, zone=zone, seed=_SEED + number
            ),
            _STEP,
            zone,
            "synthetic",
            matches=bool(traffic.match_days),
        )
        for number, traffic in enumerate((PLAYER, CATALOGUE, BACKOFFICE))
    ]


def from_trace(path: Path, now: datetime, zone: ZoneInfo) -> Played:
    """A real trace, shifted so that the present falls in its last week (or last day).

    Whole weeks for traces of at least four weeks, else whole days; at most eight weeks of it are
    history. Coarse traces are played every minute with the value of their step.

    Raises:
        SourceError: the file is no trace.
    """
    trace = read_trace(path)
    unit = (
        timedelta(weeks=1) if trace.end - trace.start >= timedelta(weeks=4) else timedelta(days=1)
    )
    shift = ((now - trace.end) // unit + 1) * unit
    moved = Series(trace.start + shift, trace.step, trace.mean, trace.peak)
    kept = moved.between(floor_to(now - HISTORY, trace.step), moved.end)
    name = path.name.removesuffix(".gz").removesuffix(".csv").replace("_", "-").lower()
    return Played(name, _by_minute(kept), max(_STEP, trace.step), zone, path.name)


def _by_minute(series: Series) -> Series:
    """The same demand stamped every minute."""
    if series.step < _MINUTE:
        raise ValueError("traces finer than a minute are not played")
    times = series.step // _MINUTE
    mean: FloatArray = np.repeat(series.mean, times)
    return Series(series.start, _MINUTE, mean, mean)


def has_clock_change(zone: ZoneInfo, start: datetime, end: datetime) -> bool:
    """Whether the wall clock jumps in between."""
    return start.astimezone(zone).utcoffset() != end.astimezone(zone).utcoffset()
