from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescaler.core.quantiles import MEDIAN, QUANTILES
from prescaler.core.uplift import Frame, UpliftCurve
from prescaler.core.uplift.curve import DRAWS, drawn_from
from tests.support.crowds import FIRST_DAY, STEP

FRAME = Frame(STEP, 2, 4, 2)
START = FIRST_DAY + timedelta(hours=19)
STAMPS = int(START.timestamp()) + 900 * np.arange(-4, 8)
INSIDE = slice(2, 10)

rows = st.lists(st.floats(0, 1e6), min_size=8, max_size=8).map(sorted).map(np.array)


def curve(factor: float, sigma: float = 0.0, offset: float = 0.0) -> UpliftCurve:
    at = (np.arange(DRAWS) + 0.5) / DRAWS
    spread = np.tile(sigma * (2 * at - 1), (FRAME.length, 1))
    return UpliftCurve(FRAME, np.full(FRAME.length, np.log(factor)), spread, offset)


@given(rows, st.floats(0.1, 20.0), st.floats(0.0, 1.0))
def test_lifted_quantiles_never_cross_and_nothing_changes_outside(
    row: np.ndarray, factor: float, sigma: float
) -> None:
    values = np.tile(row, (len(STAMPS), 1))

    lifted = curve(factor, sigma, offset=1.0).lifted(STAMPS, START, values)

    assert np.all(np.diff(lifted, axis=1) >= -1e-9 * (1 + row[-1] * factor))
    assert np.all(lifted >= 0)
    outside = np.r_[0:2, 10:12]
    np.testing.assert_array_equal(lifted[outside], values[outside])


def test_a_crowd_of_another_day_changes_nothing() -> None:
    values = np.full((len(STAMPS), 8), 40.0)

    lifted = curve(5.0).lifted(STAMPS, START + timedelta(days=1), values)

    np.testing.assert_array_equal(lifted, values)


def test_a_certain_uplift_multiplies_what_is_certain() -> None:
    values = np.full((len(STAMPS), 8), 40.0)

    lifted = curve(5.0).lifted(STAMPS, START, values)

    np.testing.assert_allclose(lifted[INSIDE], 200.0)


def test_a_product_of_two_spreads_is_narrower_than_the_product_of_their_quantiles() -> None:
    row = np.exp(np.interp(QUANTILES, [0, 1], [-1.0, 1.0]))
    both = curve(1.0, sigma=1.0).lifted(STAMPS, START, np.tile(row, (len(STAMPS), 1)))[4]
    high = QUANTILES.index(0.95)
    alone = np.exp(0.9)

    assert both[MEDIAN] == pytest.approx(1.0, rel=0.02)
    assert row[high] < both[high] < 0.9 * row[high] * alone


def test_a_crowd_that_has_come_is_known_better_for_a_while() -> None:
    values, high = np.full((len(STAMPS), 8), 40.0), QUANTILES.index(0.95)
    uplift = curve(5.0, sigma=1.0)

    before = uplift.lifted(STAMPS, START, values, START - timedelta(hours=1))
    there = uplift.lifted(STAMPS, START, values, START + timedelta(minutes=15))

    np.testing.assert_array_equal(before, uplift.lifted(STAMPS, START, values))
    width = np.log(there[INSIDE, high]) - np.log(200.0)
    assert np.all(width[:4] < np.log(before[4, high] / 200.0))
    assert width[4] < width[5] < width[6]


def test_lowering_takes_away_what_lifting_adds_and_leaves_holes() -> None:
    demand = np.full(len(STAMPS), 200.0)
    demand[5] = np.nan

    lowered = curve(5.0, offset=2.0).lowered(STAMPS, START, demand)

    assert np.isnan(lowered[5])
    np.testing.assert_allclose(lowered[[2, 3, 4, 6, 9]], 202.0 / 5 - 2.0)
    np.testing.assert_array_equal(lowered[[0, 1, 10, 11]], 200.0)


def test_a_curve_tells_its_factors_and_suggests_one() -> None:
    found = curve(3.0, sigma=0.5)

    low, middle, high = found.factors()[3]
    assert low < middle < high
    assert middle == pytest.approx(3.0)
    assert found.suggested() == pytest.approx(3.0)


@given(rows)
def test_drawn_values_stay_between_the_outer_quantiles(row: np.ndarray) -> None:
    drawn = drawn_from(row[None, :])[0]

    assert len(drawn) == DRAWS
    assert np.all(np.diff(drawn) >= -1e-9 * (1 + row[-1]))
    assert row[0] <= drawn[0] + 1e-9
    assert drawn[-1] <= row[-1] * (1 + 1e-12)
