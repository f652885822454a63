"""A newcomer's history: a sibling's shape on its own level, until it has a week of its own."""

from datetime import datetime, timedelta
from typing import Final

import numpy as np

from prescaler.core.records import HistoryVersion
from prescaler.core.series import Series, missing_series, overlay
from prescaler.core.workload import Workload
from prescaler.ports import DemandStore, WorkloadStore

OWN_ENOUGH: Final = timedelta(days=7)
"""A week shows every day of it once; from then on its own shape is the better one."""

_SIDE_BY_SIDE: Final = timedelta(hours=1)


def borrowed(
    workload: Workload, own: Series, workloads: WorkloadStore, demand: DemandStore
) -> Series | None:
    """Its own observations over those of the sibling, scaled; None where it needs or has none.

    own: from its first observation to the cutoff. The scale is the ratio of the sums over what both
    have seen, and the declared one until that is an hour.
    """
    if workload.like is None or int(own.observed.sum()) * own.step >= OWN_ENOUGH:
        return None
    sibling = _sibling(workload.like.workload, workloads)
    if sibling is None:
        return None
    found = _seen(workload, sibling, own.end, demand)
    if not found.observed.any():
        return None
    factor = _factor(own, found, workload.like.scale)
    shape = Series(found.start, found.step, found.mean * factor, found.peak * factor)
    return overlay(shape, own).from_first_observation()


def _sibling(name: str, workloads: WorkloadStore) -> HistoryVersion | None:
    return next((v for v in workloads.current() if v.name == name), None)


def _seen(
    workload: Workload, sibling: HistoryVersion, end: datetime, demand: DemandStore
) -> Series:
    settings = workload.forecast
    return demand.on_grid(sibling, end - settings.history, end, settings.step)


def _factor(own: Series, sibling: Series, declared: float) -> float:
    grid = missing_series(sibling.start, sibling.step, len(sibling))
    mine = overlay(grid, own.between(sibling.start, sibling.end))
    both = mine.observed & sibling.observed
    total = float(sibling.mean[both].sum())
    if int(both.sum()) * own.step < _SIDE_BY_SIDE or total <= 0.0:
        return declared
    return float(np.sum(mine.mean[both])) / total
