"""KEDA's own loop, which alone wakes a workload from 0 pods and puts it to sleep, for numba.

Rules of KEDA 2.20.2: every pollingInterval each trigger says whether it is active; an active one
wakes 0 pods to the HPA's minimum, and the HPA takes over from there. Once nothing was active for
the cooldownPeriod, whatever runs goes to 0.

Import this module only where a loop is about to run: numba takes 0.4 s.
"""

import math
from typing import NamedTuple

from numba.extending import register_jitable

from prescaler.core.arrays import IntArray
from prescaler.core.replay.controller import Metrics


class Keda(NamedTuple):
    """sleeps: whether 0 pods are allowed. polling, cooldown, phase (of the first poll): seconds.

    composite: one formula over all triggers. active_at: [1] KEDA's LastActiveTime, as the number of
    that poll.
    """

    sleeps: bool
    polling: float
    cooldown: float
    phase: float
    composite: bool
    active_at: IntArray


@register_jitable
def turn_at(now: float, keda: Keda) -> int:
    """Number of the last poll until now (seconds); -1: of one before the first tick."""
    return math.floor((now - keda.phase) / keda.polling)


@register_jitable
def heard(metrics: Metrics, tick: int, composite: bool) -> tuple[bool, bool]:  # noqa: FBT001
    """Whether any trigger is active, strictly above its activation, and whether any failed.

    A formula that cannot be computed is inactive, and no error: KEDA's fallback has taken that.
    """
    active, failed = False, False
    for row in range(len(metrics.targets)):
        value = metrics.values[row, tick]
        if math.isnan(value):
            failed = True
        elif value > metrics.activation[row]:
            active = True
    if composite and failed:
        return False, False
    return active, failed


@register_jitable
def poll(metrics: Metrics, tick: int, turn: int, pods: int, least: int, keda: Keda) -> int:
    """Poll number `turn`, at a tick: the number of pods from now on.

    A trigger that fails keeps an idle workload awake, and beside an active one keeps the cooldown
    from starting anew. The last active moment is kept in whole seconds and a poll comes a moment
    after its turn, so that a cooldown is over at the poll that is exactly as old.
    """
    active, failed = heard(metrics, tick, keda.composite)
    if active:
        if pods == 0 or not failed:
            keda.active_at[0] = turn
        return least if pods == 0 else pods
    if failed or (turn - keda.active_at[0]) * keda.polling < keda.cooldown:
        return pods
    return 0
