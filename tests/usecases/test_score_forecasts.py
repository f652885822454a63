"""Scoring as actuals arrive: incremental, bounded, and the same however often it is called."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from prescaler.adapters.memory import MemoryForecasts, MemoryScores, MemoryWorkloads
from prescaler.adapters.memory_demand import MemoryDemand
from prescaler.core.errors import BadParameter
from prescaler.core.forecast import Origin
from prescaler.core.records import HistoryVersion, Outcome, RunStatus
from prescaler.core.score_days import day_of
from prescaler.usecases.score_forecasts import MOST_RUNS, ScorePorts, accuracy, score_forecasts
from tests.support.builders import (
    DAY,
    MINUTE,
    MONDAY,
    STEP,
    daily_demand,
    forecast,
    series,
    workload,
)
from tests.support.lore import lore_ports

HOUR = timedelta(hours=1)
WEB = workload()
START = MONDAY - 8 * DAY


class World:
    """Demand by the minute from eight days before, forecasts hourly."""

    def __init__(self) -> None:
        self.demand, self.forecasts = MemoryDemand(), MemoryForecasts()
        self.scores = MemoryScores(self.forecasts)
        self.version: HistoryVersion = MemoryWorkloads().ensure(WEB, MONDAY)
        self.truth = daily_demand(14, step=MINUTE)

    def observe(self, until: datetime) -> None:
        points = (until - START) // MINUTE
        self.demand.append(self.version, series(self.truth[:points], START, MINUTE))

    def issue(self, cutoff: datetime, origin: Origin = Origin.LIVE) -> None:
        first = (cutoff + STEP - START) // STEP
        median = np.resize(daily_demand(14)[first:], 600) * 1.1
        made = forecast(
            median, workload=self.version.workload, cutoff=cutoff, issued_at=cutoff, origin=origin
        )
        self.forecasts.save(self.version, RunStatus(cutoff, Outcome.STORED), made)

    def score(self, now: datetime) -> int:
        ports = ScorePorts(self.demand, self.scores, lore_ports())
        return score_forecasts(WEB, self.version, ports, now).runs

    def told(self) -> dict[str, int]:
        found = accuracy(self.version, self.scores, day_of(START), day_of(START + 30 * DAY))
        return {name: sums.instants for name, sums in found.buckets().items()}


def test_each_pair_is_counted_once_however_often_it_is_asked() -> None:
    small_steps, at_once = World(), World()
    for world in (small_steps, at_once):
        for n in range(6):
            world.issue(MONDAY + n * HOUR)
    for n in range(1, 80):
        now = MONDAY + n * 20 * MINUTE
        small_steps.observe(now)
        small_steps.score(now)
        small_steps.score(now)
    end = MONDAY + 79 * 20 * MINUTE
    at_once.observe(end)
    at_once.score(end)
    for world in (small_steps, at_once):
        world.observe(end + 4 * DAY)
        world.score(end + 4 * DAY)

    assert small_steps.told() == at_once.told() == {
        "15m": 18, "1h": 72, "6h": 432, "24h": 1728, "48h": 3456
    }  # fmt: skip
    assert at_once.score(end + 5 * DAY) == 0


def test_what_has_not_come_is_waited_for() -> None:
    world = World()
    world.issue(MONDAY)

    assert world.score(MONDAY + DAY) == 0
    world.observe(MONDAY + 30 * MINUTE)
    assert world.score(MONDAY + DAY) == 0
    world.observe(MONDAY + 2 * HOUR)
    assert world.score(MONDAY + DAY) == 1
    assert world.told()["6h"] == 23


def test_a_source_that_was_silent_for_days_costs_nothing() -> None:
    world = World()
    world.observe(MONDAY)
    world.issue(MONDAY)
    holes = np.full(3 * 24 * 60, np.nan)
    world.demand.append(world.version, series(holes, MONDAY, MINUTE))

    assert world.score(MONDAY + 3 * DAY) == 0
    assert world.told() == {}


def test_a_call_is_bounded_and_says_that_there_is_more() -> None:
    world = World()
    for n in range(MOST_RUNS + 5):
        world.issue(MONDAY - DAY + n * 10 * MINUTE, Origin.BACKFILL)
    world.observe(MONDAY + 5 * DAY)
    ports = ScorePorts(world.demand, world.scores, lore_ports())

    first = score_forecasts(WEB, world.version, ports, MONDAY + 5 * DAY)
    second = score_forecasts(WEB, world.version, ports, MONDAY + 5 * DAY)

    assert (first.runs, first.more) == (MOST_RUNS, True)
    assert (second.runs, second.more) == (5, False)


def test_runs_of_another_step_are_left_alone_for_good() -> None:
    world = World()
    hourly = forecast(
        np.ones(50), workload=world.version.workload, cutoff=MONDAY, step=timedelta(hours=1)
    )
    world.forecasts.save(world.version, RunStatus(MONDAY, Outcome.STORED), hourly)
    world.observe(MONDAY + DAY)

    assert world.score(MONDAY + DAY) == 1
    assert world.score(MONDAY + 2 * DAY) == 0
    assert world.told() == {}


def test_somebody_elses_count_is_not_counted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.issue(MONDAY)
    world.observe(MONDAY + 2 * HOUR)
    monkeypatch.setattr(world.scores, "add", lambda *_: False)

    assert world.score(MONDAY + DAY) == 0


@pytest.mark.parametrize("days", [0, -1, 900])
def test_a_senseless_span_is_refused(days: int) -> None:
    world = World()

    with pytest.raises(BadParameter):
        accuracy(world.version, world.scores, day_of(MONDAY), day_of(MONDAY) + days * DAY)
