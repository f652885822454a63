"""What every forecaster of the pool must do. A new one is picked up from the registry."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from prescaler.core.arrays import FloatArray
from prescaler.core.day_table import DayTable, day_table
from prescaler.core.errors import ForecastError
from prescaler.core.forecasters import FALLBACK, NAIVE, POOL, Forecaster
from prescaler.core.forecasters.copy import PeriodCopy
from prescaler.core.history import History
from prescaler.core.scales import DemandScale
from prescaler.core.series import Series
from tests.support.builders import DAY, MINUTE, MONDAY, PARIS, STEP, daily_demand

forecasters = pytest.mark.parametrize("forecaster", POOL, ids=lambda f: f.name)
gaps = pytest.mark.parametrize("gap", [1, 2])


def table_of(
    values: FloatArray, step: timedelta = STEP, gap: int = 1, start: datetime = MONDAY
) -> DayTable:
    """A table that ends two days behind its history."""
    ahead = 2 * DAY // step
    known = History.of(Series(start, step, values, values), PARIS, ahead)
    scale = DemandScale.of(values) if np.isfinite(values).any() else DemandScale(1.0, 1.0)
    return day_table(known, scale, ahead, gap)


def curve_of(forecaster: Forecaster, table: DayTable) -> FloatArray:
    return forecaster.curve(table, forecaster.fit(table))


def planted(table: DayTable, first_row: int, values: FloatArray | float) -> DayTable:
    """The same table with other values from a row on, known or not."""
    logs = {name: known.copy() for name, known in table.logs.items()}
    for known in logs.values():
        known[first_row:] = values
    return replace(table, logs=logs)


def every_day_alike(seed: int) -> FloatArray:
    """Three weeks without weekends."""
    day = np.arange(21 * 288) / 288
    noise = np.exp(0.05 * np.random.default_rng(seed).standard_normal(len(day)))
    return np.asarray(100 * (2 + np.sin(2 * np.pi * day)) * noise, dtype=np.float64)


def with_gaps(values: FloatArray) -> FloatArray:
    holed = values.copy()
    holed[100:500] = np.nan
    holed[-7:] = np.nan
    return holed


HISTORIES = {
    "five weeks": daily_demand(35),
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
@gaps
@pytest.mark.parametrize("values", HISTORIES.values(), ids=HISTORIES)
def test_it_gives_a_curve_or_a_named_error(
    forecaster: Forecaster, gap: int, values: FloatArray
) -> None:
    table = table_of(values, gap=gap)
    try:
        curve = curve_of(forecaster, table)
    except ForecastError:
        return
    assert curve.shape == (len(table.rows), table.slots)
    assert curve.dtype == np.float64
    assert not np.isinf(curve).any()


@forecasters
@gaps
def test_a_table_of_one_day_is_survived(forecaster: Forecaster, gap: int) -> None:
    known = History.of(Series(MONDAY, STEP, np.ones(100), np.ones(100)), PARIS, 0)
    table = day_table(known, DemandScale(1.0, 1.0), 0, gap)

    curve = curve_of(forecaster, table)

    assert curve.shape == (1, 288)
    assert not np.isinf(curve).any()


@forecasters
def test_it_is_deterministic_and_leaves_its_input_alone(forecaster: Forecaster) -> None:
    table = table_of(with_gaps(daily_demand(21)))
    before = {name: known.copy() for name, known in table.logs.items()}
    parameters = forecaster.fit(table)
    kept = {name: array.copy() for name, array in parameters.items()}

    np.testing.assert_array_equal(forecaster.curve(table, parameters), curve_of(forecaster, table))

    for name, array in kept.items():
        np.testing.assert_array_equal(parameters[name], array)
    for name, known in table.logs.items():
        np.testing.assert_array_equal(known, before[name])


@forecasters
@gaps
@pytest.mark.parametrize("row", [3, 9, 15, 20, 21, 22, 23])
def test_what_is_newer_than_the_gap_changes_nothing(
    forecaster: Forecaster, gap: int, row: int
) -> None:
    table = table_of(daily_demand(21), gap=gap)
    parameters = forecaster.fit(table)
    tempted = planted(table, row - gap + 1, np.log(1e9))

    one, two = (forecaster.curve(known, parameters)[row] for known in (table, tempted))

    np.testing.assert_array_equal(one, two)


@forecasters
@gaps
@pytest.mark.parametrize("row", [9, 15, 20, 21])
def test_a_fit_of_a_row_comes_from_rows_that_were_whole_before_it(
    forecaster: Forecaster, gap: int, row: int
) -> None:
    """Every day like the last but for noise: where outliers begin, the whole table may tell."""
    table = table_of(every_day_alike(1), gap=gap)
    first = row - gap + 1
    other = table_of(every_day_alike(2)).logs["near"][first:]
    tempted = planted(table, first, other)

    one, two = (curve_of(forecaster, known)[row] for known in (table, tempted))

    np.testing.assert_array_equal(one, two)


@forecasters
def test_what_comes_after_the_cutoff_changes_nothing(forecaster: Forecaster) -> None:
    values = daily_demand(21)
    tempting = np.concatenate([values[: 15 * 288], np.full(6 * 288, 1e9)])
    seen = [
        History.of(Series(MONDAY, STEP, v, v), PARIS, 0).until(15 * 288) for v in (values, tempting)
    ]

    one, two = (
        curve_of(forecaster, day_table(known, DemandScale.of(known.demand), 288)) for known in seen
    )

    np.testing.assert_array_equal(one, two)


@forecasters
def test_rows_that_are_asked_for_are_those_of_the_whole(forecaster: Forecaster) -> None:
    table = table_of(daily_demand(21))
    parameters = forecaster.fit(table)
    rows = np.array([5, 20, 22])

    asked = forecaster.curve(table.asked(rows), parameters)

    np.testing.assert_allclose(asked, forecaster.curve(table, parameters)[rows], rtol=1e-12)


@forecasters
def test_a_fit_may_be_rolled_on_with_newer_observations(forecaster: Forecaster) -> None:
    values = daily_demand(30)
    parameters = forecaster.fit(table_of(values[: 25 * 288]))

    newer = table_of(values)
    curve = forecaster.curve(newer, parameters)

    assert np.isfinite(curve[newer.present + 1]).all()


@forecasters
def test_parameters_are_named_arrays_that_can_be_stored(forecaster: Forecaster) -> None:
    for name, array in forecaster.fit(table_of(daily_demand(21))).items():
        assert isinstance(name, str)
        assert isinstance(array, np.ndarray)
        assert array.dtype == np.float64


@forecasters
@pytest.mark.parametrize("minutes", [1, 5, 15, 30, 60])
def test_any_step_that_divides_a_day_will_do(forecaster: Forecaster, minutes: int) -> None:
    step = minutes * MINUTE
    table = table_of(daily_demand(15, step=step), step)

    curve = curve_of(forecaster, table)

    assert curve.shape == (table.days, 1440 // minutes)
    assert np.isfinite(curve[table.present]).all()


@forecasters
def test_it_says_how_much_it_needs(forecaster: Forecaster) -> None:
    assert forecaster.memory_days >= 1
    assert isinstance(forecaster.plain, bool)


def test_the_pool_is_sorted_and_names_are_unique() -> None:
    names = [forecaster.name for forecaster in POOL]

    assert names == sorted(set(names))
    assert set(NAIVE) <= {forecaster.name for forecaster in POOL if forecaster.plain}
    assert set(FALLBACK) <= set(names)


@pytest.mark.parametrize(
    "start", [MONDAY, datetime(2026, 10, 20, tzinfo=UTC), datetime(2026, 3, 25, tzinfo=UTC)]
)
@pytest.mark.parametrize(("name", "days"), [("day_before", 1), ("week_before", 7)])
def test_naive_copies_the_civil_day_exactly(start: datetime, name: str, days: int) -> None:
    """Also over a clock change; the hour that the spring skips is that of the period before."""
    table = table_of(daily_demand(16), start=start)
    forecaster = next(f for f in POOL if f.name == name)

    curve = curve_of(forecaster, table)

    for row in range(days, table.present):
        source = table.logs["none"][row - days]
        known = np.isfinite(source)
        np.testing.assert_array_equal(curve[row, known], source[known])


def test_a_copy_looks_further_back_where_yesterday_is_a_hole() -> None:
    table = planted(table_of(daily_demand(10)), 8, np.nan)
    day = PeriodCopy("day_before", 1)

    curve = curve_of(day, table)

    np.testing.assert_array_equal(curve[8:12], np.repeat(table.logs["none"][7:8], 4, axis=0))


@forecasters
def test_a_fit_means_the_same_days_when_the_window_has_moved_on(forecaster: Forecaster) -> None:
    """Production looks 56 days back: at midnight, between two refits, the first day falls out."""
    values, scale, ahead = daily_demand(40), DemandScale(100.0, 500.0), 2 * 288
    whole, moved = (
        day_table(History.of(Series(start, STEP, seen, seen), PARIS, ahead), scale, ahead)
        for start, seen in ((MONDAY, values), (MONDAY + 2 * DAY, values[ahead:]))
    )
    learnt, days = forecaster.fit(whole), np.arange(35, 40)

    before = forecaster.curve(whole.asked(days), learnt)
    after = forecaster.curve(moved.asked(days - 2), learnt)

    of_all_there_is = forecaster.name == "level"
    np.testing.assert_allclose(after, before, atol=0.05 if of_all_there_is else 1e-12)
