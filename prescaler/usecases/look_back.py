"""Lay what was forecast, planned and served beside what came: the chart of a workload."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray, IntArray
from prescaler.core.calendar import civil_slots
from prescaler.core.carried import carried
from prescaler.core.errors import BadParameter
from prescaler.core.events import EventEffect, with_events
from prescaler.core.forecast import Forecast, Origin
from prescaler.core.gaps import gaps as find_gaps
from prescaler.core.instants import floor_to, from_epoch, to_epoch
from prescaler.core.plan import plan, require
from prescaler.core.quantiles import MEDIAN, QUANTILES
from prescaler.core.records import HistoryVersion
from prescaler.core.series import coarsen
from prescaler.core.spans import Span as Stretch
from prescaler.ports import DecisionStore, DemandStore, ForecastStore
from prescaler.usecases.crowd_lore import Lore, busy_spans
from prescaler.usecases.past_crowds import PastCrowds
from prescaler.usecases.review import Columns, Span
from prescaler.usecases.serve_metric import Served

SHOWN: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Quantiles in the chart: the median and two intervals."""

_INDEX: Final = [QUANTILES.index(quantile) for quantile in SHOWN]
_LONGEST: Final = timedelta(weeks=9)
_SLOTS: Final = 24
_MOST_FORECASTS: Final = 400
_WALK_REACH: Final = timedelta(hours=6)
_DAYS: Final = 7


