"""Which planned events act when, and what they do to one workload."""

import math
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Final

import numpy as np

from prescaler.core.arrays import IntArray
from prescaler.core.errors import BadEvent
from prescaler.core.events import EventEffect
from prescaler.core.instants import floor_to, to_epoch
from prescaler.core.planned import EventState, Occurrence, PlannedEvent
from prescaler.core.policy import Policy
from prescaler.core.recurrence import (
    check_rule,
    civil_of,
    latest_start,
    moments,
    to_utc,
    to_utc_end,
)
from prescaler.core.uplift import AROUND, UpliftModel

_MARGIN: Final = timedelta(days=1)
"""More than any two clocks of the world differ, and than a clock change moves."""

_FIRST: Final = datetime(1969, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(2400, 1, 1, tzinfo=UTC)
"""Nothing is looked for outside: events start between 1970 and 2200."""

_MOST_SPANS: Final = 64
LONGEST: Final = timedelta(days=366)
LONGEST_REPEATED: Final = timedelta(days=31)
LONGEST_RAMP: Final = timedelta(days=2)


def occurrences(event: PlannedEvent, start: datetime, end: datetime) -> list[Occurrence]:
    """The times an event takes place that touch [start, end), ascending, without exceptions.

    A recurrence keeps both its start and its end on the wall clock of the event's timezone; where
    the spring clock skips the end, it keeps its length. The first occurrence is the event's own
    start and end, whatever the rule says of that day. Drafts and cancelled events take place too:
    whether they act is for `effects_of` to say.
    """
    start, end = max(start, _FIRST), min(end, _LAST)
    found = [
        Occurrence(event, first, last)
        for first, last in _times(event, start, end)
        if first < end and last > start and first not in event.exceptions
    ]
    return sorted(found, key=lambda occurrence: occurrence.start)


def _times(
    event: PlannedEvent, start: datetime, end: datetime
) -> Iterator[tuple[datetime, datetime]]:
    yield event.start, event.end
    if event.rule is None or end <= event.start:
        return
    civil = civil_of(event.start, event.timezone)
    length = event.end.astimezone(event.timezone).replace(tzinfo=None, fold=0) - civil.start
    low = civil_of(start - _MARGIN, event.timezone).start - max(length, event.end - event.start)
    high = civil_of(end + _MARGIN, event.timezone).start
    for at in moments(event.rule, civil, low, high):
        first = to_utc(at, event.timezone)
        if at == civil.start or first == event.start:
            continue
        last = to_utc_end(at + length, event.timezone)
        yield first, last if last > first else first + (event.end - event.start)


def exceptions_moved(before: PlannedEvent, after: PlannedEvent) -> frozenset[datetime]:
    """What is taken out of an event once its times have changed: the same evenings.

    An exception is a start. When the kick-off of a series moves by half an hour, those of before
    start nowhere any more, and evenings that were taken out would take place again.
    """
    if before.rule is None or after.rule is None:
        return after.exceptions
    was, now = (civil_of(event.start, event.timezone).start for event in (before, after))
    whole = replace(after, exceptions=frozenset())
    found = set(after.exceptions)
    for at in after.exceptions & before.exceptions:
        moved = to_utc(civil_of(at, before.timezone).start + (now - was), after.timezone)
        if not _starts(whole, at) and _starts(whole, moved):
            found = found - {at} | {moved}
    return frozenset(found)


def _starts(event: PlannedEvent, at: datetime) -> bool:
    return any(o.start == at for o in occurrences(event, at, at + timedelta(seconds=1)))


def begins(event: PlannedEvent) -> datetime:
    """The instant at which an event first does something."""
    return event.start - event.effect.ramp_before


def last_end(event: PlannedEvent) -> datetime | None:
    """An instant by which an event, with its ramp, is over for good; None: it recurs for ever."""
    last = event.end
    if event.rule is not None:
        at = latest_start(event.rule, civil_of(event.start, event.timezone))
        if at is None or at.year >= _LAST.year:
            return None
        last = max(last, to_utc(at, event.timezone) + (event.end - event.start) + _MARGIN)
    return last + event.effect.ramp_after


def check_times(event: PlannedEvent) -> None:
    """Refuse times that cannot be.

    Raises:
        BadEvent: the end is not behind the start, too long, or a rule that cannot be followed.
    """
    length, longest = event.end - event.start, LONGEST if event.rule is None else LONGEST_REPEATED
    if length <= timedelta(0):
        raise BadEvent("end: must lie behind the start")
    if length > longest:
        kind = "an event" if event.rule is None else "a recurring event"
        raise BadEvent(f"end: {kind} lasts at most {longest.days} days")
    if event.rule is not None:
        try:
            check_rule(event.rule, civil_of(event.start, event.timezone))
        except BadEvent as error:
            raise BadEvent(f"rule: {error}") from error


def effects_of(
    found: Iterable[Occurrence],
    policy: Policy,
    known_at: datetime | None = None,
    uplift: UpliftModel | None = None,
) -> tuple[EventEffect, ...]:
    """What occurrences do to a workload of this policy, by what was declared and what was learnt.

    Drafts, cancelled events and those that nobody knew of yet at `known_at` do nothing.
    """
    return tuple(
        _effect(occurrence, policy, uplift)
        for occurrence in found
        if acts_at(occurrence.event, known_at)
    )


def acts_at(event: PlannedEvent, known_at: datetime | None) -> bool:
    """Whether an event is confirmed, and known by an instant."""
    return event.state is EventState.CONFIRMED and known_by(event, known_at)


def known_by(event: PlannedEvent, instant: datetime | None) -> bool:
    """Whether an event may be used at an instant (None: in hindsight, whatever is not replaced)."""
    since, until = event.known_from, event.known_until
    if instant is None:
        return until is None
    return (since is None or since <= instant) and (until is None or instant < until)


def window_minimum(policy: Policy) -> int:
    """What `min_pods_factor` multiplies: the highest window, else the policy's own minimum."""
    return max((window.min_pods for window in policy.windows), default=policy.min_pods)


def effect_on_demand(occurrence: Occurrence, uplift: UpliftModel | None = None) -> EventEffect:
    """What an occurrence does to demand, by what was declared and what was learnt; no floors."""
    event, effect = occurrence.event, occurrence.event.effect
    return EventEffect(
        name=event.name,
        start=occurrence.start,
        end=occurrence.end,
        factor=1.0 if effect.factor is None else effect.factor,
        added=effect.added,
        ramp_before=effect.ramp_before,
        ramp_after=effect.ramp_after,
        stack=effect.stack,
        curve=uplift.curve_of(occurrence) if uplift is not None else None,
    )


def _effect(occurrence: Occurrence, policy: Policy, uplift: UpliftModel | None) -> EventEffect:
    pods, factor = occurrence.event.effect.min_pods, occurrence.event.effect.min_pods_factor
    if factor is not None:
        pods = max(pods, math.ceil(factor * window_minimum(policy) - 1e-9))
    return replace(
        effect_on_demand(occurrence, uplift), min_pods=pods, replaces_windows=factor is not None
    )


@dataclass(frozen=True, eq=False)
class EventBook:
    """The planned events that are about one workload; another book has another `key`."""

    events: tuple[PlannedEvent, ...] = ()

    @cached_property
    def key(self) -> tuple[tuple[int, int], ...]:
        """Identity and revision of every event, in order."""
        return tuple((event.id.int, event.revision) for event in self.events)

    @cached_property
    def _seen(self) -> dict[tuple[datetime, datetime], list[Occurrence]]:
        """Occurrences of whole days: whoever asks now asks again soon, a little later."""
        return {}

    @cached_property
    def _reach(self) -> tuple[IntArray, IntArray]:
        """[E], [E] epoch seconds before and after which an event does nothing."""
        first = [to_epoch(begins(e)) for e in self.events]
        last = [to_epoch((last_end(e) or _LAST) + _MARGIN) for e in self.events]
        return np.array(first, dtype=np.int64), np.array(last, dtype=np.int64)

    def known(self, instant: datetime) -> int:
        """How many of the `revelations` have passed."""
        return bisect_right(self.revelations, instant)

    @cached_property
    def revelations(self) -> tuple[datetime, ...]:
        """The instants at which an event becomes known, or one form of it gives way to the next."""
        found = {at for e in self.events for at in (e.known_from, e.known_until)}
        return tuple(sorted(at for at in found if at is not None))

    def occurrences(self, start: datetime, end: datetime) -> list[Occurrence]:
        """Occurrences whose effect, ramps included, touches [start, end), ascending."""
        first, last = floor_to(start, _MARGIN), floor_to(end, _MARGIN) + _MARGIN
        found = self._seen.get((first, last))  # others may clear it at any moment
        if found is None:
            found = self._look_up(first, last)
            if len(self._seen) >= _MOST_SPANS:
                self._seen.clear()
            self._seen[first, last] = found
        return [
            o
            for o in found
            if o.start - o.event.effect.ramp_before < end
            and o.end + o.event.effect.ramp_after > start
        ]

    def _look_up(self, start: datetime, end: datetime) -> list[Occurrence]:
        first, last = to_epoch(start), to_epoch(end)
        starts, ends = self._reach
        near = np.flatnonzero((starts < last) & (ends > first))
        found = [
            occurrence
            for event in (self.events[n] for n in near.tolist())
            for occurrence in occurrences(
                event, start - event.effect.ramp_after, end + event.effect.ramp_before
            )
        ]
        return sorted(found, key=lambda o: (o.start, o.end, o.event.id.int))

    def effects(
        self,
        policy: Policy,
        start: datetime,
        end: datetime,
        known_at: datetime | None = None,
        uplift: UpliftModel | None = None,
    ) -> tuple[EventEffect, ...]:
        """What acts on the workload in [start, end): people come before a start, and so do we."""
        return effects_of(self.occurrences(start - AROUND, end + AROUND), policy, known_at, uplift)


EMPTY_BOOK: Final = EventBook()


class EventIndex:
    """Events by whom they select, so that a thousand workloads do not each look at all of them.

    Workloads that the same events are about share one book, with all that it has worked out.
    """

    def __init__(self, events: Sequence[PlannedEvent]) -> None:
        self.events = tuple(sorted(events, key=lambda event: (event.start, event.id.int)))
        self._by_name: dict[str, list[int]] = {}
        self._others: list[int] = []
        self._by_labels: dict[frozenset[tuple[str, str]], frozenset[int]] = {}
        self._books: dict[frozenset[int], EventBook] = {}
        for number, event in enumerate(self.events):
            chosen = event.selection
            if chosen.everything or chosen.labels:
                self._others.append(number)
            for name in chosen.names:
                self._by_name.setdefault(name, []).append(number)

    @cached_property
    def whole(self) -> EventBook:
        """All of them, whomever they are about."""
        return EventBook(self.events)

    def book(
        self, name: str, labels: Mapping[str, str], aliases: Collection[str] = ()
    ) -> EventBook:
        """The events that are about a workload. aliases: what it was called before."""
        named = {n for known in (name, *aliases) for n in self._by_name.get(known, ())}
        numbers = self._labelled(labels) | named
        if numbers not in self._books:
            self._books[numbers] = EventBook(tuple(self.events[n] for n in sorted(numbers)))
        return self._books[numbers]

    def _labelled(self, labels: Mapping[str, str]) -> frozenset[int]:
        """Events that are about everybody, or about whoever carries such labels."""
        key = frozenset(labels.items())
        if key not in self._by_labels:
            chosen = ((n, self.events[n].selection) for n in self._others)
            self._by_labels[key] = frozenset(n for n, one in chosen if one.takes("", labels))
        return self._by_labels[key]
