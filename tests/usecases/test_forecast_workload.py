"""One run, from history to a stored forecast, on good and bad days."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from prescaler.adapters.memory import MemoryForecasts, MemoryWorkloads
from prescaler.adapters.memory_demand import MemoryDemand
from prescaler.adapters.memory_events import MemoryEvents
from prescaler.adapters.memory_uplifts import MemoryUplifts
from prescaler.core.arrays import FloatArray
from prescaler.core.errors import SourceUnreachable, StoreUnreachable
from prescaler.core.records import Outcome
from prescaler.usecases.crowd_lore import LorePorts
from prescaler.usecases.forecast_workload import ForecastPorts, RunRecord, forecast_workload
from prescaler.usecases.read_calendar import CalendarReader
from tests.support.builders import DAY, MINUTE, MONDAY, STEP, daily_demand, workload
from tests.support.fakes import PlayedSource, SetClock, flat

WEB = workload()


class World:
    """Ports around a played source, from Monday midnight on."""

    def __init__(self, values: FloatArray | None = None, days: float = 30) -> None:
        played = daily_demand(days, step=MINUTE) if values is None else values
        self.clock = SetClock(MONDAY + 2 * MINUTE)
        self.source = PlayedSource(MONDAY - 28 * DAY, played)
        self.forecasts = MemoryForecasts()
        self.workloads = MemoryWorkloads()
        self.events, self.uplifts = MemoryEvents(), MemoryUplifts()
        self.ports = ForecastPorts(
            self.clock,
            self.source,
            self.workloads,
            MemoryDemand(),
            self.forecasts,
            LorePorts(CalendarReader(self.events), self.uplifts),
        )

    def run(self) -> RunRecord:
        return forecast_workload(WEB, self.ports)


def test_a_run_stores_a_forecast_from_the_last_complete_step() -> None:
    world = World()

    record = world.run()

    assert (record.outcome, record.cutoff) == (Outcome.STORED, MONDAY - STEP)
    assert record.refitted
    assert record.points == 28 * 1440 + 1
    assert set(record.seconds) == {"fetch", "read", "forecast", "store"}
    version = world.workloads.ensure(WEB, MONDAY)
    stored = world.forecasts.latest(version)
    assert stored is not None
    assert stored.valid_until == MONDAY + timedelta(hours=50)
    assert stored.historic_max == pytest.approx(daily_demand(28, step=MINUTE).max(), rel=1e-6)
    status = world.forecasts.statuses()[version.id]
    assert (status.outcome, status.last_actual_at) == (Outcome.STORED, MONDAY - STEP)


def test_the_same_cutoff_is_not_forecast_twice() -> None:
    world = World()
    world.run()
    world.clock.move(MINUTE)

    record = world.run()

    assert (record.outcome, record.cutoff, record.refitted) == (
        Outcome.UNCHANGED,
        MONDAY - STEP,
        False,
    )


def test_a_roll_comes_every_run_and_a_refit_every_hour() -> None:
    world = World()
    refits = []
    for _ in range(14):
        refits.append(world.run().refitted)
        world.clock.move(STEP)

    assert refits == [True] + [False] * 11 + [True, False]


def test_a_refit_does_not_wait_its_turn_where_demand_has_left_what_was_said() -> None:
    values = daily_demand(30, step=MINUTE)
    values[28 * 1440 + 16 :] *= 3.0
    world, refits = World(values), []
    for _ in range(8):
        refits.append(world.run().refitted)
        world.clock.move(STEP)

    assert refits == [True, False, False, False, False, False, True, False]


def test_a_stored_fit_of_another_release_is_made_anew_at_once() -> None:
    world = World()
    world.run()
    version = world.workloads.ensure(WEB, MONDAY)
    state = world.forecasts.state(version)
    assert state is not None
    part = state.reaches[0]
    foreign = replace(part, learnt=replace(part.learnt, pool=("of another release",)))
    world.forecasts._states[version.id] = replace(state, reaches=(foreign, *state.reaches[1:]))
    world.clock.move(STEP)

    record = world.run()

    assert (record.outcome, record.refitted) == (Outcome.STORED, True)


def test_forecasts_are_judged_by_what_came_and_the_judgement_is_stored() -> None:
    world = World()
    for _ in range(30):
        world.run()
        world.clock.move(timedelta(hours=1))
    version = world.workloads.ensure(WEB, MONDAY)

    stored = world.forecasts.latest(version)

    assert stored is not None
    assert stored.track_record["1h"]["outcomes"] > 20
    assert 0.5 < stored.track_record["1h"]["0.95"] <= 1


def test_a_source_that_is_down_is_survived_with_what_is_known() -> None:
    world = World()
    world.run()
    world.clock.move(STEP)
    world.source.failure = SourceUnreachable("main: connection refused")

    record = world.run()

    assert record.outcome is Outcome.UNCHANGED
    assert record.source_failure is not None
    assert record.source_failure.kind == "unreachable"
    assert "refused" in record.source_failure.text


def test_it_goes_on_when_the_source_is_back_without_losing_a_point() -> None:
    world = World()
    world.run()
    world.source.failure = SourceUnreachable("gone")
    world.clock.move(timedelta(hours=3))
    world.run()
    world.source.failure = None

    record = world.run()

    assert record.outcome is Outcome.STORED
    assert record.points == 180
    assert record.cutoff == MONDAY + timedelta(hours=3) - STEP


@pytest.mark.parametrize(
    ("minutes", "said"), [(20, "0.3 h of history"), (1440, "24.0 h of history")]
)
def test_too_little_history_is_a_named_outcome(minutes: int, said: str) -> None:
    values = np.concatenate([np.full(28 * 1440 - minutes, np.nan), np.ones(minutes)])

    record = World(values).run()

    assert record.outcome is Outcome.TOO_LITTLE_HISTORY
    assert record.detail is not None
    assert said in record.detail


def test_a_query_that_finds_nothing_says_so() -> None:
    record = World(flat(np.nan, 29 * 1440)).run()

    assert record.outcome is Outcome.TOO_LITTLE_HISTORY
    assert record.source_failure is not None
    assert record.source_failure.kind == "no_series"
    assert "in the whole history; try it in Prometheus" in record.source_failure.text


def test_a_query_that_stopped_finding_anything_says_since_when() -> None:
    values = daily_demand(30, step=MINUTE)
    values[28 * 1440 - 60 :] = np.nan

    record = World(values).run()

    assert record.outcome is Outcome.STORED
    assert record.source_failure is not None
    assert "finds nothing since 2026-11-22T22:55:00Z" in record.source_failure.text


def test_a_constant_zero_gets_a_forecast_of_zero() -> None:
    record = World(flat(0.0, 29 * 1440)).run()

    assert record.forecast is not None
    assert (record.forecast.values == 0).all()


def test_three_days_and_gaps_of_days_are_enough() -> None:
    values = np.full(30 * 1440, np.nan)
    values[24 * 1440 : 26 * 1440] = daily_demand(2, step=MINUTE)
    values[27 * 1440 :] = daily_demand(3, step=MINUTE)

    record = World(values).run()

    assert record.outcome is Outcome.STORED
    assert record.forecast is not None
    assert np.isfinite(record.forecast.values).all()


def test_a_store_that_fails_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()

    def failing(*_: object) -> bool:
        raise StoreUnreachable("gone")

    monkeypatch.setattr(world.forecasts, "save", failing)
    with pytest.raises(StoreUnreachable):
        world.run()


def test_a_lost_race_is_no_second_forecast(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    monkeypatch.setattr(world.forecasts, "save", lambda *_: False)

    assert world.run().outcome is Outcome.UNCHANGED


def test_another_query_starts_a_history_of_its_own() -> None:
    world = World()
    world.run()
    other = replace(WEB, demand=replace(WEB.demand, query="sum(other)"))

    record = forecast_workload(other, world.ports)

    assert record.outcome is Outcome.STORED
    assert record.points == 28 * 1440 + 1
    assert {v.number for v in world.workloads.current()} == {2}
