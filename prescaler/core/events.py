"""Planned events as demand curves on one workload."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from prescaler.core.arrays import FloatArray, IntArray
from prescaler.core.calendar import PodInterval
from prescaler.core.instants import to_epoch
from prescaler.core.planned import Stack


@dataclass(frozen=True)
class EventEffect:
    """One occurrence of a planned event, as it acts on one workload.

    factor: times ordinary demand (1 = none). added: load units on top. min_pods: a declared
    floor during [start, end). The effect rises linearly over `ramp_before`, which ends at
    `start`, and fades over `ramp_after`, which begins at `end`. replaces_windows: the workload's
    windows are not in force during [start, end).
    """

    name: str
    start: datetime
    end: datetime
    factor: float = 1.0
    added: float = 0.0
    min_pods: int = 0
    ramp_before: timedelta = timedelta(0)
    ramp_after: timedelta = timedelta(0)
    stack: Stack = Stack.MAX
    replaces_windows: bool = False

    def strength(self, stamps: IntArray) -> FloatArray:
        """[G] share of the full effect at instants (epoch seconds): 0 outside, 1 inside."""
        start, end = to_epoch(self.start), to_epoch(self.end)
        rising = _ramp(stamps - start, self.ramp_before.total_seconds())
        falling = _ramp(end - 1 - stamps, self.ramp_after.total_seconds())
        return np.minimum(rising, falling)

    def demand(self, stamps: IntArray, ordinary: FloatArray) -> FloatArray:
        """[G] demand during the event, from ordinary demand [G]."""
        strength = self.strength(stamps)
        return ordinary * (1.0 + (self.factor - 1.0) * strength) + self.added * strength


def _ramp(seconds_inside: IntArray, length: float) -> FloatArray:
    """0 before the ramp, 1 once `seconds_inside` reaches 0."""
    if length <= 0:
        return (seconds_inside >= 0).astype(np.float64)
    return np.clip(1.0 + seconds_inside / length, 0.0, 1.0)


def with_events(
    effects: Sequence[EventEffect], starts: IntArray, ends: IntArray, ordinary: FloatArray
) -> FloatArray:
    """[G] demand after events in cells [start, end); the pointwise maximum of the events wins.

    A cell takes the higher of its two edges, so that a ramp inside it is not missed. An effect
    that lowers demand acts only where no other event does. Effects that stack and raise demand
    multiply what the others have made of it, and what they add comes on top.
    """
    stacked = [e for e in effects if e.stack is Stack.MULTIPLY and (e.factor > 1 or e.added > 0)]
    boost, extra = _stacked(stacked, starts, ends)
    raised, lowered = ordinary, ordinary
    busy = (boost > 1.0) | (extra > 0.0)
    for effect in effects:
        if effect in stacked:
            continue
        curve = np.maximum(effect.demand(starts, ordinary), effect.demand(ends - 1, ordinary))
        busy |= curve > ordinary
        raised = np.fmax(raised, curve)
        lowered = np.fmin(lowered, curve)
    return np.where(busy, raised, lowered) * boost + extra


def _stacked(
    effects: Sequence[EventEffect], starts: IntArray, ends: IntArray
) -> tuple[FloatArray, FloatArray]:
    """[G] product of the factors, [G] sum of what is added; sorted: order is nothing."""
    if not effects:
        return np.ones(len(starts)), np.zeros(len(starts))
    strengths = [np.maximum(e.strength(starts), e.strength(ends - 1)) for e in effects]
    pairs = list(zip(effects, strengths, strict=True))
    boosts = np.sort([1.0 + (max(e.factor, 1.0) - 1.0) * s for e, s in pairs], axis=0)
    extras = np.sort([e.added * s for e, s in pairs], axis=0)
    return boosts.prod(axis=0), extras.sum(axis=0)


def event_floors(effects: Sequence[EventEffect]) -> list[PodInterval]:
    """The minimum pods that events declare."""
    return [
        PodInterval(to_epoch(effect.start), to_epoch(effect.end), effect.min_pods)
        for effect in effects
        if effect.min_pods > 0
    ]
