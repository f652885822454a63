"""One answer to KEDA, with everything that explains it.

    the plan at now -> mode (neutral / cap) -> declared floors -> override / freeze
                    -> tolerance -> ceiling -> rounding

Floors come before the tolerance: a floor that the HPA swallows is no floor. The mode and the guards
govern the forecast part only.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import numpy as np

from prescaler.core.control import Control, Observed
from prescaler.core.events import EventEffect
from prescaler.core.forecast import Basis, Forecast
from prescaler.core.hpa import pods_for, smallest_reachable
from prescaler.core.instants import to_epoch
from prescaler.core.plan import PLAN_STAGES, PlanCurve, Requirement, plan
from prescaler.core.policy import Mode, OnUnavailable, Policy

PODS_FRESH: Final = timedelta(seconds=60)
"""Older counts of running pods say nothing about what the HPA compares with."""

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


@dataclass(frozen=True)
class Stage:
    """One step of the waterfall: the load after it (None = nothing known yet), and a word on it."""

    name: str
    load: float | None
    note: str = ""


@dataclass(frozen=True)
class Decision:
    """What is served at `at`, and why.

    value, would_serve, forecast_part, floor_part: load units. would_serve is what mode `active`
    would have served. available is False where policy `on_unavailable: error` asks for a fault.
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
    requirement: Requirement | None = None,
) -> Decision:
    """Decide what KEDA is told at `now` (whole seconds, UTC).

    absence, absence_detail: why there is no forecast, where there is none. requirement: as for
    `plan`.
    """
    curve = plan(forecast, events, policy, np.array([to_epoch(now)]), requirement=requirement)
    case = _Case(
        forecast,
        policy,
        control.at(now),
        observed or Observed(),
        now,
        absence,
        absence_detail,
        curve,
    )
    return case.decide()


@dataclass(frozen=True)
class _Served:
    """The closed-loop part on its way down the stages."""

    load: float
    stages: tuple[Stage, ...]
    cut: bool = False

    def then(self, name: str, load: float, note: str = "") -> "_Served":
        return replace(self, load=load, stages=(*self.stages, Stage(name, load, note)))


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
    curve: PlanCurve

    @property
    def mode(self) -> Mode:
        return self.control.mode.mode if self.control.mode else self.policy.mode

    @property
    def planned(self) -> float | None:
        """The forecast part of the plan, None where the forecast says nothing about now."""
        return float(self.curve.parts[0, 4]) if self.curve.covered[0] else None

    @property
    def floor(self) -> float:
        return float(self.curve.parts[0, 5])

    def decide(self) -> Decision:
        reason = self._silence()
        part, capped = self._forecast_part(reason)
        floor = 0.0 if self.mode is Mode.OFF else self.floor
        held = self._held(reason, floor)
        served = self._stages(part if held is None else held, floor, self._manual())
        full = self.planned or 0.0
        would = self._stages(full, self.floor, None).load
        status = self._status(reason, floor, held)
        if status is Status.ACTIVE:
            reason = self._remark(capped=capped, cut=served.cut)
        return Decision(
            at=self.now,
            value=served.load,
            status=status,
            reason=reason,
            detail=self._detail(reason),
            target=self.policy.target,
            mode=self.mode,
            would_serve=would,
            forecast_part=part,
            floor_part=floor,
            stages=served.stages,
            forecast=self.forecast,
            available=not self._fault(status, reason),
        )

    def _silence(self) -> str | None:
        """Why the forecast part says nothing, None where it takes part."""
        if self.mode is Mode.OFF:
            return Reason.OFF
        if self.forecast is None:
            return self.absence
        if self.planned is None:
            ended = self.now >= self.forecast.valid_until
            return Reason.FORECAST_ENDED if ended else Reason.WARMING_UP
        if self.control.guard is not None:
            return f"guard:{self.control.guard.name}"
        return Reason.SHADOW if self.mode is Mode.SHADOW else None

    def _forecast_part(self, reason: str | None) -> tuple[float, bool]:
        """The load that the forecast may ask for, and whether the cap cut it."""
        if reason is not None or self.planned is None:
            return 0.0, False
        if self.mode is not Mode.CAPPED:
            return self.planned, False
        naive = float(np.nan_to_num(self.curve.naive[0]))
        limit = (1.0 + self.policy.cap) * max(naive, self.observed.last_actual or 0.0)
        return min(self.planned, limit), self.planned > limit

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

    def _stages(self, part: float, floor: float, manual: tuple[Status, float] | None) -> _Served:
        """Run the closed-loop stages over a forecast part (or the value held in its place)."""
        known = bool(self.curve.covered[0])
        opened = tuple(
            Stage(name, float(load) if known else None)
            for name, load in zip(PLAN_STAGES[:-1], self.curve.parts[0], strict=False)
        )
        served = _Served(part, opened).then("mode", part, self.mode.value)
        served = served.then("floor", max(part, floor))
        served = served.then(
            "override", manual[1] if manual else served.load, manual[0].value if manual else ""
        )
        return self._rounded(self._under_ceiling(self._beyond_tolerance(served)))

    def _beyond_tolerance(self, served: _Served) -> _Served:
        """Land on the smallest size that the HPA can reach, where the running pods are known."""
        running, seen = self.observed.running_pods, self.observed.pods_at
        if running is None or seen is None or not timedelta(0) <= self.now - seen < PODS_FRESH:
            return served.then("tolerance", served.load, "running pods unknown")
        wanted = pods_for(served.load, self.policy.target)
        reached = smallest_reachable(wanted, running, self.policy.lead_time.tolerance)
        if reached == wanted:
            return served.then("tolerance", served.load, f"{running} pods run")
        note = f"{running} pods run, {wanted} would be ignored: {reached - wanted} more"
        return served.then("tolerance", reached * self.policy.target, note)

    def _under_ceiling(self, served: _Served) -> _Served:
        most = self.policy.max_pods
        if most is None or served.load <= most * self.policy.target:
            return served.then("ceiling", served.load)
        cut = served.then("ceiling", most * self.policy.target, f"at most {most} pods")
        return replace(cut, cut=True)

    def _rounded(self, served: _Served) -> _Served:
        """Three decimals, since KEDA keeps no more; upwards, unless just that would add a pod."""
        up = math.ceil(served.load * 1000 - 1e-6) / 1000
        down = math.floor(served.load * 1000) / 1000
        target = self.policy.target
        more = pods_for(up, target) > pods_for(served.load, target)
        return served.then("rounding", down if more else up)

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
        return self.absence_detail if self.forecast is None else None
