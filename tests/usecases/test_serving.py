"""From the store into memory, and back from disk on worse days."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from prescaler.adapters.memory import (
    MemoryControl,
    MemoryDecisions,
    MemoryForecasts,
    MemorySnapshot,
    MemoryWorkloads,
)
from prescaler.adapters.memory_events import MemoryEvents
from prescaler.adapters.memory_uplifts import MemoryUplifts
from prescaler.core.control import Control
from prescaler.core.decision import Status, decide
from prescaler.core.errors import (
    BadParameter,
    ChangedMeanwhile,
    StoreDamaged,
    StoreFull,
    StoreUnreachable,
    UnknownWorkload,
)
from prescaler.core.forecast import Forecast
from prescaler.core.policy import ActsAs, Mode, OnUnavailable
from prescaler.core.records import Outcome, RunStatus, ServingState, SourceFailure
from prescaler.core.uplift import UpliftModel
from prescaler.core.workload import Workload
from prescaler.usecases.change_control import (
    Change,
    ControlPorts,
    clear_override,
    freeze,
    override,
    set_mode,
    unfreeze,
)
from prescaler.usecases.log_decisions import log_decisions
from prescaler.usecases.refresh_serving import (
    ServingPorts,
    reconfigure,
    refresh_serving,
    start_serving,
)
from prescaler.usecases.serve_metric import Served, ServingTable
from tests.support.builders import MONDAY, PARIS, STEP, forecast, policy, workload
from tests.support.fakes import SetClock

NOW = MONDAY + timedelta(hours=1)
WEB = workload()
STORED = RunStatus(NOW, Outcome.STORED, last_actual=900.0, last_actual_at=NOW)


class World:
    """A table, its ports, and a way to store a forecast."""

    def __init__(self, *workloads: Workload) -> None:
        self.workloads = MemoryWorkloads()
        self.forecasts = MemoryForecasts()
        self.control = MemoryControl()
        self.snapshot = MemorySnapshot()
        self.decisions = MemoryDecisions()
        self.clock = SetClock(NOW)
        self.table = ServingTable()
        self.events = MemoryEvents()
        self.uplifts = MemoryUplifts()
        self.ports = ServingPorts(
            self.workloads,
            self.forecasts,
            self.control,
            self.snapshot,
            self.events,
            self.uplifts,
        )
        start_serving(self.table, workloads or (WEB,), {})

    def store(self, one: Workload = WEB, **changes: object) -> Forecast:
        version = self.workloads.ensure(one, NOW)
        made = replace(forecast(), workload=version.workload, version=version.number, **changes)  # type: ignore[arg-type]
        self.forecasts.save(version, STORED, made)
        return made

    def refresh(self) -> tuple[str, ...]:
        return refresh_serving(self.table, self.ports, NOW).changed

    def value(self, name: str = "web") -> float:
        return self.table.get(name).decide(NOW).value

    @property
    def control_ports(self) -> ControlPorts:
        return ControlPorts(self.clock, self.workloads, self.control)


def test_what_is_stored_is_served_after_a_refresh_and_written_to_disk() -> None:
    world = World()
    world.store()
    assert world.table.get("web").decide(NOW).reason == "warming_up"

    assert world.refresh() == ("web",)
    assert world.refresh() == ()

    assert world.value() > 0
    assert world.snapshot.load()["web"].forecast is not None


def test_a_newer_forecast_replaces_the_older_and_never_the_other_way_round() -> None:
    world = World()
    first = world.store()
    world.refresh()
    world.store(cutoff=first.cutoff + STEP)
    world.refresh()
    world.ports = replace(world.ports, forecasts=MemoryForecasts())

    world.refresh()

    held = world.table.get("web").state.forecast
    assert held is not None
    assert held.cutoff == first.cutoff + STEP


def test_no_forecast_says_why_and_what_to_do() -> None:
    world = World()
    version = world.workloads.ensure(WEB, NOW)
    failure = SourceFailure("several_series", "2 series; use sum(...)")
    little = RunStatus(NOW, Outcome.TOO_LITTLE_HISTORY, "5.0 h of history, 48 h are needed")
    world.forecasts.save(version, little)
    world.refresh()
    first = world.table.get("web").decide(NOW)
    world.forecasts.save(version, replace(little, source_failure=failure))
    world.refresh()
    second = world.table.get("web").decide(NOW)

    assert (first.reason, first.detail) == ("too_little_history", little.detail)
    assert (second.reason, second.detail) == ("too_little_history", failure.text)


def test_a_dead_store_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.store()
    world.refresh()
    before = world.value()

    def dead() -> Mapping[int, RunStatus]:
        raise StoreUnreachable("gone")

    monkeypatch.setattr(world.forecasts, "statuses", dead)
    record = refresh_serving(world.table, world.ports, NOW)

    assert isinstance(record.failure, StoreUnreachable)
    assert world.value() == before


def test_a_damaged_forecast_keeps_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    first = world.store()
    world.refresh()
    world.store(cutoff=first.cutoff + STEP)

    def damaged(*_: object) -> Forecast:
        raise StoreDamaged("cannot be read")

    monkeypatch.setattr(world.forecasts, "latest", damaged)
    record = refresh_serving(world.table, world.ports, NOW)

    assert record.damaged == ("web",)
    assert world.table.get("web").state.forecast is first


def test_a_snapshot_that_cannot_be_written_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.store()

    def full(*_: object) -> None:
        raise StoreFull("no space")

    monkeypatch.setattr(world.snapshot, "save", full)
    record = refresh_serving(world.table, world.ports, NOW)

    assert isinstance(record.snapshot_failure, StoreFull)
    assert world.value() > 0


def test_a_restart_serves_the_snapshot_before_the_store_is_asked() -> None:
    world = World()
    world.store()
    world.refresh()
    table = ServingTable()

    record = start_serving(table, [WEB], world.snapshot.load())

    assert record.changed == ("web",)
    assert table.get("web").decide(NOW).value == world.value()


def test_a_snapshot_of_another_query_is_not_served() -> None:
    world = World()
    world.store()
    world.refresh()
    other = replace(WEB, demand=replace(WEB.demand, query="sum(other)"))
    table = ServingTable()

    start_serving(table, [other], world.snapshot.load())

    assert table.get("web").decide(NOW).status is Status.NEUTRAL


def test_a_changed_query_waits_for_its_own_forecast() -> None:
    world = World()
    world.store()
    world.refresh()
    other = replace(WEB, demand=replace(WEB.demand, query="sum(other)"))

    record = reconfigure(world.table, [other])
    world.refresh()

    assert record.changed == ("web",)
    assert world.table.get("web").decide(NOW).status is Status.NEUTRAL
    world.store(other)
    world.refresh()
    assert world.value() > 0


def test_another_policy_keeps_the_forecast() -> None:
    world = World()
    world.store()
    world.refresh()

    reconfigure(world.table, [replace(WEB, policy=policy(mode=Mode.SHADOW))])

    found = world.table.get("web").decide(NOW)
    assert (found.value, found.reason) == (0.0, "shadow")
    assert found.would_serve > 0


def test_a_workload_that_is_gone_is_unknown_and_a_new_one_warms_up() -> None:
    world = World()
    record = reconfigure(world.table, [workload(name="api")])

    assert record.changed == ("api", "web")
    with pytest.raises(UnknownWorkload, match="no workload 'web'"):
        world.table.get("web")
    assert world.table.get("api").decide(NOW).reason == "warming_up"


def test_a_table_knows_whether_it_was_ever_filled() -> None:
    empty, filled = ServingTable(), ServingTable()
    start_serving(filled, [], {"gone": ServingState()})

    assert not empty.loaded
    assert filled.loaded
    assert len(filled) == 0


def change(revision: int | None = None, reason: str = "match night", hours: float = 2) -> Change:
    return Change("ada", reason, NOW + timedelta(hours=hours), revision)


def test_people_set_and_clear_and_everything_is_audited() -> None:
    world = World()
    world.store()
    world.refresh()
    before = world.value()

    def served() -> Served:
        return world.table.get("web")

    set_mode(served(), Mode.SHADOW, change(), world.control_ports)
    world.refresh()
    assert world.value() == 0
    set_mode(served(), Mode.ACTIVE, change(), world.control_ports)
    world.refresh()
    assert served().state.control.mode is None
    freeze(served(), change(), world.control_ports)
    world.refresh()
    assert served().decide(NOW).status is Status.FROZEN
    assert world.value() == before
    override(served(), None, 125, change(), world.control_ports)
    world.refresh()
    assert world.value() == 125 * 80
    clear_override(served(), change(), world.control_ports)
    world.refresh()
    unfreeze(served(), change(), world.control_ports)
    world.refresh()
    assert served().decide(NOW).status is Status.ACTIVE

    actions = [entry.action for entry in world.control.recent(10)]
    assert actions == ["mode", "mode", "freeze", "override", "clear override", "unfreeze"][::-1]
    assert all(e.reason == "match night" for e in world.control.recent(10))


def test_a_change_from_what_is_no_longer_there_is_refused() -> None:
    world = World()
    served = world.table.get("web")
    set_mode(served, Mode.ACTIVE, change(0), world.control_ports)
    world.store()
    world.refresh()

    with pytest.raises(ChangedMeanwhile):
        set_mode(world.table.get("web"), Mode.OFF, change(0), world.control_ports)
    set_mode(world.table.get("web"), Mode.OFF, change(1), world.control_ports)


@pytest.mark.parametrize(
    ("load", "pods"),
    [(None, None), (1.0, 1), (-1.0, None), (float("nan"), None), (float("inf"), None), (None, -1),
     (None, 10**9), (1e300, None)],
)  # fmt: skip
def test_an_impossible_override_is_refused(load: float | None, pods: int | None) -> None:
    world = World()
    with pytest.raises(BadParameter):
        override(world.table.get("web"), load, pods, change(), world.control_ports)


@pytest.mark.parametrize("wrong", [change(reason=" "), change(reason="x" * 3000), change(hours=-1)])
def test_a_change_without_reason_or_with_an_end_in_the_past_is_refused(wrong: Change) -> None:
    world = World()
    with pytest.raises(BadParameter):
        freeze(world.table.get("web"), wrong, world.control_ports)


def test_only_changes_of_decision_are_logged() -> None:
    world = World()
    world.store()
    world.refresh()
    version = world.workloads.ensure(WEB, NOW)

    first = log_decisions(world.table, {}, world.decisions, world.control, NOW)
    again = log_decisions(
        world.table, first.newest, world.decisions, world.control, NOW + timedelta(seconds=15)
    )
    later = log_decisions(
        world.table, again.newest, world.decisions, world.control, NOW + timedelta(minutes=5)
    )

    assert (first.written, again.written, later.written) == (1, 0, 1)
    entries = world.decisions.between(version.workload, NOW, NOW + timedelta(hours=1))
    assert [entry.since for entry in entries] == [NOW, NOW + timedelta(minutes=5)]
    assert entries[0].stages[0][0] == "median"


def test_a_workload_that_was_never_stored_is_not_logged() -> None:
    world = World()

    record = log_decisions(world.table, {}, world.decisions, world.control, NOW)

    assert record.written == 0


def test_the_last_valid_value_is_kept_for_those_who_may_hold_it() -> None:
    holder = workload(name="holder", policy=policy(on_unavailable=OnUnavailable.HOLD))
    world = World(WEB, holder)
    for one in (WEB, holder):
        world.store(one)
    world.refresh()

    log_decisions(world.table, {}, world.decisions, world.control, NOW)
    world.refresh()

    kept = world.table.get("holder").state.control
    assert kept.last_valid is not None
    assert kept.last_valid.value == pytest.approx(world.value("holder"))
    assert kept.revision == 0
    assert world.table.get("web").state.control == Control()


def test_a_scaledobject_with_another_target_gets_other_floors() -> None:
    world = World(workload(policy=policy(min_pods=10)))
    served = world.table.get("web").with_target(50)

    assert served.decide(NOW).value == 500.0
    assert world.table.get("web").decide(NOW).value == 800.0


def test_the_requirement_is_worked_out_once() -> None:
    world = World()
    world.store()
    world.refresh()
    served = world.table.get("web")

    found = served.requirement(NOW)
    assert found is not None
    assert found is served.requirement(NOW)
    assert np.isfinite(found.parts).all()


def test_curves_learnt_after_a_forecast_was_made_wait_for_the_next_one() -> None:
    world = World()
    first = world.store()
    version = world.workloads.ensure(WEB, NOW)
    world.refresh()
    early = UpliftModel.empty(STEP, PARIS)
    world.uplifts.put(version, early, first.issued_at + STEP)

    world.refresh()
    assert world.table.get("web").state.uplift is None

    world.store(cutoff=first.cutoff + STEP, issued_at=first.issued_at + STEP)
    world.refresh()
    held = world.table.get("web").state.uplift
    assert held is not None
    assert held.model is early

    world.uplifts.put(version, UpliftModel.empty(STEP, PARIS), first.issued_at + 3 * STEP)
    world.refresh()
    assert world.table.get("web").state.uplift is held


@pytest.mark.parametrize("second", [0, 7, 151, 299, 1799])
def test_growth_is_that_of_the_very_instant(second: int) -> None:
    rise = forecast(800.0 + 700.0 * np.sin(np.arange(600) / 30.0))
    own = replace(WEB, policy=policy(acts_as=ActsAs.GROWTH))
    served = Served(own, ServingState(forecast=rise))
    at = NOW + timedelta(seconds=second)

    assert served.decide(at) == decide(rise, (), own.policy, Control(), None, at)
    assert served.decide(at).growth > 1
    later = at + timedelta(minutes=6)
    assert served.decide(later) == decide(rise, (), own.policy, Control(), None, later)
    assert Served(own, ServingState()).decide(at).growth == 1.0
