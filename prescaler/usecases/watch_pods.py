"""Look at the pods: how many run, how long they take to start, and whether the next raise is late.

Every replica looks for itself. An answer may rest on a count of the last 60 s only; through the
store each count would be a write every 15 s per workload, and a dead leader would blind everyone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from prescaler.core.decision import PODS_FRESH
from prescaler.core.errors import SourceError
from prescaler.core.instants import floor_to
from prescaler.core.lead_time import Late, MeasuredStarts, unreachable
from prescaler.core.records import SourceFailure
from prescaler.core.workload import PodQuery
from prescaler.ports import PodSource
from prescaler.usecases.serve_metric import Served, ServingTable

_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True)
class PodsRecord:
    """What a look gave: workloads asked about, counted, and why a source said nothing."""

    asked: int
    counted: int
    failures: Mapping[str, SourceFailure] = field(default_factory=dict)


def look_at_pods(
    table: ServingTable, sources: Mapping[str, PodSource], now: datetime
) -> PodsRecord:
    """Count the pods of every workload that wants it, one source after the other.

    What a failing source last said stays, with its instant: 60 s later nobody believes it.
    """
    counted, failures = 0, {}
    asked = _by_source(table)
    for name, queries in asked.items():
        source = sources.get(name)
        if source is None:
            continue
        try:
            found = source.running({s.workload.name: q for s, q in queries}, now)
        except SourceError as error:
            failures[name] = SourceFailure(error.kind, str(error))
            continue
        for served, _ in queries:
            count = found.get(served.workload.name)
            if count is not None:
                served.sighting.pods, counted = count, counted + 1
    return PodsRecord(sum(map(len, asked.values())), counted, failures)


def judge_raises(table: ServingTable, now: datetime) -> Mapping[str, Late]:
    """Note for every workload whether its next raise can still be in time; gives what is news.

    It starts from the pods that run, else from those that were asked for at the last look: what
    was not asked for then was not known.
    """
    news = {}
    for served in table:
        pods, before = served.asked(served.decide(now)), served.sighting.late
        served.sighting.late = late = _late(served, now)
        served.sighting.asked = pods
        if late is not None and (before is None or before.at != late.at):
            news[served.workload.name] = late
    return news


def measure_starts(
    table: ServingTable, sources: Mapping[str, PodSource], now: datetime
) -> tuple[dict[str, MeasuredStarts], dict[str, SourceFailure]]:
    """Start times over the day before the last whole hour, by workload that wants them.

    Whole hours, so that all replicas ask, and answer by, the same. Of what fails nothing is said:
    the values before it, or the configured ones, stay.
    """
    found: dict[str, MeasuredStarts] = {}
    failures: dict[str, SourceFailure] = {}
    for name, queries in _by_source(table).items():
        source = sources.get(name)
        for served, query in queries:
            if source is None or not query.measure_starts or name in failures:
                continue
            try:
                found[served.workload.name] = source.starts(query, floor_to(now, _HOUR))
            except SourceError as error:
                failures[name] = SourceFailure(error.kind, str(error))
    return found, failures


def _by_source(table: ServingTable) -> dict[str, Sequence[tuple[Served, PodQuery]]]:
    found: dict[str, list[tuple[Served, PodQuery]]] = {}
    for served, query in _asked(table):
        found.setdefault(query.source, []).append((served, query))
    return {name: tuple(rows) for name, rows in found.items()}


def _asked(table: ServingTable) -> Iterator[tuple[Served, PodQuery]]:
    for served in table:
        if served.workload.pods is not None:
            yield served, served.workload.pods


def _late(served: Served, now: datetime) -> Late | None:
    cells, seen, before = served.asking(now), served.sighting.pods, served.sighting.late
    if cells is None:
        return None
    if seen is not None and timedelta(0) <= now - seen.at < PODS_FRESH:
        return unreachable(cells, served.policy, now, seen.running)
    if served.sighting.asked is None:
        return None
    found = unreachable(cells, served.policy, now, served.sighting.asked)
    # Without a count, what was late stays late until its time has come.
    return found or (before if before is not None and now < before.at else None)
