"""Planned events as demand curves on one workload."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from prescaler.core.arrays import FloatArray, IntArray
from prescaler.core.calendar import PodInterval
from prescaler.core.instants import to_epoch
from prescaler.core.planned import Stack
from prescaler.core.quantiles import uncrossed
from prescaler.core.uplift import UpliftCurve


@dataclass(frozen=True)
class EventEffect:
    """One occurrence of a planned event, as it acts on one workload.

    factor: times ordinary demand (1 = none). added: load units on top. min_pods: a declared
    floor during [start, end). The effect rises linearly over `ramp_before`, which ends at
    `start`, and fades over `ramp_after`, which begins at `end`. replaces_windows: the workload's
    windows are not in force during [start, end). curve: what past crowds of its kind taught, in
    place of factor and ramps.
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
    curve: UpliftCurve | None = None

    @property
    def begins(self) -> datetime:
        """When it begins to change demand."""
        shows = self.start - self.ramp_before
        return shows if self.curve is None else min(shows, self.curve.begins(self.start))

    @property
    def fades_until(self) -> datetime:
        """When it no longer changes demand."""
        shows = self.end + self.ramp_after
        return shows if self.curve is None else max(shows, self.curve.ends(self.start))

    def strength(self, stamps: IntArray) -> FloatArray:
        """[G] share of the full effect at instants (epoch seconds): 0 outside, 1 inside."""
        start, end = to_epoch(self.start), to_epoch(self.end)
        rising = _ramp(stamps - start, self.ramp_before.total_seconds())
        falling = _ramp(end - 1 - stamps, self.ramp_after.total_seconds())
        return np.minimum(rising, falling)

    def demand(
        self, stamps: IntArray, ordinary: FloatArray, cutoff: datetime | None = None
    ) -> FloatArray:
        """[G, Q] quantiles of demand during the event, from those of ordinary demand [G, Q].

        cutoff: what the ordinary quantiles know; None: nothing of this event.
        """
        strength = self.strength(stamps)[:, None]
        if self.curve is not None:
            lifted = self.curve.lifted(stamps, self.start, ordinary, cutoff)
        else:
            lifted = ordinary * (1.0 + (self.factor - 1.0) * strength)
        return lifted + self.added * strength

    def boost(self, stamps: IntArray) -> FloatArray:
        """[G] by how much it multiplies demand, never below 1."""
        if self.curve is not None:
            return np.maximum(1.0, self.curve.boost(stamps, self.start))
        return 1.0 + (max(self.factor, 1.0) - 1.0) * self.strength(stamps)

    @property
    def raises(self) -> bool:
        """Whether it can make demand higher."""
        return self.curve is not None or self.factor > 1 or self.added > 0


def _ramp(seconds_inside: IntArray, length: float) -> FloatArray:
    """0 before the ramp, 1 once `seconds_inside` reaches 0."""
    if length <= 0:
        return (seconds_inside >= 0).astype(np.float64)
    return np.clip(1.0 + seconds_inside / length, 0.0, 1.0)


def with_events(
    effects: Sequence[EventEffect],
    starts: IntArray,
    ends: IntArray,
    ordinary: FloatArray,
    cutoff: datetime | None = None,
) -> FloatArray:
    """[G, Q] quantiles of demand after events in cells [start, end), from ordinary ones [G, Q].

    The pointwise maximum of the events wins. A cell takes the higher of its two edges, so that a
    ramp inside it is not missed. An effect that lowers demand acts only where no other event does.
    Effects that stack and raise demand multiply what the others have made of it, and what they add
    comes on top. cutoff: of the forecast.
    """
    stacked = [e for e in effects if e.stack is Stack.MULTIPLY and e.raises]
    boost, extra = _stacked(stacked, starts, ends)
    raised, lowered = ordinary, ordinary
    busy = np.broadcast_to((boost > 1.0) | (extra > 0.0), ordinary.shape)
    for effect in effects:
        if effect in stacked:
            continue
        edges = [effect.demand(at, ordinary, cutoff) for at in (starts, ends - 1)]
        curve = np.maximum(*edges)
        busy = busy | (curve > ordinary)
        raised = np.fmax(raised, curve)
        lowered = np.fmin(lowered, curve)
    return uncrossed(np.where(busy, raised, lowered)) * boost + extra


def _stacked(
    effects: Sequence[EventEffect], starts: IntArray, ends: IntArray
) -> tuple[FloatArray, FloatArray]:
    """[G, 1] product of the factors, [G, 1] sum of what is added; sorted: order is nothing."""
    if not effects:
        return np.ones((len(starts), 1)), np.zeros((len(starts), 1))
    boosts = [np.maximum(e.boost(starts), e.boost(ends - 1)) for e in effects]
    extras = [e.added * np.maximum(e.strength(starts), e.strength(ends - 1)) for e in effects]
    product, total = np.sort(boosts, axis=0).prod(axis=0), np.sort(extras, axis=0).sum(axis=0)
    return product[:, None], total[:, None]


def event_floors(effects: Sequence[EventEffect]) -> list[PodInterval]:
    """The minimum pods that events declare."""
    return [
        PodInterval(to_epoch(effect.start), to_epoch(effect.end), effect.min_pods, effect.name)
        for effect in effects
        if effect.min_pods > 0
    ]
