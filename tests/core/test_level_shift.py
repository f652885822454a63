"""Lasting changes of the level are found and followed; what passes is not taken for one."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prescaler.core.arrays import FloatArray
from prescaler.core.engine import refit, roll
from prescaler.core.history import History
from prescaler.core.level_shift import LevelShift, level_shifts, levelled
from prescaler.core.quantiles import QUANTILES
from tests.support.builders import MONDAY, PARIS, series

QUARTER = timedelta(minutes=15)
DAY = 96
DAYS = 21


def week(days: int = DAYS, seed: int = 0) -> FloatArray:
    """[days * 96] a plain service: busy by day, quieter at weekends, some noise."""
    at = np.arange(days * DAY) / DAY
    shape = 100.0 + 80.0 * np.sin(2 * np.pi * (at - 0.3))
    noise = np.exp(0.05 * np.random.default_rng(seed).standard_normal(len(at)))
    return np.asarray(np.where(at.astype(int) % 7 >= 5, 0.6, 1.0) * shape * noise)


def shifted(*changes: tuple[float, float], days: int = DAYS, seed: int = 0) -> FloatArray:
    """A service whose demand is multiplied from so many days before the end on."""
    demand = week(days, seed)
    for ago, factor in changes:
        demand[round((days - ago) * DAY) :] *= factor
    return demand


def history(demand: FloatArray, ahead: int = DAY) -> History:
    return History.of(series(demand, MONDAY, QUARTER), PARIS, ahead)


def found(demand: FloatArray) -> list[tuple[float, float]]:
    """Shifts as (days before the end, factor)."""
    past = history(demand)
    end = past.cutoff + QUARTER
    return [((end - one.at) / timedelta(days=1), one.factor) for one in level_shifts(past)]


@given(
    factor=st.floats(1.6, 30) | st.floats(0.03, 0.6),
    ago=st.integers(4, 7),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_a_lasting_shift_is_found_where_it_was_and_as_large(
    factor: float, ago: int, seed: int
) -> None:
    ((days, size),) = found(shifted((ago, factor), seed=seed))

    assert days == pytest.approx(ago, abs=2 / 24)
    assert size == pytest.approx(factor, rel=0.05)


@pytest.mark.parametrize("ago", [8, 9, 11])
def test_one_of_the_second_week_is_found_where_its_weekday_does_not_hide_it(ago: int) -> None:
    ((days, size),) = found(shifted((ago, 3.0)))

    assert days == pytest.approx(ago, abs=2 / 24)
    assert size == pytest.approx(3.0, rel=0.05)


@given(seed=st.integers(0, 10_000), noise=st.sampled_from([0.0, 0.3]))
@settings(max_examples=40, deadline=None)
def test_an_even_service_has_none(seed: int, noise: float) -> None:
    rough = np.exp(noise * np.random.default_rng(seed + 1).standard_normal(DAYS * DAY))

    assert found(week(seed=seed) * rough) == []


@pytest.mark.parametrize(
    ("ago", "factor", "told"),
    [
        (0.4, 4.0, False),
        (0.6, 4.0, True),
        (1.0, 2.0, False),
        (1.5, 2.0, True),
        (2.5, 0.2, False),
        (3.5, 0.2, True),
        (6.0, 1.3, False),
    ],
)
def test_how_long_it_must_have_lasted_depends_on_its_direction_and_size(
    ago: float, factor: float, told: bool
) -> None:
    assert bool(found(shifted((ago, factor)))) is told


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ([(6, 3.0), (3, 1 / 3)], "three loud days that are over"),
        ([(4, 0.2), (0.1, 5.0)], "what was low has come back two hours ago"),
        ([(17, 3.0)], "in the first week there is nothing to compare with"),
        ([(4, 0.0)], "switched off"),
        ([(4, 1e-4)], "nearly switched off"),
    ],
)
def test_what_is_no_level_is_none(changes: list[tuple[float, float]], why: str) -> None:
    assert found(shifted(*changes)) == [], why


def test_a_service_born_in_silence_has_no_shift() -> None:
    demand = week()
    demand[: -5 * DAY] = 0.0

    assert found(demand) == []


def test_a_burst_every_evening_is_none() -> None:
    demand = week()
    evening = (np.arange(len(demand)) % DAY) // 4 >= 20
    demand[-5 * DAY :][evening[-5 * DAY :]] *= 8.0

    assert found(demand) == []


def test_two_shifts_are_found_one_after_the_other() -> None:
    (first, second) = found(shifted((12, 2.0), (5, 0.25)))

    assert (first[0], second[0]) == pytest.approx((12, 5), abs=2 / 24)
    assert (first[1], second[1]) == pytest.approx((2.0, 0.25), rel=0.1)


def test_no_more_than_four_are_followed() -> None:
    steps = [(ago, 4.0 if n % 2 else 0.25) for n, ago in enumerate(range(61, 0, -10))]

    assert len(found(shifted(*steps, days=70))) == 4


def test_closed_nights_hide_no_shift() -> None:
    demand = shifted((5, 2.0))
    hour = (np.arange(len(demand)) % DAY) // 4
    demand[(hour < 8) | (hour >= 20)] = 0.0

    ((days, size),) = found(demand)

    assert days == pytest.approx(5, abs=0.5)
    assert size == pytest.approx(2.0, rel=0.1)


def test_holes_hide_no_shift_and_make_none() -> None:
    demand, even = shifted((5, 3.0)), week()
    for one in (demand, even):
        one[3 * DAY : 5 * DAY] = np.nan
        one[::7] = np.nan

    assert [round(size) for _, size in found(demand)] == [3]
    assert found(even) == []


@pytest.mark.parametrize("days", [2, 7])
def test_without_a_week_to_compare_with_there_is_none(days: int) -> None:
    assert found(shifted((1, 5.0), days=days)) == []


def test_the_past_is_laid_on_the_present_level_and_what_is_unknown_stays_unknown() -> None:
    demand = week()
    demand[7] = np.nan
    past = history(demand)
    at = past.series.start + 10 * QUARTER

    moved = levelled(past, (LevelShift(at, 3.0), LevelShift(at - 5 * QUARTER, 0.5)))

    factor = np.where(np.arange(len(demand)) < 5, 1.5, np.where(np.arange(len(demand)) < 10, 3, 1))
    np.testing.assert_allclose(moved.demand, demand * factor)
    np.testing.assert_allclose(moved.series.peak, past.series.peak * factor)
    assert moved.calendar is past.calendar
    assert levelled(past, ()) is past
    long_ago = LevelShift(past.series.start - timedelta(days=9), 7.0)
    np.testing.assert_array_equal(levelled(past, (long_ago,)).demand, past.demand)


@pytest.mark.parametrize("factor", [5.0, 0.2])
def test_the_engine_forecasts_on_the_new_level(factor: float) -> None:
    demand = shifted((5, factor), days=DAYS + 1)
    past, truth = history(demand[: DAYS * DAY]), demand[DAYS * DAY :]

    said = roll(refit(past, DAY), past, DAY).values

    middle, high = said[:, QUANTILES.index(0.5)], said[:, QUANTILES.index(0.95)]
    assert np.abs(middle - truth).sum() < 0.1 * truth.sum()
    assert np.mean(truth <= high) > 0.8


def test_a_forecast_that_follows_a_fall_may_still_reach_what_was() -> None:
    past = history(shifted((5, 0.1)))

    assert refit(past, DAY).scale.highest == np.nanmax(past.demand)


def test_naive_stays_what_it_is() -> None:
    past = history(shifted((3, 5.0)))

    said = roll(refit(past, DAY), past, DAY)

    period = refit(past, DAY).naive // QUARTER
    np.testing.assert_array_equal(said.naive, past.demand[-period:][:DAY])
