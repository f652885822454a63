"""What a workload's owner has laid down: policy, windows, capacity, lead time, timezone."""

import math
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from prescaler.core.calendar import Window


class Mode(StrEnum):
    """How far the forecast part may act. Declared floors act in every mode but `off`."""

    OFF = "off"
    SHADOW = "shadow"
    CAPPED = "capped"
    ACTIVE = "active"


class OnUnavailable(StrEnum):
    """What KEDA gets when there is nothing to say."""

    ZERO = "zero"
    HOLD = "hold"
    ERROR = "error"


class ActsAs(StrEnum):
    """How the forecast takes part: a plan of loads, or the growth of live demand."""

    PLAN = "plan"
    GROWTH = "growth"


class Unit(StrEnum):
    """What the served value counts."""

    LOAD = "load"
    PODS = "pods"


class PolicyType(StrEnum):
    """Kinds of HPA scaling policies."""

    PERCENT = "Percent"
    PODS = "Pods"


@dataclass(frozen=True)
class ScalingPolicy:
    """One entry of `behavior.scaleUp.policies`."""

    type: PolicyType
    value: int
    period: timedelta


@dataclass(frozen=True)
class StartTime:
    """How long something takes to start: median and 0.95 quantile."""

    p50: timedelta
    p95: timedelta


@dataclass(frozen=True)
class Tolerance:
    """Relative change that the HPA ignores, by direction."""

    up: float = 0.1
    down: float = 0.1


@dataclass(frozen=True)
class LeadTime:
    """What lies between a decision and ready pods.

    spare_room: share of the running pods that present nodes can take in addition.
    behavior: the scaleUp policies in force; None = the built-in ramp max(2 x pods, 4) a sync.
    """

    pod_start: StartTime
    node_start: StartTime
    spare_room: float
    sync: timedelta
    polling: timedelta
    tolerance: Tolerance
    behavior: tuple[ScalingPolicy, ...] | None


@dataclass(frozen=True)
class Capacity:
    """What one pod carries at its limit, and how much of that it should carry (both > 0)."""

    per_pod: float
    utilisation: float
    unit: Unit = Unit.LOAD

    @property
    def target(self) -> float:
        """Load units a pod should carry; whole for unit `load` (KEDA's fallback needs that)."""
        exact = self.per_pod * self.utilisation
        return float(math.floor(exact + 1e-9)) if self.unit is Unit.LOAD else exact


@dataclass(frozen=True)
class TrustSettings:
    """What a forecast must have shown before it may act, and what takes that away.

    auto: whether the mode moves by itself, from the file's `policy.mode` up to `most`. days,
    error_ratio, coverage_gap (percentage points): the evidence, in one bucket of leads.
    residuals_for: how long demand may be far outside; beyond_seen: how many times the highest
    demand ever seen a forecast may need. None switches a guard off.
    """

    auto: bool = False
    most: Mode = Mode.ACTIVE
    days: int = 14
    bucket: str = "1h"
    error_ratio: float = 1.0
    coverage_gap: float = 5.0
    residuals_for: timedelta | None = timedelta(hours=1)
    beyond_seen: float | None = 3.0


@dataclass(frozen=True)
class Policy:
    """The frozen record that `plan` and `decide` work by.

    quantile: of demand to be ready for. hold: how much longer than the lead time the maximum
    looks ahead. cap: how far above the naive forecast mode `capped` may go. min_pods, max_pods:
    floor and ceiling that we serve. scale_min: the pods that the HPA never goes below.
    stale_after: age of the newest observation from which on an answer says `stale_demand`.
    acts_as: with `growth` the plan is served nowhere; live demand is multiplied instead.
    """

    quantile: float
    hold: timedelta
    mode: Mode
    cap: float
    on_unavailable: OnUnavailable
    hold_for: timedelta
    min_pods: int
    max_pods: int | None
    scale_min: int
    stale_after: timedelta
    windows: tuple[Window, ...]
    capacity: Capacity
    lead_time: LeadTime
    timezone: ZoneInfo
    target_override: float | None = None
    acts_as: ActsAs = ActsAs.PLAN

    @property
    def grows(self) -> bool:
        """Whether the forecast acts as growth of live demand."""
        return self.acts_as is ActsAs.GROWTH

    @property
    def growth_ahead(self) -> timedelta:
        """How far growth looks ahead: a sync, a slow pod start, and the hold."""
        return self.lead_time.sync + self.lead_time.pod_start.p95 + self.hold

    @property
    def target(self) -> float:
        """Load units per pod: the ScaledObject's own where it told us, else ours."""
        return self.target_override or self.capacity.target

    def with_target(self, target: float) -> "Policy":
        """The same policy for a ScaledObject that carries another target."""
        return replace(self, target_override=target)
