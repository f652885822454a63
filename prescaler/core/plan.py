"""The open-loop plan: demand to be ready for at each instant, from forecast, events and policy.

    median -> quantile -> event effect -> peak inside the step
           -> maximum over [now, now + lead + hold] -> declared floors

Two moves. `require` turns the forecast into cells: how much load, in which interval of time, and
from which instant on it must be ready for (lead time worked backwards from the cell). `plan`
takes, at every instant, the maximum of the cells that are due by then. Replay, pages, previews and
`decide` all come through here.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, NamedTuple

import numpy as np

from prescaler.core.arrays import BoolArray, Float32Array, FloatArray, IntArray
from prescaler.core.calendar import PodInterval, cut_out, window_intervals
from prescaler.core.events import EventEffect, event_floors, with_events
from prescaler.core.forecast import Forecast
from prescaler.core.growth import NO_GROWTH, growth
from prescaler.core.hpa import lead_seconds, longest_lead, pods_for_all
from prescaler.core.instants import from_epoch, to_epoch
from prescaler.core.policy import Policy
from prescaler.core.quantiles import MEDIAN, quantile_at

CELL_STAGES: Final = ("median", "quantile", "event", "peak")
PLAN_STAGES: Final = (*CELL_STAGES, "maximum", "floor")

_EVENT_CELL: Final = 60
"""Seconds per cell where an event acts: a ramp of two minutes must not drown in a step of five."""


@dataclass(frozen=True, eq=False)
class Requirement:
    """What must be ready when, cell by cell (epoch seconds; load units).

    starts, ends: [G] the cell is about [start, end). due: [G] from this instant on its load must
    be in KEDA's hands: start - lead - hold. lead: [G] seconds. parts: [G, 4] `CELL_STAGES`.
    naive: [G] naive median. expected: [G] median with the events.
    """

    starts: IntArray
    ends: IntArray
    due: IntArray
    lead: FloatArray
    parts: FloatArray
    naive: FloatArray
    expected: FloatArray


class Cells(NamedTuple):
    """A forecast in cells [start, end) (epoch seconds), [G] each.

    source: [G] the forecast step that a cell lies in. values: [G, Q] load with the events.
    """

    starts: IntArray
    ends: IntArray
    source: IntArray
    values: FloatArray | Float32Array


class PlanRow(NamedTuple):
    """The plan at one instant: `PLAN_STAGES`, the naive median over its window, the longest lead.

    The first five parts and naive are NaN where the forecast says nothing. growth: of live demand,
    1 unless the policy has the forecast act as that.
    """

    parts: tuple[float, ...]
    naive: float
    lead: float
    growth: float = NO_GROWTH

    @property
    def planned(self) -> float | None:
        """The forecast part, None where the forecast says nothing."""
        maximum = self.parts[-2]
        return None if math.isnan(maximum) else maximum

    @property
    def floor(self) -> float:
        """The declared floors."""
        return self.parts[-1]


@dataclass(frozen=True, eq=False)
class PlanCurve:
    """The plan at T instants.

    load: [T] load units, 0 where nothing is known and no floor is declared.
    parts: [T, 6] `PLAN_STAGES`; NaN in the first five where the forecast says nothing.
    naive: [T] maximum of the naive median over the same window; NaN likewise.
    lead: [T] longest lead in seconds among the cells that are due.
    growth: [T] of live demand, 1 unless the policy has the forecast act as that.
    """

    instants: IntArray
    load: FloatArray
    parts: FloatArray
    naive: FloatArray
    lead: FloatArray
    growth: FloatArray

    @property
    def covered(self) -> BoolArray:
        """[T] true where the forecast says something."""
        return np.isfinite(self.parts[:, PLAN_STAGES.index("maximum")])

    def rows(self) -> list[PlanRow]:
        """The same, instant by instant, as plain numbers."""
        each = (self.parts, self.naive, self.lead, self.growth)
        columns = zip(*(column.tolist() for column in each), strict=True)
        return [PlanRow(tuple(parts), *others) for parts, *others in columns]


def plan(
    forecast: Forecast | None,
    events: Sequence[EventEffect],
    policy: Policy,
    instants: IntArray,
    *,
    requirement: Requirement | None = None,
) -> PlanCurve:
    """Plan at ascending instants [T] (epoch seconds).

    `requirement` may hand in what `require` gave for the same forecast, events and policy.

    Raises:
        ValueError: the instants do not ascend.
    """
    if np.any(np.diff(instants) < 0):
        raise ValueError("instants must ascend")
    floor = floors_at(events, policy, instants)
    parts = np.full((len(instants), len(PLAN_STAGES)), np.nan)
    parts[:, -1] = floor
    naive, lead = np.full(len(instants), np.nan), np.zeros(len(instants))
    grown = np.full(len(instants), NO_GROWTH)
    if forecast is not None:
        cells = requirement or require(forecast, events, policy)
        inside = (instants >= cells.starts[0]) & (instants < cells.ends[-1])
        now = np.clip(np.searchsorted(cells.starts, instants, "right") - 1, 0, None)
        parts[:, :4] = np.where(inside[:, None], cells.parts[now], np.nan)
        parts[:, 4] = np.where(inside, due_maximum(cells, cells.parts[:, -1], instants), np.nan)
        naive = np.where(inside, due_maximum(cells, cells.naive, instants), np.nan)
        lead = np.where(inside, due_maximum(cells, cells.lead, instants), 0.0)
        grown = growth_at(cells, policy, instants)
    return PlanCurve(instants, np.fmax(parts[:, 4], floor), parts, naive, lead, grown)


def growth_at(cells: Requirement, policy: Policy, instants: IntArray) -> FloatArray:
    """[T] growth of live demand at instants; 1 where the forecast does not act as that.

    Of the load at the policy's quantile with its events, before the peak inside a step.
    """
    if not policy.grows:
        return np.full(len(instants), NO_GROWTH)
    found = growth(
        cells.parts[None, :, CELL_STAGES.index("event")],
        (instants - cells.starts[0])[None],
        seconds=int(cells.ends[0] - cells.starts[0]),
        ahead=policy.growth_ahead.total_seconds(),
        least=policy.target,
    )[0]
    inside = (instants >= cells.starts[0]) & (instants < cells.ends[-1])
    return np.where(inside, found, NO_GROWTH)


def require(forecast: Forecast, events: Sequence[EventEffect], policy: Policy) -> Requirement:
    """Turn a forecast into cells with their loads and the instants from which they are due."""
    starts, ends, source, lifted = cells_of(forecast, events)
    values = forecast.for_plan
    median = values[source, MEDIAN]
    quantile = quantile_at(values, policy.quantile)[source]
    event = quantile_at(lifted, policy.quantile)
    peak = event * forecast.peak_ratio[source]
    lead = _leads(peak, starts, ends, events, policy)
    due = starts - np.ceil(lead).astype(np.int64) - int(policy.hold.total_seconds())
    return Requirement(
        starts=starts,
        ends=ends,
        due=due,
        lead=lead,
        parts=np.column_stack([median, quantile, event, peak]),
        naive=forecast.naive[source].astype(np.float64),
        expected=np.asarray(lifted[:, MEDIAN], dtype=np.float64),
    )


def floors_at(events: Sequence[EventEffect], policy: Policy, instants: IntArray) -> FloatArray:
    """[T] declared floors in load units: windows, event minimums, the policy's minimum."""
    pods = np.full(len(instants), policy.min_pods, dtype=np.int64)
    span = (int(instants[0]), int(instants[-1]) + 1) if len(instants) else (0, 0)
    for interval in declared(events, policy, *span):
        inside = (instants >= interval.start) & (instants < interval.end)
        pods[inside] = np.maximum(pods[inside], interval.pods)
    return np.asarray(pods * policy.target, dtype=np.float64)


