"""The three metrics of prescaling-exporter, so that both systems can run side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from prescaler.core.hpa import pods_for
from prescaler.core.planned import EventState
from prescaler.usecases.serve_metric import Served, ServingTable

_TOO_MANY: Final = 1.1
OFF, FEWER_WANTED, ENOUGH, MORE_WANTED = 0, 9, 10, 11
"""Their codes, against an HPA target of `Value: 10`: 11 asks for a tenth more."""


@dataclass(frozen=True)
class LegacyRow:
    """One workload. code: None where the running pods are not known. least: with multiplier."""

    project: str
    deployment: str
    namespace: str
    least: int
    code: int | None


@dataclass(frozen=True)
class Legacy:
    """All workloads, and the highest multiplier of the events that last (1: none does)."""

    rows: Sequence[LegacyRow]
    multiplier: float


def legacy_metrics(table: ServingTable, now: datetime) -> Legacy:
    """What prescaling-exporter would have exposed."""
    return Legacy(
        [_row(served, now) for served in table],
        max((_multiplier(served, now) for served in table), default=1.0),
    )


def _row(served: Served, now: datetime) -> LegacyRow:
    decision, target = served.decide(now), served.workload.scale_target
    least = pods_for(decision.floor_part, decision.target)
    running = served.observed.running_pods
    code = _code(least, running) if running is not None or not least else None
    project = served.workload.labels.get("project", "")
    return LegacyRow(project, target.name, target.namespace, least, code)


def _code(least: int, running: int | None) -> int:
    if not least or running is None:
        return OFF
    if running < least:
        return MORE_WANTED
    return FEWER_WANTED if running > _TOO_MANY * least else ENOUGH


def _multiplier(served: Served, now: datetime) -> float:
    found = served.book.occurrences(now, now + timedelta(seconds=1))
    factors = [
        occurrence.event.effect.min_pods_factor or 1.0
        for occurrence in found
        if occurrence.start <= now < occurrence.end
        and occurrence.event.state is EventState.CONFIRMED
    ]
    return max(factors, default=1.0)
