"""Look at what happened and what is planned: series for pages, tools and people."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray, IntArray
from prescaler.core.errors import BadParameter
from prescaler.core.forecast import Forecast
from prescaler.core.instants import floor_to, to_epoch
from prescaler.core.plan import PLAN_STAGES
from prescaler.core.series import coarsen
from prescaler.ports import DemandStore, ForecastStore
from prescaler.usecases.serve_metric import Served

MOST_POINTS: Final = 50_000


@dataclass(frozen=True)
class Columns:
    """Columns [N] over epoch stamps [N] on an even grid; NaN where nothing is known."""

    stamps: IntArray
    step: timedelta
    columns: dict[str, FloatArray]


@dataclass(frozen=True)
class Span:
    """A span of time and the spacing to show it in.

    Raises:
        BadParameter: it ends before it starts, or has more than 50,000 points.
    """

    start: datetime
    end: datetime
    step: timedelta

    def __post_init__(self) -> None:
        if self.step <= timedelta(0):
            raise BadParameter("step must be above 0s")
        if self.end <= self.start:
            raise BadParameter("`to` must lie behind `from`")
        if (self.end - self.start) / self.step > MOST_POINTS:
            raise BadParameter(f"more than {MOST_POINTS} points; ask for less or a longer step")


def demand_columns(served: Served, demand: DemandStore, span: Span) -> Columns:
    """Demand as it was observed: mean and max in each step."""
    resolution = served.workload.demand.resolution
    if span.step % resolution:
        raise BadParameter("step must be a multiple of the workload's resolution")
    start, end = floor_to(span.start, span.step), span.end
    points = -((start - end) // span.step)
    if served.state.version is None:
        hole = np.full(points, np.nan)
        return Columns(_stamps(start, span.step, points), span.step, {"mean": hole, "max": hole})
    fine = demand.read(served.state.version, start, start + points * span.step, resolution)
    found = coarsen(fine, span.step)
    return Columns(found.stamps, span.step, {"mean": found.mean, "max": found.peak})


def plan_columns(served: Served, span: Span, now: datetime) -> Columns:
    """The plan of the present forecast and of the events known now, stage by stage.

    Where growth acts also `growth`, `expected` (the median), `asked` (what growth makes of it, and
    floors), `asked_pods` and `reactive_pods`.
    """
    points = -((span.start - span.end) // span.step)
    stamps = _stamps(span.start, span.step, points)
    curve = served.plan(stamps, now)
    columns = {name: curve.parts[:, i] for i, name in enumerate(PLAN_STAGES)}
    pods = np.ceil(curve.load / served.policy.target - 1e-9)
    columns = {"load": curve.load, "pods": pods, **columns, **_carried(served, stamps, now)}
    return Columns(stamps, span.step, columns)


def _carried(served: Served, stamps: IntArray, now: datetime) -> dict[str, FloatArray]:
    """Of a workload whose forecast acts as growth: what it asks for, reactive scaling beside it."""
    found, target = served.carried(stamps, now), served.policy.target
    if found is None:
        return {}
    asked = served.loads(stamps, now)
    return {
        "growth": found.growth,
        "expected": found.expected,
        "asked": asked,
        "asked_pods": np.ceil(asked / target - 1e-9),
        "reactive_pods": np.ceil(found.expected / target - 1e-9),
    }


def forecast_columns(forecast: Forecast) -> Columns:
    """A forecast's quantiles, peak ratio and naive twin."""
    columns = {
        f"q{quantile}": forecast.values[:, i].astype(np.float64)
        for i, quantile in enumerate(forecast.quantiles)
    }
    columns["peak_ratio"] = forecast.peak_ratio.astype(np.float64)
    columns["naive"] = forecast.naive.astype(np.float64)
    return Columns(forecast.stamps, forecast.step, columns)


def forecast_as_of(served: Served, forecasts: ForecastStore, instant: datetime) -> Forecast | None:
    """The forecast that was the newest at an instant."""
    version = served.state.version
    return forecasts.as_of(version, instant) if version is not None else None


def _stamps(start: datetime, step: timedelta, points: int) -> IntArray:
    seconds = int(step.total_seconds())
    return to_epoch(start) + seconds * np.arange(points, dtype=np.int64)
