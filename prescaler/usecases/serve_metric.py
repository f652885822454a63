"""Answer KEDA from memory: what each workload is told, right now."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from types import MappingProxyType
from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray, IntArray
from prescaler.core.carried import Carried, carried, carried_cells, carried_load
from prescaler.core.causes import causes
from prescaler.core.control import Observed
from prescaler.core.decision import Decision, decide
from prescaler.core.errors import UnknownWorkload
from prescaler.core.event_book import EMPTY_BOOK, EventBook, EventIndex
from prescaler.core.events import EventEffect
from prescaler.core.hpa import pods_for
from prescaler.core.instants import from_epoch, to_epoch
from prescaler.core.lead_time import Late, MeasuredStarts
from prescaler.core.plan import PlanCurve, PlanRow, Requirement, growth_at, plan, require
from prescaler.core.plan_table import PlanTable, tabulate
from prescaler.core.policy import Policy
from prescaler.core.records import PodCount, ServingState
from prescaler.core.workload import Workload

_TABLE_SECONDS: Final = 3600
_LOOK: Final = timedelta(hours=2)
"""Further than any lead time and hold: what is behind a decision lies within."""


class Sighting:
    """What this replica last saw of a workload's pods; the one thing here that changes in place.

    Every 15 s a count comes in: swapping the whole table for it would throw away all plans.
    late: a raise that cannot be ready in time, None where there is none. asked: pods that were
    asked for when it last looked.
    """

    __slots__ = ("asked", "late", "pods")

    def __init__(self) -> None:
        self.pods: PodCount | None = None
        self.late: Late | None = None
        self.asked: int | None = None


@dataclass(frozen=True)
class Served:
    """One workload with all that an answer needs. target: what the ScaledObject told us.

    book: the planned events that are about it. Nothing uses an event before it is known.
    starts: measured start times, where they are wanted.
    """

    workload: Workload
    state: ServingState
    target: float | None = None
    book: EventBook = EMPTY_BOOK
    starts: MeasuredStarts | None = None
    sighting: Sighting = field(default_factory=Sighting, compare=False)

    @cached_property
    def policy(self) -> Policy:
        """The workload's policy, with the ScaledObject's own target and what was measured."""
        policy = self.workload.policy
        if self.starts is not None:
            policy = replace(policy, lead_time=self.starts.applied(policy.lead_time))
        return policy if self.target is None else policy.with_target(self.target)

    @property
    def observed(self) -> Observed:
        """What was last seen of the workload and its pods."""
        seen, pods = self.state.observed, self.sighting.pods
        if pods is None:
            return seen
        return replace(seen, running_pods=pods.running, ready_pods=pods.ready, pods_at=pods.at)

    def effects(self, start: datetime, end: datetime, now: datetime) -> tuple[EventEffect, ...]:
        """What the events known at `now` do to the workload in [start, end)."""
        learnt = self.state.uplift.model if self.state.uplift is not None else None
        return self.book.effects(self.policy, start, end, now, learnt)

    def requirement(self, now: datetime) -> Requirement | None:
        """The forecast as cells with lead times; worked out once per forecast, not per answer."""
        forecast, known = self.state.forecast, self.book.known(now)
        if forecast is None:
            return None
        if known not in self._requirements:
            effects = self.effects(forecast.first_valid_at, forecast.valid_until, now)
            self._requirements[known] = require(forecast, effects, self.policy)
        return self._requirements[known]

    def asking(self, now: datetime) -> Requirement | None:
        """The cells by which more pods are asked for: those of the plan, or as growth does it."""
        cells = self.requirement(now)
        return carried_cells(cells, self.policy) if cells and self.policy.grows else cells

    def asked(self, decision: Decision) -> int:
        """Pods that KEDA is led to ask for; with growth those of live demand as last seen."""
        live = self.state.observed.last_actual
        if not self.policy.grows or live is None:
            return decision.pods
        grown = carried_load(np.array([live]), np.array([decision.growth]), self.policy)
        return max(decision.pods, pods_for(float(grown[0]), decision.target))

    def carried(self, instants: IntArray, now: datetime) -> Carried | None:
        """What growth makes of the median at instants [T]; None where it does not act."""
        cells = self.requirement(now) if self.policy.grows else None
        return carried(cells, self.policy, instants) if cells else None

    def loads(self, instants: IntArray, now: datetime) -> FloatArray:
        """[T] load that pods are asked for: the plan, or floors and what growth carries on."""
        curve, grown = self.plan(instants, now), self.carried(instants, now)
        if not self.policy.grows:
            return curve.load
        floor = curve.parts[:, -1]
        return floor if grown is None else np.asarray(np.fmax(grown.asked, floor))

    def plan(self, instants: IntArray, now: datetime) -> PlanCurve:
        """The plan at ascending instants [T] (epoch seconds), as it is known at `now`."""
        effects: tuple[EventEffect, ...] = ()
        if len(instants):
            effects = self.effects(from_epoch(int(instants[0])), from_epoch(int(instants[-1])), now)
        requirement = self.requirement(now)
        return plan(self.state.forecast, effects, self.policy, instants, requirement=requirement)

    def decide(self, now: datetime) -> Decision:
        """The decision at an instant (whole seconds)."""
        return decide(
            self.state.forecast,
            (),
            self.policy,
            self.state.control,
            self.observed,
            now,
            absence=self.state.absence,
            absence_detail=self.state.absence_detail,
            row=self._row(now),
        )

    def told(self, now: datetime) -> Decision:
        """The decision, with what is behind its stages: for those who want to know why."""
        decision, until = self.decide(now), now + _LOOK
        found = causes(now, self.requirement(now), self.effects(now, until, now), self.policy)
        stages = tuple(s._replace(note=found.get(s.name, s.note)) for s in decision.stages)
        return replace(decision, stages=stages)

    def prepare(self, now: datetime) -> None:
        """Work out the plan of the present hour, unless that is done."""
        self._row(now)

    def with_target(self, target: float) -> "Served":
        """The same for a ScaledObject that carries another target."""
        return replace(self, target=target)

    def with_starts(self, starts: MeasuredStarts | None) -> "Served":
        """The same with other start times."""
        return replace(self, starts=starts)

    def with_book(self, book: EventBook) -> "Served":
        """The same under other planned events; itself where they are the same ones."""
        same = book is self.book or book.key == self.book.key
        return self if same else replace(self, book=book)

    @cached_property
    def _requirements(self) -> dict[int, Requirement]:
        """Cells, by how many of the events that were kept back are known."""
        return {}

    @cached_property
    def _tables(self) -> dict[tuple[int, int], PlanTable]:
        """The plan of the hour that is being asked about, by that hour and what is known."""
        return {}

    @cached_property
    def _growths(self) -> dict[tuple[int, int], float]:
        """The growth of the newest second: KEDA asks for three fields of it at once."""
        return {}

    def _row(self, now: datetime) -> PlanRow:
        instant = to_epoch(now)
        key = (instant // _TABLE_SECONDS, self.book.known(now))
        table = self._tables.get(key)
        if table is None:
            start, end = key[0] * _TABLE_SECONDS, (key[0] + 1) * _TABLE_SECONDS
            table = tabulate(
                self.state.forecast,
                self.effects(from_epoch(start), from_epoch(end), now),
                self.policy,
                start=start,
                end=end,
                requirement=self.requirement(now),
            )
            self._tables.clear()
            self._tables[key] = table
        return self._grown(table.at(instant), now)

    def _grown(self, row: PlanRow, now: datetime) -> PlanRow:
        """With the growth of this very instant: it does not stand still between two rows."""
        cells = self.requirement(now) if self.policy.grows else None
        if cells is None:
            return row
        instant = to_epoch(now)
        key = (instant, self.book.known(now))
        found = self._growths.get(key)
        if found is None:
            found = float(growth_at(cells, self.policy, np.array([instant]))[0])
            self._growths.clear()
            self._growths[key] = found
        return row._replace(growth=found)


class ServingTable:
    """All workloads that are served. A change swaps the whole mapping: readers never wait.

    calendar: all planned events that may still act; calendar_revision: of the store, None before
    it was read for the first time.
    """

    def __init__(self) -> None:
        self._served: Mapping[str, Served] = MappingProxyType({})
        self._loaded = False
        self.calendar = EventIndex(())
        self.calendar_revision: int | None = None

    @property
    def loaded(self) -> bool:
        """Whether the workloads are known at all."""
        return self._loaded

    def __iter__(self) -> Iterator[Served]:
        return iter(self._served.values())

    def __len__(self) -> int:
        return len(self._served)

    def get(self, name: str) -> Served:
        """One workload.

        Raises:
            UnknownWorkload: none of that name is configured.
        """
        served = self._served.get(name)
        if served is None:
            raise UnknownWorkload(f"no workload {name[:100]!r} is configured")
        return served

    def replace(self, served: Mapping[str, Served]) -> None:
        """Serve these from now on, and no others."""
        self._served = MappingProxyType(dict(served))
        self._loaded = True
