"""What a walk's forecasts would have served, at every tick, for any quantile and target.

The plan of each forecast is `core.plan` in arrays over all forecasts at once: the expensive part
(forecasts, events, peaks) is laid down once as `Said`, and a configuration costs only arithmetic.
A test holds the track against `decide`, tick by tick.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Final

import numpy as np

from prescaler.core.arrays import BoolArray, Float32Array, FloatArray, IntArray
from prescaler.core.event_book import EventBook
from prescaler.core.events import EventEffect
from prescaler.core.forecast import Forecast
from prescaler.core.growth import NO_GROWTH, growth
from prescaler.core.hpa import lead_seconds, pods_for_all
from prescaler.core.instants import from_epoch, to_epoch
from prescaler.core.plan import cells_of, floors_at
from prescaler.core.policy import Policy
from prescaler.core.quantiles import quantile_at

_NOTHING: Final = -np.inf
_ASKED_AHEAD: Final = timedelta(hours=1)
"""Longer than any lead time: the minimum of an event is asked for before its start."""


@dataclass(frozen=True, eq=False)
class Said:
    """One forecast in cells of equal length, from the moment it is served on.

    issued, start: epoch seconds; start is that of the first cell. seconds: length of a cell.
    values: [C, Q] load with the events known then; peak: [C] maximum over mean inside a step.
    floors: [C] declared pods.
    """

    issued: int
    start: int
    seconds: int
    values: FloatArray | Float32Array
    peak: Float32Array
    floors: IntArray


def said(forecast: Forecast, events: Sequence[EventEffect], policy: Policy) -> Said:
    """Lay a forecast and its events down in cells; of the policy only the floors count."""
    cells = cells_of(forecast, events)
    return Said(
        issued=to_epoch(forecast.issued_at),
        start=int(cells.starts[0]),
        seconds=int(cells.ends[0] - cells.starts[0]),
        values=cells.values,
        peak=forecast.peak_ratio[cells.source],
        floors=_pods(floors_at(events, policy, cells.starts), policy),
    )


def _pods(load: FloatArray, policy: Policy) -> IntArray:
    return np.rint(load / policy.target).astype(np.int64)


@dataclass(frozen=True, eq=False)
class _Group:
    """F forecasts whose cells agree in number and length, and the ticks [F, J] they are served at.

    ticks: index of a tick, -1 where there is none.
    """

    starts: IntArray
    seconds: int
    values: FloatArray | Float32Array
    peak: Float32Array
    floors: IntArray
    ticks: IntArray


@dataclass(frozen=True, eq=False)
class Track:
    """A walk over ticks [T] (epoch seconds, even). floors: [T] declared pods."""

    ticks: IntArray
    floors: IntArray
    groups: tuple[_Group, ...]

    @property
    def covered(self) -> BoolArray:
        """[T] true where a forecast is served."""
        found = np.zeros(len(self.ticks), dtype=np.bool_)
        for group in self.groups:
            found[group.ticks[group.ticks >= 0]] = True
        return found

    def planned(self, policy: Policy) -> FloatArray:
        """[T] the forecast part of the plan, NaN where it says nothing or acts as growth."""
        load = np.full(len(self.ticks), np.nan)
        if policy.grows:
            return load
        for group in self.groups:
            used = group.ticks >= 0
            load[group.ticks[used]] = _planned(group, policy, self.ticks)[used]
        return load

    def growth(self, policy: Policy) -> FloatArray:
        """[T] by what live demand is multiplied; 1 where no forecast says anything."""
        found = np.full(len(self.ticks), NO_GROWTH)
        for group in self.groups:
            used = group.ticks >= 0
            found[group.ticks[used]] = _grown(group, policy, self.ticks)[used]
        return found

    def served(self, policy: Policy) -> FloatArray:
        """[T] what mode `active` would have answered, before anybody knows of running pods."""
        load = np.fmax(self.planned(policy), self.floors * policy.target)
        if policy.max_pods is not None:
            load = np.minimum(load, policy.max_pods * policy.target)
        return _rounded(load, policy.target)


def declared_floors(book: EventBook, policy: Policy, ticks: IntArray) -> IntArray:
    """[T] declared pods, each event from the moment on that it is known."""
    pods = np.zeros(len(ticks), dtype=np.int64)
    told = [to_epoch(at) for at in book.revelations]
    bounds = [0, *np.searchsorted(ticks, told, "left").tolist(), len(ticks)]
    for low, high in pairwise(bounds):
        piece = ticks[low:high]
        if len(piece):
            first, last = from_epoch(int(piece[0])), from_epoch(int(piece[-1]))
            acting = book.effects(policy, first, last + _ASKED_AHEAD, first)
            pods[low:high] = _pods(floors_at(acting, policy, piece), policy)
    return pods


def track(walk: Sequence[Said], ticks: IntArray, floors: IntArray) -> Track:
    """Put a walk (ascending by `issued`) on even ticks; each forecast is served until the next."""
    issued = np.array([one.issued for one in walk], dtype=np.int64)
    first = np.searchsorted(ticks, issued, "left")
    last = np.append(first[1:], len(ticks))
    shapes: dict[tuple[int, int], list[int]] = {}
    for number, one in enumerate(walk):
        ends = one.start + one.seconds * len(one.values)
        last[number] = min(last[number], int(np.searchsorted(ticks, ends, "left")))
        if last[number] > first[number]:
            shapes.setdefault((one.seconds, len(one.values)), []).append(number)
    groups = tuple(
        _group([walk[n] for n in numbers], first[numbers], last[numbers])
        for numbers in shapes.values()
    )
    return Track(ticks, floors, groups)


def _group(walk: Sequence[Said], first: IntArray, last: IntArray) -> _Group:
    places = first[:, None] + np.arange(int((last - first).max()))
    return _Group(
        starts=np.array([one.start for one in walk], dtype=np.int64),
        seconds=walk[0].seconds,
        values=np.stack([np.asarray(one.values, walk[0].values.dtype) for one in walk]),
        peak=np.stack([one.peak for one in walk]),
        floors=np.stack([one.floors for one in walk]),
        ticks=np.where(places < last[:, None], places, -1),
    )


def _planned(group: _Group, policy: Policy, ticks: IntArray) -> FloatArray:
    """[F, J] the highest load due at each tick that a forecast is served at."""
    count, length, quantiles = group.values.shape
    flat = quantile_at(group.values.reshape(-1, quantiles), policy.quantile)
    load = flat.reshape(count, length) * group.peak
    due = _due(group, load, policy)
    now = ticks[group.ticks] - group.starts[:, None]
    ends = (np.arange(length) + 1) * group.seconds
    found = np.full(now.shape, _NOTHING)
    for tick in range(now.shape[1]):
        at = now[:, tick, None]
        acts = (due <= at) & (at < ends)
        found[:, tick] = np.where(acts, load, _NOTHING).max(axis=1)
    return np.where((now >= 0) & (found > _NOTHING), found, np.nan)


def _grown(group: _Group, policy: Policy, ticks: IntArray) -> FloatArray:
    """[F, J] growth at each tick that a forecast is served at."""
    count, length, quantiles = group.values.shape
    flat = quantile_at(group.values.reshape(-1, quantiles), policy.quantile)
    at = ticks[group.ticks] - group.starts[:, None]
    found = growth(
        flat.reshape(count, length),
        at,
        seconds=group.seconds,
        ahead=policy.growth_ahead.total_seconds(),
        least=policy.target,
    )
    return np.where(at >= 0, found, NO_GROWTH)


def _due(group: _Group, load: FloatArray, policy: Policy) -> FloatArray:
    """[F, C] seconds from the first cell's start on from which a cell's load must be asked for."""
    wanted = pods_for_all(np.fmax(load, group.floors * policy.target), policy.target)
    wanted = np.maximum(wanted, policy.scale_min)
    before = np.empty_like(wanted)
    for span, rows in _spans(wanted, group.seconds, policy):
        before[rows] = _fewest_before(wanted[rows], span)
    lead = _leads(before.ravel(), wanted.ravel(), policy).reshape(wanted.shape)
    starts = np.arange(wanted.shape[1]) * group.seconds
    return np.asarray(starts - np.ceil(lead) - policy.hold.total_seconds())


def _leads(before: IntArray, wanted: IntArray, policy: Policy) -> FloatArray:
    return lead_seconds(before, wanted, policy.lead_time, from_zero=policy.scale_min == 0)


def _spans(wanted: IntArray, seconds: int, policy: Policy) -> Iterator[tuple[int, BoolArray]]:
    """How many cells back "just before" reaches, and the forecasts [F] of which that holds."""
    most = np.maximum(wanted.max(axis=1), 1)
    longest = _leads(np.ones_like(most), most, policy)
    spans = np.array([math.ceil(lead / seconds) for lead in longest.tolist()])
    for span in np.unique(spans).tolist():
        yield span, spans == span


def _fewest_before(wanted: IntArray, span: int) -> IntArray:
    """[F, C] minimum of the `span` cells before each one; before the first cell, that one."""
    head = np.repeat(wanted[:, :1], span, axis=1)
    padded = np.concatenate([head, wanted[:, :-1]], axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, span, axis=1)
    return np.asarray(windows.min(axis=-1), dtype=np.int64)


def _rounded(load: FloatArray, target: float) -> FloatArray:
    """[T] three decimals upwards, unless just that would add a pod; as `decide` rounds."""
    known = np.nan_to_num(load)
    above = np.ceil(known * 1000 - 1e-6) / 1000
    adds = pods_for_all(above, target) > pods_for_all(known, target)
    return np.where(adds, np.floor(known * 1000) / 1000, above)
