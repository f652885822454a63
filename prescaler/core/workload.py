"""A workload as its owner declares it: one thing KEDA scales, and its demand query."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from prescaler.core.instants import floor_to
from prescaler.core.policy import Policy, TrustSettings

_RUNS_MISSED: Final = 3
"""Runs that may be late before the newest observation counts as stale."""


@dataclass(frozen=True)
class ScaleTarget:
    """What KEDA scales, and the bounds that the HPA enforces. api_version: None = apps/v1.

    idle_pods: KEDA's idleReplicaCount, None or 0. cooldown: how long no trigger may be active
    before a workload that sleeps goes to 0 pods. wake_at: pods that a plan must be above to be
    active: forecasts of nights without demand are seldom exactly 0.
    """

    kind: str
    name: str
    namespace: str
    min_pods: int
    max_pods: int
    api_version: str | None = None
    idle_pods: int | None = None
    cooldown: timedelta = timedelta(minutes=5)
    wake_at: float = 0.1

    @property
    def floor(self) -> int:
        """Pods that it never goes below."""
        return self.min_pods if self.idle_pods is None else self.idle_pods

    @property
    def sleeps(self) -> bool:
        """Whether KEDA may take it to 0 pods."""
        return self.floor == 0


@dataclass(frozen=True)
class DemandQuery:
    """Where demand comes from. Several sources are summed; one missing is missing.

    resolution: spacing of the observations that are fetched and kept. delay: how long after its
    stamp an observation is final. reread: how far back each run asks again, for observations that
    came late or were corrected.
    """

    sources: tuple[str, ...]
    query: str
    resolution: timedelta
    delay: timedelta
    reread: timedelta = timedelta(0)


@dataclass(frozen=True)
class ForecastSettings:
    """Grid, reach and cadence of a workload's forecasts."""

    step: timedelta
    history: timedelta
    horizon: timedelta
    every: timedelta
    refit: timedelta
    timezone: ZoneInfo
    country: str | None

    @property
    def horizon_steps(self) -> int:
        """H, the number of values in a forecast."""
        return self.horizon // self.step


@dataclass(frozen=True)
class PodQuery:
    """Where a workload's pods are counted.

    running, ready: PromQL that gives one number each; `running` must be what the HPA compares
    with, status.replicas. ready: None = not counted. kind, name, namespace: of the scale target.
    measure_starts: whether start times are measured from the pods of the last day.
    """

    source: str
    running: str
    ready: str | None
    kind: str
    name: str
    namespace: str
    measure_starts: bool = False


@dataclass(frozen=True)
class Reactive:
    """The reactive trigger beside ours. None: the demand query, the capacity's target."""

    query: str | None
    target: float | None


@dataclass(frozen=True)
class Like:
    """A sibling whose shape a newcomer borrows; scale: its demand over the sibling's, as guessed.

    The guess counts until both have been seen side by side for an hour.
    """

    workload: str
    scale: float = 1.0


@dataclass(frozen=True)
class Workload:
    """One workload, as declared."""

    name: str
    aliases: tuple[str, ...]
    labels: Mapping[str, str]
    scale_target: ScaleTarget
    demand: DemandQuery
    forecast: ForecastSettings
    policy: Policy
    reactive: Reactive
    pods: PodQuery | None = None
    trust: TrustSettings = field(default_factory=TrustSettings)
    like: Like | None = None

    @property
    def fingerprint(self) -> str:
        """What the history means; another one opens a new history version."""
        meaning = [
            sorted(self.demand.sources),
            " ".join(self.demand.query.split()),
            self.demand.resolution.total_seconds(),
        ]
        return hashlib.sha256(json.dumps(meaning).encode()).hexdigest()[:32]

    def known_until(self, now: datetime) -> datetime:
        """End of the newest observation that is final at `now`: t is, once t + step + delay."""
        return floor_to(now - self.demand.delay, self.demand.resolution)


def stale_after(settings: ForecastSettings, delay: timedelta) -> timedelta:
    """Age from which on the newest observation is stale: three late runs and a step."""
    return settings.step + delay + _RUNS_MISSED * max(settings.every, settings.step)
