"""Repeated observations are told from real ones, or left alone."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescaler.core.spacing import own_spacing, unrepeated
from tests.support.builders import DAY, MINUTE, MONDAY, STEP, daily_demand, series

QUARTER = timedelta(minutes=15)


def repeated(times: int, phase: int, points: int = 1440) -> np.ndarray:
    values = np.repeat(daily_demand(2, step=MINUTE), times)
    return np.asarray(values[times - phase : times - phase + points])


@given(st.sampled_from([3, 5, 15]), st.integers(0, 14))
def test_a_value_repeated_is_kept_once(times: int, phase: int) -> None:
    one = series(repeated(times, phase % times), MONDAY, MINUTE)

    found = unrepeated(one, QUARTER)

    assert found.step == times * MINUTE
    np.testing.assert_array_equal(found.mean, one.mean[phase % times :: times])
    assert (found.start, found.end) == (one.start, one.end)


def test_what_changes_every_minute_stays() -> None:
    one = series(daily_demand(1, step=MINUTE), MONDAY, MINUTE)

    assert unrepeated(one, STEP) is one


@pytest.mark.parametrize("values", [np.full(1440, 7.0), np.full(1440, np.nan), np.ones(1)])
def test_what_never_changes_says_nothing_of_its_spacing(values: np.ndarray) -> None:
    assert own_spacing(series(values, MONDAY, MINUTE), STEP) == (1, 0)


def test_a_few_changes_are_chance() -> None:
    values = np.repeat(np.arange(20.0), 5)

    assert own_spacing(series(values, MONDAY, MINUTE), STEP) == (1, 0)


def test_holes_stay_holes() -> None:
    values = repeated(5, 2)
    values[500:612] = np.nan

    found = unrepeated(series(values, MONDAY, MINUTE), STEP)

    assert found.step == STEP
    assert int((~found.observed).sum()) == 22


def test_only_a_spacing_that_divides_the_longest_counts() -> None:
    one = series(repeated(2, 0), MONDAY, MINUTE)

    assert unrepeated(one, STEP) is one


def test_a_piece_whose_ends_lie_off_the_coarser_grid_stays() -> None:
    values = repeated(5, 0, 1440)

    assert unrepeated(series(values, MONDAY + MINUTE, MINUTE), STEP).step == MINUTE
    assert unrepeated(series(values[:-1], MONDAY, MINUTE), STEP).step == MINUTE


def test_made_coarse_again_it_is_what_the_repeated_one_would_be() -> None:
    from prescaler.core.series import coarsen

    one = series(repeated(5, 0), MONDAY, MINUTE)

    np.testing.assert_allclose(coarsen(one, DAY).mean, coarsen(unrepeated(one, STEP), DAY).mean)
