"""What stands between the records that people write and the numbers that the loop takes.

Import this module only where a loop is about to run: numba takes 0.4 s.
"""

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray, IntArray
from prescaler.core.policy import PolicyType, ScalingPolicy
from prescaler.core.replay.cluster import NODES, READY, Floor, Plant, empty_floor, needed_nodes
from prescaler.core.replay.controller import Hpa, Memory, Metrics, proposal
from prescaler.core.replay.keda import Keda, heard
from prescaler.core.replay.loop import Pace, compiled
from prescaler.core.replay.scaling import Behavior, Delays, Metric, Outcome, Scaling, Sleep

_DRAWS: Final = 1 << 14
_LONGEST_START: Final = 4.0
"""Standard deviations beyond which a start time is cut: 1 in 30,000."""
_HOUR: Final = 3600.0
_CHANGES: Final = 512
_POLLS: Final = 3
"""Stream of the luck of polls, beside those of pods, nodes and losses."""

_BEFORE: Final = -1
"""Number of the poll before the first tick: what runs then was active until then."""


def play(
    metrics: Sequence[Metric], scaling: Scaling, delays: Delays, seed: int, tick: timedelta
) -> Outcome:
    """Run the compiled loop; the arguments are checked by `simulate`."""
    seconds = tick.total_seconds()
    numbers, hpa = metric_numbers(metrics), hpa_numbers(scaling)
    plant = plant_numbers(delays, seconds, len(metrics[0].values), seed)
    keda = keda_numbers(scaling.sleep, seed)
    floor = start(numbers, hpa, plant, keda)
    pace = Pace(seconds, scaling.sync // tick)
    ready, asked, nodes, told = compiled(
        numbers, hpa, plant, floor, memory_of(hpa, pace.tick * pace.every), pace, keda
    )
    return Outcome(ready, asked, nodes, *(int(count) for count in told))


def metric_numbers(metrics: Sequence[Metric]) -> Metrics:
    """The metrics as arrays."""
    return Metrics(
        np.ascontiguousarray([m.values for m in metrics], dtype=np.float64),
        np.array([m.target for m in metrics], np.float64),
        np.array([int(m.kind) for m in metrics], np.int64),
        np.array([m.activation for m in metrics], np.float64),
        next((i for i, m in enumerate(metrics) if m.landed), -1),
    )


def hpa_numbers(scaling: Scaling) -> Hpa:
    """The HPA as numbers."""
    behavior = scaling.behavior or Behavior()
    return Hpa(
        least=scaling.least,
        most=scaling.most,
        up=scaling.tolerance.up,
        down=scaling.tolerance.down,
        distance_rule=scaling.distance_rule,
        up_window=behavior.up.window.total_seconds(),
        down_window=behavior.down.window.total_seconds(),
        built_in=scaling.behavior is None,
        up_policies=_policies(behavior.up.policies),
        down_policies=_policies(behavior.down.policies),
        up_select=int(behavior.up.select),
        down_select=int(behavior.down.select),
    )


def _policies(policies: Sequence[ScalingPolicy]) -> IntArray:
    rows = [
        (int(p.type is PolicyType.PERCENT), p.value, int(p.period.total_seconds()))
        for p in policies
    ]
    return np.array(rows, np.int64).reshape(len(rows), 3)


def keda_numbers(sleep: Sleep | None, seed: int) -> Keda:
    """KEDA's loop as numbers, with a drawn moment of its first poll: nothing makes it even."""
    own = sleep or Sleep()
    polling = own.polling.total_seconds()
    phase = np.random.default_rng([seed, _POLLS]).uniform(0.0, polling)
    return Keda(
        sleeps=sleep is not None,
        polling=polling,
        cooldown=own.cooldown.total_seconds(),
        phase=float(phase),
        composite=own.composite,
        active_at=np.full(1, _BEFORE, np.int64),
    )


def plant_numbers(delays: Delays, seconds: float, ticks: int, seed: int) -> Plant:
    """Draw the luck of one run: start times, rounded up to whole ticks, and losses of nodes."""
    pods, nodes, losses = (np.random.default_rng([seed, stream]) for stream in range(3))
    normal = np.clip(pods.standard_normal(_DRAWS), -_LONGEST_START, _LONGEST_START)
    pod = delays.pod_median.total_seconds() * np.exp(delays.pod_sigma * normal)
    span = (delays.node_most - delays.node_least).total_seconds()
    node = delays.node_least.total_seconds() + span * nodes.random(_DRAWS)
    hazard = 1.0 - (1.0 - delays.spot_loss) ** (seconds / _HOUR)
    return Plant(
        pods_per_node=delays.pods_per_node,
        spare_room=delays.spare_room,
        pod_delays=_in_ticks(pod, seconds),
        node_delays=_in_ticks(node, seconds),
        keep=max(1, math.ceil(delays.node_keep.total_seconds() / seconds)),
        losses=losses.random(ticks if delays.spot_loss > 0 else 0),
        hazard=hazard,
    )


def _in_ticks(delays: FloatArray, seconds: float) -> IntArray:
    return np.maximum(np.ceil(delays / seconds), 1).astype(np.int64)


def start(metrics: Metrics, hpa: Hpa, plant: Plant, keda: Keda) -> Floor:
    """The pods that the metrics ask for at the first tick, ready and on nodes; asleep: none."""
    asked = [
        proposal(metrics.values[row, 0], metrics.targets[row], min(kind, 0), 1, 1, hpa)
        for row, kind in enumerate(metrics.kinds)
        if kind == 0
    ]
    pods = min(max([*asked, hpa.least]), hpa.most)
    if keda.sleeps and not any(heard(metrics, 0, keda.composite)):
        pods = 0
    floor = empty_floor(plant)
    floor.counts[READY] = pods
    if plant.pods_per_node:
        floor.counts[NODES] = needed_nodes(pods, plant)
    return floor


def memory_of(hpa: Hpa, sync_seconds: float) -> Memory:
    """Empty rings, long enough for the windows and for the changes that policies count."""
    seen = int(max(hpa.up_window, hpa.down_window) / sync_seconds) + 3
    return Memory(
        np.zeros(seen),
        np.zeros(seen, np.int64),
        np.zeros(_CHANGES),
        np.zeros(_CHANGES, np.int64),
        np.zeros(2, np.int64),
    )
