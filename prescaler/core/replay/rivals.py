"""What people have today beside reactive scaling: KEDA's cron, windows and multipliers."""

import math
from datetime import time
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from prescaler.core.arrays import BoolArray, FloatArray, IntArray
from prescaler.core.calendar import Window, cut_out, window_intervals
from prescaler.core.instants import from_epoch, to_epoch
from prescaler.core.planned import Occurrence
from prescaler.core.replay.ground import Ground
from prescaler.core.replay.load import AFTER_EVENT, BEFORE_EVENT

_EVENING: Final = (time(19, 30), time(23, 30))
_CRON_HOURS: Final = 4
_HOURS: Final = 24
_USUAL: Final = 0.95


def cron_pods(ground: Ground, target: float) -> FloatArray:
    """[T] KEDA's cron: the busiest four hours of the day before the period, at their usual most.

    Pods: the 0.95 quantile of the pods that those hours needed until the period began.
    """
    begin = int(ground.load.ticks[0])
    before = ground.series.between(ground.series.start, from_epoch(begin))
    known = before.observed
    if not known.any():
        return np.zeros(len(ground.load))
    hours, demand = _local_hours(before.stamps[known], ground.zone), before.mean[known]
    chosen = _busiest(hours, demand)
    usual = float(np.quantile(demand[np.isin(hours, chosen)], _USUAL))
    busy = np.isin(_local_hours(ground.load.ticks, ground.zone), chosen)
    return np.where(busy, float(math.ceil(usual / target)), 0.0)


def _busiest(hours: IntArray, demand: FloatArray) -> IntArray:
    """[4] the hours of the day in a row with the highest mean demand."""
    counts = np.maximum(np.bincount(hours, minlength=_HOURS), 1)
    means = np.bincount(hours, demand, minlength=_HOURS) / counts
    runs = [(np.arange(_CRON_HOURS) + hour) % _HOURS for hour in range(_HOURS)]
    return max(runs, key=lambda run: float(means[run].sum()))


def _local_hours(stamps: IntArray, zone: ZoneInfo) -> IntArray:
    """[N] hour of the civil day; the offset is looked up once an hour."""
    whole, place = np.unique(stamps // 3600, return_inverse=True)
    hours = [from_epoch(int(h) * 3600).astimezone(zone).hour for h in whole.tolist()]
    return np.asarray(np.array(hours, dtype=np.int64)[place])


def today_pods(ground: Ground, target: float, times: int) -> FloatArray:
    """[T] windows and multiplied events as prescaling-exporter has them, in pods; 0 outside.

    A daily window 19:30 - 23:30 with the 0.95 quantile of the pods of event-free evenings, and
    from 90 minutes before each event to 30 minutes after it `times` as many instead.
    """
    ticks = ground.load.ticks
    evenings = window_intervals(
        [Window(frozenset(range(7)), *_EVENING, 1)],
        ground.zone,
        from_epoch(int(ticks[0])),
        from_epoch(int(ticks[-1]) + 1),
    )
    base = _base(ground, [(one.start, one.end) for one in evenings], target)
    acting = [_acting(one) for one in ground.events]
    for first, last in acting:
        evenings = cut_out(evenings, first, last)
    pods = np.zeros(len(ticks))
    for one in evenings:
        pods[_between(ticks, one.start, one.end)] = base
    for first, last in acting:
        pods[_between(ticks, first, last)] = base * times
    return pods


def _base(ground: Ground, evenings: list[tuple[int, int]], target: float) -> int:
    """Pods of an evening without an event; of any evening where there is none without."""
    load, known = ground.load, np.isfinite(ground.load.demand)
    rows = [_between(load.ticks, *one) & known for one in evenings]
    free = [row for row in rows if row.any() and not (row & load.event).any()]
    chosen = np.any(free or rows or [known], axis=0)
    usual = load.demand[chosen] if chosen.any() else load.demand[known]
    return max(1, math.ceil(float(np.quantile(usual, _USUAL)) / target))


def _between(ticks: IntArray, start: int, end: int) -> BoolArray:
    return np.asarray((ticks >= start) & (ticks < end))


def _acting(one: Occurrence) -> tuple[int, int]:
    return to_epoch(one.start - BEFORE_EVENT), to_epoch(one.end + AFTER_EVENT)
