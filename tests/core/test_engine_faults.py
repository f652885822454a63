"""Forecasters that fail or explode, demand that leaves what was said."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from prescaler.core.arrays import FloatArray
from prescaler.core.day_table import DayTable
from prescaler.core.engine import refit, roll
from prescaler.core.errors import ForecasterFailed, ForecastError, TooLittleHistory
from prescaler.core.forecasters import POOL, Parameters
from prescaler.core.forecasters.base import NothingToLearn
from prescaler.core.leads import reaches
from prescaler.core.quantiles import MEDIAN
from prescaler.core.scales import DemandScale
from prescaler.core.trial import predict, prepare, redraw, run_trial
from tests.support.builders import DAY, MONDAY, STEP, daily_demand
from tests.support.engines import H, history, outlook_of


@dataclass(frozen=True)
class Failing(NothingToLearn):
    """A forecaster that cannot learn from this history."""

    error: ForecastError
    name: str = "failing"
    plain: bool = True
    memory_days: int = 1

    def fit(self, table: DayTable) -> Parameters:
        raise self.error

    def curve(self, table: DayTable, parameters: Parameters) -> FloatArray:
        raise AssertionError("it was never fitted")


REFUSALS = pytest.mark.parametrize(
    "error", [TooLittleHistory("two weeks are needed"), ForecasterFailed("cannot fit")]
)


@REFUSALS
def test_without_any_forecaster_it_is_a_named_error(error: ForecastError) -> None:
    with pytest.raises(ForecasterFailed, match="no forecaster could be fitted"):
        refit(history(daily_demand(10)), H, pool=(Failing(error), Failing(error, "other")))


@REFUSALS
def test_one_that_cannot_be_fitted_is_left_out(error: ForecastError) -> None:
    known = history(daily_demand(10))
    pool = (*POOL, Failing(error))

    state = refit(known, H, pool=pool)

    np.testing.assert_array_equal(roll(state, known, H, pool).values, outlook_of(known).values)


def test_a_state_of_another_pool_does_not_suit() -> None:
    known = history(daily_demand(10))
    state = refit(known, H)

    with pytest.raises(ForecasterFailed, match="does not have"):
        roll(state, known, H, POOL[1:])


def test_a_state_whose_parameters_are_lost_does_not_suit() -> None:
    known = history(daily_demand(10))
    state = refit(known, H)
    (part,) = state.reaches
    lost = replace(part, learnt=replace(part.learnt, parameters={}))

    with pytest.raises(ForecasterFailed, match="does not suit this history"):
        roll(replace(state, reaches=(lost,)), known, H)


@dataclass(frozen=True)
class Exploding(NothingToLearn):
    """A forecaster that says the same enormous demand for ever."""

    name: str = "exploding"
    plain: bool = True
    memory_days: int = 1

    def curve(self, table: DayTable, parameters: Parameters) -> FloatArray:
        return np.full((len(table.rows), table.slots), 40.0)


def test_an_expert_that_explodes_is_cut_at_three_times_the_highest() -> None:
    known = history(daily_demand(10))
    scale, reach = DemandScale.of(known.demand), reaches(STEP, H)[0]

    ready = prepare(known, scale, reach, (Exploding(),))
    trial, learnt = run_trial(ready, known, scale, reach)
    drawn = redraw(known, scale, reach, learnt, (Exploding(),))
    said = predict(drawn, known, scale, reach, learnt)

    for predicted in (trial.predicted, said.ahead, said.lately):
        assert np.isfinite(predicted).all()
        assert predicted.max() == pytest.approx(3 * known.demand.max())


@pytest.mark.parametrize("seed", [0, 4, 5])
def test_an_expert_that_explodes_moves_nothing(seed: int) -> None:
    known = history(daily_demand(14, seed))
    pool = (*POOL, Exploding())

    outlook = roll(refit(known, 288, pool=pool), known, 288, pool)

    usual = outlook_of(known, 288)
    np.testing.assert_allclose(
        outlook.values[:, MEDIAN], usual.values[:, MEDIAN], rtol=0.05, atol=0.5
    )


def test_a_refit_learns_from_how_the_last_forecast_turned_out() -> None:
    values = daily_demand(15)
    values[14 * 288 :] *= 3.0
    first = refit(history(values[: 14 * 288]), H)

    second = refit(history(values[: 14 * 288 + H]), H, first)

    assert np.all(second.watch.width[:, MEDIAN + 1 :] > 0)
    assert not refit(history(values[: 14 * 288 + H]), H + 1, first).watch.width.any()


@pytest.mark.parametrize(
    ("factor", "points", "seen"), [(3, 3, True), (0.3, 9, True), (3, 2, False), (1, 11, False)]
)
def test_demand_that_leaves_what_was_said_for_a_while_has_drifted(
    factor: float, points: int, seen: bool
) -> None:
    values = daily_demand(15)[: 14 * 288 + points]
    values[14 * 288 :] *= factor
    state = refit(history(values[: 14 * 288]), H)

    assert state.drifted(history(values)) is seen


def test_holes_burst_and_an_older_history_are_no_drift() -> None:
    values = daily_demand(15)[: 14 * 288 + 6]
    state = refit(history(values[: 14 * 288]), H)
    burst, hole = values.copy(), values.copy()
    burst[[-1, -2, -4]] *= 3
    hole[-3:] = np.nan

    assert not state.drifted(history(burst))
    assert not state.drifted(history(hole))
    assert not state.drifted(history(values[: 13 * 288]))
    assert not state.drifted(history(values[-6:], MONDAY + 30 * DAY))
