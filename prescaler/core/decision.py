"""One answer to KEDA, with everything that explains it.

    the plan at now -> mode (neutral / cap) -> declared floors -> override / freeze
                    -> tolerance -> ceiling -> rounding

Floors come before the tolerance: a floor that the HPA swallows is no floor. The mode and the guards
govern the forecast part only.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

import numpy as np

from prescaler.core.control import Control, Observed
from prescaler.core.events import EventEffect
from prescaler.core.forecast import Basis, Forecast
from prescaler.core.growth import CARRIED_ON, NO_GROWTH
from prescaler.core.hpa import pods_for, smallest_reachable
from prescaler.core.instants import to_epoch
from prescaler.core.plan import PLAN_STAGES, PlanRow, plan
from prescaler.core.policy import Mode, OnUnavailable, Policy

PODS_FRESH: Final = timedelta(seconds=60)
"""Older counts of running pods say nothing about what the HPA compares with."""

_NO_TIME: Final = timedelta(0)

STAGES: Final = (
    *PLAN_STAGES[:-1],
    "mode",
    "floor",
    "override",
    "tolerance",
    "ceiling",
    "rounding",
)


class Status(StrEnum):
    """What kind of answer it is."""

    ACTIVE = "active"
    FLOOR = "floor"
    NEUTRAL = "neutral"
    HELD = "held"
    FROZEN = "frozen"
    OVERRIDE = "override"


_BORROWED: Final = "the shape is a sibling's, scaled, until a week of its own is there"


class Reason(StrEnum):
    """Why the answer is not simply the plan."""

    NAIVE = "naive"
    CAPPED = "capped"
    CEILING = "ceiling"
    STALE_DEMAND = "stale_demand"
    WARMING_UP = "warming_up"
    TOO_LITTLE_HISTORY = "too_little_history"
    NO_FORECAST = "no_forecast"
    FORECAST_ENDED = "forecast_ended"
    WORSE_THAN_NAIVE = "worse_than_naive"
    SHADOW = "shadow"
    OFF = "off"


_UNAVAILABLE: Final = frozenset(
    {
        Reason.WARMING_UP,
        Reason.TOO_LITTLE_HISTORY,
        Reason.NO_FORECAST,
        Reason.FORECAST_ENDED,
        Reason.WORSE_THAN_NAIVE,
    }
)
_HOLDABLE: Final = frozenset({Reason.NO_FORECAST, Reason.FORECAST_ENDED})


class Stage(NamedTuple):
    """One step of the waterfall: the load after it (None = nothing known yet), and a word on it."""

    name: str
    load: float | None
    note: str = ""


@dataclass(frozen=True)
class Decision:
    """What is served at `at`, and why.

    value, would_serve, forecast_part, floor_part: load units. would_serve is what mode `active`
    would have served. available is False where policy `on_unavailable: error` asks for a fault.
    growth: by what live demand is to be multiplied, at least 1. running: pods that run, 0 unknown.
    """

    at: datetime
    value: float
    status: Status
    reason: str | None
    detail: str | None
    target: float
    mode: Mode
    would_serve: float
    forecast_part: float
    floor_part: float
    stages: tuple[Stage, ...]
    forecast: Forecast | None
    available: bool = True
    growth: float = NO_GROWTH
    running: int = 0

    @property
    def pods(self) -> int:
        """Pods that the value asks for."""
        return pods_for(self.value, self.target)

    @property
    def age(self) -> timedelta | None:
        """Since the forecast was issued."""
        return self.at - self.forecast.issued_at if self.forecast else None


def decide(  # noqa: PLR0913 - the shared signature: what a decision depends on, all of it
    forecast: Forecast | None,
    events: Sequence[EventEffect],
    policy: Policy,
    control: Control,
    observed: Observed | None,
    now: datetime,
    *,
    absence: Reason = Reason.NO_FORECAST,
    absence_detail: str | None = None,
    row: PlanRow | None = None,
) -> Decision:
    """Decide what KEDA is told at `now` (whole seconds, UTC).

    absence, absence_detail: why there is no forecast, where there is none. row: what the plan says
    at now, where that has been worked out before.
    """
    if row is None:
        (row,) = plan(forecast, events, policy, np.array([to_epoch(now)])).rows()
    seen, present = observed or Observed(), control.at(now)
    case = _Case(forecast, policy, present, seen, now, absence, absence_detail, row)
    return case.decide()


@dataclass
class _Waterfall:
    """The load on its way down the stages."""

    load: float
    stages: list[Stage]
    cut: bool = False

    def to(self, name: str, load: float, note: str = "") -> None:
        self.load = load
        self.stages.append(Stage(name, load, note))


@dataclass(frozen=True)
class _Case:
    """Everything one decision depends on."""

    forecast: Forecast | None
    policy: Policy
    control: Control
    observed: Observed
    now: datetime
    absence: Reason
    absence_detail: str | None
    row: PlanRow

    @property
    def mode(self) -> Mode:
        return self.control.mode.mode if self.control.mode else self.policy.mode

    def decide(self) -> Decision:
        reason = self._silence()
        part, capped = self._forecast_part(reason)
        growth, slowed = self._growth(reason)
        floor = 0.0 if self.mode is Mode.OFF else self.row.floor
        held = self._held(reason, floor)
        served = self._fall(part if held is None else held, floor, self._manual())
        would = self._fall(self._planned or 0.0, self.row.floor, None)
        status = self._status(reason, floor, held)
        if status is Status.ACTIVE:
            reason = self._remark(capped=capped or slowed, cut=served.cut)
        return Decision(
            at=self.now,
            value=served.load,
            status=status,
            reason=reason,
            detail=self._detail(reason),
            target=self.policy.target,
            mode=self.mode,
            would_serve=would.load,
            forecast_part=part,
            floor_part=floor,
            stages=tuple(served.stages),
            forecast=self.forecast,
            available=not self._fault(status, reason),
            growth=growth,
            running=self._running or 0,
        )

    @property
    def _planned(self) -> float | None:
        """The load that the forecast asks for by itself: none where it acts as growth."""
        return 0.0 if self.policy.grows else self.row.planned

    @property
    def _running(self) -> int | None:
        """The pods that run, where that was seen just now."""
        seen = self.observed.pods_at
        fresh = seen is not None and _NO_TIME <= self.now - seen < PODS_FRESH
        return self.observed.running_pods if fresh else None

    def _silence(self) -> str | None:
        """Why the forecast part says nothing, None where it takes part."""
        if self.mode is Mode.OFF:
            return Reason.OFF
        if self.forecast is None:
            return self.absence
        if self.row.planned is None:
            ended = self.now >= self.forecast.valid_until
            return Reason.FORECAST_ENDED if ended else Reason.WARMING_UP
        if self.control.guard is not None:
            return f"guard:{self.control.guard.name}"
        return Reason.SHADOW if self.mode is Mode.SHADOW else None

    def _forecast_part(self, reason: str | None) -> tuple[float, bool]:
        """The load that the forecast may ask for, and whether the cap cut it."""
        planned = self._planned
        if reason is not None or planned is None:
            return 0.0, False
        if self.mode is not Mode.CAPPED:
            return planned, False
        limit = (1.0 + self.policy.cap) * max(self.row.naive, self.observed.last_actual or 0.0)
        return min(planned, limit), planned > limit

    def _growth(self, reason: str | None) -> tuple[float, bool]:
        """By what live demand is multiplied, and whether the cap cut it.

        1 wherever the forecast must be silent, and beside what a person has set.
        """
        if reason is not None or self._manual() is not None:
            return NO_GROWTH, False
        limit = 1.0 + self.policy.cap if self.mode is Mode.CAPPED else math.inf
        return min(self.row.growth, limit), self.row.growth > limit

    def _held(self, reason: str | None, floor: float) -> float | None:
        """The last valid value, where the policy wants it and it is young enough."""
        last = self.control.last_valid
        if self.policy.on_unavailable is not OnUnavailable.HOLD or reason not in _HOLDABLE:
            return None
        if last is None or self.now - last.at > self.policy.hold_for or last.value < floor:
            return None
        return last.value

    def _manual(self) -> tuple[Status, float] | None:
        """What a person has set, except in mode `off`."""
        if self.mode is Mode.OFF:
            return None
        if self.control.override is not None:
            return Status.OVERRIDE, self.control.override.value(self.policy.target)
        if self.control.freeze is not None:
            return Status.FROZEN, self.control.freeze.value
        return None

    def _fall(self, part: float, floor: float, manual: tuple[Status, float] | None) -> _Waterfall:
        """Run the closed-loop stages over a forecast part (or the value held in its place)."""
        known = self.row.planned is not None
        opened = zip(PLAN_STAGES[:-1], self.row.parts, strict=False)
        water = _Waterfall(part, [Stage(name, x if known else None) for name, x in opened])
        water.to("mode", part, self._mode_note())
        water.to("floor", max(part, floor))
        if manual is None:
            water.to("override", water.load)
        else:
            water.to("override", manual[1], manual[0].value)
        self._beyond_tolerance(water)
        self._under_ceiling(water)
        water.to("rounding", self._rounded(water.load))
        return water

    def _mode_note(self) -> str:
        """The mode, and how far live demand is carried on; in tenths, or each would be logged."""
        if not self.policy.grows:
            return self.mode.value
        if self.mode is Mode.SHADOW:
            return f"{self.mode.value}; would be {CARRIED_ON}{self.row.growth:.1f}"
        times, _ = self._growth(self._silence())
        return f"{self.mode.value}; {CARRIED_ON}{times:.1f}"

    def _beyond_tolerance(self, water: _Waterfall) -> None:
        """Land on the smallest size that the HPA can reach, where the running pods are known."""
        running = self._running
        if running is None:
            share = 100 * self.policy.lead_time.tolerance.up
            risk = f"running pods unknown: the HPA may ignore a raise of up to {share:g} %"
            water.to("tolerance", water.load, risk if share else "")
            return
        wanted = pods_for(water.load, self.policy.target)
        reached = smallest_reachable(wanted, running, self.policy.lead_time.tolerance)
        if reached == wanted:
            water.to("tolerance", water.load, f"{running} pods run")
            return
        note = f"{running} pods run, {wanted} would be ignored: {reached - wanted} more"
        water.to("tolerance", reached * self.policy.target, note)

    def _under_ceiling(self, water: _Waterfall) -> None:
        most = self.policy.max_pods
        if most is None or water.load <= most * self.policy.target:
            water.to("ceiling", water.load)
            return
        water.to("ceiling", most * self.policy.target, f"at most {most} pods")
        water.cut = True

    def _rounded(self, load: float) -> float:
        """Three decimals, since KEDA keeps no more; upwards, unless just that would add a pod.

        A trifle that asks for a pod stays a trifle that asks for a pod.
        """
        thousandths, wanted = math.ceil(load * 1000 - 1e-6), pods_for(load, self.policy.target)
        pods = pods_for(thousandths / 1000, self.policy.target)
        if pods > wanted:
            thousandths = math.floor(load * 1000)
        elif pods < wanted:
            thousandths += 1
        return thousandths / 1000

    def _status(self, reason: str | None, floor: float, held: float | None) -> Status:
        manual = self._manual()
        if manual is not None:
            return manual[0]
        if held is not None:
            return Status.HELD
        if reason is None:
            return Status.ACTIVE
        return Status.FLOOR if floor > 0 else Status.NEUTRAL

    def _remark(self, *, capped: bool, cut: bool) -> str | None:
        """The one thing worth saying about an active answer, gravest first."""
        if cut:
            return Reason.CEILING
        if capped:
            return Reason.CAPPED
        if self._stale():
            return Reason.STALE_DEMAND
        if self.forecast is not None and self.forecast.basis is Basis.NAIVE:
            return Reason.NAIVE
        return None

    def _stale(self) -> bool:
        seen = self.observed.last_actual_at or (self.forecast.cutoff if self.forecast else None)
        return seen is not None and self.now - seen > self.policy.stale_after

    def _fault(self, status: Status, reason: str | None) -> bool:
        return (
            self.policy.on_unavailable is OnUnavailable.ERROR
            and status is Status.NEUTRAL
            and reason in _UNAVAILABLE
        )

    def _detail(self, reason: str | None) -> str | None:
        if self.control.override is not None:
            by = self.control.override.by
            return f"{by.author}: {by.reason}"
        if self.control.freeze is not None:
            by = self.control.freeze.by
            return f"{by.author}: {by.reason}"
        if self.control.guard is not None and reason == f"guard:{self.control.guard.name}":
            return self.control.guard.detail
        if self.forecast is None:
            return self.absence_detail
        return _BORROWED if self.forecast.basis is Basis.BORROWED else None
