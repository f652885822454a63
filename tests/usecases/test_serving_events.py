"""Planned events in what is served: taken over, known in time, kept on worse days."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta

import numpy as np

from prescaler.adapters.memory import (
    MemoryControl,
    MemoryDecisions,
    MemoryForecasts,
    MemorySnapshot,
    MemoryWorkloads,
)
from prescaler.adapters.memory_events import MemoryEvents
from prescaler.adapters.memory_uplifts import MemoryUplifts
from prescaler.core.calendar import Window
from prescaler.core.errors import StoreDamaged, StoreFull
from prescaler.core.event_records import EventWrite
from prescaler.core.explain import explain
from prescaler.core.instants import to_epoch
from prescaler.core.plan import plan
from prescaler.core.planned import Effect, EventState, PlannedEvent, Selection
from prescaler.core.records import AuditEntry, Outcome, RunStatus
from prescaler.core.workload import Workload
from prescaler.usecases.log_decisions import log_decisions
from prescaler.usecases.refresh_serving import (
    RefreshRecord,
    ServingPorts,
    reconfigure,
    refresh_serving,
    start_serving,
)
from prescaler.usecases.serve_metric import Served, ServingTable
from tests.support.builders import DAY, MONDAY, event, forecast, policy, workload

HOUR = timedelta(hours=1)
KICK_OFF = MONDAY + 44 * HOUR
EVENING = Window(frozenset(range(7)), time(19, 30), time(23, 30), 40)


class _Unreadable(MemoryEvents):
    broken = False

    def acting_from(self, instant: datetime) -> Sequence[PlannedEvent]:
        if self.broken:
            raise StoreDamaged("the stored event 7 cannot be read back")
        return super().acting_from(instant)


class World:
    """Serving on memory."""

    def __init__(self, *workloads: Workload) -> None:
        self.events = _Unreadable()
        self.ports = ServingPorts(
            MemoryWorkloads(),
            MemoryForecasts(),
            MemoryControl(),
            MemorySnapshot(),
            self.events,
            MemoryUplifts(),
        )
        self.table = ServingTable()
        start_serving(self.table, workloads or (workload(),), {})

    def plan(self, *events: PlannedEvent) -> None:
        entry = AuditEntry(MONDAY, "ada", "create event", "event", "why", None, None)
        self.events.write([EventWrite(one, entry) for one in events])

    def refresh(self, now: datetime = MONDAY) -> RefreshRecord:
        return refresh_serving(self.table, self.ports, now)

    def forecast(self) -> None:
        version = self.ports.workloads.ensure(workload(), MONDAY)
        made = replace(forecast(np.full(600, 800.0)), workload=version.workload)
        self.ports.forecasts.save(version, RunStatus(MONDAY, Outcome.STORED), made)

    @property
    def web(self) -> Served:
        return self.table.get("web")


def test_an_event_needs_no_forecast_for_its_minimum_pods() -> None:
    world = World()
    world.plan(event(effect=Effect(min_pods=125)))
    record = world.refresh()

    assert record.changed == ("web",)
    assert world.web.decide(KICK_OFF).pods == 125
    # Six syncs from 1 pod, 60 s for a pod and 240 s for a node: asked for, to be ready by then.
    asked = KICK_OFF - timedelta(seconds=390)
    assert world.web.decide(asked).pods == 125
    assert world.web.decide(asked - timedelta(seconds=1)).pods == 0


def test_a_factor_raises_the_plan_and_is_ready_before_the_start() -> None:
    world = World()
    world.forecast()
    world.refresh()
    quiet = world.web.decide(KICK_OFF).value
    world.plan(event(effect=Effect(factor=3.0)))
    world.refresh()

    assert world.web.decide(KICK_OFF).value > 2.9 * quiet
    assert world.web.decide(KICK_OFF - timedelta(minutes=4)).value > 2.9 * quiet
    assert world.web.decide(KICK_OFF - 2 * HOUR).value == quiet


def test_the_table_says_what_plan_says_at_every_minute() -> None:
    windowed = workload(policy=policy(windows=(EVENING,), min_pods=3))
    world = World(windowed)
    world.forecast()
    world.plan(
        event(effect=Effect(factor=2.0, ramp_before=HOUR / 3)),
        event(effect=Effect(min_pods_factor=3.0), start=KICK_OFF + HOUR, end=KICK_OFF + 5 * HOUR),
    )
    world.refresh()
    minutes = to_epoch(KICK_OFF - 3 * HOUR) + 60 * np.arange(60 * 10, dtype=np.int64)
    effects = world.web.effects(MONDAY, MONDAY + 3 * DAY, MONDAY)
    wanted = plan(world.web.state.forecast, effects, windowed.policy, minutes)

    found = world.web.plan(minutes, MONDAY)

    np.testing.assert_array_equal(found.load, wanted.load)
    for index in range(0, len(minutes), 7):
        at = KICK_OFF - 3 * HOUR + timedelta(minutes=index)
        assert world.web.decide(at).would_serve == round(float(wanted.load[index]), 3)


def test_nothing_acts_before_it_is_known() -> None:
    world = World()
    late = event(effect=Effect(min_pods=50), known_from=KICK_OFF + timedelta(minutes=30))
    world.plan(late, event(state=EventState.DRAFT, effect=Effect(min_pods=99)))
    world.refresh()

    assert world.web.decide(KICK_OFF + timedelta(minutes=29)).pods == 0
    assert world.web.decide(KICK_OFF + timedelta(minutes=30)).pods == 50


def test_only_the_workloads_that_are_meant_change() -> None:
    world = World(workload(), workload(name="api"))
    before = world.table.get("api")
    world.plan(event(selection=Selection(names=frozenset({"web"}))))

    assert world.refresh().changed == ("web",)
    assert world.table.get("api") is before
    assert world.refresh().changed == ()


def test_a_cancelled_event_acts_no_more() -> None:
    world = World()
    match = event(effect=Effect(min_pods=125))
    world.plan(match)
    world.refresh()
    world.plan(replace(match, state=EventState.CANCELLED, revision=1))
    world.refresh()

    assert world.web.decide(KICK_OFF).pods == 0


def test_a_restart_with_a_dead_store_still_knows_the_match() -> None:
    world = World()
    world.plan(event(effect=Effect(min_pods=125)))
    world.refresh()
    table = ServingTable()
    snapshot = world.ports.snapshot

    start_serving(table, [workload()], snapshot.load(), snapshot.load_events())

    assert table.get("web").decide(KICK_OFF).pods == 125


def test_a_new_workload_gets_the_events_that_are_known() -> None:
    world = World()
    world.plan(event(effect=Effect(min_pods=125)))
    world.refresh()

    reconfigure(world.table, [workload(), workload(name="api")])

    assert world.table.get("api").decide(KICK_OFF).pods == 125


def test_events_that_cannot_be_read_leave_those_known_before() -> None:
    world = World()
    world.plan(event(effect=Effect(min_pods=125)))
    world.refresh()
    world.plan(event(effect=Effect(min_pods=200)))
    world.events.broken = True

    record = world.refresh()

    assert isinstance(record.events_failure, StoreDamaged)
    assert world.web.decide(KICK_OFF).pods == 125
    world.events.broken = False
    assert world.refresh().changed == ("web",)
    assert world.web.decide(KICK_OFF).pods == 200


def test_a_snapshot_that_cannot_be_written_stops_nothing() -> None:
    world = World()
    world.plan(event(effect=Effect(min_pods=125)))

    class Full(MemorySnapshot):
        def save_events(self, events: Sequence[PlannedEvent], now: datetime) -> None:
            raise StoreFull("no space left")

    world.ports = replace(world.ports, snapshot=Full())
    record = world.refresh()

    assert isinstance(record.snapshot_failure, StoreFull)
    assert world.web.decide(KICK_OFF).pods == 125


def test_a_scaledobject_with_another_target_has_the_same_events() -> None:
    world = World()
    world.plan(event(effect=Effect(min_pods=10)))
    world.refresh()

    assert world.web.with_target(50).decide(KICK_OFF).value == 500.0


def test_what_is_behind_a_decision_is_kept_and_makes_no_other_one() -> None:
    world = World()
    world.forecast()
    world.plan(event(name="final", effect=Effect(min_pods=125)))
    world.refresh()
    kept, log = MemoryDecisions(), world.ports.controls
    assert isinstance(log, MemoryControl)

    first = log_decisions(world.table, {}, kept, log, KICK_OFF)
    again = log_decisions(world.table, first.newest, kept, log, KICK_OFF + timedelta(seconds=15))

    assert (first.written, again.written) == (1, 0)
    (entry,) = first.newest.values()
    notes = {name: note for name, _, note in entry.stages}
    assert notes["floor"] == "final: 125 pods"
    told = explain(entry, 80.0, world.web.policy.timezone, KICK_OFF)
    assert "at least the declared floors (final: 125 pods)" in [s.text for s in told.stages]
