"""Planned events as people declare them: when, which workloads, how much, known since when."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo


class EventState(StrEnum):
    """Only confirmed events act."""

    DRAFT = "draft"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"


class Stack(StrEnum):
    """How an event meets others at the same instant: the higher wins, or the factors multiply."""

    MAX = "max"
    MULTIPLY = "multiply"


@dataclass(frozen=True)
class Selection:
    """Which workloads an event is about: all, or those of these names or with all these labels."""

    everything: bool = False
    names: frozenset[str] = frozenset()
    labels: Mapping[str, str] = field(default_factory=dict)

    def takes(self, name: str, labels: Mapping[str, str], aliases: Collection[str] = ()) -> bool:
        """Whether a workload is meant. aliases: what it was called before."""
        labelled = bool(self.labels) and self.labels.items() <= labels.items()
        named = name in self.names or not self.names.isdisjoint(aliases)
        return self.everything or named or labelled


@dataclass(frozen=True)
class Effect:
    """What an event declares.

    factor: times ordinary demand (None: not declared). added: load units on top. min_pods: a
    declared floor. min_pods_factor: times the minimum of the workload's windows; such an event
    replaces the windows while it lasts.
    """

    factor: float | None = None
    added: float = 0.0
    min_pods: int = 0
    min_pods_factor: float | None = None
    ramp_before: timedelta = timedelta(0)
    ramp_after: timedelta = timedelta(0)
    stack: Stack = Stack.MAX


@dataclass(frozen=True)
class PlannedEvent:
    """One entry of the calendar, with its recurrence.

    start, end: the first occurrence, UTC. timezone: in which a recurrence keeps its civil time.
    rule: an RFC 5545 RRULE without its name; exceptions: starts that do not take place.
    known_from: nothing may use the event before that instant (None: always known). known_until: a
    form that the event had before it was changed then; never stored (None: it is as it is).
    """

    id: UUID
    name: str
    kind: str
    start: datetime
    end: datetime
    timezone: ZoneInfo
    selection: Selection
    effect: Effect
    state: EventState = EventState.CONFIRMED
    known_from: datetime | None = None
    known_until: datetime | None = None
    rule: str | None = None
    exceptions: frozenset[datetime] = frozenset()
    labels: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    source: str = "api"
    revision: int = 0


@dataclass(frozen=True)
class Occurrence:
    """One time that an event takes place, [start, end), UTC."""

    event: PlannedEvent
    start: datetime
    end: datetime
