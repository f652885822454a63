from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from prescaler.core.arrays import FloatArray
from prescaler.core.forecast import storable
from tests.support.builders import MONDAY, STEP, forecast

numbers = arrays(np.float64, st.integers(1, 50), elements=st.floats(0, 1e12))


@given(numbers)
def test_what_is_stored_is_as_near_as_promised(values: FloatArray) -> None:
    found = storable(values)

    np.testing.assert_allclose(found, values, rtol=2**-12 + 1e-7, atol=1e-37)


@given(numbers)
def test_rounding_twice_is_rounding_once_and_keeps_order(values: FloatArray) -> None:
    found = storable(np.sort(values))

    np.testing.assert_array_equal(found, storable(found))
    assert np.all(np.diff(found) >= 0)


def test_the_first_value_is_about_the_step_after_the_cutoff() -> None:
    found = forecast()

    assert found.first_valid_at == found.cutoff + STEP == MONDAY
    assert found.valid_until == MONDAY + timedelta(hours=50)
    assert found.stamps[0] == int(MONDAY.timestamp())


@pytest.mark.parametrize("wrong", ["values", "peak_ratio", "naive"])
def test_shapes_must_agree(wrong: str) -> None:
    changes: dict[str, Any] = {wrong: np.ones(3, dtype=np.float32)}
    with pytest.raises(ValueError, match=r"\[H"):
        forecast(**changes)


def test_a_forecast_shows_no_arrays_when_printed() -> None:
    assert len(repr(forecast())) < 500
