"""What came beside what was forecast, planned and served."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescaler.adapters.memory import (
    MemoryDecisions,
    MemoryForecasts,
    MemoryWorkloads,
)
from prescaler.adapters.memory_demand import MemoryDemand
from prescaler.core.errors import BadParameter
from prescaler.core.forecast import Forecast, Origin
from prescaler.core.instants import from_epoch, to_epoch
from prescaler.core.records import (
    HistoryVersion,
    LoggedDecision,
    Outcome,
    RunStatus,
    ServingState,
)
from prescaler.usecases.look_back import LookBackPorts, Question, chart, gaps, residuals
from prescaler.usecases.review import Span
from prescaler.usecases.serve_metric import Served
from tests.support.builders import DAY, MINUTE, MONDAY, STEP, flat_forecast, series, workload

HOUR = timedelta(hours=1)
STORED = RunStatus(MONDAY, Outcome.STORED)


class World:
    """One workload with its stores; forecasts are flat, so that each can be told from the next."""

    def __init__(self) -> None:
        self.demand, self.forecasts = MemoryDemand(), MemoryForecasts()
        self.decisions = MemoryDecisions()
        self.workload = workload()
        self.version: HistoryVersion = MemoryWorkloads().ensure(self.workload, MONDAY)
        self.ports = LookBackPorts(self.demand, self.forecasts, self.decisions)

    def forecast(self, cutoff: datetime, level: float) -> Forecast:
        made = flat_forecast(level, cutoff=cutoff, issued_at=cutoff + STEP)
        self.forecasts.save(self.version, STORED, made)
        return made

    def observe(self, start: datetime, values: np.ndarray) -> None:
        self.demand.append(self.version, series(values, start, MINUTE))

    def answered(self, since: datetime, value: float) -> None:
        entry = LoggedDecision(since, value, 1, "active", None, "active", 2 * value, None, ())
        self.decisions.append({self.version.workload: entry})

    def served(self, forecast: Forecast | None = None) -> Served:
        return Served(self.workload, ServingState(self.version, forecast, status=STORED))

    def chart(
        self, forecast: Forecast | None, asked: Question, now: datetime
    ) -> dict[str, list[float | None]]:
        found = chart(self.served(forecast), self.ports, asked, now)
        return {
            name: [None if np.isnan(x) else float(x) for x in column]
            for name, column in found.columns.items()
        }


def span(hours: float, start: datetime = MONDAY, step: timedelta = STEP) -> Span:
    return Span(start, start + hours * HOUR, step)


def test_each_instant_shows_the_newest_forecast_before_it() -> None:
    world = World()
    world.forecast(MONDAY - HOUR, 100.0)
    newest = world.forecast(MONDAY + HOUR, 200.0)

    found = world.chart(newest, Question(span(2)), MONDAY + 90 * MINUTE)

    assert found["q0.5"] == [*[100.0] * 13, *[200.0] * 11]
    assert found["q0.95"][0] == pytest.approx(130.0, rel=1e-3)
    assert found["naive"] == found["q0.5"]


def test_with_a_lead_a_forecast_counts_only_once_it_is_that_old() -> None:
    world = World()
    world.forecast(MONDAY - 4 * HOUR, 100.0)
    newest = world.forecast(MONDAY, 200.0)

    found = world.chart(newest, Question(span(2), lead=HOUR), MONDAY + 2 * HOUR)

    assert found["q0.5"] == [*[100.0] * 12, *[200.0] * 12]


def test_as_of_shows_one_forecast_and_its_plan() -> None:
    world = World()
    world.forecast(MONDAY, 100.0)
    newest = world.forecast(MONDAY + HOUR, 200.0)

    found = world.chart(newest, Question(span(3), as_of=MONDAY + 30 * MINUTE), MONDAY + 3 * HOUR)

    assert set(found["q0.5"][1:]) == {100.0}
    assert found["plan"][:6] == [None] * 6
    assert found["plan"][6] == pytest.approx(100 * 1.3 * 1.1, rel=1e-3)


def test_as_of_before_any_forecast_shows_none() -> None:
    world = World()
    newest = world.forecast(MONDAY, 100.0)

    found = world.chart(newest, Question(span(1), as_of=MONDAY - DAY), MONDAY + HOUR)

    assert set(found["q0.5"]) == set(found["plan"]) == {None}


def test_the_plan_begins_now_and_what_was_served_ends_now() -> None:
    world = World()
    newest = world.forecast(MONDAY, 100.0)
    world.answered(MONDAY - HOUR, 10.0)
    world.answered(MONDAY + 32 * MINUTE, 30.0)
    world.answered(MONDAY + 33 * MINUTE, 20.0)

    found = world.chart(newest, Question(span(2)), MONDAY + HOUR)

    assert found["plan"][:12] == [None] * 12
    assert None not in found["plan"][12:]
    assert found["served"] == [*[10.0] * 6, 30.0, *[20.0] * 5, *[None] * 12]
    assert found["would_serve"][0] == 20.0


def test_observed_demand_has_holes_where_nothing_came() -> None:
    world = World()
    world.observe(MONDAY, np.array([1.0, 2.0, 3.0, 4.0, 5.0, *[np.nan] * 5, 7.0, *[7.0] * 4]))

    found = world.chart(None, Question(span(0.5)), MONDAY + DAY)

    assert found["actual"] == [3.0, None, 7.0, None, None, None]
    assert found["peak"][0] == 5.0
    assert set(found["q0.5"]) == {None}


def test_a_workload_without_a_version_shows_the_snapshots_forecast() -> None:
    world = World()
    served = replace(
        world.served(), state=ServingState(forecast=flat_forecast(50.0, cutoff=MONDAY - STEP))
    )

    found = chart(served, world.ports, Question(span(1)), MONDAY)

    assert set(found.columns["q0.5"]) == {50.0}
    assert np.isnan(found.columns["actual"]).all()


@pytest.mark.parametrize(
    "asked", [Question(Span(MONDAY, MONDAY + 70 * DAY, STEP)), Question(span(1, step=STEP / 10))]
)
def test_too_much_or_off_the_grid_is_refused(asked: Question) -> None:
    world = World()

    with pytest.raises(BadParameter):
        chart(world.served(), world.ports, asked, MONDAY)


@given(
    cutoffs=st.lists(st.integers(0, 40), min_size=1, max_size=8, unique=True),
    lead=st.integers(0, 20),
)
def test_stitching_says_the_same_as_looking_it_up_one_by_one(cutoffs: list[int], lead: int) -> None:
    world = World()
    made = {MONDAY + n * STEP: world.forecast(MONDAY + n * STEP, 10.0 + n) for n in sorted(cutoffs)}
    newest, now = made[max(made)], MONDAY + 60 * STEP

    found = chart(world.served(newest), world.ports, Question(span(5), lead=lead * STEP), now)

    for stamp, value in zip(found.stamps, found.columns["q0.5"], strict=True):
        at = from_epoch(int(stamp))
        known = [c for c in made if c < at and c + lead * STEP <= at]
        expected = float(made[max(known)].values[0, 3]) if known else np.nan
        assert value == expected or (np.isnan(value) and np.isnan(expected))


def test_residuals_lie_in_their_local_hour() -> None:
    world = World()
    newest = world.forecast(MONDAY - 2 * HOUR, 100.0)
    world.observe(MONDAY, np.full(60, 150.0))

    share, count = residuals(world.served(newest), world.ports, span(24), HOUR, MONDAY + 25 * HOUR)

    # 00:00 UTC on a Monday in November is 01:00 in Paris; 150 against 100 is a third of demand.
    assert share[0, 1] == pytest.approx(1 / 3)
    assert count[0, 1] == 12
    assert int(count.sum()) == 12
    assert np.isnan(share[3, 3])


def test_gaps_begin_and_end_where_the_holes_do() -> None:
    world = World()
    values = np.ones(120)
    values[10:15], values[119] = np.nan, np.nan
    world.observe(MONDAY, np.concatenate([np.full(5, np.nan), values]))

    found = gaps(world.served(), world.demand, MONDAY + DAY)

    # Neither what came before the first observation nor what has not come yet is a hole.
    assert [(g.start, g.end) for g in found] == [(MONDAY + 15 * MINUTE, MONDAY + 20 * MINUTE)]
    assert gaps(World().served(), world.demand, MONDAY) == []


def test_stamps_are_those_of_the_span() -> None:
    found = chart(World().served(), World().ports, Question(span(1)), MONDAY)

    assert int(found.stamps[0]) == to_epoch(MONDAY)
    assert len(found.stamps) == 12


def test_before_the_first_live_forecast_a_backfill_speaks() -> None:
    world = World()
    walked = flat_forecast(
        50.0, cutoff=MONDAY - HOUR - STEP, issued_at=MONDAY - HOUR, origin=Origin.BACKFILL
    )
    world.forecasts.save(world.version, STORED, walked)
    later = replace(walked, cutoff=MONDAY + 2 * HOUR, issued_at=MONDAY + 2 * HOUR + STEP)
    world.forecasts.save(world.version, STORED, later)
    world.forecast(MONDAY + HOUR, 80.0)

    found = world.chart(None, Question(span(3)), MONDAY + 3 * HOUR)["q0.5"]
    issued = Question(span(1), as_of=MONDAY - timedelta(minutes=30))
    unknown = Question(span(1), as_of=MONDAY - 2 * HOUR)

    assert found[0] == 50.0
    assert found[-1] == 80.0
    assert world.chart(None, issued, MONDAY + 3 * HOUR)["q0.5"][0] == 50.0
    assert world.chart(None, unknown, MONDAY + 3 * HOUR)["q0.5"][0] is None
