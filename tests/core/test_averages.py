"""Weighted means and medians against obvious loops."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from prescaler.core.arrays import FloatArray
from prescaler.core.averages import weighted_mean, weighted_median

numbers = st.one_of(st.just(np.nan), st.floats(-1e6, 1e6))
tables = arrays(np.float64, st.tuples(st.integers(1, 9), st.integers(1, 5)), elements=numbers)
Average = Callable[[FloatArray, FloatArray], FloatArray]
both = pytest.mark.parametrize("average", [weighted_mean, weighted_median])


def drawn_weights(data: st.DataObject, values: FloatArray) -> FloatArray:
    """Whole numbers, so that half of their sum is half of it exactly."""
    return data.draw(arrays(np.float64, len(values), elements=st.integers(1, 5).map(float)))


def plain_mean(column: FloatArray, weights: FloatArray) -> float:
    total = sum(w for v, w in zip(column, weights, strict=True) if np.isfinite(v))
    mixed = sum(v * w for v, w in zip(column, weights, strict=True) if np.isfinite(v))
    return mixed / total if total else np.nan


def plain_median(column: FloatArray, weights: FloatArray) -> float:
    """The median of every value repeated as often as it weighs."""
    repeated = np.repeat(column, weights.astype(int))
    known = repeated[np.isfinite(repeated)]
    return float(np.median(known)) if len(known) else np.nan


@given(tables, st.data())
def test_the_mean_is_that_of_a_loop(values: FloatArray, data: st.DataObject) -> None:
    weights = drawn_weights(data, values)

    wanted = [plain_mean(column, weights) for column in values.T]
    np.testing.assert_allclose(weighted_mean(values, weights), wanted, rtol=1e-9, atol=1e-6)


@given(tables, st.data())
def test_the_median_is_that_of_repeated_values(values: FloatArray, data: st.DataObject) -> None:
    weights = drawn_weights(data, values)

    wanted = [plain_median(column, weights) for column in values.T]
    np.testing.assert_allclose(weighted_median(values, weights), wanted, rtol=1e-9, atol=1e-6)


@both
@given(values=tables)
def test_an_average_lies_between_the_lowest_and_the_highest(
    average: Average, values: FloatArray
) -> None:
    found = average(values, np.ones(len(values)))

    for column, middle in zip(values.T, found, strict=True):
        known = column[np.isfinite(column)]
        assert np.isnan(middle) if not len(known) else known.min() - 1e-6 <= middle
        assert np.isnan(middle) or middle <= known.max() + 1e-6


@both
def test_weights_of_every_single_value_are_taken_too(average: Average) -> None:
    values = np.array([[1.0, 1.0], [5.0, 5.0], [9.0, 9.0]])
    weights = np.array([[9.0, 0.0], [1.0, 1.0], [1.0, 9.0]])

    found = average(values, weights)

    for place in (0, 1):
        alone = average(values[:, [place]], weights[:, place])[0]
        assert found[place] == pytest.approx(alone)


def test_a_median_of_thirds_is_not_moved_by_rounding() -> None:
    values = np.array([[1.0], [2.0], [4.0], [8.0]])

    assert weighted_median(values, np.array([0.1, 0.2, 0.1, 0.2]) / 0.6)[0] == pytest.approx(3.0)


@both
def test_values_of_any_rank_are_averaged_along_the_first_axis(average: Average) -> None:
    values = np.random.default_rng(1).normal(size=(4, 2, 3))

    found = average(values, np.ones(4))

    assert found.shape == (2, 3)
    assert found[1, 2] == pytest.approx(average(values[:, 1, 2][:, None], np.ones(4))[0])


@given(
    arrays(np.float64, st.tuples(st.integers(1, 16), st.integers(1, 5)), elements=numbers),
    st.floats(0.5, 20.0),
)
def test_few_and_many_values_have_the_same_median_to_the_bit(
    values: FloatArray, half_life: float
) -> None:
    """Up to a dozen values are compared, more are sorted; holes change neither."""
    weights = 0.5 ** (np.arange(len(values)) / half_life)
    more = np.concatenate([values, np.full((13, values.shape[1]), np.nan)])

    found = weighted_median(more, np.concatenate([weights, np.ones(13)]))

    np.testing.assert_array_equal(weighted_median(values, weights), found)


@pytest.mark.parametrize("endless", [np.inf, -np.inf])
@pytest.mark.parametrize("row", [0, 15])
def test_an_endless_value_among_many_is_a_hole(endless: float, row: int) -> None:
    values = np.random.default_rng(3).normal(size=(20, 4))
    holed = values.copy()
    holed[row], values[row] = np.nan, endless

    np.testing.assert_array_equal(
        weighted_median(values, np.ones(20)), weighted_median(holed, np.ones(20))
    )


def test_places_do_not_depend_on_how_many_there_are() -> None:
    values = np.random.default_rng(2).normal(size=(7, 9000))
    weights = 0.5 ** (np.arange(7) / 3.5)

    apart = [weighted_median(values[:, [place]], weights)[0] for place in (0, 4095, 4096, 8999)]

    np.testing.assert_array_equal(weighted_median(values, weights)[[0, 4095, 4096, 8999]], apart)
