"""Demand to a scale and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from prescaler.core.arrays import FloatArray
from prescaler.core.scales import KINDS, DemandScale, Kind

demands = arrays(np.float64, st.integers(1, 40), elements=st.floats(0, 1e12))
kinds = pytest.mark.parametrize("kind", KINDS)


@kinds
@given(values=demands)
def test_there_and_back_again_changes_nothing(kind: Kind, values: FloatArray) -> None:
    scale = DemandScale.of(values)

    found = scale.backward(scale.forward(values, kind), kind)

    np.testing.assert_allclose(found, values, rtol=1e-9, atol=1e-9 * scale.typical)


@kinds
@given(values=demands)
def test_a_scale_keeps_the_order(kind: Kind, values: FloatArray) -> None:
    scale = DemandScale.of(values)

    assert np.all(np.diff(scale.forward(np.sort(values), kind)) >= 0)


@kinds
@given(values=arrays(np.float64, 20, elements=st.floats(-1e6, 1e6)))
def test_whatever_is_said_lies_between_zero_and_three_times_the_highest(
    kind: Kind, values: FloatArray
) -> None:
    found = DemandScale(10.0, 25.0).backward(values, kind)

    assert found.min() >= 0
    assert found.max() <= 75.0


@kinds
def test_holes_stay_holes_and_less_than_nothing_is_nothing(kind: Kind) -> None:
    scale = DemandScale(10.0, 25.0)

    found = scale.backward(scale.forward(np.array([np.nan, -3.0, 0.0, 20.0]), kind), kind)

    np.testing.assert_allclose(found, [np.nan, 0.0, 0.0, 20.0], atol=1e-12)


def test_holes_do_not_count_in_the_scale() -> None:
    scale = DemandScale.of(np.array([np.nan, 1.0, 3.0, np.nan]))

    assert scale == DemandScale(2.0, 3.0)
    assert scale.offset == pytest.approx(0.1)


@kinds
def test_where_all_is_zero_everything_said_is_zero(kind: Kind) -> None:
    scale = DemandScale.of(np.zeros(5))

    assert scale == DemandScale(1.0, 0.0)
    np.testing.assert_array_equal(scale.backward(np.array([0.0, 1.0, 9.0]), kind), 0.0)
