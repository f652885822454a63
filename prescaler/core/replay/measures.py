"""What came of a run, in sums by day: dropped demand, pod-hours, readiness, energy, money."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray, IntArray
from prescaler.core.instants import to_epoch
from prescaler.core.planned import Occurrence
from prescaler.core.replay.load import Load
from prescaler.core.replay.scaling import TICK, Outcome

FIELDS: Final = (
    "ticks",
    "dropped",
    "demand",
    "violated",
    "under",
    "over",
    "under_ticks",
    "over_ticks",
    "pods",
    "used",
    "nodes",
)
_ROW: Final = {name: row for row, name in enumerate(FIELDS)}

ORDINARY, EVENT = 0, 1

READY_SHARE: Final = 0.99
_LOOK: Final = timedelta(minutes=5)
_LATEST: Final = timedelta(hours=2)
_SLACK: Final = 1e-9

_HOUR: Final = 3600.0
_WEEK: Final = 7 * 24 * _HOUR


@dataclass(frozen=True)
class Prices:
    """What a pod-hour costs, and a linear node model: watts idle and at full use of its pods."""

    pod_hour: float = 0.05
    currency: str = "EUR"
    node_idle_watts: float = 100.0
    node_full_watts: float = 250.0
    pods_per_node: int = 10


@dataclass(frozen=True)
class Measures:
    """One run (or the mean of several seeds) over one stretch of time.

    dropped: share of demand beyond what ready pods carry. bad_minutes: minutes with any, in all and
    a week. under, over: SPEC's theta in percent; under_time, over_time: tau in percent.
    utilisation: demand over what ready pods carry. actions: changes of the size a day.
    """

    hours: float
    dropped: float
    bad_minutes: float
    bad_minutes_a_week: float
    under: float
    over: float
    under_time: float
    over_time: float
    pod_hours: float
    utilisation: float
    kwh: float
    cost: float
    actions: float


@dataclass(frozen=True)
class AtStart:
    """One event. readiness: pods ready at the start over the most needed in the 5 minutes after.

    late: minutes from the start on until enough were ready; 120 where they were not within two
    hours.
    """

    name: str
    start: datetime
    needed: int
    readiness: float
    late: float


@dataclass(frozen=True, eq=False)
class Tally:
    """sums: [2, D, F] ordinary and event time, days, `FIELDS`. actions: changes of the size."""

    sums: FloatArray
    actions: float

    def measures(
        self, prices: Prices, part: int | None = None, days: slice | None = None
    ) -> Measures:
        """Over everything, or one part (`ORDINARY`, `EVENT`), or some days."""
        chosen = self.sums[:, days or slice(None)]
        total = chosen.sum(axis=(0, 1)) if part is None else chosen[part].sum(axis=0)
        share = chosen.shape[1] / self.sums.shape[1]
        return _measures(total, self.actions * share, prices)

    def row(self, name: str, part: int | None = None) -> FloatArray:
        """[D] one field by day."""
        sums = self.sums[..., _ROW[name]]
        return np.asarray(sums.sum(axis=0) if part is None else sums[part])


def needed_pods(demand: FloatArray, capacity: float, *, rest: int = 1) -> IntArray:
    """[T] d_t = max(rest, ceil(demand / capacity)); rest where demand is unknown."""
    wanted = np.ceil(np.nan_to_num(demand) / capacity - _SLACK)
    return np.maximum(wanted, rest).astype(np.int64)


def tally(load: Load, outcome: Outcome, capacity: float, *, rest: int = 1) -> Tally:
    """Add up a run; ticks without known demand do not count at all.

    rest: pods needed without demand: 0 where the workload may sleep. A pod too many is then 100 %
    too many, as it is beside one.
    """
    known = np.isfinite(load.demand)
    demand, ready = load.demand[known], outcome.ready[known].astype(np.float64)
    need = needed_pods(demand, capacity, rest=rest).astype(np.float64)
    whole = np.maximum(need, 1.0)
    dropped = np.maximum(demand - capacity * ready, 0.0)
    rows = (
        np.ones(len(demand)),
        dropped,
        demand,
        dropped > _SLACK * capacity,
        np.maximum(need - ready, 0.0) / whole,
        np.maximum(ready - need, 0.0) / whole,
        ready < need,
        ready > need,
        ready,
        demand / capacity,
        outcome.nodes[known],
    )
    place = load.event[known].astype(np.int64) * load.days + load.day[known]
    sums = np.empty((2 * load.days, len(FIELDS)))
    for number, row in enumerate(rows):
        sums[:, number] = np.bincount(place, row, minlength=2 * load.days)
    return Tally(sums.reshape(2, load.days, len(FIELDS)), outcome.actions)


def mean_tally(tallies: Sequence[Tally]) -> Tally:
    """The mean of several seeds."""
    return Tally(
        np.mean([one.sums for one in tallies], axis=0),
        float(np.mean([one.actions for one in tallies])),
    )


def _measures(total: FloatArray, actions: float, prices: Prices) -> Measures:
    of = {name: float(total[row]) for name, row in _ROW.items()}
    tick, ticks = TICK.total_seconds(), max(of["ticks"], 1.0)
    hours = of["ticks"] * tick / _HOUR
    node_hours, used_hours = of["nodes"] * tick / _HOUR, of["used"] * tick / _HOUR
    swing = prices.node_full_watts - prices.node_idle_watts
    watt_hours = node_hours * prices.node_idle_watts + used_hours * swing / prices.pods_per_node
    minutes = of["violated"] * tick / 60
    pod_hours = of["pods"] * tick / _HOUR
    return Measures(
        hours=hours,
        dropped=of["dropped"] / of["demand"] if of["demand"] > 0 else 0.0,
        bad_minutes=minutes,
        bad_minutes_a_week=minutes * _WEEK / (ticks * tick),
        under=100 * of["under"] / ticks,
        over=100 * of["over"] / ticks,
        under_time=100 * of["under_ticks"] / ticks,
        over_time=100 * of["over_ticks"] / ticks,
        pod_hours=pod_hours,
        utilisation=of["used"] / of["pods"] if of["pods"] > 0 else 0.0,
        kwh=watt_hours / 1000,
        cost=pod_hours * prices.pod_hour,
        actions=actions * 24 / hours if hours else 0.0,
    )


def at_starts(
    load: Load, outcome: Outcome, events: Sequence[Occurrence], capacity: float, *, rest: int = 1
) -> list[AtStart]:
    """Readiness and minutes late of every event whose start lies in the period."""
    need = needed_pods(load.demand, capacity, rest=rest)
    return [
        _at_start(load, outcome, one, need)
        for one in events
        if load.ticks[0] <= to_epoch(one.start) <= int(load.ticks[-1])
    ]


def _at_start(load: Load, outcome: Outcome, one: Occurrence, need: IntArray) -> AtStart:
    at = int(np.searchsorted(load.ticks, to_epoch(one.start), "left"))
    wanted = int(need[at : at + _LOOK // TICK].max())
    enough = np.flatnonzero(outcome.ready[at : at + _LATEST // TICK] >= wanted)
    late = int(enough[0]) * TICK if len(enough) else _LATEST
    return AtStart(
        name=one.event.name,
        start=one.start,
        needed=wanted,
        readiness=min(1.0, int(outcome.ready[at]) / wanted) if wanted else 1.0,
        late=late / timedelta(minutes=1),
    )


def mean_starts(runs: Sequence[Sequence[AtStart]]) -> list[AtStart]:
    """The mean of several seeds, event by event."""
    return [
        AtStart(
            name=same[0].name,
            start=same[0].start,
            needed=same[0].needed,
            readiness=math.fsum(one.readiness for one in same) / len(same),
            late=math.fsum(one.late for one in same) / len(same),
        )
        for same in zip(*runs, strict=True)
    ]
