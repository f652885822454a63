"""What a control loop is made of, as people write it: metrics, an HPA, delays, and what came of it.

`simulate` runs the loop; everything else of a replay only needs these values.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import IntEnum
from typing import Final

from prescaler.core.arrays import FloatArray, IntArray
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
    HPA can reach (as `decide` does). activation: KEDA calls the trigger active above it, strictly.
    """

    values: FloatArray
    target: float
    kind: Kind = Kind.AVERAGE_VALUE
    landed: bool = False
    activation: float = 0.0


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
class Sleep:
    """How KEDA takes a workload to 0 pods and back (minReplicaCount 0, or idleReplicaCount 0).

    polling: pollingInterval. cooldown: how long nothing must have been active. wake_at: pods that
    a plan must be above to be active. composite: one formula over all triggers.
    """

    polling: timedelta = timedelta(seconds=30)
    cooldown: timedelta = timedelta(minutes=5)
    wake_at: float = 0.0
    composite: bool = False


@dataclass(frozen=True)
class Scaling:
    """The HPA of one arm. behavior None: the built-in ramp max(2 x pods, 4) at every sync.

    least: the HPA's minimum, which is 1 with a minReplicaCount of 0. distance_rule: the tolerance
    as Kubernetes before 1.33 compared it, abs(ratio - 1) <= 0.1. sleep None: never at 0 pods.
    """

    least: int = 1
    most: int = 10_000
    tolerance: Tolerance = field(default_factory=Tolerance)
    behavior: Behavior | None = None
    sync: timedelta = TICK
    distance_rule: bool = False
    sleep: Sleep | None = None

    @property
    def rest(self) -> int:
        """The pods that are needed where there is no demand."""
        return 1 if self.sleep is None else 0


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
    first metric wanted more pods and the tolerance kept it from having any. woken: how often KEDA
    took it from 0 pods.
    """

    ready: IntArray
    asked: IntArray
    nodes: IntArray
    actions: int
    lost: int
    swallowed: int
    woken: int = 0
