from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from prescaler.core.arrays import FloatArray
from prescaler.core.errors import AnswerNotUnderstood
from prescaler.core.series import (
    Series,
    coarsen,
    missing_series,
    overlay,
    series_from_points,
    sum_series,
)
from tests.support.builders import MINUTE, MONDAY, STEP, series

values = st.one_of(st.just(np.nan), st.floats(0, 1e6))
minutes = arrays(np.float64, st.integers(1, 60), elements=values)


@given(minutes, st.integers(0, 9))
def test_coarse_points_are_mean_and_maximum_of_what_they_cover(
    fine: FloatArray, offset: int
) -> None:
    start = MONDAY + offset * MINUTE
    coarse = coarsen(series(fine, start, MINUTE), STEP)

    for stamp, mean, peak in zip(coarse.stamps, coarse.mean, coarse.peak, strict=True):
        first = (int(stamp) - int(start.timestamp())) // 60
        covered = [fine[i] for i in range(max(0, first), first + 5) if np.isfinite(fine[i])]
        if covered:
            assert mean == pytest.approx(np.mean(covered))
            assert peak == max(covered)
        else:
            assert np.isnan(mean)
            assert np.isnan(peak)


def test_the_same_step_is_the_same_series() -> None:
    whole = series(np.ones(3))

    assert coarsen(whole, STEP) is whole


@given(minutes)
def test_a_coarse_point_that_is_not_complete_is_left_out(fine: FloatArray) -> None:
    assert len(coarsen(series(fine, MONDAY, MINUTE), STEP)) == len(fine) // 5


@given(minutes, minutes, st.integers(0, 40))
def test_what_is_observed_above_wins_and_holes_erase_nothing(
    below: FloatArray, above: FloatArray, offset: int
) -> None:
    found = overlay(series(below), series(above, MONDAY + offset * STEP))

    for index, value in enumerate(found.mean):
        upper = above[index - offset] if 0 <= index - offset < len(above) else np.nan
        lower = below[index] if index < len(below) else np.nan
        wanted = upper if np.isfinite(upper) else lower
        np.testing.assert_equal(value, wanted)


@given(minutes, st.data())
def test_points_may_come_in_any_order(fine: FloatArray, data: st.DataObject) -> None:
    whole = series(fine, MONDAY, MINUTE)
    order = np.array(data.draw(st.permutations(range(len(fine)))))
    found = series_from_points(
        whole.stamps[order], fine[order], start=MONDAY, end=whole.end, step=MINUTE
    )

    np.testing.assert_array_equal(fine, found.mean)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_a_hole(value: float) -> None:
    stamp = np.array([int(MONDAY.timestamp())])
    found = series_from_points(
        stamp, np.array([value]), start=MONDAY, end=MONDAY + MINUTE, step=MINUTE
    )

    assert np.isnan(found.mean[0])


@pytest.mark.parametrize("shift", [1, -60, 600])
def test_a_stamp_off_the_grid_or_range_is_refused(shift: int) -> None:
    stamp = np.array([int(MONDAY.timestamp()) + shift])
    with pytest.raises(AnswerNotUnderstood, match="off the grid"):
        series_from_points(stamp, np.array([1.0]), start=MONDAY, end=MONDAY + STEP, step=MINUTE)


def test_one_stamp_with_two_values_is_refused() -> None:
    stamps = np.array([int(MONDAY.timestamp())] * 2)
    with pytest.raises(AnswerNotUnderstood, match="twice"):
        series_from_points(
            stamps, np.array([1.0, 2.0]), start=MONDAY, end=MONDAY + STEP, step=MINUTE
        )


def test_a_repeated_observation_is_harmless() -> None:
    stamps = np.array([int(MONDAY.timestamp())] * 2)
    found = series_from_points(
        stamps, np.array([2.0, 2.0]), start=MONDAY, end=MONDAY + MINUTE, step=MINUTE
    )

    assert found.mean[0] == 2.0


def test_missing_in_one_source_is_missing_in_the_sum() -> None:
    total = sum_series([series(np.array([1.0, 2.0])), series(np.array([10.0, np.nan]))])

    np.testing.assert_array_equal([11.0, np.nan], total.mean)


def test_sources_on_other_grids_cannot_be_summed() -> None:
    with pytest.raises(ValueError, match="share their grid"):
        sum_series([series(np.ones(2)), series(np.ones(3))])


def test_grids_of_other_steps_cannot_be_laid_over_each_other() -> None:
    with pytest.raises(ValueError, match="cannot lay"):
        overlay(series(np.ones(2)), series(np.ones(2), MONDAY, MINUTE))


@given(st.integers(-10, 20), st.integers(-10, 20))
def test_between_gives_the_points_stamped_in_the_range(first: int, last: int) -> None:
    whole = series(np.arange(10.0))
    start, end = MONDAY + first * STEP, MONDAY + last * STEP

    found = whole.between(start, end)

    wanted = [v for i, v in enumerate(whole.mean) if start <= MONDAY + i * STEP < end]
    assert wanted == list(found.mean)


def test_between_takes_instants_off_the_grid() -> None:
    whole = series(np.arange(3.0))

    found = whole.between(MONDAY + timedelta(seconds=1), MONDAY + 2 * STEP + timedelta(seconds=1))

    assert list(found.mean) == [1.0, 2.0]


def test_the_last_observation_skips_trailing_holes() -> None:
    whole = series(np.array([1.0, 2.0, np.nan]))

    assert whole.last_observation() == (MONDAY + STEP, 2.0)
    assert missing_series(MONDAY, STEP, 3).last_observation() is None
    assert series(np.empty(0)).last_observation() is None


def test_leading_holes_are_no_history() -> None:
    whole = series(np.array([np.nan, np.nan, 3.0, np.nan]))

    assert len(whole.from_first_observation()) == 2
    assert len(missing_series(MONDAY, STEP, 3).from_first_observation()) == 0


def test_a_start_off_the_grid_is_a_defect() -> None:
    with pytest.raises(ValueError, match="grid"):
        Series(datetime(2026, 1, 1, 0, 1, tzinfo=UTC), STEP, np.ones(1), np.ones(1))


def test_mean_and_peak_of_other_lengths_are_a_defect() -> None:
    with pytest.raises(ValueError, match=r"\[N\]"):
        Series(MONDAY, STEP, np.ones(1), np.ones(2))


def test_nobody_can_write_into_a_series() -> None:
    with pytest.raises(ValueError, match="read-only"):
        series(np.ones(2)).mean[0] = 5.0
