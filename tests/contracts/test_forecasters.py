"""What every forecaster of the pool must do. A new one is picked up from the registry."""

from datetime import timedelta

import numpy as np
import pytest

from prescaler.core.arrays import FloatArray
from prescaler.core.errors import ForecastError
from prescaler.core.forecasters import NAIVE, POOL, Forecaster
from prescaler.core.history import History
from prescaler.core.series import Series
from tests.support.builders import MONDAY, PARIS, STEP, daily_demand

H = 96

forecasters = pytest.mark.parametrize("forecaster", POOL, ids=lambda f: f.name)


def history(values: FloatArray, step: timedelta = STEP) -> History:
    return History.of(Series(MONDAY, step, values, values), PARIS, H)


def with_gaps(values: FloatArray) -> FloatArray:
    holed = values.copy()
    holed[100:500] = np.nan
    holed[-7:] = np.nan
    return holed


HISTORIES = {
    "three weeks": daily_demand(21),
    "nine days with gaps": with_gaps(daily_demand(9)),
    "three days": daily_demand(3),
    "zeros": np.zeros(10 * 288),
    "closed nights": np.where(np.arange(12 * 288) % 288 < 180, 0.0, daily_demand(12)),
    "huge": daily_demand(10) * 1e12,
    "tiny": daily_demand(10) * 1e-9,
    "one spike": np.where(np.arange(10 * 288) == 2000, 1e7, daily_demand(10)),
    "short": daily_demand(0.2),
    "one point": np.ones(1),
    "holes only": np.full(5 * 288, np.nan),
}


@forecasters
@pytest.mark.parametrize("values", HISTORIES.values(), ids=HISTORIES)
def test_it_gives_finite_demand_or_a_named_error(
    forecaster: Forecaster, values: FloatArray
) -> None:
    known = history(values)
    try:
        path = forecaster.predict(forecaster.fit(known), known, H)
    except ForecastError:
        return
    assert path.shape == (H,)
    assert path.dtype == np.float64
    assert np.isfinite(path).all()
    assert (path >= 0).all()


@forecasters
def test_it_is_deterministic_and_leaves_its_input_alone(forecaster: Forecaster) -> None:
    known = history(daily_demand(21))
    before = known.demand.copy()
    parameters = forecaster.fit(known)
    kept = {name: array.copy() for name, array in parameters.items()}

    one = forecaster.predict(parameters, known, H)
    two = forecaster.predict(forecaster.fit(known), known, H)

    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(before, known.demand)
    assert all(np.array_equal(kept[name], array) for name, array in parameters.items())


@forecasters
def test_what_comes_after_the_cutoff_changes_nothing(forecaster: Forecaster) -> None:
    values = daily_demand(21)
    planted = np.concatenate([values[: 15 * 288], np.full(6 * 288, 7e6)])
    honest, tempted = (history(v).until(15 * 288) for v in (values, planted))

    one, two = (forecaster.predict(forecaster.fit(known), known, H) for known in (honest, tempted))

    np.testing.assert_array_equal(one, two)


@forecasters
def test_a_fit_may_be_rolled_on_with_newer_observations(forecaster: Forecaster) -> None:
    whole = history(daily_demand(21))
    parameters = forecaster.fit(whole.until(18 * 288))

    path = forecaster.predict(parameters, whole, H)

    assert np.isfinite(path).all()


@forecasters
def test_parameters_are_named_arrays_that_can_be_stored(forecaster: Forecaster) -> None:
    for name, array in forecaster.fit(history(daily_demand(21))).items():
        assert isinstance(name, str)
        assert array.dtype == np.float64


@forecasters
@pytest.mark.parametrize("minutes", [1, 15, 30, 60])
def test_any_step_that_divides_a_day_will_do(forecaster: Forecaster, minutes: int) -> None:
    step = timedelta(minutes=minutes)
    known = history(daily_demand(15, step=step), step)

    assert np.isfinite(forecaster.predict(forecaster.fit(known), known, H)).all()


def test_the_pool_is_sorted_and_names_are_unique() -> None:
    names = [forecaster.name for forecaster in POOL]

    assert names == sorted(set(names))
    assert set(NAIVE) <= set(names)


def test_naive_copies_elapsed_time_not_the_wall_clock() -> None:
    values = daily_demand(10)
    known = history(values)
    day, week = (next(f for f in POOL if f.name == name) for name in NAIVE)

    np.testing.assert_array_equal(day.predict({}, known, H), values[-288 : -288 + H])
    np.testing.assert_array_equal(week.predict({}, known, H), values[-2016 : -2016 + H])


def test_naive_looks_further_back_where_yesterday_is_a_hole() -> None:
    values = daily_demand(10)
    holed = values.copy()
    holed[-288:] = np.nan
    day = next(f for f in POOL if f.name == "naive_day")

    np.testing.assert_array_equal(day.predict({}, history(holed), H), values[-576 : -576 + H])
