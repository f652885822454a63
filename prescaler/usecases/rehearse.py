"""A run that leaves nothing behind: it reads what a real one would read, and keeps it in memory."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from prescaler.core.events import EventEffect
from prescaler.core.forecast import Forecast
from prescaler.core.instants import floor_to
from prescaler.core.records import HistoryVersion
from prescaler.core.series import missing_series
from prescaler.core.spans import Span
from prescaler.core.workload import Workload
from prescaler.ports import DemandStore, ForecastStore, UpliftStore, WorkloadStore
from prescaler.usecases.crowd_lore import lore_of
from prescaler.usecases.forecast_workload import ForecastPorts


@dataclass(frozen=True)
class StoredBefore:
    """What earlier runs have left; only read. The calendar needs no copy: runs do not write it."""

    workloads: WorkloadStore
    demand: DemandStore
    forecasts: ForecastStore
    uplifts: UpliftStore


def recall(
    found: StoredBefore, workloads: Iterable[Workload], ports: ForecastPorts, now: datetime
) -> None:
    """Put into empty stores in memory what earlier runs know of workloads.

    Forecasts are left out, so that the same cutoff is forecast again and can be looked at. Of a
    workload whose query has changed nothing is known: a real run would begin a new history.

    Raises:
        StoreError: by its subclass.
    """
    current = {version.name: version for version in found.workloads.current()}
    for workload in workloads:
        names = (workload.name, *workload.aliases)
        stored = next((current[name] for name in names if name in current), None)
        if stored is None or stored.fingerprint != workload.fingerprint:
            continue
        version = ports.workloads.ensure(workload, now)
        _recall_demand(workload, found.demand, stored, ports.demand, version)
        state, uplift = found.forecasts.state(stored), found.uplifts.get(stored)
        if state is not None:
            ports.forecasts.adopt(version, state)
        if uplift is not None:
            ports.lore.uplifts.put(version, uplift, now)


def _recall_demand(
    workload: Workload,
    demand: DemandStore,
    stored: HistoryVersion,
    into: DemandStore,
    version: HistoryVersion,
) -> None:
    """The forecaster's own stretch of history, at every resolution that is stored."""
    end = demand.known_until(stored)
    if end is None:
        return
    first = floor_to(end - workload.forecast.history, workload.forecast.step)
    nothing = Span(first, first)
    for part in demand.parts(stored):
        start = floor_to(first, part.resolution)
        series = demand.read(stored, start, floor_to(end, part.resolution), part.resolution)
        into.append(version, series, asked=nothing)
    for span in demand.asked(stored):
        into.append(version, missing_series(span.start, workload.demand.resolution, 0), asked=span)


def coming_effects(
    workload: Workload, forecast: Forecast, ports: ForecastPorts
) -> tuple[EventEffect, ...]:
    """What the events that are known by now do to the workload while a forecast reaches.

    Raises:
        StoreError: by its subclass.
    """
    now = forecast.issued_at
    version = ports.workloads.ensure(workload, now)
    lore = lore_of(workload, version, ports.lore, now)
    return lore.book.effects(
        workload.policy,
        forecast.first_valid_at,
        forecast.valid_until,
        now,
        lore.model(workload),
    )
