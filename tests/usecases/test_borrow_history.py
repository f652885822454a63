"""A newcomer starts from a sibling's shape, and leaves it once it has a week of its own."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from prescaler.adapters.memory import MemoryForecasts, MemoryWorkloads
from prescaler.adapters.memory_demand import MemoryDemand
from prescaler.adapters.memory_events import MemoryEvents
from prescaler.adapters.memory_uplifts import MemoryUplifts
from prescaler.core.forecast import Basis
from prescaler.core.records import Outcome
from prescaler.core.workload import Like
from prescaler.usecases.borrow_history import borrowed
from prescaler.usecases.crowd_lore import LorePorts
from prescaler.usecases.forecast_workload import ForecastPorts, forecast_workload
from prescaler.usecases.read_calendar import CalendarReader
from tests.support.builders import DAY, MINUTE, MONDAY, STEP, daily_demand, series, workload
from tests.support.fakes import PlayedSource, SetClock

NEW = workload(name="new", like=Like("web", 0.5))
VALUES = daily_demand(28, step=MINUTE)


class World:
    def __init__(self, own_days: float, factor: float = 3.0) -> None:
        self.workloads, self.demand = MemoryWorkloads(), MemoryDemand()
        self.forecasts = MemoryForecasts()
        web = self.workloads.ensure(workload(), MONDAY)
        self.demand.append(web, series(VALUES, MONDAY - 28 * DAY, MINUTE))
        points = int(own_days * 1440)
        mine = np.full(len(VALUES), np.nan)
        mine[len(VALUES) - points :] = factor * VALUES[len(VALUES) - points :]
        source = PlayedSource(MONDAY - 28 * DAY, mine)
        self.ports = ForecastPorts(
            SetClock(MONDAY + 2 * MINUTE),
            source,
            self.workloads,
            self.demand,
            self.forecasts,
            LorePorts(CalendarReader(MemoryEvents()), MemoryUplifts()),
        )
        self.own = series(
            mine.reshape(-1, 5).mean(axis=1), MONDAY - 28 * DAY
        ).from_first_observation()


def test_without_a_point_of_its_own_the_declared_scale_counts() -> None:
    world = World(0)

    found = borrowed(NEW, world.own, world.workloads, world.demand)

    assert found is not None
    np.testing.assert_allclose(found.mean, 0.5 * VALUES.reshape(-1, 5).mean(axis=1))


@pytest.mark.parametrize(("minutes", "factor"), [(55, 0.5), (60, 3.0), (600, 3.0)])
def test_an_hour_side_by_side_tells_the_scale(minutes: int, factor: float) -> None:
    world = World(minutes / 1440)

    found = borrowed(NEW, world.own, world.workloads, world.demand)

    assert found is not None
    assert found.mean[0] == pytest.approx(factor * VALUES[:5].mean())
    assert found.mean[-1] == pytest.approx(3.0 * VALUES[-5:].mean())
    assert found.end == MONDAY


@pytest.mark.parametrize("days", [7, 14])
def test_with_a_week_of_its_own_nothing_is_borrowed(days: int) -> None:
    world = World(days)

    assert borrowed(NEW, world.own, world.workloads, world.demand) is None


def test_nobody_lends_what_is_not_there() -> None:
    world = World(0)

    for name in ("nobody", "new"):
        one = replace(NEW, like=Like(name))
        world.workloads.ensure(one, MONDAY)
        assert borrowed(one, world.own, world.workloads, world.demand) is None
    assert borrowed(replace(NEW, like=None), world.own, world.workloads, world.demand) is None


def test_a_borrowed_forecast_says_so_until_its_own_week_is_there() -> None:
    world = World(0.5)
    record = forecast_workload(NEW, world.ports)

    assert record.outcome is Outcome.STORED
    assert record.forecast is not None
    assert record.forecast.basis is Basis.BORROWED
    median = record.forecast.values[: int(timedelta(hours=6) / STEP), 3]
    assert np.median(median / (3 * VALUES.reshape(-1, 5).mean(axis=1)[: len(median)])) > 0.5

    own = forecast_workload(NEW, World(8).ports)
    assert own.forecast is not None
    assert own.forecast.basis is not Basis.BORROWED


def test_without_a_sibling_there_is_too_little_history() -> None:
    record = forecast_workload(replace(NEW, like=None), World(0.5).ports)

    assert record.outcome is Outcome.TOO_LITTLE_HISTORY
