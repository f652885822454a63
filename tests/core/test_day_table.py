"""Histories laid out on civil days."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from prescaler.core.arrays import FloatArray
from prescaler.core.day_table import DayTable, cells_of, day_table, smoothed
from prescaler.core.history import History
from prescaler.core.scales import DemandScale
from tests.support.builders import MINUTE, MONDAY, PARIS, daily_demand, series

SCALE = DemandScale(100.0, 300.0)
HOUR = 60 * MINUTE


def hourly(values: FloatArray, start: datetime = MONDAY, ahead: int = 30) -> History:
    return History.of(series(values, start, HOUR), PARIS, ahead)


def table(days: float = 9, gap: int = 1) -> DayTable:
    return day_table(hourly(daily_demand(days, step=HOUR)), SCALE, 30, gap)


def test_a_row_is_a_local_day_and_a_column_a_slot_of_it() -> None:
    values = np.arange(1.0, 50.0)
    known = hourly(values)
    found = day_table(known, SCALE, 30)

    assert (found.days, found.slots) == (4, 24)
    assert np.isnan(found.logs["none"][0, 0])  # midnight in Paris is an hour before that of UTC
    np.testing.assert_array_equal(
        found.logs["none"].ravel()[1:50], SCALE.forward(known.demand, "log")
    )
    assert np.isnan(found.logs["none"].ravel()[50:]).all()


def test_it_knows_its_weekdays_and_where_the_present_is() -> None:
    found = table()

    assert list(found.weekday[:8]) == [0, 1, 2, 3, 4, 5, 6, 0]
    assert found.first_day == (MONDAY - datetime(1970, 1, 1, tzinfo=UTC)).days
    assert found.present == 9
    assert list(found.rows) == list(range(found.days))


def test_on_the_long_day_the_second_of_two_hours_counts() -> None:
    values = np.arange(1.0, 49.0)
    found = day_table(hourly(values, datetime(2026, 10, 24, 22, tzinfo=UTC)), SCALE, 1)

    doubled = found.logs["none"][0, 2]  # two o'clock: points 2 and 3
    assert doubled == SCALE.forward(values[3:4], "log")[0]
    assert found.logs["none"][0, 3] == SCALE.forward(values[4:5], "log")[0]


def test_on_the_short_day_the_hour_that_was_skipped_is_a_hole() -> None:
    found = day_table(hourly(np.ones(48), datetime(2026, 3, 28, 23, tzinfo=UTC)), SCALE, 1)

    assert np.isnan(found.logs["none"][0, 2])
    assert np.isfinite(found.logs["none"][0, [0, 1, 3, 23]]).all()


def test_every_point_has_a_cell_of_its_own_but_for_clock_changes() -> None:
    cells = cells_of(hourly(np.ones(100)), 100)

    np.testing.assert_array_equal(np.diff(cells), 1)


@pytest.mark.parametrize("days", [1, 2, 7])
def test_a_lag_is_the_row_so_many_days_before(days: int) -> None:
    found = table()

    lagged = found.lagged(days, "none")

    np.testing.assert_array_equal(lagged[days:], found.logs["none"][:-days])
    assert np.isnan(lagged[:days]).all()


def test_what_is_newer_than_the_gap_is_not_shown() -> None:
    found = table(gap=2)

    assert np.isnan(found.lagged(1)).all()
    assert len(found.lags(range(1, 4))) == 2


def test_without_any_lag_there_is_one_of_holes() -> None:
    found = table(1.6).lags(range(7, 29, 7))

    assert found.shape == (1, 3, 24)
    assert np.isnan(found).all()


def test_lags_behind_the_first_row_are_left_out() -> None:
    assert len(table(3).lags(range(1, 8))) == 4  # five rows with the future


def test_only_the_rows_that_are_asked_for_are_given() -> None:
    whole = table()
    asked = whole.asked(np.array([3, 8]))

    np.testing.assert_array_equal(asked.lagged(2), whole.lagged(2)[[3, 8]])
    assert asked.lags((1, 2)).shape == (2, 2, 24)


def plain_smoothed(values: FloatArray, width: int) -> FloatArray:
    found = np.full(len(values), np.nan)
    for place in range(len(values)):
        near = range(max(0, place - width), min(len(values), place + width + 1))
        told = [(values[k], 1.0 + width - abs(k - place)) for k in near if np.isfinite(values[k])]
        if told:
            found[place] = sum(v * w for v, w in told) / sum(w for _, w in told)
    return found


@given(
    arrays(
        np.float64,
        st.integers(1, 40),
        elements=st.one_of(st.just(np.nan), st.floats(-1e3, 1e3)),
    ),
    st.integers(0, 8),
)
@example(np.arange(40.0) ** 2, 8)
@example(np.arange(17.0), 8)
@example(np.arange(16.0), 8)
def test_smoothing_is_a_triangular_mean_of_known_neighbours(values: FloatArray, width: int) -> None:
    wanted = values if width == 0 else plain_smoothed(values, width)

    np.testing.assert_allclose(smoothed(values, width), wanted, rtol=1e-9, atol=1e-9)
