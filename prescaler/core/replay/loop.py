"""The loop over ticks, compiled: each tick needs the one before it, so that no array helps.

Import this module only where a loop is about to run: numba takes 0.4 s.
"""

from typing import NamedTuple

import numba
import numpy as np

from prescaler.core.arrays import IntArray
from prescaler.core.replay.cluster import (
    LOST,
    NODES,
    READY,
    WAITING,
    Floor,
    Plant,
    arrive,
    keep_nodes,
    lose,
    place,
    remove,
)
from prescaler.core.replay.controller import Hpa, Memory, Metrics, swallowed, sync


class Pace(NamedTuple):
    """tick: seconds. every: ticks between two syncs of the HPA."""

    tick: float
    every: int


def run(
    metrics: Metrics, hpa: Hpa, plant: Plant, floor: Floor, memory: Memory, pace: Pace
) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Pods ready, pods asked for, nodes, all [T], and three counts.

    The counts: scale actions, pods lost, syncs at which the first metric wanted more pods and the
    tolerance gave none. Supply of a tick is what is ready when it begins; the HPA acts after that.
    """
    ticks = metrics.values.shape[1]
    ready = np.empty(ticks, np.int64)
    asked = np.empty(ticks, np.int64)
    nodes = np.empty(ticks, np.int64)
    told = np.zeros(3, np.int64)
    counts = floor.counts
    pods = counts[READY]
    for tick in range(ticks):
        arrive(tick, floor)
        lose(tick, plant, floor)
        place(tick, plant, floor)
        ready[tick] = counts[READY]
        asked[tick] = pods
        nodes[tick] = counts[NODES]
        if tick % pace.every == 0:
            told[2] += swallowed(metrics, tick, pods, hpa)
            found = sync(metrics, tick, tick * pace.tick, pods, counts[READY], hpa, memory)
            if found > pods:
                counts[WAITING] += found - pods
                place(tick, plant, floor)
            elif found < pods:
                remove(pods - found, tick, floor)
            told[0] += 1 if found != pods else 0
            pods = found
        keep_nodes(tick, plant, floor)
    told[1] = counts[LOST]
    return ready, asked, nodes, told


compiled = numba.njit(nogil=True)(run)
"""`run` for machines: compiled at its first call in a process, and free of the interpreter's lock,
so that threads share one compilation. Nothing is written to disk."""