def declared(
    events: Sequence[EventEffect], policy: Policy, start: int, end: int
) -> list[PodInterval]:
    """Declared minimums that touch [start, end) (epoch seconds).

    Windows do not hold while an event lasts that replaces them, and begin when they say. The pods
    of an event are to be ready at its start: its minimum is asked for a lead time before.
    """
    first, last = from_epoch(start), from_epoch(end)
    windows = window_intervals(policy.windows, policy.timezone, first, last)
    for event in events:
        if event.replaces_windows:
            windows = cut_out(windows, to_epoch(event.start), to_epoch(event.end))
    floors = event_floors(events)
    return windows + [_led(floor, windows + floors, policy) for floor in floors]


def _led(floor: PodInterval, others: Sequence[PodInterval], policy: Policy) -> PodInterval:
    """A floor from the instant on at which its pods must be asked for to be ready at its start.

    Just before it, no more pods run than the other declared minimums keep.
    """
    last = floor.start - 1
    kept = [other.pods for other in others if other.start <= last < other.end]
    before = max([policy.scale_min, policy.min_pods, *kept])
    if before >= floor.pods:
        return floor
    lead = lead_seconds(
        np.array([before]),
        np.array([floor.pods]),
        policy.lead_time,
        from_zero=policy.scale_min == 0,
    )
    seconds = math.ceil(float(lead[0]))
    return replace(floor, start=floor.start - seconds, lead=seconds)


