"""When a raise must begin at the latest, and whether it still can be in time.

The plan is due a hold (policy.hold) before that; the hold is slack, so it does not count here.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from prescaler.core.arrays import BoolArray, IntArray
from prescaler.core.hpa import lead_seconds, pods_for_all
from prescaler.core.instants import from_epoch, to_epoch
from prescaler.core.plan import Requirement
from prescaler.core.policy import LeadTime, Policy, PolicyType, ScalingPolicy, StartTime

_STEEP: Final = (ScalingPolicy(PolicyType.PERCENT, 900, timedelta(seconds=10)),)
"""The advice where the ramp is what takes too long: ten times the pods at every sync. 10 s, since
policies count over past events, and a sync a moment early would add nothing under 15 s."""

_LONGEST_LOOK: Final = timedelta(hours=48)
LEAST_SAMPLES: Final = 20
"""Starts needed before measured times are believed: below that a 0.95 quantile is one pod."""

_GRAIN: Final = 5
"""Measured seconds are rounded up to this, so that the plan does not move with every new pod."""


@dataclass(frozen=True)
class Raise:
    """More pods at an instant than before it. latest_start: the last moment to ask for them."""

    at: datetime
    pods: int
    latest_start: datetime
    lead: timedelta


@dataclass(frozen=True)
class Late:
    """A raise that cannot be ready in time from the pods that are there.

    late_by: how much too late its pods will be. helps: what would have made it, in words.
    """

    at: datetime
    pods: int
    running: int
    late_by: timedelta
    helps: tuple[str, ...]


@dataclass(frozen=True)
class MeasuredStarts:
    """Start times as seen in the cluster; None where too few starts were seen."""

    pods: StartTime | None
    nodes: StartTime | None
    pod_samples: int
    node_samples: int

    def applied(self, lead_time: LeadTime) -> LeadTime:
        """The lead time with what was measured in place of what was configured."""
        return replace(
            lead_time,
            pod_start=self.pods or lead_time.pod_start,
            node_start=self.nodes or lead_time.node_start,
        )


def start_time(seconds: list[float]) -> StartTime | None:
    """Median and 0.95 quantile of start times, rounded up; None of fewer than 20."""
    known = np.array([s for s in seconds if np.isfinite(s) and s >= 0])
    if len(known) < LEAST_SAMPLES:
        return None
    half, most = (float(q) for q in np.quantile(known, (0.5, 0.95)))
    return StartTime(_rounded_up(half), _rounded_up(most))


def raise_at(cells: Requirement, policy: Policy, instant: datetime) -> Raise | None:
    """What must be ready at an instant; None where the forecast does not cover it."""
    at = int(np.searchsorted(cells.starts, to_epoch(instant), "right")) - 1
    if at < 0 or to_epoch(instant) >= cells.ends[at]:
        return None
    return _raise(cells, _wanted(cells, policy), at)


def next_raise(cells: Requirement, policy: Policy, now: datetime, pods: int) -> Raise | None:
    """The next time within 48 h that needs more than `pods`, by more than the HPA's tolerance."""
    wanted = _wanted(cells, policy)
    more = wanted > max(pods, 1) * (1.0 + policy.lead_time.tolerance.up) + 1e-9
    coming = _coming(cells, now)
    found = np.flatnonzero(more & coming)
    return _raise(cells, wanted, int(found[0])) if len(found) else None


def unreachable(cells: Requirement, policy: Policy, now: datetime, running: int) -> Late | None:
    """The raise that will be latest of those that cannot be in time from `running` pods.

    Only what is due by now counts: for everything else there is time.
    """
    wanted = _wanted(cells, policy)
    chosen = np.flatnonzero(_coming(cells, now) & (cells.due <= to_epoch(now)) & (wanted > running))
    if not len(chosen):
        return None
    needed = _seconds(running, wanted[chosen], policy, policy.lead_time)
    late = to_epoch(now) + needed - cells.starts[chosen]
    worst = int(np.argmax(late))
    if late[worst] <= 0:
        return None
    at, pods = int(cells.starts[chosen[worst]]), int(wanted[chosen[worst]])
    late_by = timedelta(seconds=int(np.ceil(late[worst])))
    helps = tuple(_helps(running, pods, at - to_epoch(now), policy, late_by))
    return Late(from_epoch(at), pods, running, late_by, helps)


def _helps(running: int, pods: int, left: int, policy: Policy, late_by: timedelta) -> list[str]:
    """Each thing that would have been enough on its own."""
    found = [f"known or started {int(late_by.total_seconds())} s earlier"]
    steep = replace(policy.lead_time, behavior=_STEEP)
    if _seconds(running, np.array([pods]), policy, steep)[0] <= left:
        found.append("lead_time.behavior with Percent 900 in 10s, and the ScaledObject with it")
    enough = next(
        n
        for n in range(running, pods + 1)
        if _seconds(n, np.array([pods]), policy, policy.lead_time)[0] <= left
    )
    found.append(f"policy.min_pods or a window of {enough} pods before")
    return found


def _seconds(before: int, wanted: IntArray, policy: Policy, lead_time: LeadTime) -> IntArray:
    found = lead_seconds(
        np.full(len(wanted), before), wanted, lead_time, from_zero=policy.scale_min == 0
    )
    return np.asarray(np.where(wanted > before, np.ceil(found), 0), dtype=np.int64)


def _wanted(cells: Requirement, policy: Policy) -> IntArray:
    """[G] pods of each cell, without declared floors: those are not forecast."""
    return pods_for_all(cells.parts[:, -1], policy.target)


def _coming(cells: Requirement, now: datetime) -> BoolArray:
    seconds = to_epoch(now)
    ahead = (cells.starts > seconds) & (
        cells.starts <= seconds + int(_LONGEST_LOOK.total_seconds())
    )
    return np.asarray(ahead)


def _raise(cells: Requirement, wanted: IntArray, at: int) -> Raise:
    lead = int(np.ceil(cells.lead[at]))
    start = int(cells.starts[at])
    return Raise(
        from_epoch(start), int(wanted[at]), from_epoch(start - lead), timedelta(seconds=lead)
    )


def _rounded_up(seconds: float) -> timedelta:
    return timedelta(seconds=int(-(-seconds // _GRAIN)) * _GRAIN)
