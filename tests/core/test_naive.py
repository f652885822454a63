"""Seasonal naive: the bar, in elapsed time."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from prescaler.core.arrays import FloatArray
from prescaler.core.history import History
from prescaler.core.naive import better_naive, seasonal_naive
from tests.support.builders import DAY, MONDAY, PARIS, daily_demand, series

H = 96
WEEK = 7 * DAY


def history(values: FloatArray, start: datetime = MONDAY) -> History:
    return History.of(series(values, start), PARIS, H)


@pytest.mark.parametrize(("period", "points"), [(DAY, 288), (WEEK, 2016)])
def test_a_period_ago_is_copied(period: timedelta, points: int) -> None:
    values = daily_demand(10)

    found = seasonal_naive(history(values), period, H)

    np.testing.assert_array_equal(found, values[-points : len(values) - points + H])


def test_elapsed_time_counts_and_not_the_wall_clock() -> None:
    values = daily_demand(2)
    known = history(values, datetime(2026, 10, 24, tzinfo=UTC))  # clocks go back on the 25th

    np.testing.assert_array_equal(seasonal_naive(known, DAY, H), values[-288 : -288 + H])


def test_beyond_a_period_it_is_copied_again() -> None:
    values = daily_demand(3)

    found = seasonal_naive(history(values), DAY, 600)

    np.testing.assert_array_equal(found, np.tile(values[-288:], 3)[:600])


def test_where_yesterday_is_a_hole_the_day_before_is_copied() -> None:
    values = daily_demand(10)
    values[-288:] = np.nan

    np.testing.assert_array_equal(seasonal_naive(history(values), DAY, H), values[-576 : -576 + H])


def test_what_no_period_shows_is_interpolated() -> None:
    values = np.tile(np.arange(288.0), 3)
    values.reshape(3, 288)[:, 5:10] = np.nan

    np.testing.assert_allclose(seasonal_naive(history(values), DAY, H), np.arange(float(H)))


def test_where_nothing_is_shown_nothing_is_said() -> None:
    assert np.isnan(seasonal_naive(history(np.full(600, np.nan)), DAY, H)).all()
    assert np.isnan(seasonal_naive(history(np.ones(100)), WEEK, H)).all()


def test_a_week_is_better_where_weekends_are_quiet() -> None:
    day = np.arange(21 * 288) // 288
    values = np.where(day % 7 >= 5, 10.0, 100.0)

    assert better_naive(history(values)) == WEEK


def test_a_day_is_better_where_every_day_has_its_own_level() -> None:
    values = np.power(1.1, np.arange(21 * 288) // 288)

    assert better_naive(history(values.astype(np.float64))) == DAY


@pytest.mark.parametrize("values", [np.ones(100), np.ones(600), np.full(5000, np.nan)])
def test_where_nothing_tells_it_is_a_day(values: FloatArray) -> None:
    assert better_naive(history(values)) == DAY
