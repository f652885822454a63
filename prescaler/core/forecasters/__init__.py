"""The pool. One line a forecaster, sorted by name; the contract suite picks each of them up."""

from typing import Final

from prescaler.core.forecasters.base import Forecaster, Parameters
from prescaler.core.forecasters.copy import PeriodCopy
from prescaler.core.forecasters.days import RecentDays
from prescaler.core.forecasters.kind import DayKind
from prescaler.core.forecasters.level import FlatLevel
from prescaler.core.forecasters.regression import DayRegression
from prescaler.core.forecasters.turn import WeekdayTurn
from prescaler.core.forecasters.weeks import RecentWeeks

POOL: Final[tuple[Forecaster, ...]] = (
    PeriodCopy("day_before", 1, plain=True),
    PeriodCopy("day_before_smooth", 1, "near", plain=True),
    RecentDays("days", plain=True),
    RecentDays("days_sharp", "none"),
    RecentDays("days_wide", "wide"),
    DayKind("kind"),
    DayKind("kind_wide", "wide"),
    FlatLevel("level"),
    DayRegression("regression"),
    WeekdayTurn("turn"),
    PeriodCopy("week_before", 7, plain=True),
    PeriodCopy("week_before_smooth", 7, "near"),
    RecentWeeks("weeks", plain=True),
    RecentWeeks("weeks_sharp", "none"),
    RecentWeeks("weeks_wide", "wide"),
)

FALLBACK: Final = ("days", "weeks", "level")
"""Where a curve has a hole, the first of these that has a value there steps in."""

NAIVE: Final = ("day_before", "week_before")
"""The bar: where the mix does not beat the better of these, it gives way to it."""

__all__ = ["FALLBACK", "NAIVE", "POOL", "Forecaster", "Parameters"]
