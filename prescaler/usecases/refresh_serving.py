"""Bring what is served up to what is stored; keep a copy on local disk for worse days."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from prescaler.core.control import Control
from prescaler.core.errors import StoreDamaged, StoreError
from prescaler.core.event_book import EventBook, EventIndex
from prescaler.core.planned import PlannedEvent
from prescaler.core.records import HistoryVersion, RunStatus, ServingState, StoredUplift
from prescaler.core.workload import Workload
from prescaler.ports import EventStore, ForecastStore, SnapshotStore, UpliftStore, WorkloadStore
from prescaler.ports.control import ControlStore
from prescaler.usecases.serve_metric import Served, ServingTable

_NOTHING: Final = ServingState()
_KEEP_PAST: Final = timedelta(days=2)
"""How long an event that is over stays in memory: pages look back at last night."""


@dataclass(frozen=True)
class ServingPorts:
    """What serving needs of the world."""

    workloads: WorkloadStore
    forecasts: ForecastStore
    controls: ControlStore
    snapshot: SnapshotStore
    events: EventStore
    uplifts: UpliftStore


@dataclass(frozen=True)
class RefreshRecord:
    """What a refresh did: names whose state changed, and why the store could not be read.

    damaged: names whose newest forecast cannot be read back; they keep the one they had.
    snapshot_failure: why no copy was kept; serving goes on. events_failure: why the planned
    events could not be read; those known before stay.
    """

    changed: tuple[str, ...] = ()
    failure: StoreError | None = None
    damaged: tuple[str, ...] = ()
    snapshot_failure: StoreError | None = None
    events_failure: StoreError | None = None


def start_serving(
    table: ServingTable,
    workloads: Sequence[Workload],
    saved: Mapping[str, ServingState],
    events: Sequence[PlannedEvent] = (),
) -> RefreshRecord:
    """Serve from a snapshot before anything else is asked: the store may be down."""
    table.calendar = EventIndex(events)
    return _serve(table, workloads, saved)


def reconfigure(table: ServingTable, workloads: Sequence[Workload]) -> RefreshRecord:
    """Serve another set of workloads; those that stay keep what is known of them."""
    before = {served.workload.name: served.workload for served in table}
    _serve(table, workloads, {s.workload.name: s.state for s in table})
    after = {workload.name: workload for workload in workloads}
    names = before.keys() | after.keys()
    return RefreshRecord(tuple(sorted(n for n in names if before.get(n) != after.get(n))))


def _serve(
    table: ServingTable, workloads: Sequence[Workload], saved: Mapping[str, ServingState]
) -> RefreshRecord:
    states = {w.name: _still_meant(w, saved.get(w.name, _NOTHING)) for w in workloads}
    table.replace(
        {w.name: Served(w, states[w.name], book=_book(table.calendar, w)) for w in workloads}
    )
    return RefreshRecord(tuple(n for n, state in states.items() if state is not _NOTHING))


def refresh_serving(table: ServingTable, ports: ServingPorts, now: datetime) -> RefreshRecord:
    """Take over what other replicas and the scheduler have stored.

    If the store cannot be read, everything stays as it is: the last good state keeps serving.
    """
    try:
        stored = _Stored(
            {version.name: version for version in ports.workloads.current()},
            ports.forecasts.newest_cutoffs(),
            ports.forecasts.statuses(),
            ports.controls.all(),
            ports.uplifts.learned(),
        )
        following, damaged = _following(table, stored, ports)
    except StoreError as failure:
        return RefreshRecord(failure=failure)
    calendar, events_failure = _calendar(table, ports.events, now)
    if calendar is not None:
        following = {
            name: served.with_book(_book(calendar.index, served.workload))
            for name, served in following.items()
        }
    changed = tuple(s.workload.name for s in table if following[s.workload.name] is not s)
    if changed:
        table.replace(following)
    record = RefreshRecord(changed, damaged=damaged, events_failure=events_failure)
    try:
        if calendar is not None:
            table.calendar, table.calendar_revision = calendar.index, calendar.revision
            ports.snapshot.save_events(calendar.index.events, now)
        if changed:
            ports.snapshot.save({name: following[name].state for name in changed}, now)
    except StoreError as failure:
        return replace(record, snapshot_failure=failure)
    return record


@dataclass(frozen=True)
class _Calendar:
    index: EventIndex
    revision: int


def _calendar(
    table: ServingTable, events: EventStore, now: datetime
) -> tuple[_Calendar | None, StoreError | None]:
    """The planned events where they changed; a calendar that cannot be read changes nothing."""
    try:
        revision = events.revision()
        if revision == table.calendar_revision:
            return None, None
        return _Calendar(EventIndex(events.acting_from(now - _KEEP_PAST)), revision), None
    except StoreError as failure:
        return None, failure


def _book(calendar: EventIndex, workload: Workload) -> EventBook:
    return calendar.book(workload.name, workload.labels, workload.aliases)


@dataclass(frozen=True)
class _Stored:
    """What the store knows, without the forecasts themselves."""

    versions: Mapping[str, HistoryVersion]
    cutoffs: Mapping[int, datetime]
    statuses: Mapping[int, RunStatus]
    controls: Mapping[UUID, Control]
    learned: Mapping[int, datetime]


def _following(
    table: ServingTable, stored: _Stored, ports: ServingPorts
) -> tuple[dict[str, Served], tuple[str, ...]]:
    """The next table, and the workloads whose newest forecast cannot be read."""
    following, damaged = {}, []
    for served in table:
        name = served.workload.name
        try:
            following[name] = _brought_up(served, stored, ports)
        except StoreDamaged:
            following[name] = served
            damaged.append(name)
    return following, tuple(damaged)


def _brought_up(served: Served, stored: _Stored, ports: ServingPorts) -> Served:
    """The same object where nothing changed, so that whoever compares need not look inside."""
    version = stored.versions.get(served.workload.name)
    if version is None or version.fingerprint != served.workload.fingerprint:
        return served
    state = ServingState(
        version=version,
        forecast=served.state.forecast,
        control=stored.controls.get(version.workload, _NOTHING.control),
        status=stored.statuses.get(version.id),
        uplift=served.state.uplift,
    )
    # A forecast is good until its end: an emptied or restored database takes none away.
    cutoff, known = stored.cutoffs.get(version.id), state.forecast
    if cutoff is not None and (known is None or known.cutoff < cutoff):
        state = replace(state, forecast=ports.forecasts.latest(version))
    learned = stored.learned.get(version.id)
    if learned is not None and _is_next(learned, state):
        model = ports.uplifts.get(version)
        state = replace(state, uplift=StoredUplift(learned, model) if model is not None else None)
    return served if state == served.state else replace(served, state=state)


def _is_next(learned: datetime, state: ServingState) -> bool:
    """Whether curves learnt at an instant are to be served.

    A forecast issued before they were learnt may have in it, as pattern, the crowd that they would
    put on top: they wait for the next one.
    """
    if state.uplift is not None and state.uplift.learned_at >= learned:
        return False
    return state.forecast is None or state.forecast.issued_at >= learned


def _still_meant(workload: Workload, state: ServingState) -> ServingState:
    """What is known of a workload, unless its history now means something else."""
    if state.version is None or state.version.fingerprint == workload.fingerprint:
        return state
    return replace(_NOTHING, control=state.control)
