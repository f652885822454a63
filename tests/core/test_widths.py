"""Corrections of width: in order, never below zero, and nothing where there are none."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from prescaler.core.arrays import FloatArray
from prescaler.core.quantiles import MEDIAN, QUANTILES
from prescaler.core.widths import Widths, factors_at

LEADS = np.array([3, 12])
logs = arrays(np.float64, (2, len(QUANTILES)), elements=st.floats(-0.7, 1.1))


@given(logs, arrays(np.float64, (30, len(QUANTILES)), elements=st.floats(0, 1e6)))
def test_whatever_the_factors_values_stay_in_order_and_above_zero(
    found: FloatArray, values: FloatArray
) -> None:
    values = np.sort(values, axis=1)

    wider = Widths.of(LEADS, found).applied(values)

    assert np.all(wider >= 0)
    assert np.all(np.diff(wider, axis=1) >= 0)


def test_a_factor_acts_on_the_deviation_and_leaves_the_median() -> None:
    values = np.tile(np.array([70.0, 80, 90, 100, 110, 120, 130, 150]), (5, 1))
    doubled = np.full((2, len(QUANTILES)), np.log(2))
    doubled[:, MEDIAN] = 0.0

    wider = Widths.of(LEADS, doubled).applied(values)

    np.testing.assert_allclose(wider[0], [40, 60, 80, 100, 120, 140, 160, 200], rtol=1e-4)
    assert Widths().applied(values) is values


def test_between_two_leads_the_logarithm_of_the_lead_counts() -> None:
    rows = np.array([[0.0], [1.0]])

    found = factors_at(LEADS, rows, np.array([1, 3, 6, 12, 48]))

    np.testing.assert_allclose(np.log(found[:, 0]), [0, 0, 0.5, 1, 1])
