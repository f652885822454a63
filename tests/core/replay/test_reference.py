"""The compiled loop against a slow model, written apart from it and after Kubernetes' own code.

Pods are objects here, recommendations and changes are plain lists of all that ever was, policies
are read as they are written. Only the drawn luck is shared.
"""

import math
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from prescaler.core.policy import PolicyType, ScalingPolicy, Tolerance
from prescaler.core.replay.machine import keda_numbers, plant_numbers
from prescaler.core.replay.scaling import (
    Behavior,
    Delays,
    Direction,
    Kind,
    Metric,
    Outcome,
    Scaling,
    Select,
    Sleep,
)
from prescaler.core.replay.simulate import simulate

SECOND = timedelta(seconds=1)
TICK = 15


@dataclass
class SlowHpa:
    """horizontal.go and replica_calculator.go, as far as external metrics go."""

    scaling: Scaling
    recommended: list[tuple[int, int]] = field(default_factory=list)
    changed: list[tuple[int, int]] = field(default_factory=list)

    def sync(self, metrics: list[Metric], tick: int, pods: int, ready: int) -> int:
        """One `reconcileAutoscaler`."""
        proposals = [self.proposal(one, float(one.values[tick]), pods, ready) for one in metrics]
        good = [one for one in proposals if one is not None]
        if not good or (len(good) < len(proposals) and max(good) < pods):
            return pods
        now = tick * TICK
        wanted = self.stabilised(max(good), pods, now)
        self.recommended.append((now, max(good)))
        if wanted > pods:
            wanted = min(wanted, max(self.up_limit(pods, now), pods))
        elif wanted < pods:
            wanted = max(wanted, min(self.down_limit(pods, now), pods))
        wanted = min(max(wanted, self.scaling.least), self.scaling.most)
        if wanted != pods:
            self.changed.append((now, wanted - pods))
        return wanted

    def proposal(self, metric: Metric, value: float, pods: int, ready: int) -> int | None:
        """GetExternalPerPodMetricReplicas and GetExternalMetricReplicas; values in thousandths."""
        if math.isnan(value):
            return None
        milli, target = round(value * 1000), round(metric.target * 1000)
        average = metric.kind is Kind.AVERAGE_VALUE
        ratio = milli / (target * pods) if average else milli / target
        tolerance = self.scaling.tolerance
        if 1.0 - tolerance.down <= ratio <= 1.0 + tolerance.up:
            return pods
        return -(-milli // target) if average else -(-milli * ready // target)

    def stabilised(self, wanted: int, pods: int, now: int) -> int:
        """stabilizeRecommendation, or the same WithBehaviors."""
        behavior = self.scaling.behavior
        if behavior is None:
            return max([wanted, *self._since(now, timedelta(minutes=5))])
        lowest = min([wanted, *self._since(now, behavior.up.window)])
        highest = max([wanted, *self._since(now, behavior.down.window)])
        if pods < lowest:
            return lowest
        return min(pods, highest)

    def _since(self, now: int, window: timedelta) -> list[int]:
        seconds = window // SECOND
        return [pods for at, pods in self.recommended if seconds and now - at <= seconds]

    def up_limit(self, pods: int, now: int) -> int:
        """CalculateScaleUpLimit, or the same WithScalingRules."""
        behavior = self.scaling.behavior
        if behavior is None:
            return max(2 * pods, 4)
        rules = behavior.up
        if rules.select is Select.DISABLED:
            return pods
        reached = []
        for policy in rules.policies:
            begun = pods - self._moved(now, policy)
            if policy.type is PolicyType.PODS:
                reached.append(begun + policy.value)
            else:
                reached.append(math.ceil(float(begun) * (1 + float(policy.value) / 100)))
        return max(reached) if rules.select is Select.MOST else min(reached)

    def down_limit(self, pods: int, now: int) -> int:
        """CalculateScaleDownLimitWithBehaviors; none without."""
        behavior = self.scaling.behavior
        if behavior is None:
            return 0
        rules = behavior.down
        if rules.select is Select.DISABLED:
            return pods
        reached = []
        for policy in rules.policies:
            begun = pods - self._moved(now, policy)
            if policy.type is PolicyType.PODS:
                reached.append(begun - policy.value)
            else:
                reached.append(math.trunc(float(begun) * (1 - float(policy.value) / 100)))
        return min(reached) if rules.select is Select.MOST else max(reached)

    def _moved(self, now: int, policy: ScalingPolicy) -> int:
        """Added less removed; stamped a moment after the sync, so a whole period ago counts."""
        period = policy.period // SECOND
        return sum(change for at, change in self.changed if now - at <= period)


@dataclass
class SlowKeda:
    """scale_handler.go and scale_scaledobjects.go, as far as a ScaledObject of this kind goes.

    The polls are a list of moments; each looks at the world at the first tick that is not before
    it. last_active: the moment of a poll.
    """

    sleep: Sleep
    first: float
    last_active: float = 0.0

    def polls(self, tick: int) -> list[float]:
        """Moments after the last tick, up to this one."""
        every = self.sleep.polling / SECOND
        moments = [self.first + every * n for n in range(-2, int(tick * TICK / every) + 2)]
        return [at for at in moments if (tick - 1) * TICK < at <= tick * TICK]

    def state(self, metrics: list[Metric], tick: int) -> tuple[bool, bool]:
        """getScaledObjectState: isActive, isError."""
        values = [float(metric.values[tick]) for metric in metrics]
        if self.sleep.composite:
            known = not any(math.isnan(value) for value in values)
            above = [v > m.activation for v, m in zip(values, metrics, strict=True)]
            return known and any(above), False
        active = error = False
        for value, metric in zip(values, metrics, strict=True):
            if math.isnan(value):
                error = True
            elif value > metric.activation:
                active = True
        return active, error

    def poll(self, metrics: list[Metric], tick: int, pods: int, least: int) -> int:
        """checkScalers, where one is due; of several in one tick the last counts."""
        for at in self.polls(tick)[-1:]:
            return self.request_scale(self.state(metrics, tick), at, pods, least)
        return pods

    def request_scale(self, state: tuple[bool, bool], at: float, pods: int, least: int) -> int:
        """RequestScale, with no fallback."""
        match state:
            case (True, _) if pods == 0:
                self.last_active = at
                return max(least, 1)
            case (True, False):
                self.last_active = at
            case (False, False) if pods > 0:
                rest = self.sleep.cooldown / SECOND
                return 0 if at - self.last_active >= rest - 1e-6 else pods
        return pods


@dataclass
class SlowPod:
    """due: tick at which it is ready, None while it waits for room."""

    due: int | None = None


@dataclass
class SlowCluster:
    """benchmark.md section 2: ten pods a node, spare room, new nodes late, idle ones leave."""

    delays: Delays
    pod_luck: list[int]
    node_luck: list[int]
    pods: list[SlowPod]
    nodes: int = 0
    coming: list[int] = field(default_factory=list)
    needs: list[int] = field(default_factory=list)

    def need(self) -> int:
        """Nodes for all pods and the spare room."""
        room = len(self.pods) * (1 + self.delays.spare_room)
        return math.ceil(round(room / self.delays.pods_per_node, 9))

    def ready(self, tick: int) -> int:
        """Pods that carry load."""
        return sum(pod.due is not None and pod.due <= tick for pod in self.pods)

    def begin(self, tick: int) -> None:
        """Nodes that are due have come; waiting pods take what room there is."""
        self.nodes += sum(due == tick for due in self.coming)
        self.coming = [due for due in self.coming if due != tick]
        self.place(tick)

    def place(self, tick: int) -> None:
        """A pod starts where a node has room."""
        placed = sum(pod.due is not None for pod in self.pods)
        for pod in self.pods:
            if pod.due is None and (
                not self.delays.pods_per_node or placed < self.nodes * self.delays.pods_per_node
            ):
                pod.due = tick + self.pod_luck.pop(0)
                placed += 1

    def resize(self, count: int, tick: int) -> None:
        """Those that would be ready last go first."""
        while len(self.pods) > count:
            latest = max(self.pods, key=lambda pod: math.inf if pod.due is None else pod.due)
            self.pods.remove(latest)
        self.pods += [SlowPod() for _ in range(count - len(self.pods))]
        self.place(tick)

    def end(self, tick: int) -> None:
        """Order what is missing; after ten minutes in which fewer were needed the rest leaves."""
        if not self.delays.pods_per_node:
            return
        need = self.need()
        while self.nodes + len(self.coming) < need:
            self.coming.append(tick + self.node_luck.pop(0))
        self.needs = [*self.needs, need] if need < self.nodes else []
        if len(self.needs) * TICK >= self.delays.node_keep / SECOND:
            self.nodes, self.needs = max(self.needs), []


def slow(metrics: list[Metric], scaling: Scaling, delays: Delays, seed: int) -> Outcome:
    """The whole loop, tick by tick."""
    length = len(metrics[0].values)
    luck = plant_numbers(delays, float(TICK), length, seed)
    hpa, rows, actions, woken = SlowHpa(scaling), [], 0, 0
    phase = keda_numbers(scaling.sleep, seed).phase
    keda = None if scaling.sleep is None else SlowKeda(scaling.sleep, phase)
    first = [
        hpa.proposal(one, float(one.values[0]), 1, 1) or 0
        for one in metrics
        if one.kind is Kind.AVERAGE_VALUE
    ]
    pods = min(max([*first, scaling.least]), scaling.most)
    if keda is not None:
        keda.last_active = phase - keda.sleep.polling / SECOND
        pods = pods if any(keda.state(metrics, 0)) else 0
    begun = [SlowPod(0) for _ in range(pods)]
    cluster = SlowCluster(delays, luck.pod_delays.tolist(), luck.node_delays.tolist(), begun)
    cluster.nodes = cluster.need() if delays.pods_per_node else 0
    for tick in range(length):
        cluster.begin(tick)
        rows.append((cluster.ready(tick), pods, cluster.nodes))
        if tick * TICK % (scaling.sync // SECOND) == 0:
            found = hpa.sync(metrics, tick, pods, cluster.ready(tick)) if pods else 0
            actions += found != pods
            pods = found
            cluster.resize(pods, tick)
        if keda is not None:
            found = keda.poll(metrics, tick, pods, scaling.least)
            actions += found != pods
            woken += found > pods
            pods = found
            cluster.resize(pods, tick)
        cluster.end(tick)
    ready, asked, nodes = (np.array(row) for row in zip(*rows, strict=True))
    return Outcome(ready, asked, nodes, actions, 0, 0, woken)


VALUES = st.one_of(
    st.integers(0, 4000).map(lambda n: n / 8), st.just(math.nan), st.sampled_from([0.0, 3.0])
)
POLICIES = st.builds(
    ScalingPolicy,
    st.sampled_from(PolicyType),
    st.integers(1, 100),
    st.sampled_from([15, 30, 60, 300]).map(lambda s: timedelta(seconds=s)),
)
DIRECTIONS = st.builds(
    Direction,
    st.sampled_from([0, 15, 60, 300]).map(lambda s: timedelta(seconds=s)),
    st.lists(POLICIES, min_size=1, max_size=3).map(tuple),
    st.sampled_from(Select),
)
SLEEPS = st.builds(
    Sleep,
    polling=st.sampled_from([10, 20, 30, 60]).map(lambda s: timedelta(seconds=s)),
    cooldown=st.sampled_from([0, 50, 300]).map(lambda s: timedelta(seconds=s)),
    composite=st.booleans(),
)
SCALINGS = st.builds(
    Scaling,
    least=st.integers(1, 5),
    most=st.integers(5, 120),
    tolerance=st.builds(Tolerance, st.sampled_from([0.0, 0.1]), st.sampled_from([0.0, 0.1])),
    behavior=st.none() | st.builds(Behavior, DIRECTIONS, DIRECTIONS),
    sync=st.sampled_from([15, 30]).map(lambda s: timedelta(seconds=s)),
    sleep=st.none() | SLEEPS,
)
DELAYS = st.builds(
    Delays,
    pod_median=st.sampled_from([0, 45, 200]).map(lambda s: timedelta(seconds=s)),
    pods_per_node=st.sampled_from([0, 1, 10]),
    spare_room=st.sampled_from([0.0, 0.15, 0.5]),
    node_keep=st.sampled_from([60, 600]).map(lambda s: timedelta(seconds=s)),
)


@st.composite
def metric_lists(draw: st.DrawFn) -> list[Metric]:
    """Two metrics that stay for a while, jump, and fail now and then."""
    steps = draw(st.lists(st.tuples(VALUES, VALUES, st.integers(1, 30)), min_size=1, max_size=15))
    lengths = [many for *_, many in steps]
    second = draw(st.sampled_from([Kind.AVERAGE_VALUE, Kind.VALUE]))
    targets = draw(st.sampled_from([(8.0, 10.0), (2.5, 250.0)]))
    above = draw(st.tuples(*[st.sampled_from([0.0, 3.0])] * 2))
    return [
        Metric(
            np.repeat([step[row] for step in steps], lengths),
            targets[row],
            kind,
            activation=above[row],
        )
        for row, kind in enumerate((Kind.AVERAGE_VALUE, second))
    ]


@given(metric_lists(), SCALINGS, DELAYS, st.integers(0, 3))
@settings(max_examples=150, deadline=None)
def test_the_loop_is_the_slow_model_tick_by_tick(
    metrics: list[Metric], scaling: Scaling, delays: Delays, seed: int
) -> None:
    fast = simulate(metrics, scaling, delays, seed=seed)
    expected = slow(metrics, scaling, delays, seed)

    for name in ("asked", "ready", "nodes"):
        np.testing.assert_array_equal(vars(fast)[name], vars(expected)[name], name)
    assert (fast.actions, fast.woken) == (expected.actions, expected.woken)
