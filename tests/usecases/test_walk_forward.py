"""Forecasts of the past: those that live runs would have made, once, from wherever it stopped."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from prescaler.adapters.memory import MemoryForecasts, MemoryScores, MemoryWorkloads
from prescaler.adapters.memory_demand import MemoryDemand
from prescaler.core.forecast import Forecast, Origin
from prescaler.core.planned import Effect, PlannedEvent, Selection
from prescaler.core.records import HistoryVersion, Outcome, RunStatus
from prescaler.core.spans import Span
from prescaler.core.workload import Workload
from prescaler.usecases.forecast_workload import ForecastPorts, forecast_workload
from prescaler.usecases.score_forecasts import accuracy
from prescaler.usecases.walk_forward import WalkPlan, WalkPorts, forget_walk, walk_forward
from tests.support.builders import (
    DAY,
    MINUTE,
    MONDAY,
    daily_demand,
    forecast,
    series,
    workload,
)
from tests.support.fakes import PlayedSource, SetClock
from tests.support.lore import lore_ports

HOUR = timedelta(hours=1)
START = MONDAY - 10 * DAY
END = MONDAY
VALUES = daily_demand(10, step=MINUTE)


def _web() -> Workload:
    found = workload()
    return replace(found, forecast=replace(found.forecast, horizon=timedelta(hours=6)))


WEB = _web()
PLAN = WalkPlan(Span(END - 2 * DAY, END), 3 * HOUR)


EVENINGS = np.zeros(len(VALUES), dtype=bool)
for _day in range(10):
    EVENINGS[_day * 1440 + 1200 : _day * 1440 + 1260] = True
CROWDED = np.where(EVENINGS, 6.0, 1.0) * VALUES
MATCHES = [
    PlannedEvent(
        UUID(int=day),
        f"match {day}",
        "football",
        START + day * DAY + 20 * HOUR,
        START + day * DAY + 21 * HOUR,
        ZoneInfo("UTC"),
        Selection(everything=True),
        Effect(),
    )
    for day in range(10)
]


class World:
    def __init__(self, values: np.ndarray = VALUES, events: Sequence[PlannedEvent] = ()) -> None:
        self.clock = SetClock(MONDAY + 2 * MINUTE)
        self.forecasts = MemoryForecasts()
        self.scores = MemoryScores(self.forecasts)
        self.demand, self.workloads = MemoryDemand(), MemoryWorkloads()
        self.ports = WalkPorts(
            self.clock, self.workloads, self.demand, self.forecasts, self.scores, lore_ports(events)
        )
        self.version: HistoryVersion = self.workloads.ensure(WEB, MONDAY)
        self.demand.append(self.version, series(values, START, MINUTE))

    def runs(self) -> list[Forecast]:
        return list(self.forecasts.runs(self.version, Origin.BACKFILL))


def test_a_forecast_for_every_cutoff_of_the_plan() -> None:
    world = World()

    record = walk_forward(WEB, world.ports, PLAN)

    step = WEB.forecast.step
    assert [run.cutoff + step for run in world.runs()] == [
        PLAN.span.start + (n + 1) * 3 * HOUR for n in range(16)
    ]
    assert (record.forecasts, record.without, record.over, record.until) == (16, 0, True, END)
    assert {run.issued_at - run.cutoff for run in world.runs()} == {step + WEB.demand.delay}
    assert world.forecasts.latest(world.version) is None


def test_they_are_what_a_live_run_would_have_said_then() -> None:
    world = World()
    walk_forward(WEB, world.ports, PLAN)
    live = World()
    cutoff = PLAN.span.start + 3 * HOUR
    source = PlayedSource(START, VALUES)
    live.clock.present = cutoff + MINUTE
    ports = ForecastPorts(
        live.clock, source, MemoryWorkloads(), MemoryDemand(), live.forecasts, lore_ports()
    )

    said = forecast_workload(WEB, ports).forecast

    assert said is not None
    walked = world.runs()[0]
    assert said.cutoff == walked.cutoff
    np.testing.assert_array_equal(said.values, walked.values)
    np.testing.assert_array_equal(said.naive, walked.naive)


def test_nothing_behind_a_cutoff_is_seen() -> None:
    one, other = World(), World()
    changed = VALUES.copy()
    changed[-1440:] *= 5
    other.demand.append(other.version, series(changed, START, MINUTE))
    for world in (one, other):
        walk_forward(WEB, world.ports, PLAN)

    for mine, theirs in zip(one.runs()[:8], other.runs()[:8], strict=True):
        np.testing.assert_array_equal(mine.values, theirs.values)
    assert not np.array_equal(one.runs()[15].values, other.runs()[15].values)


def test_a_day_at_a_time_is_the_same_walk() -> None:
    one, other = World(), World()
    walk_forward(WEB, one.ports, PLAN)
    calls = 0
    while not walk_forward(WEB, other.ports, PLAN, most=DAY).over:
        calls += 1

    assert calls >= 1
    assert len(one.runs()) == len(other.runs())
    for mine, theirs in zip(one.runs(), other.runs(), strict=True):
        np.testing.assert_array_equal(mine.values, theirs.values)


def test_each_day_begins_with_a_refit_even_where_the_last_fit_is_young() -> None:
    rare = replace(WEB, forecast=replace(WEB.forecast, refit=2 * DAY))
    one, other = World(), World()
    plan = replace(PLAN, every=12 * HOUR)
    walk_forward(rare, one.ports, plan)
    while not walk_forward(rare, other.ports, plan, most=DAY).over:
        walk = other.forecasts.walk(other.version)
        assert walk is not None
        assert walk.state is not None
        assert walk.until - walk.state.fitted_at <= DAY

    for mine, theirs in zip(one.runs(), other.runs(), strict=True):
        np.testing.assert_array_equal(mine.values, theirs.values)


def test_again_does_nothing_and_later_goes_on() -> None:
    world = World()
    walk_forward(WEB, world.ports, replace(PLAN, span=Span(PLAN.span.start, END - DAY)))
    walk_forward(WEB, world.ports, PLAN)

    record = walk_forward(WEB, world.ports, PLAN)

    assert (record.forecasts, record.over) == (0, True)
    assert len(world.runs()) == 16


def test_another_cadence_or_an_earlier_start_is_walked_anew() -> None:
    world = World()
    walk_forward(WEB, world.ports, PLAN)

    walk_forward(WEB, world.ports, replace(PLAN, every=6 * HOUR))
    assert len(world.runs()) == 8

    earlier = Span(PLAN.span.start - DAY, END)
    walk_forward(WEB, world.ports, WalkPlan(earlier, 6 * HOUR))
    assert len(world.runs()) == 12


def test_a_cutoff_at_which_a_live_run_spoke_counts_once() -> None:
    world = World()
    step = WEB.forecast.step
    said = END - 3 * HOUR - step
    live = forecast(workload=world.version.workload, cutoff=said, issued_at=said + 2 * step)
    world.forecasts.save(world.version, RunStatus(END, Outcome.STORED), live)

    walk_forward(WEB, world.ports, PLAN)

    assert said not in {run.cutoff for run in world.runs()}
    assert len(world.runs()) == 15


def test_the_walk_is_scored_and_can_be_forgotten() -> None:
    world = World()
    walk_forward(WEB, world.ports, PLAN)
    first, last = (PLAN.span.start - DAY).date(), (END + DAY).date()

    found = accuracy(world.version, world.scores, first, last)
    assert {row.origin for row in found.rows} == {Origin.BACKFILL}
    assert "1h" in found.buckets()

    forget_walk(world.version, world.ports)
    assert accuracy(world.version, world.scores, first, last).rows == ()
    assert world.runs() == []


def test_live_runs_go_on_with_what_the_walk_has_learnt() -> None:
    world = World()
    walk_forward(WEB, world.ports, PLAN)

    adopted = world.forecasts.state(world.version)

    assert adopted is not None
    assert float(adopted.watch.record.seen.sum()) > 0
    younger = replace(adopted, watch=type(adopted.watch).new(WEB.forecast.step, 72))
    world.forecasts.adopt(world.version, younger)
    walk_forward(WEB, world.ports, PLAN)
    found = world.forecasts.state(world.version)
    assert found is not None
    assert found.watch is not younger.watch


def test_crowds_that_the_walk_has_learnt_are_no_errors_of_ordinary_forecasts() -> None:
    world = World(CROWDED, MATCHES)
    walk_forward(WEB, world.ports, PLAN)

    found = accuracy(world.version, world.scores, (END - 3 * DAY).date(), (END + DAY).date())
    unplanned = World(CROWDED)
    walk_forward(WEB, unplanned.ports, PLAN)
    beside = accuracy(
        unplanned.version, unplanned.scores, (END - 3 * DAY).date(), (END + DAY).date()
    )

    sums, whole = found.buckets()["6h"], beside.buckets()["6h"]
    assert 0 < sums.instants < whole.instants
    assert sums.error < 0.05 * float(CROWDED.max())


def test_live_runs_get_what_the_walk_has_learnt_of_crowds() -> None:
    world = World(CROWDED, MATCHES)
    walk_forward(WEB, world.ports, PLAN)
    uplifts = world.ports.lore.uplifts

    taught = uplifts.get(world.version)

    assert taught is not None
    assert {start for _, start in taught.seen} >= {match.start for match in MATCHES[2:8]}
    less = taught.as_of(MATCHES[3].end + DAY)
    uplifts.put(world.version, less, END)
    forget_walk(world.version, world.ports)
    walk_forward(WEB, world.ports, PLAN)
    again = uplifts.get(world.version)
    assert again is not None
    assert again.seen == taught.seen


def test_too_little_history_is_counted_not_forecast() -> None:
    world = World()

    record = walk_forward(WEB, world.ports, WalkPlan(Span(START, START + 3 * DAY), 6 * HOUR))

    assert record.without == 5
    assert record.forecasts == 7


@pytest.mark.parametrize("days", [0, 5])
def test_a_workload_without_demand_gets_none(days: int) -> None:
    world = World()
    other = replace(WEB, name="api")

    record = walk_forward(other, world.ports, WalkPlan(Span(END - days * DAY, END), 6 * HOUR))

    assert (record.forecasts, record.without) == (0, 4 * days)
