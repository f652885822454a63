"""A control loop over demand: from what the metrics say to pods that are ready.

`simulate` is the only door. It imports the compiled loop when it is called: numba takes 0.4 s.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import IntEnum
from typing import Final

from prescaler.core.arrays import FloatArray, IntArray
from prescaler.core.errors import BadParameter
from prescaler.core.policy import PolicyType, ScalingPolicy, Tolerance

TICK: Final = timedelta(seconds=15)
"""Every replay's resolution."""

_DEFAULT_UP: Final = (
    ScalingPolicy(PolicyType.PERCENT, 100, timedelta(seconds=15)),
    ScalingPolicy(PolicyType.PODS, 4, timedelta(seconds=15)),
)
_DEFAULT_DOWN: Final = (ScalingPolicy(PolicyType.PERCENT, 100, timedelta(seconds=15)),)


class Kind(IntEnum):
    """How the HPA reads a metric.

    CODE: the values are wanted pods and the metric shown is prescaling-exporter's 0, 9, 10, 11.
    """

    AVERAGE_VALUE = 0
    VALUE = 1
    CODE = 2


class Select(IntEnum):
    """`selectPolicy`: Max, Min, Disabled."""

    MOST = 0
    LEAST = 1
    DISABLED = 2


@dataclass(frozen=True, eq=False)
class Metric:
    """values: [T] what the HPA reads at each tick, NaN where the metric fails. target: per pod.

    landed: the server knows the running pods and moves its value to the smallest size that the
    HPA can reach (as `decide` does).
    """

    values: FloatArray
    target: float
    kind: Kind = Kind.AVERAGE_VALUE
    landed: bool = False


@dataclass(frozen=True)
class Direction:
    """`behavior.scaleUp` or `scaleDown`."""

    window: timedelta
    policies: tuple[ScalingPolicy, ...]
    select: Select = Select.MOST


@dataclass(frozen=True)
class Behavior:
    """`behavior`: both directions; what is not written has Kubernetes' defaults."""

    up: Direction = Direction(timedelta(0), _DEFAULT_UP)
    down: Direction = Direction(timedelta(minutes=5), _DEFAULT_DOWN)


@dataclass(frozen=True)
class Scaling:
    """The HPA of one arm. behavior None: the built-in ramp max(2 x pods, 4) at every sync.

    distance_rule: the tolerance as Kubernetes before 1.33 compared it, abs(ratio - 1) <= 0.1.
    """

    least: int = 1
    most: int = 10_000
    tolerance: Tolerance = field(default_factory=Tolerance)
    behavior: Behavior | None = None
    sync: timedelta = TICK
    distance_rule: bool = False


@dataclass(frozen=True)
class Delays:
    """What a new pod and a new node take.

    Pods: lognormal. Nodes: uniform. pods_per_node 0: nodes never run out. spot_loss: chance that
    a node is lost in an hour.
    """

    pod_median: timedelta = timedelta(seconds=45)
    pod_sigma: float = 0.4
    node_least: timedelta = timedelta(minutes=2)
    node_most: timedelta = timedelta(minutes=4)
    pods_per_node: int = 10
    spare_room: float = 0.15
    node_keep: timedelta = timedelta(minutes=10)
    spot_loss: float = 0.0


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of it, tick by tick: pods ready, pods asked for, nodes, all [T].

    actions: changes of the number of pods. lost: pods on lost nodes. swallowed: syncs at which the
    first metric wanted more pods and the tolerance kept it from having any.
    """

    ready: IntArray
    asked: IntArray
    nodes: IntArray
    actions: int
    lost: int
    swallowed: int


def simulate(
    metrics: Sequence[Metric],
    scaling: Scaling,
    delays: Delays,
    *,
    seed: int,
    tick: timedelta = TICK,
) -> Outcome:
    """Run the loop from the first tick on, starting with the pods that the metrics ask for.

    Raises:
        BadParameter: no metric, lengths that differ, an impossible bound, delay or sync.
    """
    _check(metrics, scaling, delays, tick)
    from prescaler.core.replay.machine import play

    return play(metrics, scaling, delays, seed, tick)


def _check(metrics: Sequence[Metric], scaling: Scaling, delays: Delays, tick: timedelta) -> None:
    lengths = {len(metric.values) for metric in metrics}
    if len(lengths) != 1 or 0 in lengths:
        raise BadParameter("a replay needs at least one metric, and values at every tick")
    if any(metric.target <= 0 for metric in metrics):
        raise BadParameter("the target of a metric must be above 0")
    if not 1 <= scaling.least <= scaling.most:
        raise BadParameter(f"{scaling.least} to {scaling.most} pods are no bounds of an HPA")
    if scaling.sync < tick or scaling.sync % tick:
        raise BadParameter("the HPA's sync period must be a multiple of the tick")
    shortest = min(delays.pod_median, delays.node_least, delays.node_most - delays.node_least)
    if shortest < timedelta(0) or delays.pod_sigma < 0 or delays.pods_per_node < 0:
        raise BadParameter("delays and pods per node cannot be negative")
    if not 0 <= delays.spot_loss < 1 or delays.spare_room < 0:
        raise BadParameter("spot loss is a chance below 1, spare room a share of 0 or more")