def cells_of(forecast: Forecast, events: Sequence[EventEffect]) -> Cells:
    """Cut a forecast into cells and put the events on top of the quantiles that a plan uses."""
    starts, ends, source = _cells(forecast, events)
    ordinary = forecast.for_plan[source]
    if not events:
        return Cells(starts, ends, source, ordinary)
    lifted = with_events(events, starts, ends, ordinary, forecast.cutoff)
    return Cells(starts, ends, source, lifted)


def _cells(
    forecast: Forecast, events: Sequence[EventEffect]
) -> tuple[IntArray, IntArray, IntArray]:
    """starts, ends [G], and for each cell the forecast step [G] that it lies in."""
    step = int(forecast.step.total_seconds())
    fine = math.gcd(step, _EVENT_CELL) if _touches(forecast, events) else step
    ratio = step // fine
    source = np.repeat(np.arange(len(forecast.values), dtype=np.int64), ratio)
    offset = np.tile(np.arange(ratio, dtype=np.int64) * fine, len(forecast.values))
    starts = forecast.stamps[source] + offset
    return starts, starts + fine, source


def _touches(forecast: Forecast, events: Sequence[EventEffect]) -> bool:
    return any(
        event.begins < forecast.valid_until and event.fades_until > forecast.first_valid_at
        for event in events
    )


def _leads(
    load: FloatArray,
    starts: IntArray,
    ends: IntArray,
    events: Sequence[EventEffect],
    policy: Policy,
) -> FloatArray:
    """[G] lead seconds of each cell, from the pods that the plan expects just before it.

    "Just before" is the fewest pods that the plan itself needs during the longest lead any cell
    could have: what runs now does not matter, and a dip counts against us, not for us.
    """
    wanted = pods_for_all(np.fmax(load, floors_at(events, policy, starts)), policy.target)
    wanted = np.maximum(wanted, policy.scale_min)
    from_zero = policy.scale_min == 0
    longest = longest_lead(int(wanted.max(initial=1)), policy.lead_time, from_zero=from_zero)
    span = math.ceil(longest / timedelta(seconds=int(ends[0] - starts[0])))
    return lead_seconds(_fewest_before(wanted, span), wanted, policy.lead_time, from_zero=from_zero)


def _fewest_before(wanted: IntArray, span: int) -> IntArray:
    """[G] minimum of the `span` cells before each one; before the first cell, that one."""
    padded = np.concatenate([np.full(span, wanted[0]), wanted[:-1]])
    windows = np.lib.stride_tricks.sliding_window_view(padded, span)
    return np.asarray(windows.min(axis=1), dtype=np.int64)


def due_maximum(cells: Requirement, values: FloatArray, instants: IntArray) -> FloatArray:
    """[T] at each instant the maximum of `values` over the cells with due <= instant < end.

    Every cell raises a range of instants. Ranges are covered by two overlapping powers of two
    and pushed down level by level (a sparse table read backwards): G + T log T steps.
    """
    low = np.searchsorted(instants, cells.due, "left")
    high = np.searchsorted(instants, cells.ends, "left")
    some = high > low
    low, high, values = low[some], high[some], values[some]
    if not len(low):
        return np.full(len(instants), np.nan)
    level = np.frexp((high - low).astype(np.float64))[1] - 1
    table = np.full((int(level.max()) + 1, len(instants)), -np.inf)
    np.maximum.at(table, (level, low), values)
    np.maximum.at(table, (level, high - (1 << level)), values)
    for upper in range(len(table) - 1, 0, -1):
        half = 1 << (upper - 1)
        below = table[upper - 1]
        np.maximum(below, table[upper], out=below)
        np.maximum(below[half:], table[upper][:-half], out=below[half:])
    return np.where(np.isinf(table[0]), np.nan, table[0])
