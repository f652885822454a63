"""The HPA before a workload, and how long its pods and nodes take, as a replay plays them."""

import math
from datetime import timedelta
from typing import Final

from prescaler.core.policy import LeadTime
from prescaler.core.replay.scaling import Behavior, Delays, Direction, Scaling, Sleep
from prescaler.core.scaledobject import activation_pods
from prescaler.core.workload import Workload

_SIGMA_AT_95: Final = 1.6449
"""The 0.95 quantile of the standard normal distribution."""

_NODE_UPPER: Final = 0.9
"""In a uniform distribution, from the median to the 0.95 quantile is 0.9 of half its width."""


def scaling_of(workload: Workload) -> Scaling:
    """The HPA that stands before the workload."""
    lead, target = workload.policy.lead_time, workload.scale_target
    behavior = None
    if lead.behavior is not None:
        behavior = Behavior(up=Direction(timedelta(0), lead.behavior))
    return Scaling(
        least=max(1, target.min_pods),
        most=target.max_pods,
        sleep=_sleep(workload),
        tolerance=lead.tolerance,
        behavior=behavior,
        sync=lead.sync,
    )


def _sleep(workload: Workload) -> Sleep | None:
    lead, target = workload.policy.lead_time, workload.scale_target
    if not target.sleeps:
        return None
    return Sleep(lead.polling, target.cooldown, activation_pods(workload))


def delays_of(lead: LeadTime) -> Delays:
    """Start times drawn around the configured ones: lognormal pods, uniform nodes."""
    pod, node = lead.pod_start, lead.node_start
    ratio = max(pod.p95 / pod.p50, 1.0) if pod.p50 else 1.0
    half = (node.p95 - node.p50) / _NODE_UPPER
    return Delays(
        pod_median=pod.p50,
        pod_sigma=math.log(ratio) / _SIGMA_AT_95,
        node_least=max(timedelta(0), node.p50 - half),
        node_most=max(node.p50, node.p50 + half),
        spare_room=lead.spare_room,
    )
