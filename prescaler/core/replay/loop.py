"""The loop over ticks, compiled: each tick needs the one before it, so that no array helps.

Import this module only where a loop is about to run: numba takes 0.4 s.
"""

from typing import NamedTuple

import numba
import numpy as np
from numba.extending import register_jitable

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
from prescaler.core.replay.keda import Keda, poll, turn_at


class Pace(NamedTuple):
    """tick: seconds. every: ticks between two syncs of the HPA."""

    tick: float
    every: int


@register_jitable
def resize(pods: int, found: int, tick: int, plant: Plant, floor: Floor) -> None:
    """From `pods` to `found`."""
    if found > pods:
        floor.counts[WAITING] += found - pods
        place(tick, plant, floor)
    elif found < pods:
        remove(pods - found, tick, floor)


def run(  # noqa: PLR0913, PLR0917 - numba takes no keywords and no objects
    metrics: Metrics,
    hpa: Hpa,
    plant: Plant,
    floor: Floor,
    memory: Memory,
    pace: Pace,
    keda: Keda,
) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Pods ready, pods asked for, nodes, all [T], and four counts.

    The counts: scale actions, pods lost, syncs at which the first metric wanted more pods and the
    tolerance gave none, and how often KEDA woke it. Supply of a tick is what is ready when it
    begins; the HPA acts after that, and KEDA last, so that pods it wakes are seen a sync later.
    """
    ticks = metrics.values.shape[1]
    ready = np.empty(ticks, np.int64)
    asked = np.empty(ticks, np.int64)
    nodes = np.empty(ticks, np.int64)
    told = np.zeros(4, np.int64)
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
            resize(pods, found, tick, plant, floor)
            told[0] += 1 if found != pods else 0
            pods = found
        turn = turn_at(tick * pace.tick, keda)
        if keda.sleeps and turn > turn_at((tick - 1) * pace.tick, keda):
            found = poll(metrics, tick, turn, pods, hpa.least, keda)
            resize(pods, found, tick, plant, floor)
            told[0] += 1 if found != pods else 0
            told[3] += 1 if found > pods else 0
            pods = found
        keep_nodes(tick, plant, floor)
    told[1] = counts[LOST]
    return ready, asked, nodes, told


compiled = numba.njit(nogil=True)(run)
"""`run` for machines: compiled at its first call in a process, and free of the interpreter's lock,
so that threads share one compilation. Nothing is written to disk."""
