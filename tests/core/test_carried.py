"""What growth makes of the demand that the median expects."""

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescaler.core.carried import Carried, carried, carried_cells, carried_load, outlook
from prescaler.core.events import EventEffect
from prescaler.core.lead_time import next_raise, unreachable
from prescaler.core.plan import growth_at, require
from prescaler.core.policy import ActsAs, Policy
from tests.support.builders import MONDAY, forecast, policy

HOUR = timedelta(hours=1)
NOW = MONDAY + HOUR
RISE = np.concatenate([np.full(36, 800.0), np.full(564, 1600.0)])
"""Doubles at NOW + 2 h."""
DOUBLED = NOW + 2 * HOUR


def grows(**changes: Any) -> Policy:
    return policy(acts_as=ActsAs.GROWTH, **changes)


def at(*hours: float) -> np.ndarray:
    return np.array([int((NOW + hour * HOUR).timestamp()) for hour in hours], dtype=np.int64)


def test_the_outlook_says_how_high_and_when() -> None:
    own = grows()
    found = outlook(require(forecast(RISE), (), own), own, NOW)

    assert found.now == 1.0
    assert found.highest == pytest.approx(2.0, abs=0.01)
    assert found.at is not None
    assert timedelta(0) < DOUBLED - found.at <= own.growth_ahead
    capped = outlook(require(forecast(RISE), (), own), own, NOW, 1.25)
    assert capped.highest == 1.25
    assert capped.at is not None
    assert capped.at <= found.at


def test_where_nothing_grows_there_is_no_moment() -> None:
    own = grows()
    found = outlook(require(forecast(np.full(600, 800.0)), (), own), own, NOW)

    assert (found.now, found.highest, found.at) == (1.0, 1.0, None)


def test_a_planned_crowd_is_expected_and_carried_on() -> None:
    own, kick_off = grows(), NOW + HOUR
    crowd = EventEffect("final", kick_off, kick_off + HOUR, 4.0)
    cells = require(forecast(np.full(600, 800.0)), (crowd,), own)

    found = carried(cells, own, at(0, 0.99, 1.5))

    np.testing.assert_allclose(found.expected, [800.0, 800.0, 3200.0], rtol=0.01)
    np.testing.assert_allclose(found.asked, [800.0, 3200.0, 3200.0], rtol=0.01)


def test_outside_of_the_forecast_nothing_is_said() -> None:
    own = grows()
    found: Carried = carried(require(forecast(RISE), (), own), own, at(-9, 72))

    assert np.isnan(found.expected).all()
    assert np.isnan(found.asked).all()
    assert found.growth.tolist() == [1.0, 1.0]


@given(st.floats(0, 1e6), st.floats(1, 50), st.none() | st.integers(1, 500))
def test_growth_stays_under_the_ceiling_and_demand_is_never_lowered(
    live: float, times: float, most: int | None
) -> None:
    own = grows(max_pods=most)
    (found,) = carried_load(np.array([live]), np.array([times]), own).tolist()

    assert found >= live
    assert found <= max(live, live * times)
    if most is None:
        assert found == live * times
    else:
        assert found <= max(live, most * own.target)


def test_a_raise_is_that_of_expected_demand_a_look_ahead_before() -> None:
    own = grows()
    cells = carried_cells(require(forecast(RISE), (), own), own)
    coming = next_raise(cells, own, NOW, 10)

    assert coming is not None
    assert (coming.at, coming.pods) == (DOUBLED, 20)
    assert coming.at - coming.latest_start == coming.lead == own.growth_ahead
    assert growth_at(cells, own, at(1.99))[0] > 1, "and growth does ask for it by then"


def test_what_growth_asks_for_too_late_is_found() -> None:
    own = grows()
    cells = carried_cells(require(forecast(RISE), (), own), own)

    late = unreachable(cells, own, DOUBLED - timedelta(seconds=20), 10)

    assert late is not None
    assert (late.at, late.pods) == (DOUBLED, 20)
    assert unreachable(cells, own, DOUBLED - own.growth_ahead - timedelta(seconds=1), 10) is None
