"""A small world to play again: two days of demand, one evening with a crowd."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from prescaler.core.arrays import FloatArray
from prescaler.core.planned import Occurrence
from prescaler.core.policy import Capacity, Unit
from prescaler.core.replay.arms import Played
from prescaler.core.replay.ground import Arm, Ground, Setting
from prescaler.core.replay.load import Load, lay_out
from prescaler.core.replay.measures import FIELDS, AtStart, Tally
from prescaler.core.replay.scaling import Delays, Scaling
from prescaler.core.series import Series
from tests.support import builders as make

BEGIN = datetime(2026, 11, 23, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
CAPACITY = 100.0
MATCH = Occurrence(
    make.event(start=BEGIN + 44 * HOUR, end=BEGIN + 46 * HOUR),
    BEGIN + 44 * HOUR,
    BEGIN + 46 * HOUR,
)


def minutes(days: int, crowd: float = 1.0) -> FloatArray:
    """Demand of about 10 pods by day, and on the second evening `crowd` times as much."""
    at = np.arange(days * 1440) / 60.0
    demand = 700.0 - 400.0 * np.cos(at * np.pi / 12.0)
    demand[44 * 60 : 46 * 60] *= crowd
    return np.asarray(demand)


def series(days: int = 2, crowd: float = 1.0) -> Series:
    values = minutes(days, crowd)
    return Series(BEGIN, MINUTE, values, values)


def load(days: int = 2, crowd: float = 1.0) -> Load:
    return lay_out(series(days, crowd), BEGIN, BEGIN + timedelta(days=days), [MATCH])


def ground(days: int = 2, crowd: float = 1.0, **changes: Any) -> Ground:
    values: dict[str, Any] = {
        "load": load(days, crowd),
        "series": series(days, crowd),
        "capacity": CAPACITY,
        "policy": make.policy(
            capacity=Capacity(CAPACITY, 0.7, Unit.PODS), timezone=ZoneInfo("UTC")
        ),
        "scaling": Scaling(),
        "delays": Delays(),
        "zone": ZoneInfo("UTC"),
        "events": [MATCH],
    }
    return Ground(**{**values, **changes})


def played(setting: Setting, pods: float, dropped: float, days: int = 9) -> Played:
    """A run with the same number of pods and of dropped load units on every day."""
    sums = np.zeros((2, days, len(FIELDS)))
    day = {
        "ticks": 5760.0,
        "dropped": dropped,
        "demand": 1000.0,
        "violated": 4.0 * dropped,
        "pods": 5760.0 * pods,
        "used": 2880.0 * pods,
        "nodes": 576.0 * pods,
    }
    for name, value in day.items():
        sums[0, :, FIELDS.index(name)] = value
    starts = [AtStart("match", BEGIN, 10, 0.5, 3.0)]
    return Played(setting, Tally(sums, 90.0), starts, np.full(5760, int(pods)), 0.0)


def reactive(utilisation: float) -> Setting:
    return Setting(Arm.REACTIVE, utilisation)
