"""Growth of live demand, against a slow reading of the same line."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from prescaler.core.arrays import FloatArray
from prescaler.core.growth import LIVE_AGE, growth

STEP = 300
loads = arrays(np.float64, st.integers(1, 30), elements=st.floats(0, 20_000))


def one(load: FloatArray, at: int, ahead: float, least: float = 1.0) -> float:
    return float(growth(load[None], np.array([[at]]), seconds=STEP, ahead=ahead, least=least)[0, 0])


@given(loads, st.integers(0, 9000), st.integers(0, 2000), st.floats(0.5, 500))
def test_growth_is_the_highest_point_of_the_line_over_that_of_now(
    load: FloatArray, at: int, ahead: int, least: float
) -> None:
    middles = (np.arange(len(load)) + 0.5) * STEP
    every_second = np.interp(np.arange(at, at + ahead + 1), middles, load)
    now = max(float(np.interp(at - LIVE_AGE, middles, load)), least)
    # A middle lies on a whole second, so that none of the line's corners is missed.
    expected = max(1.0, float(every_second.max()) / now)

    found = one(load, at, ahead, least)

    assert found == pytest.approx(expected, rel=1e-9, abs=0.00051)
    assert found >= 1
    assert np.isfinite(found)


@given(loads, st.integers(0, 9000), st.floats(1.0, 50.0))
def test_twice_the_demand_grows_alike(load: FloatArray, at: int, times: float) -> None:
    alike = one(load * times, at, 120, 80.0 * times)

    assert alike == pytest.approx(one(load, at, 120, 80.0), abs=0.0011)


def test_a_quiet_night_knows_no_thousandfold_growth() -> None:
    night = np.array([0.0, 0.0, 8.0, 8.0])

    assert one(night, 450, 300, least=80.0) == 1.0
    assert one(night, 450, 300, least=4.0) == 2.0


def test_forecasts_side_by_side_do_not_touch_each_other() -> None:
    pair = np.array([[100.0, 200.0, 300.0], [300.0, 200.0, 100.0]])
    at = np.array([[150, 450], [150, 450]])

    found = growth(pair, at, seconds=STEP, ahead=300.0, least=1.0)

    assert found.tolist() == [[2.0, round(300 / 180, 3)], [1.0, 1.0]]
