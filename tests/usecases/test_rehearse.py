"""A rehearsed run knows what earlier runs have left, and leaves nothing itself."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import numpy as np
import pytest

from prescaler.adapters.memory import MemoryForecasts, MemoryWorkloads
from prescaler.adapters.memory_demand import MemoryDemand
from prescaler.adapters.memory_events import MemoryEvents
from prescaler.adapters.memory_uplifts import MemoryUplifts
from prescaler.core.event_records import EventWrite
from prescaler.core.event_text import from_plain
from prescaler.core.instants import format_instant
from prescaler.core.records import AuditEntry, Outcome
from prescaler.core.series import Series
from prescaler.core.uplift import UpliftModel
from prescaler.core.workload import Workload
from prescaler.usecases.crowd_lore import LorePorts
from prescaler.usecases.forecast_workload import ForecastPorts, forecast_workload
from prescaler.usecases.read_calendar import CalendarReader
from prescaler.usecases.rehearse import StoredBefore, coming_effects, recall
from tests.support.builders import DAY, MINUTE, MONDAY, STEP, daily_demand, workload
from tests.support.fakes import PlayedSource, SetClock

WEB = workload()
HOUR = timedelta(hours=1)


class World:
    """A store that has seen 28 days, and a source that keeps the last two only."""

    def __init__(self) -> None:
        self.clock = SetClock(MONDAY + 2 * MINUTE)
        self.workloads, self.demand = MemoryWorkloads(), MemoryDemand()
        self.forecasts, self.uplifts = MemoryForecasts(), MemoryUplifts()
        self.events = MemoryEvents()
        played = daily_demand(30, step=MINUTE)
        self.run(PlayedSource(MONDAY - 28 * DAY, played))
        self.short = PlayedSource(MONDAY - 2 * DAY, played[26 * 1440 :])

    def run(self, source: PlayedSource) -> None:
        lore = LorePorts(CalendarReader(self.events), self.uplifts)
        ports = ForecastPorts(self.clock, source, self.workloads, self.demand, self.forecasts, lore)
        assert forecast_workload(WEB, ports).outcome is Outcome.STORED

    def blank(self) -> ForecastPorts:
        lore = LorePorts(CalendarReader(self.events), MemoryUplifts())
        return ForecastPorts(
            self.clock, self.short, MemoryWorkloads(), MemoryDemand(), MemoryForecasts(), lore
        )

    def rehearsed(self, one: Workload = WEB) -> ForecastPorts:
        ports = self.blank()
        before = StoredBefore(self.workloads, self.demand, self.forecasts, self.uplifts)
        recall(before, [one], ports, self.clock.now())
        return ports

    def plan(self, start_in: timedelta, factor: float) -> None:
        start = MONDAY + start_in
        plain = {
            "name": "Semi-final",
            "start": format_instant(start),
            "end": format_instant(start + 2 * HOUR),
            "workloads": ["web"],
            "factor": factor,
        }
        event = from_plain(plain, uuid4())
        entry = AuditEntry(MONDAY, "ada", "create event", str(event.id), "", None, None)
        self.events.write([EventWrite(event, entry)])


def history(ports: ForecastPorts) -> Series:
    version = ports.workloads.ensure(WEB, MONDAY)
    return ports.demand.on_grid(version, MONDAY - 28 * DAY, MONDAY, STEP)


def test_a_rehearsal_forecasts_from_the_stored_history_and_fit() -> None:
    world = World()
    version = world.workloads.ensure(WEB, MONDAY)
    real = world.forecasts.latest(version)
    ports = world.rehearsed()

    record = forecast_workload(WEB, ports)

    assert (record.outcome, record.cutoff, record.refitted) == (
        Outcome.STORED,
        MONDAY - STEP,
        False,
    )
    assert record.forecast is not None
    assert real is not None
    np.testing.assert_allclose(record.forecast.values, real.values, rtol=1e-6)
    assert history(ports).observed.all()
    assert world.forecasts.cutoffs(version, MONDAY - DAY, MONDAY + DAY) == [MONDAY - STEP]


def test_without_what_is_stored_only_the_source_is_known() -> None:
    world = World()
    ports = world.blank()

    record = forecast_workload(WEB, ports)

    assert record.refitted
    assert int(history(ports).observed.sum()) == 2 * 288


def test_of_a_changed_query_nothing_is_recalled() -> None:
    world = World()
    other = replace(WEB, demand=replace(WEB.demand, query="sum(other)"))

    ports = world.rehearsed(other)

    assert not ports.workloads.current()


def test_a_renamed_workload_keeps_its_history() -> None:
    world = World()
    renamed = replace(WEB, name="player", aliases=("web",))

    ports = world.rehearsed(renamed)

    version = ports.workloads.ensure(renamed, MONDAY)
    assert ports.demand.known_until(version) == world.demand.known_until(
        world.workloads.ensure(WEB, MONDAY)
    )


def test_what_crowds_have_taught_is_recalled() -> None:
    world = World()
    settings = WEB.forecast
    taught = UpliftModel.empty(settings.step, settings.timezone, settings.country)
    world.uplifts.put(world.workloads.ensure(WEB, MONDAY), taught, MONDAY)

    ports = world.rehearsed()

    assert ports.lore.uplifts.get(ports.workloads.ensure(WEB, MONDAY)) is taught


@pytest.mark.parametrize(("start", "named"), [(5 * HOUR, ["Semi-final"]), (60 * HOUR, [])])
def test_planned_events_act_while_the_forecast_reaches(start: timedelta, named: list[str]) -> None:
    world = World()
    world.plan(start, 3.0)
    ports = world.rehearsed()
    record = forecast_workload(WEB, ports)
    assert record.forecast is not None

    effects = coming_effects(WEB, record.forecast, ports)

    assert [(effect.name, effect.factor) for effect in effects] == [(n, 3.0) for n in named]
