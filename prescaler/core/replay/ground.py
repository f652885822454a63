"""What the arms of a replay share, and how one is set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from prescaler.core.planned import Occurrence
from prescaler.core.policy import Policy
from prescaler.core.replay.load import Load
from prescaler.core.replay.scaling import Delays, Scaling
from prescaler.core.replay.track import Track
from prescaler.core.series import Series


class Arm(StrEnum):
    """Who scales."""

    PEAK = "static_peak"
    REACTIVE = "reactive"
    TODAY_CODE = "today_code"
    TODAY_FLOOR = "today_floor"
    CRON = "keda_cron"
    WEEK_AGO = "week_ago"
    PLAIN = "prescaler"
    CALENDAR = "prescaler_calendar"
    ORACLE = "oracle"
    BOUND = "oracle_no_delay"


FORECAST_ARMS: Final = (Arm.PLAIN, Arm.CALENDAR)


@dataclass(frozen=True)
class Setting:
    """One configuration. utilisation: of a pod, by the shared target of the ScaledObject.

    quantile, hold: of a forecast arm. reactive: utilisation at which the reactive term is held by
    a constant K (`reactive * K`); None: the shared one. times: the multiplier of today's events.
    growth: the forecast acts as growth of live demand.
    """

    arm: Arm
    utilisation: float
    quantile: float | None = None
    hold: timedelta | None = None
    reactive: float | None = None
    times: int = 1
    growth: bool = False

    @property
    def alone(self) -> "Setting":
        """What is left of it when prescaler is dead: reactive scaling at its own target."""
        return Setting(Arm.REACTIVE, self.reactive or self.utilisation)


@dataclass(frozen=True, eq=False)
class Ground:
    """What all arms share.

    series: demand, also before the period (week-ago and cron look there). capacity: load units a
    pod carries at its limit. policy: lead times, windows, bounds. events: occurrences that touch
    the period. tracks: what prescaler would have served. counted: whether it knows the running
    pods. dead: ticks from which on prescaler answers nothing, as (first, last). formula: one
    composite metric, which fails wherever reality cannot be read; else two triggers.
    """

    load: Load
    series: Series
    capacity: float
    policy: Policy
    scaling: Scaling
    delays: Delays
    zone: ZoneInfo
    events: Sequence[Occurrence] = ()
    tracks: Mapping[Arm, Track] = field(default_factory=dict)
    counted: bool = True
    dead: Sequence[tuple[int, int]] = ()
    formula: bool = False

    def target(self, utilisation: float) -> float:
        """Load units a pod should carry."""
        return utilisation * self.capacity
