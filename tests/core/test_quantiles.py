import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from prescaler.core.arrays import FloatArray
from prescaler.core.quantiles import (
    MEDIAN,
    QUANTILES,
    quantile_at,
    uncrossed,
    weighted_quantiles,
    widening,
)

samples = arrays(np.float64, st.integers(1, 60), elements=st.floats(-1e6, 1e6))
LEVELS = np.array(QUANTILES)


@given(samples)
def test_equal_weights_give_the_hazen_quantiles(values: FloatArray) -> None:
    found = weighted_quantiles(values, np.ones(len(values)), LEVELS)

    wanted = np.quantile(values, LEVELS, method="hazen")
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-6)


@given(samples, st.data())
def test_a_weight_of_two_is_the_same_as_standing_there_twice(
    values: FloatArray, data: st.DataObject
) -> None:
    times = np.array(
        data.draw(st.lists(st.integers(1, 3), min_size=len(values), max_size=len(values)))
    )
    weighted = weighted_quantiles(values, times.astype(float), np.array([0.5]))
    repeated = np.sort(np.repeat(values, times))

    assert repeated[0] <= weighted[0] <= repeated[-1]
    assert np.all(np.diff(weighted_quantiles(values, times.astype(float), LEVELS)) >= 0)


@pytest.mark.parametrize(
    ("cases", "student"), [(5, (1.476, 2.015, 3.365)), (14, (1.345, 1.761, 2.624))]
)
def test_few_cases_widen_as_in_the_table_of_student(
    cases: int, student: tuple[float, float, float]
) -> None:
    normal = np.array([1.2816, 1.6449, 2.3263])

    wanted = np.array(student) / normal * np.sqrt(1 + 1 / cases)

    upper = [QUANTILES.index(level) for level in (0.9, 0.95, 0.99)]
    np.testing.assert_allclose(widening(cases)[upper], wanted, rtol=0.05)


@given(st.floats(1.0, 1e4), st.floats(1.01, 10.0))
def test_more_cases_widen_less_and_rare_misses_need_most(cases: float, times: float) -> None:
    few, many = widening(cases), widening(cases * times)

    assert np.all(few > many)
    assert np.all(many >= 1.0)
    assert np.all(np.diff(few[MEDIAN:]) > 0)
    assert np.all(np.diff(few[: MEDIAN + 1]) < 0)


@given(arrays(np.float64, (5, len(QUANTILES)), elements=st.floats(0, 1e9)))
def test_uncrossed_rows_ascend_and_keep_their_numbers(rows: FloatArray) -> None:
    found = uncrossed(rows)

    assert np.all(np.diff(found, axis=1) >= 0)
    np.testing.assert_array_equal(np.sort(rows, axis=1), found)


@pytest.mark.parametrize("index", range(len(QUANTILES)))
def test_the_eight_are_read_off_exactly(index: int) -> None:
    rows = np.array([[0.1, 0.2, 0.3, 0.7, 1.1, 1.3, 1.7, 2.9]])

    assert rows[0, index] == quantile_at(rows, QUANTILES[index])[0]


@given(st.floats(0.001, 0.999))
def test_others_lie_between_their_neighbours(quantile: float) -> None:
    rows = np.arange(8.0)[None, :]
    found = quantile_at(rows, quantile)[0]

    below = [i for i, q in enumerate(QUANTILES) if q <= quantile]
    above = [i for i, q in enumerate(QUANTILES) if q >= quantile]
    assert (max(below) if below else 0) <= found <= (min(above) if above else 7)


def test_several_sets_of_weights_are_several_samples() -> None:
    values, weights = np.array([3.0, 1.0, 2.0]), np.array([[1.0, 1.0, 1.0], [5.0, 1.0, 1.0]])

    found = weighted_quantiles(values, weights, LEVELS)

    for row, weight in zip(found, weights, strict=True):
        np.testing.assert_array_equal(row, weighted_quantiles(values, weight, LEVELS))
