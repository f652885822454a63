"""Say in a few figures what a workload will do that a plan alone does not: grow, sleep, wake."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from prescaler.core.carried import Outlook, outlook
from prescaler.core.decision import PODS_FRESH, Decision
from prescaler.core.growth import NO_GROWTH
from prescaler.core.hpa import pods_for
from prescaler.core.instants import from_epoch, to_epoch
from prescaler.core.policy import Mode
from prescaler.core.scaledobject import activation_pods
from prescaler.usecases.serve_metric import Served

_DAY: Final = 86_400
_SPACING: Final = 60


@dataclass(frozen=True)
class Growing:
    """A workload whose forecast acts as growth.

    now: by what live demand is multiplied. ahead: what mode `active` would (`capped`: under its
    cap). looks_ahead: how far. live: demand as last seen, None where never. reactive: pods that it
    asks for alone; pods: with growth and floors.
    """

    now: float
    ahead: Outlook
    looks_ahead: timedelta
    live: float | None
    reactive: int | None
    pods: int

    @property
    def silent(self) -> bool:
        """Whether less is served than the forecast says: shadow, a guard, a person."""
        return self.now < self.ahead.now


@dataclass(frozen=True)
class Sleeping:
    """A workload that may sleep at 0 pods.

    awake: whether what it is told keeps it awake; live demand may besides. running: pods, None
    where they are not known. wakes: when within a day the plan wakes it next, None where awake
    already, or never.
    """

    awake: bool
    running: int | None
    wakes: datetime | None


def growing(served: Served, decision: Decision, now: datetime) -> Growing | None:
    """How far live demand is and will be carried on; None where the forecast acts as a plan."""
    policy = served.policy
    if not policy.grows:
        return None
    cells, live = served.requirement(now), served.state.observed.last_actual
    most = 1.0 + policy.cap if decision.mode is Mode.CAPPED else math.inf
    ahead = Outlook(NO_GROWTH, NO_GROWTH, None)
    return Growing(
        now=decision.growth,
        ahead=outlook(cells, policy, now, most) if cells else ahead,
        looks_ahead=policy.growth_ahead,
        live=live,
        reactive=None if live is None else pods_for(live, decision.target),
        pods=served.asked(decision),
    )


def sleeping(served: Served, decision: Decision, now: datetime) -> Sleeping | None:
    """Whether it is asleep and when it is woken; None where it never sleeps."""
    if not served.workload.scale_target.sleeps:
        return None
    least = activation_pods(served.workload) * decision.target
    awake = decision.value > least
    pods = served.sighting.pods
    fresh = pods is not None and timedelta(0) <= now - pods.at < PODS_FRESH
    running = pods.running if pods is not None and fresh else None
    return Sleeping(awake, running, None if awake else _wakes(served, least, now))


def _wakes(served: Served, least: float, now: datetime) -> datetime | None:
    first = to_epoch(now)
    instants = np.arange(first, first + _DAY, _SPACING, dtype=np.int64)
    above = np.flatnonzero(served.loads(instants, now) > least)
    return from_epoch(int(instants[above[0]])) if len(above) else None
