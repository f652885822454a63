"""Civil time: slots of the local day and week, and daily windows as intervals of UTC."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays
import numpy as np
import pandas as pd

from prescaler.core.arrays import IntArray
from prescaler.core.errors import UnknownCountry
from prescaler.core.instants import to_epoch

DAY = timedelta(days=1)

_SATURDAY = 5


@dataclass(frozen=True, eq=False)
class CivilSlots:
    """Where each grid point lies in the local day and week.

    day: [N] days since 1970 in local time; weekday: [N] 0 = Monday;
    slot: [N] 0 .. slots - 1, the place in the local day; slots: how many a day has.
    """

    day: IntArray
    weekday: IntArray
    slot: IntArray
    slots: int


def civil_slots(start: datetime, step: timedelta, points: int, zone: ZoneInfo) -> CivilSlots:
    """Civil slots of an even UTC grid.

    On the long day of a clock change two grid points share a slot, on the short one some slots
    have none; the wall clock decides, so that the 20:55 peak stays at 20:55.
    """
    index = pd.date_range(start, periods=points, freq=pd.Timedelta(step)).tz_convert(zone)
    wall = index.tz_localize(None).to_numpy().astype("datetime64[s]").astype(np.int64)
    day, second = np.divmod(wall, int(DAY.total_seconds()))
    slots = max(1, DAY // step)
    return CivilSlots(
        day=day,
        weekday=(day + 3) % 7,  # 1970-01-01 was a Thursday
        slot=np.minimum(second // int(step.total_seconds()), slots - 1),
        slots=slots,
    )


def is_day_off(day: date, country: str | None) -> bool:
    """Whether most people of a country are off: its weekend, or one of its public holidays.

    Without a country: Saturday and Sunday.
    """
    if country is None:
        return day.weekday() >= _SATURDAY
    return day.weekday() in _weekend(country) or is_holiday(day, country)


def is_holiday(day: date, country: str) -> bool:
    """Whether a day is a public holiday, by the tables of `holidays`.

    Raises:
        UnknownCountry: no tables for it.
    """
    return day in _holidays(country, day.year)


def holiday_name(day: date, country: str) -> str:
    """What a public holiday is called, without "(observed)"; empty for any other day.

    Raises:
        UnknownCountry: no tables for it.
    """
    return _holidays(country, day.year).get(day, "").partition(" (")[0]


@lru_cache(maxsize=256)
def _holidays(country: str, year: int) -> Mapping[date, str]:
    return dict(_tables(country, year))


@lru_cache(maxsize=64)
def _weekend(country: str) -> frozenset[int]:
    return frozenset(_tables(country).weekend)


def _tables(country: str, year: int | None = None) -> holidays.HolidayBase:
    """The days of a country, or of a part of one: FR, DE-BY (ISO 3166-2)."""
    whole, _, part = country.partition("-")
    try:
        return holidays.country_holidays(whole, subdiv=part or None, years=year)
    except NotImplementedError as error:
        raise UnknownCountry(country) from error


@dataclass(frozen=True)
class Window:
    """A daily window with a minimum number of pods, in the workload's civil time.

    weekdays: those on which it starts (0 = Monday). An end at or before the start lies on the
    next day: 22:00 to 02:00 ends at two in the night.
    """

    weekdays: frozenset[int]
    start: time
    end: time
    min_pods: int

    def on(self, day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """The window that starts on a local day, as [start, end) in UTC.

        A start that the spring clock skips is taken with the offset before the change; an end
        that the autumn clock shows twice is the second one, so that nobody is cut short.
        """
        last = day if self.end > self.start else day + DAY
        start = datetime.combine(day, self.start, zone)
        end = datetime.combine(last, self.end, zone).replace(fold=1)
        return start.astimezone(UTC), end.astimezone(UTC)


@dataclass(frozen=True)
class PodInterval:
    """A minimum number of pods in [start, end), epoch seconds. by: what declares it, in words.

    lead: how many seconds of it come before what was declared, so that its pods are ready then.
    """

    start: int
    end: int
    pods: int
    by: str = field(default="", compare=False)
    lead: int = field(default=0, compare=False)


def window_intervals(
    windows: Sequence[Window], zone: ZoneInfo, start: datetime, end: datetime
) -> list[PodInterval]:
    """All occurrences of the windows that touch [start, end)."""
    if not windows:
        return []
    first = start.astimezone(zone).date() - DAY
    days = (end.astimezone(zone).date() - first).days + 1
    found = []
    for window in windows:
        for day in (first + n * DAY for n in range(days)):
            if day.weekday() not in window.weekdays:
                continue
            opens, closes = window.on(day, zone)
            if opens < end and closes > start and closes > opens:
                by = f"window {window.start:%H:%M}-{window.end:%H:%M}"
                found.append(PodInterval(to_epoch(opens), to_epoch(closes), window.min_pods, by))
    return found


def cut_out(intervals: Sequence[PodInterval], start: int, end: int) -> list[PodInterval]:
    """What is left of the intervals outside [start, end)."""
    left = []
    for one in intervals:
        if one.end <= start or one.start >= end:
            left.append(one)
            continue
        if one.start < start:
            left.append(replace(one, end=start))
        if one.end > end:
            left.append(replace(one, start=end))
    return left
