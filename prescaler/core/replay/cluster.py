"""Pods and nodes: what lies between the wish for a pod and a pod that is ready.

A pod needs room on a node, then a drawn time to start. The cluster keeps nodes for the running
pods and their spare room; a new node takes a drawn time, and a node that was not needed for a
while leaves. A scale-down takes pods that are not ready first, as a ReplicaSet does.
"""

import math
from typing import Final, NamedTuple

import numpy as np
from numba.extending import register_jitable

from prescaler.core.arrays import FloatArray, IntArray

READY: Final = 0
STARTING: Final = 1
WAITING: Final = 2
NODES: Final = 3
COMING: Final = 4
PODS_DRAWN: Final = 5
NODES_DRAWN: Final = 6
IDLE: Final = 7
IDLE_NEED: Final = 8
LOST: Final = 9
_FIELDS: Final = 10

_SLACK: Final = 1e-9


class Plant(NamedTuple):
    """Pods, nodes and their delays, in ticks.

    pods_per_node: 0 = nodes never run out. pod_delays [D], node_delays [E]: drawn beforehand and
    used one after the other, so that every arm meets the same luck. keep: ticks an unneeded node
    stays. losses: [T] uniform draws, empty = no spot losses; hazard: chance that one node is lost
    in one tick.
    """

    pods_per_node: int
    spare_room: float
    pod_delays: IntArray
    node_delays: IntArray
    keep: int
    losses: FloatArray
    hazard: float


class Floor(NamedTuple):
    """What stands and what is on its way: counts [10], and rings of arrivals by tick."""

    counts: IntArray
    pods_due: IntArray
    nodes_due: IntArray


def empty_floor(plant: Plant) -> Floor:
    """Nothing stands, nothing is on its way."""
    longest = int(max(plant.pod_delays.max(), plant.node_delays.max())) + 1
    return Floor(
        np.zeros(_FIELDS, np.int64), np.zeros(longest, np.int64), np.zeros(longest, np.int64)
    )


@register_jitable
def needed_nodes(pods: int, plant: Plant) -> int:
    """Nodes for a number of pods and their spare room."""
    return math.ceil(pods * (1.0 + plant.spare_room) / plant.pods_per_node - _SLACK)


@register_jitable
def place(tick: int, plant: Plant, floor: Floor) -> None:
    """Let waiting pods start where there is room."""
    counts = floor.counts
    room = counts[WAITING]
    if plant.pods_per_node > 0:
        room = counts[NODES] * plant.pods_per_node - counts[READY] - counts[STARTING]
    for _ in range(min(room, counts[WAITING])):
        delay = plant.pod_delays[counts[PODS_DRAWN] % len(plant.pod_delays)]
        counts[PODS_DRAWN] += 1
        counts[WAITING] -= 1
        counts[STARTING] += 1
        floor.pods_due[(tick + delay) % len(floor.pods_due)] += 1


@register_jitable
def remove(count: int, tick: int, floor: Floor) -> None:
    """Take pods away: waiting first, then starting (those that would be ready last), then ready."""
    counts = floor.counts
    gone = min(count, counts[WAITING])
    counts[WAITING] -= gone
    left = count - gone
    size = len(floor.pods_due)
    ahead = size - 1
    while left > 0 and counts[STARTING] > 0:
        slot = (tick + ahead) % size
        gone = min(left, floor.pods_due[slot])
        floor.pods_due[slot] -= gone
        counts[STARTING] -= gone
        left -= gone
        ahead -= 1
    counts[READY] -= left


@register_jitable
def arrive(tick: int, floor: Floor) -> None:
    """What was due at this tick is there."""
    counts = floor.counts
    slot = tick % len(floor.pods_due)
    counts[READY] += floor.pods_due[slot]
    counts[STARTING] -= floor.pods_due[slot]
    floor.pods_due[slot] = 0
    slot = tick % len(floor.nodes_due)
    counts[NODES] += floor.nodes_due[slot]
    counts[COMING] -= floor.nodes_due[slot]
    floor.nodes_due[slot] = 0


@register_jitable
def lose(tick: int, plant: Plant, floor: Floor) -> None:
    """A spot node may go, and its share of the ready pods with it; they wait for room anew."""
    counts = floor.counts
    if tick >= len(plant.losses) or counts[NODES] == 0:
        return
    if plant.losses[tick] >= 1.0 - (1.0 - plant.hazard) ** counts[NODES]:
        return
    gone = math.ceil(counts[READY] / counts[NODES])
    counts[READY] -= gone
    counts[WAITING] += gone
    counts[LOST] += gone
    counts[NODES] -= 1


@register_jitable
def keep_nodes(tick: int, plant: Plant, floor: Floor) -> None:
    """Order the nodes that are missing; let go those that nobody needed for `keep` ticks."""
    counts = floor.counts
    if plant.pods_per_node == 0:
        return
    pods = counts[READY] + counts[STARTING] + counts[WAITING]
    need = needed_nodes(pods, plant)
    for _ in range(need - counts[NODES] - counts[COMING]):
        delay = plant.node_delays[counts[NODES_DRAWN] % len(plant.node_delays)]
        counts[NODES_DRAWN] += 1
        counts[COMING] += 1
        floor.nodes_due[(tick + delay) % len(floor.nodes_due)] += 1
    if need >= counts[NODES]:
        counts[IDLE] = 0
        counts[IDLE_NEED] = 0
        return
    counts[IDLE] += 1
    counts[IDLE_NEED] = max(counts[IDLE_NEED], need)
    if counts[IDLE] >= plant.keep:
        counts[NODES] = counts[IDLE_NEED]
        counts[IDLE] = 0
        counts[IDLE_NEED] = 0
