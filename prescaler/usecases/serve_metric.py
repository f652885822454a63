"""Answer KEDA from memory: what each workload is told, right now."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from types import MappingProxyType
from typing import Final

from prescaler.core.decision import Decision, decide
from prescaler.core.errors import UnknownWorkload
from prescaler.core.instants import to_epoch
from prescaler.core.plan import PlanRow, Requirement, require
from prescaler.core.plan_table import PlanTable, tabulate
from prescaler.core.policy import Policy
from prescaler.core.records import ServingState
from prescaler.core.workload import Workload

_TABLE_SECONDS: Final = 3600


@dataclass(frozen=True)
class Served:
    """One workload with all that an answer needs. target: what the ScaledObject told us."""

    workload: Workload
    state: ServingState
    target: float | None = None

    @property
    def policy(self) -> Policy:
        """The workload's policy, with the ScaledObject's own target where it told us."""
        policy = self.workload.policy
        return policy if self.target is None else policy.with_target(self.target)

    @cached_property
    def requirement(self) -> Requirement | None:
        """The forecast as cells with lead times; worked out once per forecast, not per answer."""
        forecast = self.state.forecast
        return require(forecast, (), self.policy) if forecast is not None else None

    @cached_property
    def _tables(self) -> dict[int, PlanTable]:
        """The plan of the hour that is being asked about, by that hour."""
        return {}

    def _row(self, now: datetime) -> PlanRow:
        instant = to_epoch(now)
        hour = instant // _TABLE_SECONDS
        table = self._tables.get(hour)
        if table is None:
            start, end = hour * _TABLE_SECONDS, (hour + 1) * _TABLE_SECONDS
            table = tabulate(
                self.state.forecast,
                (),
                self.policy,
                start=start,
                end=end,
                requirement=self.requirement,
            )
            self._tables.clear()
            self._tables[hour] = table
        return table.at(instant)

    def decide(self, now: datetime) -> Decision:
        """The decision at an instant (whole seconds)."""
        return decide(
            self.state.forecast,
            (),
            self.policy,
            self.state.control,
            self.state.observed,
            now,
            absence=self.state.absence,
            absence_detail=self.state.absence_detail,
            row=self._row(now),
        )

    def with_target(self, target: float) -> "Served":
        """The same for a ScaledObject that carries another target."""
        return Served(self.workload, self.state, target)


class ServingTable:
    """All workloads that are served. A change swaps the whole mapping: readers never wait."""

    def __init__(self) -> None:
        self._served: Mapping[str, Served] = MappingProxyType({})
        self._loaded = False

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
