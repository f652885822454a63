"""Histories with planned crowds whose size the tests know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np

from prescaler.core.history import History
from prescaler.core.planned import Effect, Occurrence, PlannedEvent, Selection
from prescaler.core.series import Series
from prescaler.core.uplift import Crowd

PARIS = ZoneInfo("Europe/Paris")
STEP = timedelta(minutes=15)
FIRST_DAY = datetime(2026, 8, 31, tzinfo=UTC)  # a Monday
MATCH = timedelta(minutes=105)


@dataclass(frozen=True)
class Night:
    """A match on a day of the history: it multiplies demand by `factor`."""

    day: int
    factor: float
    hour: float = 19.0
    lasts: timedelta = MATCH
    labels: Mapping[str, str] = field(default_factory=dict)
    effect: Effect = field(default_factory=Effect)


def occurrence(night: Night, kind: str = "football") -> Occurrence:
    start = FIRST_DAY + timedelta(days=night.day, hours=night.hour)
    event = PlannedEvent(
        UUID(int=night.day),
        f"match {night.day}",
        kind,
        start,
        start + night.lasts,
        PARIS,
        Selection(everything=True),
        night.effect,
        labels=night.labels,
    )
    return Occurrence(event, event.start, event.end)


def crowd(night: Night, kind: str = "football") -> Crowd:
    return Crowd.of(occurrence(night, kind), PARIS, None)


def ordinary_demand(days: int) -> np.ndarray:
    hours = np.arange(days * 96) / 4.0
    return 100.0 + 60.0 * np.sin((hours - 9.0) * np.pi / 12.0)


def history(days: int, nights: Sequence[Night], noise: float = 0.0, ahead: int = 96) -> History:
    demand = ordinary_demand(days)
    for night in nights:
        first = int(night.day * 96 + night.hour * 4)
        demand[first : first + night.lasts // STEP] *= night.factor
    demand = demand * np.exp(noise * np.random.default_rng(7).standard_normal(len(demand)))
    series = Series(FIRST_DAY, STEP, demand, 1.1 * demand)
    return History.of(series, PARIS, ahead)
