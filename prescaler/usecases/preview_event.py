"""What an event would do to the plans, before anybody saves it: the same plan, with and without."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

import numpy as np

from prescaler.core.arrays import BoolArray, IntArray
from prescaler.core.event_book import effect_on_demand, occurrences
from prescaler.core.events import EventEffect
from prescaler.core.hpa import pods_for_all
from prescaler.core.instants import from_epoch, to_epoch
from prescaler.core.lead_time import Late, Raise, raise_at, unreachable
from prescaler.core.plan import declared
from prescaler.core.planned import EventState, Occurrence, PlannedEvent
from prescaler.core.uplift import UpliftCurve, UpliftModel
from prescaler.usecases.serve_metric import Served

_LOOKS: Final = (timedelta(days=2), timedelta(days=32), timedelta(days=366))
"""A daily event need not be laid out for a year to find tonight's."""

_BEFORE: Final = timedelta(hours=1)
_MOST_POINTS: Final = 300
_MINUTE: Final = 60


@dataclass(frozen=True, eq=False)
class Preview:
    """One workload's plan around one occurrence, with and without its event.

    stamps: [T] epoch seconds, `step` apart. pods_with, pods_without: [T]. lasts: [T] true where
    the event changes anything by itself. known: whether the forecast reaches the occurrence;
    otherwise only declared floors can be compared. learnt: the curve in the declared factor's
    place, None where the declared one acts alone. coming: the raise that takes
    longest, and when it must begin at the latest. late: a raise that comes too late already.
    """

    served: Served
    step: timedelta
    stamps: IntArray
    pods_with: IntArray
    pods_without: IntArray
    lasts: BoolArray
    known: bool
    learnt: UpliftCurve | None = None
    coming: Raise | None = None
    late: Late | None = None

    @cached_property
    def pods(self) -> int:
        """The most pods that the plan asks for while the event lasts."""
        return int(self.pods_with[self.lasts].max(initial=0))

    @cached_property
    def without(self) -> int:
        """The same without the event."""
        return int(self.pods_without[self.lasts].max(initial=0))

    @cached_property
    def at(self) -> datetime:
        """When the plan first asks for the most pods."""
        highest = np.where(self.lasts, self.pods_with, -1)
        return from_epoch(int(self.stamps[int(np.argmax(highest))]))

    @cached_property
    def extra_pod_hours(self) -> float:
        """What the event costs: pods on top, times hours."""
        more = int((self.pods_with - self.pods_without).sum())
        return more * (self.step / timedelta(hours=1))


def next_occurrence(event: PlannedEvent, now: datetime) -> Occurrence | None:
    """The one that is on, or the next within a year."""
    for ahead in _LOOKS:
        found = next((o for o in occurrences(event, now, now + ahead) if o.end > now), None)
        if found is not None:
            return found
    return None


def preview(
    event: PlannedEvent,
    occurrence: Occurrence,
    workloads: Iterable[Served],
    now: datetime,
    beside: Sequence[PlannedEvent] = (),
) -> Sequence[Preview]:
    """The plans of workloads that an event selects, as if it were confirmed and known by now.

    beside: what would be changed together with it. An event of the same id that is planned already
    gives way to this one, and likewise to those.
    """
    acting = replace(event, state=EventState.CONFIRMED, known_from=None)
    shown = replace(occurrence, event=acting)
    return [_preview(served, shown, beside, now) for served in workloads]


def _preview(
    served: Served, occurrence: Occurrence, beside: Sequence[PlannedEvent], now: datetime
) -> Preview:
    changed = {occurrence.event.id, *(event.id for event in beside)}
    others = (*(e for e in served.book.events if e.id not in changed), *beside)
    without, with_it = _under(served, others), _under(served, (*others, occurrence.event))
    effect = effect_on_demand(occurrence, _model(served))
    stamps, step = _stamps(max(effect.begins - _BEFORE, now), max(effect.fades_until, now))
    inside = (stamps >= to_epoch(effect.begins)) & (stamps < to_epoch(effect.fades_until))
    forecast = served.state.forecast
    known = forecast is not None and occurrence.start < forecast.valid_until
    coming, late = _lead(with_it, effect, now)
    return Preview(
        served=served,
        step=step,
        stamps=stamps,
        pods_with=_pods(with_it, stamps, now),
        pods_without=_pods(without, stamps, now),
        lasts=inside,
        known=known,
        learnt=effect.curve,
        coming=coming,
        late=late,
    )


def _model(served: Served) -> UpliftModel | None:
    return served.state.uplift.model if served.state.uplift is not None else None


def _under(served: Served, events: tuple[PlannedEvent, ...]) -> Served:
    """The same workload under other events, with what crowds have taught it."""
    return replace(served, book=replace(served.book, events=events))


def _stamps(start: datetime, end: datetime) -> tuple[IntArray, timedelta]:
    """Whole minutes apart, so many that no page is choked; at least one."""
    first, last = to_epoch(start), max(to_epoch(end), to_epoch(start) + 1)
    step = _MINUTE * max(1, -(-(last - first) // (_MOST_POINTS * _MINUTE)))
    return np.arange(first, last, step, dtype=np.int64), timedelta(seconds=step)


def _pods(served: Served, stamps: IntArray, now: datetime) -> IntArray:
    """[T] pods that are asked for, under the policy's ceiling."""
    policy = served.policy
    pods = pods_for_all(served.loads(stamps, now), policy.target)
    return np.asarray(np.minimum(pods, policy.max_pods)) if policy.max_pods is not None else pods


def _lead(served: Served, effect: EventEffect, now: datetime) -> tuple[Raise | None, Late | None]:
    """The raise that takes longest with its latest safe start; whether one comes too late."""
    floor, cells = _floor(served, effect, now), served.asking(now)
    if cells is None:
        return floor, None
    first, last = max(to_epoch(effect.begins), to_epoch(now)), to_epoch(effect.fades_until)
    inside = np.flatnonzero((cells.starts >= first) & (cells.starts < last))
    if not len(inside):
        return floor, None
    slowest = int(inside[int(np.argmax(cells.lead[inside]))])
    coming = raise_at(cells, served.policy, from_epoch(int(cells.starts[slowest])))
    if coming is None or (floor is not None and floor.lead > coming.lead):
        coming = floor
    running = served.observed.running_pods
    late = unreachable(cells, served.policy, now, running) if running is not None else None
    return coming, late if late is not None and first <= to_epoch(late.at) < last else None


def _floor(served: Served, effect: EventEffect, now: datetime) -> Raise | None:
    """The raise to the event's own minimum, from what other floors keep just before."""
    start = to_epoch(effect.start)
    others = served.effects(effect.start, effect.end, now)
    led = [
        one
        for one in declared(others, served.policy, start, start + 1)
        if one.by == effect.name and one.lead and one.start + one.lead == start
    ]
    if not led:
        return None
    lead = timedelta(seconds=led[0].lead)
    return Raise(effect.start, led[0].pods, effect.start - lead, lead)
