"""Lay what was forecast, planned and served beside what came: the chart of a workload."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray, IntArray
from prescaler.core.calendar import civil_slots
from prescaler.core.errors import BadParameter
from prescaler.core.forecast import Forecast
from prescaler.core.gaps import gaps as find_gaps
from prescaler.core.instants import floor_to, from_epoch, to_epoch
from prescaler.core.plan import plan
from prescaler.core.quantiles import MEDIAN, QUANTILES
from prescaler.core.series import coarsen
from prescaler.core.spans import Span as Stretch
from prescaler.ports import DecisionStore, DemandStore, ForecastStore
from prescaler.usecases.review import Columns, Span
from prescaler.usecases.serve_metric import Served

SHOWN: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Quantiles in the chart: the median and two intervals."""

_INDEX: Final = [QUANTILES.index(quantile) for quantile in SHOWN]
_LONGEST: Final = timedelta(weeks=9)
_SLOTS: Final = 24
_DAYS: Final = 7


@dataclass(frozen=True)
class LookBackPorts:
    """What looking back needs of the world."""

    demand: DemandStore
    forecasts: ForecastStore
    decisions: DecisionStore


@dataclass(frozen=True)
class Question:
    """What to show.

    as_of: show the forecast that was the newest then, and its plan, instead of the newest ones.
    lead: of each instant, show the newest forecast that was at least this old by then.
    """

    span: Span
    as_of: datetime | None = None
    lead: timedelta = timedelta(0)


def chart(served: Served, ports: LookBackPorts, asked: Question, now: datetime) -> Columns:
    """Actual demand, forecast, plan and answers on one grid.

    Columns: `actual`, `peak` (mean and maximum of what was observed), `q0.05` ... `q0.95`, `naive`,
    `plan` (from now, or from `as_of`), `served`, `would_serve` (the highest in the step).

    Raises:
        BadParameter: more than nine weeks, or a step that does not fit the resolution.
    """
    span = asked.span
    if span.end - span.start > _LONGEST:
        raise BadParameter("more than nine weeks; ask for less")
    stamps = _grid(span)
    forecasts = _forecasts(served, ports.forecasts, asked, now)
    columns = _observed(served, ports.demand, span, stamps, now)
    columns |= _said(forecasts, stamps, asked.lead)
    columns["plan"] = _planned(served, forecasts, asked, stamps, now)
    columns |= _answered(served, ports.decisions, span, stamps, now)
    return Columns(stamps, span.step, columns)


def residuals(
    served: Served, ports: LookBackPorts, span: Span, lead: timedelta, now: datetime
) -> tuple[FloatArray, IntArray]:
    """[7, 24] sum of (actual - median) over the sum of actuals, by local weekday and hour; counts.

    Above 0: more came than the median said. NaN where nothing can be compared.
    """
    stamps = _grid(span)
    asked = Question(span, None, lead)
    said = _said(_forecasts(served, ports.forecasts, asked, now), stamps, lead)
    actual = _observed(served, ports.demand, span, stamps, now)["actual"]
    zone = served.workload.forecast.timezone
    slots = civil_slots(from_epoch(int(stamps[0])), span.step, len(stamps), zone)
    hour = slots.slot * _SLOTS // slots.slots
    place = slots.weekday * _SLOTS + np.minimum(hour, _SLOTS - 1)
    known = np.isfinite(actual) & np.isfinite(said["q0.5"])
    missed = np.where(known, actual - said["q0.5"], 0.0)
    error = np.bincount(place, missed, minlength=_DAYS * _SLOTS)
    total = np.bincount(place, np.where(known, actual, 0.0), minlength=_DAYS * _SLOTS)
    count = np.bincount(place, known, minlength=_DAYS * _SLOTS).astype(np.int64)
    share = np.divide(error, total, out=np.full(len(error), np.nan), where=total > 0)
    return share.reshape(_DAYS, _SLOTS), count.reshape(_DAYS, _SLOTS)


def gaps(served: Served, demand: DemandStore, now: datetime) -> list[Stretch]:
    """Holes in the history that the forecasters look at, oldest first."""
    version, workload = served.state.version, served.workload
    if version is None:
        return []
    resolution = workload.demand.resolution
    end = floor_to(now, resolution)
    start = floor_to(end - workload.forecast.history, resolution)
    return list(find_gaps([demand.read(version, start, end, resolution)]))


