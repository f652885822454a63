"""What a forecaster may know: demand up to the cutoff, and the civil calendar around it."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from prescaler.core.arrays import FloatArray, IntArray
from prescaler.core.calendar import CivilSlots, civil_slots
from prescaler.core.series import Series


@dataclass(frozen=True)
class DayOff:
    """A past public holiday, and how far from its weekday's shape to a Sunday's it went: 0 .. 1."""

    day: date
    way: float


@dataclass(frozen=True, eq=False)
class History:
    """Demand on its grid with the civil slots of the past and of the next `ahead` points.

    series: N points; calendar: slots of N + ahead points from the same start; holidays: what is
    remembered of earlier ones, also of those before its start.
    """

    series: Series
    zone: ZoneInfo
    country: str | None
    calendar: CivilSlots
    ahead: int
    holidays: tuple[DayOff, ...] = ()

    @classmethod
    def of(
        cls, series: Series, zone: ZoneInfo, ahead: int, country: str | None = None
    ) -> "History":
        """Lay the civil calendar over a series and the `ahead` points behind it."""
        calendar = civil_slots(series.start, series.step, len(series) + ahead, zone)
        return cls(series, zone, country, calendar, ahead)

    def __len__(self) -> int:
        return len(self.series)

    def until(self, points: int) -> "History":
        """What was known when only the first `points` points were."""
        series = self.series.between(
            self.series.start, self.series.start + points * self.series.step
        )
        ahead = self.ahead + len(self) - points
        return replace(self, series=series, ahead=ahead)

    @property
    def demand(self) -> FloatArray:
        """[N] mean demand, NaN where it was not observed."""
        return self.series.mean

    def demand_at(self, index: IntArray) -> FloatArray:
        """[...] demand at grid points, NaN behind the cutoff."""
        return self._at(self.demand, index)

    def peak_at(self, index: IntArray) -> FloatArray:
        """[...] the maximum inside the step at grid points, NaN behind the cutoff."""
        return self._at(self.series.peak, index)

    def _at(self, values: FloatArray, index: IntArray) -> FloatArray:
        inside = index < len(self)
        return np.where(inside, values[np.minimum(index, len(self) - 1)], np.nan)

    def local_hour(self, index: IntArray) -> FloatArray:
        """[...] local time of grid points in hours, 0 <= h < 24."""
        hours = self.calendar.slot[index] * (24.0 / self.calendar.slots)
        return np.asarray(hours, dtype=np.float64)

    @property
    def step(self) -> timedelta:
        """Grid spacing."""
        return self.series.step

    @property
    def cutoff(self) -> datetime:
        """Stamp of the last point."""
        return self.series.end - self.series.step

    def points_in(self, duration: timedelta) -> int:
        """How many steps a duration has, at least one."""
        return max(1, duration // self.step)
