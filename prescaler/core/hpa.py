"""What the horizontal pod autoscaler does with a number: tolerance, reachable sizes, ramp.

Rules as measured on Kubernetes 1.36.2 with KEDA 2.20.2 (External metric, AverageValue).
"""

import math
from datetime import timedelta

import numpy as np

from prescaler.core.arrays import FloatArray, IntArray
from prescaler.core.policy import LeadTime, PolicyType, ScalingPolicy, Tolerance

_ROUNDING = 1e-9
"""Slack for 1840.0 / 80 and the like: a quotient a hair above a whole number is that number."""

_MOST = 1e12
"""Pods that nothing asks for in earnest: a demand of 1e30 must not run over 64 bits on its way."""


def pods_for(load: float, target: float) -> int:
    """Pods that carry a load: ceil(load / target), forgiving the last bit of a division."""
    return max(0, math.ceil(min(load / target - _ROUNDING, _MOST)))


def pods_for_all(load: FloatArray, target: float) -> IntArray:
    """`pods_for` for an array of loads (NaN counts as 0 pods)."""
    return np.ceil(np.nan_to_num(load) / target - _ROUNDING).clip(0, _MOST).astype(np.int64)


def desired_pods(value: float, target: float, running: int, tolerance: Tolerance) -> int:
    """Pods the HPA asks for, before its ramp and its bounds.

    Unchanged while 1 - down <= value / (target x running) <= 1 + up, else ceil(value / target).
    The comparison is written as the controller writes it: 22 of 20 pods is inside 10 %.
    """
    if running == 0:
        return 0
    ratio = value / (target * running)
    if 1.0 - tolerance.down <= ratio <= 1.0 + tolerance.up:
        return running
    return math.ceil(value / target - _ROUNDING)


def smallest_reachable(wanted: int, running: int, tolerance: Tolerance) -> int:
    """The smallest size >= `wanted` that the HPA can reach from `running` pods.

    From n pods it reaches n or at least floor(n (1 + up)) + 1, and nothing between.
    """
    if wanted <= running or running == 0:
        return wanted
    if desired_pods(float(wanted), 1.0, running, tolerance) == wanted:
        return wanted
    return math.floor(running * (1.0 + tolerance.up)) + 1


def ramp_steps(before: IntArray, wanted: IntArray) -> IntArray:
    """[G] HPA syncs from `before` to `wanted` pods under the built-in ramp max(2 n, 4)."""
    first = np.maximum(2 * before, 4)
    more = np.ceil(np.log2(np.maximum(wanted, 1) / first) - _ROUNDING)
    return np.asarray(1 + np.maximum(more, 0), dtype=np.int64)


def policy_steps(
    before: IntArray, wanted: IntArray, policies: tuple[ScalingPolicy, ...]
) -> IntArray:
    """[G] periods from `before` to `wanted` pods under written policies (selectPolicy Max)."""
    reached = before.astype(np.int64)
    steps = np.ones(len(before), dtype=np.int64)
    for _ in range(1000):
        grown = reached
        for policy in policies:
            grown = np.maximum(grown, _grown(reached, policy))
        short = grown < wanted
        if not np.any(short) or np.array_equal(grown, reached):
            break
        reached = np.where(short, grown, reached)
        steps = steps + short
    return steps


def _grown(pods: IntArray, policy: ScalingPolicy) -> IntArray:
    if policy.type is PolicyType.PODS:
        return pods + policy.value
    grown = np.ceil(pods * (1 + policy.value / 100) - _ROUNDING)
    return np.asarray(grown, dtype=np.int64)


def ramp_seconds(before: IntArray, wanted: IntArray, lead_time: LeadTime) -> FloatArray:
    """[G] seconds of HPA syncs from `before` to `wanted` pods; at least one sync.

    Written policies count over past events, so that a sync that comes a moment early adds
    nothing: a step takes the first sync *behind* the longest period.
    """
    sync = lead_time.sync.total_seconds()
    if lead_time.behavior is None:
        return np.asarray(ramp_steps(before, wanted) * sync, dtype=np.float64)
    period = max(policy.period for policy in lead_time.behavior)
    syncs = period // lead_time.sync + 1
    steps = policy_steps(before, wanted, lead_time.behavior)
    return np.asarray(steps * (sync * syncs), dtype=np.float64)


def lead_seconds(
    before: IntArray, wanted: IntArray, lead_time: LeadTime, *, from_zero: bool
) -> FloatArray:
    """[G] seconds by which a decision must precede demand that needs `wanted` pods.

    before: [G] pods that are expected to run just before. Sync x ramp steps + pod start, plus a
    node start where the increase exceeds the spare room; KEDA's polling only for workloads that
    it may have to wake from 0 pods (the HPA reads us live otherwise).
    """
    lead = ramp_seconds(before, wanted, lead_time) + lead_time.pod_start.p95.total_seconds()
    beyond = (wanted - before) > lead_time.spare_room * before
    lead = lead + np.where(beyond, lead_time.node_start.p95.total_seconds(), 0.0)
    return lead + (lead_time.polling.total_seconds() if from_zero else 0.0)


def longest_lead(wanted: int, lead_time: LeadTime, *, from_zero: bool) -> timedelta:
    """Lead for the whole way from one pod."""
    one, most = np.array([1]), np.array([max(1, wanted)])
    return timedelta(seconds=float(lead_seconds(one, most, lead_time, from_zero=from_zero)[0]))
