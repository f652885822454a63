"""Planned crowds from the calendar to the answer."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import numpy as np
import pytest

from prescaler.adapters.memory import MemoryForecasts, MemoryWorkloads
from prescaler.adapters.memory_demand import MemoryDemand
from prescaler.core.event_book import EventIndex
from prescaler.core.forecast import Forecast
from prescaler.core.instants import to_epoch
from prescaler.core.plan import PLAN_STAGES
from prescaler.core.planned import Effect, EventState, PlannedEvent, Selection
from prescaler.core.records import ServingState, StoredUplift
from prescaler.usecases.crowd_lore import busy_spans, lore_of
from prescaler.usecases.forecast_workload import ForecastPorts, forecast_workload
from prescaler.usecases.serve_metric import Served
from tests.support.builders import DAY, MINUTE, MONDAY, PARIS, STEP, daily_demand, workload
from tests.support.fakes import PlayedSource, SetClock
from tests.support.lore import lore_ports

WEB = workload()
HOUR = 60 * MINUTE
EVENINGS = (3, 6, 8, 12, 14, 18, 23, 27)


def event(days_ago: float, factor: float | None = None, **changes: object) -> PlannedEvent:
    start = MONDAY - days_ago * DAY + 19 * HOUR
    made = PlannedEvent(
        UUID(int=int(100 * (days_ago + 50))), f"match {days_ago}", "football", start,
        start + 2 * HOUR, PARIS, Selection(everything=True), Effect(factor=factor),
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


CALENDAR = [event(days) for days in EVENINGS]
TONIGHT = event(0)


def crowded() -> np.ndarray:
    values = daily_demand(30, step=MINUTE)
    for days in EVENINGS:
        first = int((28 - days) * 1440 + 19 * 60)
        values[first : first + 120] *= 6.0
    return values


class World:
    def __init__(self, *events: PlannedEvent) -> None:
        self.clock = SetClock(MONDAY + 2 * MINUTE)
        self.source = PlayedSource(MONDAY - 28 * DAY, crowded())
        self.workloads, self.forecasts = MemoryWorkloads(), MemoryForecasts()
        self.events = events
        self.ports = ForecastPorts(
            self.clock, self.source, self.workloads, MemoryDemand(), self.forecasts,
            lore_ports(events),
        )  # fmt: skip

    def run(self) -> Forecast:
        made = forecast_workload(WEB, self.ports).forecast
        assert made is not None
        return made

    def served(self, made: Forecast) -> Served:
        version = self.workloads.ensure(WEB, MONDAY)
        model = self.ports.lore.uplifts.get(version)
        learnt = StoredUplift(MONDAY, model) if model is not None else None
        book = EventIndex(self.events).book(WEB.name, WEB.labels)
        return Served(WEB, ServingState(version, made, uplift=learnt), book=book)


def at(made: Forecast, instant: datetime) -> float:
    return float(made.values[(instant - made.first_valid_at) // STEP, 3])


def high(made: Forecast, instant: datetime) -> float:
    return float(made.values[(instant - made.first_valid_at) // STEP, 6])


def ordinary(instant: datetime) -> float:
    return float(daily_demand(1, step=MINUTE)[int((instant - MONDAY) / MINUTE) % 1440])


KICK_OFF = MONDAY + 19 * HOUR + 30 * MINUTE


def test_past_crowds_are_no_part_of_the_ordinary_forecast() -> None:
    plain, told = World().run(), World(*CALENDAR).run()

    assert at(told, KICK_OFF) == pytest.approx(ordinary(KICK_OFF), rel=0.15)
    assert high(told, KICK_OFF) < 1.5 * ordinary(KICK_OFF) < high(plain, KICK_OFF)
    assert told.historic_max == plain.historic_max


def test_the_plan_for_tonight_rests_on_past_evenings_without_any_declared_factor() -> None:
    world = World(*CALENDAR, TONIGHT)
    served = world.served(world.run())
    before = KICK_OFF - 5 * HOUR

    rows = served.plan(np.array([to_epoch(before), to_epoch(KICK_OFF)]), MONDAY).parts
    event_stage = PLAN_STAGES.index("event")

    assert rows[1, event_stage] > 5.0 * ordinary(KICK_OFF)
    assert rows[0, event_stage] == pytest.approx(rows[0, PLAN_STAGES.index("quantile")])
    (effect,) = served.effects(KICK_OFF, KICK_OFF + MINUTE, MONDAY)
    assert effect.curve is not None
    assert effect.curve.suggested() == pytest.approx(6.0, rel=0.15)


def test_an_event_of_a_kind_never_seen_does_what_was_declared() -> None:
    concert = event(0, 3.0, kind="concert")
    world = World(*CALENDAR, concert)
    served = world.served(world.run())

    (effect,) = served.effects(KICK_OFF, KICK_OFF + MINUTE, MONDAY)

    assert (effect.curve, effect.factor) == (None, 3.0)


def test_what_was_learnt_is_stored_once_and_learnt_anew_by_the_next_refit_only() -> None:
    world = World(*CALENDAR)
    version = world.workloads.ensure(WEB, MONDAY)
    world.run()
    first = world.ports.lore.uplifts.get(version)
    world.clock.move(5 * MINUTE)
    world.run()

    assert first is not None
    assert len(first.seen) == len(EVENINGS)
    assert world.ports.lore.uplifts.get(version) is first
    world.clock.move(HOUR)
    world.run()
    assert world.ports.lore.uplifts.get(version) is not first


def test_drafts_and_events_nobody_knew_of_change_no_forecast() -> None:
    draft = [replace(one, state=EventState.DRAFT) for one in CALENDAR]
    later = [replace(one, known_from=MONDAY + DAY) for one in CALENDAR]

    plain = World().run()

    for unknown in (draft, later):
        np.testing.assert_array_equal(World(*unknown).run().values, plain.values)


def test_another_step_begins_to_learn_from_nothing() -> None:
    world = World(*CALENDAR)
    world.run()
    version = world.workloads.ensure(WEB, MONDAY)
    other = replace(WEB, forecast=replace(WEB.forecast, step=15 * MINUTE))

    lore = lore_of(other, version, world.ports.lore, MONDAY - 28 * DAY)

    assert lore.uplift is not None
    assert lore.model(other).kinds == {}


def test_spans_of_acting_crowds_are_those_that_change_demand() -> None:
    world = World(*CALENDAR, event(-1, 3.0, kind="talk"), event(2, 2.0, kind="sale"))
    world.run()
    version = world.workloads.ensure(WEB, MONDAY)
    lore = lore_of(WEB, version, world.ports.lore, MONDAY - 4 * DAY)

    spans = busy_spans(lore, WEB, MONDAY - 4 * DAY, MONDAY)
    silent = replace(lore, book=EventIndex([event(1, kind="fair")]).book("web", {}))

    hours = timedelta(hours=2)
    starts = [event(days).start for days in (3, 2)]
    assert spans == [(start - hours, start + 2 * hours) for start in starts]
    assert busy_spans(silent, WEB, MONDAY - 4 * DAY, MONDAY) == []


def entered(world: World, *events: PlannedEvent) -> None:
    """The calendar gets other events; what was learnt stays."""
    reader = lore_ports(events).calendar
    lore = replace(world.ports.lore, calendar=reader)
    world.events, world.ports = events, replace(world.ports, lore=lore)


def test_a_calendar_entered_later_takes_its_past_crowds_out_at_the_next_run() -> None:
    world = World()
    plain = world.run()
    entered(world, *CALENDAR, TONIGHT)
    world.clock.move(5 * MINUTE)

    told = world.run()

    assert high(plain, KICK_OFF) > 1.5 * ordinary(KICK_OFF)
    assert at(told, KICK_OFF) == pytest.approx(ordinary(KICK_OFF), rel=0.15)
    assert high(told, KICK_OFF) < 1.5 * ordinary(KICK_OFF)
    state = world.forecasts.state(world.workloads.ensure(WEB, MONDAY))
    assert state is not None
    assert state.fitted_at == told.cutoff


def test_an_event_to_come_and_one_that_has_come_since_ask_for_no_refit() -> None:
    world = World(*CALENDAR)
    world.run()
    first = world.forecasts.state(world.workloads.ensure(WEB, MONDAY))
    entered(world, *CALENDAR, TONIGHT)
    world.clock.move(5 * MINUTE)
    world.run()

    assert world.forecasts.state(world.workloads.ensure(WEB, MONDAY)) is first


def test_curves_that_come_from_elsewhere_are_no_reason_to_count_a_crowd_twice() -> None:
    ports, world = World(*CALENDAR), World(*CALENDAR)
    ports.run()
    version = world.workloads.ensure(WEB, MONDAY)
    taught = ports.ports.lore.uplifts.get(ports.workloads.ensure(WEB, MONDAY))
    assert taught is not None
    world.run()
    world.ports.lore.uplifts.put(version, replace(taught, kinds={}), MONDAY)
    world.clock.move(5 * MINUTE)

    told = world.run()

    state = world.forecasts.state(version)
    assert state is not None
    assert state.fitted_at == told.cutoff
    assert high(told, KICK_OFF) < 1.5 * ordinary(KICK_OFF)