def _grid(span: Span) -> IntArray:
    start, seconds = floor_to(span.start, span.step), int(span.step.total_seconds())
    points = -((start - span.end) // span.step)
    return to_epoch(start) + seconds * np.arange(points, dtype=np.int64)


def _observed(
    served: Served, demand: DemandStore, span: Span, stamps: IntArray, now: datetime
) -> dict[str, FloatArray]:
    resolution = served.workload.demand.resolution
    if span.step % resolution:
        raise BadParameter("step must be a multiple of the workload's resolution")
    actual, peak = np.full(len(stamps), np.nan), np.full(len(stamps), np.nan)
    start, end = from_epoch(int(stamps[0])), min(span.end, floor_to(now, span.step) + span.step)
    if served.state.version is not None and end > start:
        fine = demand.read(served.state.version, start, floor_to(end, resolution), resolution)
        found = coarsen(fine, span.step)
        actual[: len(found)], peak[: len(found)] = found.mean, found.peak
    return {"actual": actual, "peak": peak}


def _forecasts(
    served: Served, store: ForecastStore, asked: Question, now: datetime
) -> Sequence[Forecast]:
    """Those that say something about the span, oldest first."""
    version, present = served.state.version, served.state.forecast
    if version is None:
        return [present] if present is not None else []
    if asked.as_of is not None:
        found = store.as_of(version, asked.as_of)
        return [found] if found is not None else []
    until = min(asked.span.end, now) + timedelta(seconds=1)
    past = store.between(version, asked.span.start - asked.lead, until)
    kept = [f for f in past if present is None or f.cutoff < present.cutoff]
    return [*kept, present] if present is not None else kept


def _said(
    forecasts: Sequence[Forecast], stamps: IntArray, lead: timedelta
) -> dict[str, FloatArray]:
    """Of each instant what the newest forecast said that is at least `lead` older."""
    table = np.full((len(stamps), len(SHOWN) + 1), np.nan)
    for forecast in forecasts:
        seconds = int(forecast.step.total_seconds())
        first = to_epoch(forecast.first_valid_at)
        begin = max(first, to_epoch(forecast.cutoff + lead))
        low, high = np.searchsorted(stamps, [begin, to_epoch(forecast.valid_until)])
        row = (stamps[low:high] - first) // seconds
        table[low:high, :-1] = forecast.values[row][:, _INDEX]
        table[low:high, -1] = forecast.naive[row]
    names = [*(f"q{quantile}" for quantile in SHOWN), "naive"]
    return {name: table[:, i] for i, name in enumerate(names)}


def _planned(
    served: Served,
    forecasts: Sequence[Forecast],
    asked: Question,
    stamps: IntArray,
    now: datetime,
) -> FloatArray:
    """The plan from the present on, or as it was at `as_of`."""
    begin = asked.as_of or now
    load = np.full(len(stamps), np.nan)
    ahead = stamps + int(asked.span.step.total_seconds()) > to_epoch(begin)
    if not ahead.any():
        return load
    if asked.as_of is None:
        curve = served.plan(np.maximum(stamps[ahead], to_epoch(begin)), now)
    else:
        effects = served.effects(asked.span.start, asked.span.end, begin)
        forecast = forecasts[-1] if forecasts else None
        curve = plan(forecast, effects, served.policy, stamps[ahead])
    load[ahead] = np.where(curve.covered | (curve.load > 0), curve.load, np.nan)
    return load


def _answered(
    served: Served, decisions: DecisionStore, span: Span, stamps: IntArray, now: datetime
) -> dict[str, FloatArray]:
    """What was served: the highest value in force during each step, up to now."""
    step = int(span.step.total_seconds())
    columns = {name: np.full(len(stamps), np.nan) for name in ("served", "would_serve")}
    version, end = served.state.version, min(span.end, now)
    if version is None or end <= span.start:
        return columns
    entries = decisions.between(version.workload, span.start, end)
    bounds = [*(to_epoch(entry.since) for entry in entries[1:]), to_epoch(end)]
    for entry, until in zip(entries, bounds, strict=False):
        low = int(np.searchsorted(stamps, to_epoch(entry.since) - step, "right"))
        high = int(np.searchsorted(stamps, until, "left"))
        for name, load in (("served", entry.value), ("would_serve", entry.would_serve)):
            columns[name][low:high] = np.fmax(columns[name][low:high], load)
    return columns


def median_at(forecast: Forecast, instant: datetime) -> float | None:
    """The median about an instant (load units); None outside of what the forecast covers."""
    row = (instant - forecast.first_valid_at) // forecast.step
    return float(forecast.values[row, MEDIAN]) if 0 <= row < len(forecast.values) else None
