"""Seeded traffic for demonstrations and tests: synthetic, and labelled so where it is shown."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from prescaler.core.arrays import BoolArray, FloatArray, IntArray
from prescaler.core.calendar import CivilSlots, civil_slots
from prescaler.core.series import Series

_MINUTE: Final = timedelta(minutes=1)
KICK_OFF: Final = 20 * 60 + 55
FULL_TIME: Final = 22 * 60 + 45
"""Of every match, minutes of the local day."""

MATCH_DAYS: Final = frozenset({1, 2, 5})
"""Weekdays with a match, Monday 0."""

_RAMP_MINUTES: Final = 3
_SATURDAY: Final = 5


@dataclass(frozen=True)
class Traffic:
    """A kind of traffic. base: mean requests per second. match_days: weekdays with a match.

    match_factor: the crowd over ordinary traffic. closed: hours of the local day without any.
    gap_days_before_end: when the scrape was broken for three hours.
    """

    name: str
    base: float
    match_days: frozenset[int] = frozenset()
    match_factor: float = 1.0
    closed: tuple[int, int] | None = None
    weekend_factor: float = 1.0
    gap_days_before_end: float | None = None


PLAYER: Final = Traffic("player", 420.0, MATCH_DAYS, 5.0, None, 1.25, 9.3)
CATALOGUE: Final = Traffic("catalogue", 1500.0, MATCH_DAYS, 1.6, None, 1.1)
BACKOFFICE: Final = Traffic("backoffice", 60.0, closed=(20, 7), weekend_factor=0.15)


def synthetic(
    traffic: Traffic, *, start: datetime, end: datetime, now: datetime, zone: ZoneInfo, seed: int
) -> Series:
    """Demand by the minute in [start, end): local day and week, noise, match evenings, a gap.

    Matches rise by `match_factor` within three minutes at 20:55 local time, dip at half-time and
    leave at 22:45. A clock change in the range moves nothing on the wall clock. The gap lies
    `gap_days_before_end` before `now`.
    """
    points = (end - start) // _MINUTE
    slots = civil_slots(start, _MINUTE, points, zone)
    demand = traffic.base * _day_shape(slots) * _week_shape(slots, traffic)
    demand = demand * _matches(slots, traffic) * _noise(points, seed)
    demand = np.where(_closed(slots, traffic), 0.0, demand)
    demand = np.where(_gap(traffic, start, now, points), np.nan, demand)
    return Series(start, _MINUTE, demand, demand)


def _day_shape(slots: CivilSlots) -> FloatArray:
    """Low at four in the night, a hump at noon, a higher one in the evening; mean about 1."""
    hour = slots.slot / 60.0
    noon = np.exp(-0.5 * ((hour - 13.0) / 3.0) ** 2)
    evening = np.exp(-0.5 * ((hour - 20.5) / 2.2) ** 2)
    return np.asarray(0.25 + 0.9 * noon + 1.4 * evening, dtype=np.float64)


def _week_shape(slots: CivilSlots, traffic: Traffic) -> FloatArray:
    weekend = slots.weekday >= _SATURDAY
    return np.where(weekend, traffic.weekend_factor, 1.0)


def _matches(slots: CivilSlots, traffic: Traffic) -> FloatArray:
    """Factor of the crowd: up in minutes, a tenth less at half-time, gone in a quarter hour."""
    evening = np.isin(slots.weekday, list(traffic.match_days))
    minute = slots.slot.astype(np.float64)
    arriving = np.clip((minute - KICK_OFF) / _RAMP_MINUTES, 0.0, 1.0)
    leaving = np.clip((FULL_TIME + 15 - minute) / 15.0, 0.0, 1.0)
    half_time = np.where((minute >= KICK_OFF + 47) & (minute < KICK_OFF + 62), 0.9, 1.0)
    crowd = np.minimum(arriving, leaving) * half_time
    return np.where(evening, 1.0 + (traffic.match_factor - 1.0) * crowd, 1.0)


def _noise(points: int, seed: int) -> FloatArray:
    """Lognormal: slow drift of the level over hours, and a few percent from minute to minute."""
    random = np.random.default_rng(seed)
    hours = points // 60 + 3
    drift = 0.04 * np.convolve(random.standard_normal(hours + 12), np.ones(12) / 3.5, "valid")
    slow = np.interp(np.arange(points) / 60.0, np.arange(len(drift)), drift)
    return np.asarray(np.exp(slow + 0.03 * random.standard_normal(points)), dtype=np.float64)


def _closed(slots: CivilSlots, traffic: Traffic) -> BoolArray:
    if traffic.closed is None:
        return np.zeros(len(slots.slot), dtype=bool)
    hour: IntArray = slots.slot // 60
    first, last = traffic.closed
    return np.asarray((hour >= first) | (hour < last), dtype=bool)


def _gap(traffic: Traffic, start: datetime, now: datetime, points: int) -> BoolArray:
    missing = np.zeros(points, dtype=bool)
    if traffic.gap_days_before_end is not None:
        gap = now - timedelta(days=traffic.gap_days_before_end)
        first = (gap - start) // _MINUTE
        missing[max(0, first) : max(0, first + 180)] = True
    return missing