@dataclass(frozen=True)
class LookBackPorts:
    """What looking back needs of the world."""

    demand: DemandStore
    forecasts: ForecastStore
    decisions: DecisionStore
    crowds: PastCrowds = field(default_factory=PastCrowds)


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

    Columns: `actual`, `peak` (mean and maximum of what was observed), `q0.05` ... `q0.95` (planned
    events included, as they were known by then), `ordinary` (the median without them, where it
    differs), `naive`, `plan` (from now, or from `as_of`), `served`, `would_serve` (the highest in
    the step). Where growth acts `plan` is empty, and there are `growth` and `asked` (the median
    times it, and floors) instead.

    Raises:
        BadParameter: more than nine weeks, or a step that does not fit the resolution.
    """
    span = asked.span
    if span.end - span.start > _LONGEST:
        raise BadParameter("more than nine weeks; ask for less")
    stamps = _grid(span)
    forecasts = _forecasts(served, ports.forecasts, asked, now)
    columns = _observed(served, ports.demand, span, stamps, now)
    effects = acting(served, ports, asked, now)
    columns |= _said(forecasts, stamps, asked, effects)
    columns |= _planned(served, forecasts, asked, stamps, now, effects)
    columns |= _answered(served, ports.decisions, span, stamps, now)
    return Columns(stamps, span.step, columns)


def acting(
    served: Served, ports: LookBackPorts, asked: Question, now: datetime
) -> tuple[EventEffect, ...]:
    """Planned events that act in the span asked about, as they were known by then."""
    known_at, span = asked.as_of or now, asked.span
    return ports.crowds.effects(served, span.start, span.end, known_at, ahead=asked.as_of is None)


def medians(served: Served, ports: LookBackPorts, stamps: IntArray, now: datetime) -> FloatArray:
    """[N] what the forecast in force says of even instants, planned events included."""
    forecast, step = served.state.forecast, served.workload.forecast.step
    if forecast is None or not len(stamps):
        return np.full(len(stamps), np.nan)
    asked = Question(Span(from_epoch(int(stamps[0])), from_epoch(int(stamps[-1])) + step, step))
    return _said([forecast], stamps, asked, acting(served, ports, asked, now))["q0.5"]


def residuals(
    served: Served, ports: LookBackPorts, span: Span, lead: timedelta, now: datetime
) -> tuple[FloatArray, IntArray]:
    """[7, 24] sum of (actual - median) over the sum of actuals, by local weekday and hour; counts.

    Above 0: more came than the median said. NaN where nothing can be compared. Planned crowds are
    left out: they are judged event by event.
    """
    stamps = _grid(span)
    asked = Question(span, None, lead)
    said = _said(_forecasts(served, ports.forecasts, asked, now), stamps, asked)
    actual = _observed(served, ports.demand, span, stamps, now)["actual"]
    book = ports.crowds.book(served, span.start)
    lore = Lore(book, served.state.uplift.model if served.state.uplift else None)
    for begins, ends in busy_spans(lore, served.workload, span.start, span.end):
        actual[slice(*np.searchsorted(stamps, [to_epoch(begins), to_epoch(ends)]))] = np.nan
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
    """Those that say something about the span, oldest first.

    Before the first live one those of a backfill, which would have been made then.
    """
    version, present = served.state.version, served.state.forecast
    if version is None:
        return [present] if present is not None else []
    if asked.as_of is not None:
        found = store.as_of(version, asked.as_of) or _walked(version, store, asked.as_of)
        return [found] if found is not None else []
    start, until = asked.span.start - asked.lead, min(asked.span.end, now) + timedelta(seconds=1)
    past = list(store.between(version, start, until, most=_MOST_FORECASTS))
    first = min([until, *(f.cutoff for f in past[:1])])
    if start < first:
        past[:0] = store.between(version, start, first, Origin.BACKFILL, _MOST_FORECASTS)
    kept = [f for f in past if present is None or f.cutoff < present.cutoff]
    return [*kept, present] if present is not None else kept


def _walked(version: HistoryVersion, store: ForecastStore, as_of: datetime) -> Forecast | None:
    """The newest that would have been there at an instant, where none was."""
    found = store.between(version, as_of - _WALK_REACH, as_of, Origin.BACKFILL)
    known = [forecast for forecast in found if forecast.issued_at <= as_of]
    return known[-1] if known else None


def _said(
    forecasts: Sequence[Forecast],
    stamps: IntArray,
    asked: Question,
    effects: Sequence[EventEffect] = (),
) -> dict[str, FloatArray]:
    """Of each instant what the newest forecast said that is at least `lead` older.

    effects: of planned events, which lift the quantiles.
    """
    chosen = _newest(forecasts, stamps, asked.lead)
    acting = [(one, to_epoch(one.begins), to_epoch(one.fades_until)) for one in effects]
    table = np.full((len(stamps), len(QUANTILES)), np.nan)
    ordinary, naive = np.full(len(stamps), np.nan), np.full(len(stamps), np.nan)
    for number in np.unique(chosen[chosen >= 0]).tolist():
        forecast, at = forecasts[number], np.flatnonzero(chosen == number)
        row = (stamps[at] - to_epoch(forecast.first_valid_at)) // _seconds(forecast.step)
        values = forecast.values[row].astype(np.float64)
        ordinary[at], naive[at] = values[:, MEDIAN], forecast.naive[row]
        table[at] = _lifted(acting, stamps[at], asked.span.step, values, forecast.cutoff)
    ordinary[ordinary == table[:, MEDIAN]] = np.nan
    columns = {f"q{q}": table[:, i] for q, i in zip(SHOWN, _INDEX, strict=True)}
    return {**columns, "ordinary": ordinary, "naive": naive}


def _newest(forecasts: Sequence[Forecast], stamps: IntArray, lead: timedelta) -> IntArray:
    """[N] number of the newest forecast that counts at each instant, -1 = none."""
    chosen = np.full(len(stamps), -1, dtype=np.int64)
    for number, forecast in enumerate(forecasts):
        begin = max(to_epoch(forecast.first_valid_at), to_epoch(forecast.cutoff + lead))
        low, high = np.searchsorted(stamps, [begin, to_epoch(forecast.valid_until)])
        chosen[low:high] = number
    return chosen


def _lifted(
    acting: Sequence[tuple[EventEffect, int, int]],
    stamps: IntArray,
    step: timedelta,
    values: FloatArray,
    cutoff: datetime,
) -> FloatArray:
    """[N, Q] quantiles with the events that act at these instants, each in [begins, ends)."""
    near = [one for one in acting if one[1] <= stamps[-1] and one[2] > stamps[0]]
    busy = np.zeros(len(stamps), dtype=bool)
    for _, begins, ends in near:
        busy |= (stamps >= begins) & (stamps < ends)
    if not busy.any():
        return values
    at = stamps[busy]
    effects = [effect for effect, _, _ in near]
    values[busy] = with_events(effects, at, at + _seconds(step), values[busy], cutoff)
    return values


def _seconds(step: timedelta) -> int:
    return int(step.total_seconds())


def _planned(
    served: Served,
    forecasts: Sequence[Forecast],
    asked: Question,
    stamps: IntArray,
    now: datetime,
    effects: Sequence[EventEffect],
) -> dict[str, FloatArray]:
    """The plan from the present on, or as it was at `as_of`; where growth acts, that instead."""
    begin, policy = asked.as_of or now, served.policy
    load = np.full(len(stamps), np.nan)
    found = {"plan": load}
    if policy.grows:
        found |= {"growth": load.copy(), "asked": load.copy()}
    ahead = stamps + int(asked.span.step.total_seconds()) > to_epoch(begin)
    if not ahead.any():
        return found
    instants = stamps[ahead]
    if asked.as_of is None:
        instants = np.maximum(instants, to_epoch(begin))
        curve, grown = served.plan(instants, now), served.carried(instants, now)
    else:
        forecast = forecasts[-1] if forecasts else None
        cells = require(forecast, effects, policy) if forecast is not None else None
        curve = plan(forecast, effects, policy, instants, requirement=cells)
        grown = carried(cells, policy, instants) if cells and policy.grows else None
    if not policy.grows:
        load[ahead] = np.where(curve.covered | (curve.load > 0), curve.load, np.nan)
        return found
    floor = np.where(curve.parts[:, -1] > 0, curve.parts[:, -1], np.nan)
    found["asked"][ahead] = floor
    if grown is not None:
        found["asked"][ahead] = np.fmax(grown.asked, floor)
        found["growth"][ahead] = np.where(np.isfinite(grown.expected), grown.growth, np.nan)
    return found


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
