"""What is to be played again: a workload with its stored past, or a trace from a file."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from prescaler.core.errors import NoSeries
from prescaler.core.event_book import EventBook, EventIndex
from prescaler.core.instants import floor_to, format_instant
from prescaler.core.planned import PlannedEvent
from prescaler.core.policy import (
    Capacity,
    LeadTime,
    Mode,
    OnUnavailable,
    Policy,
    StartTime,
    Tolerance,
    Unit,
)
from prescaler.core.records import HistoryVersion
from prescaler.core.replay.ground import Arm, Setting
from prescaler.core.replay.load import usual_capacity
from prescaler.core.series import Series
from prescaler.core.uplift import AROUND
from prescaler.core.workload import (
    DemandQuery,
    ForecastSettings,
    Reactive,
    ScaleTarget,
    Workload,
    stale_after,
)
from prescaler.ports import DemandStore, WorkloadStore
from prescaler.usecases.read_calendar import CalendarReader
from prescaler.usecases.replay_period import PRESENT_UTILISATION, Subject

_STEP: Final = timedelta(minutes=5)
_MOST_PODS: Final = 10_000

STARTS: Final = LeadTime(
    pod_start=StartTime(timedelta(seconds=45), timedelta(seconds=87)),
    node_start=StartTime(timedelta(minutes=3), timedelta(seconds=234)),
    spare_room=0.15,
    sync=timedelta(seconds=15),
    polling=timedelta(seconds=30),
    tolerance=Tolerance(),
    behavior=None,
)
"""Pods: lognormal, median 45 s, sigma 0.4; nodes: uniform, 2 to 4 minutes; median and 0.95."""


@dataclass(frozen=True)
class TraceFacts:
    """What a file does not say. capacity None: guessed from the trace."""

    name: str
    zone: ZoneInfo
    country: str | None = None
    capacity: float | None = None
    utilisation: float = PRESENT_UTILISATION
    lead_time: LeadTime = STARTS


def of_trace(series: Series, facts: TraceFacts, events: Sequence[PlannedEvent] = ()) -> Subject:
    """A trace, scaled by a reactive HPA today.

    Raises:
        TooLittleHistory: no capacity is given and there is no demand to guess it from.
    """
    known = series.from_first_observation()
    capacity = facts.capacity or usual_capacity(known)
    return Subject(
        workload=_workload(facts, capacity, known.step),
        series=known,
        book=EventIndex(list(events)).book(facts.name, {}),
        present=Setting(Arm.REACTIVE, facts.utilisation),
        capacity_guessed=facts.capacity is None,
    )


def _workload(facts: TraceFacts, capacity: float, resolution: timedelta) -> Workload:
    forecast = ForecastSettings(
        step=_STEP,
        history=timedelta(days=56),
        horizon=timedelta(hours=50),
        every=_STEP,
        refit=timedelta(hours=1),
        timezone=facts.zone,
        country=facts.country,
    )
    delay = timedelta(minutes=1)
    policy = Policy(
        quantile=0.95,
        hold=timedelta(minutes=5),
        mode=Mode.ACTIVE,
        cap=0.5,
        on_unavailable=OnUnavailable.ZERO,
        hold_for=timedelta(minutes=15),
        min_pods=0,
        max_pods=None,
        scale_min=1,
        stale_after=stale_after(forecast, delay),
        windows=(),
        capacity=Capacity(capacity, facts.utilisation, Unit.PODS),
        lead_time=facts.lead_time,
        timezone=facts.zone,
    )
    return Workload(
        name=facts.name,
        aliases=(),
        labels={},
        scale_target=ScaleTarget("Deployment", facts.name, "default", 1, _MOST_PODS),
        demand=DemandQuery(("main",), "demand", min(resolution, _STEP), delay),
        forecast=forecast,
        policy=policy,
        reactive=Reactive(None, None),
    )


@dataclass(frozen=True)
class SubjectPorts:
    """Where a workload's past is."""

    workloads: WorkloadStore
    demand: DemandStore
    calendar: CalendarReader


def of_workload(
    workload: Workload,
    ports: SubjectPorts,
    *,
    since: timedelta,
    until: datetime,
    more: Sequence[PlannedEvent] = (),
) -> Subject:
    """A workload and its stored past. more: events that are tried out beside the stored ones.

    Raises:
        NoSeries: nothing is stored.
        StoreError: by its subclass.
    """
    resolution = workload.demand.resolution
    end = floor_to(until, resolution)
    start = floor_to(end - since - workload.forecast.history, resolution)
    version = _version(workload, ports.workloads)
    found = ports.demand
    series = found.read(version, start, end, resolution) if version is not None else None
    if series is None or not series.observed.any():
        raise NoSeries(
            f"nothing is stored of {workload.name} from {format_instant(start)} to "
            f"{format_instant(end)}; run prescaler backfill first"
        )
    known = _until_last_observation(series.from_first_observation())
    book = ports.calendar.told(workload, start - AROUND)
    if more:
        tried = EventIndex(list(more)).book(workload.name, workload.labels)
        book = EventBook(tuple(sorted((*book.events, *tried.events), key=lambda e: e.start)))
    return Subject(
        workload=workload,
        series=known,
        book=book,
        present=present_of(workload),
        counted=workload.pods is not None,
    )


def _version(workload: Workload, store: WorkloadStore) -> HistoryVersion | None:
    """The history that the present query means; nothing is opened."""
    versions = (info.version for info in reversed(store.versions(workload.name)))
    return next((one for one in versions if one.fingerprint == workload.fingerprint), None)


def _until_last_observation(series: Series) -> Series:
    last = series.last_observation()
    end = last[0] + series.step if last is not None else series.end
    return series.between(series.start, end)


def present_of(workload: Workload) -> Setting:
    """How it is scaled today: by prescaler where its mode lets it act, else reactively."""
    policy = workload.policy
    utilisation = policy.target / policy.capacity.per_pod
    own = (workload.reactive.target or policy.target) / policy.capacity.per_pod
    if policy.mode in (Mode.ACTIVE, Mode.CAPPED):
        apart = None if math.isclose(own, utilisation) else own
        return Setting(Arm.CALENDAR, utilisation, policy.quantile, None, apart, growth=policy.grows)
    return Setting(Arm.REACTIVE, own)
