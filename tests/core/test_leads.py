"""How leads are grouped, for every step and horizon."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescaler.core.calendar import DAY
from prescaler.core.leads import Reach, band_of, bands_in, reaches, spread_bands, weight_bands
from tests.support.builders import MINUTE, STEP

steps = st.sampled_from([1, 2, 4, 5, 10, 15, 20, 30, 60]).map(lambda n: n * MINUTE)
horizons = st.integers(1, 14 * 24 * 4)


def found_for(step: timedelta, quarters: int) -> tuple[int, list[Reach]]:
    """Reaches for a horizon of so many quarters of an hour."""
    horizon = max(1, quarters * timedelta(minutes=15) // step)
    return horizon, reaches(step, horizon)


@given(steps, horizons)
def test_the_horizon_is_covered_once(step: timedelta, quarters: int) -> None:
    horizon, found = found_for(step, quarters)

    covered = np.concatenate([reach.horizon for reach in found])
    np.testing.assert_array_equal(covered, np.arange(1, horizon + 1))


@given(steps, horizons)
def test_learnt_leads_ascend_and_lie_inside_the_horizon(step: timedelta, quarters: int) -> None:
    horizon, found = found_for(step, quarters)

    for reach in found:
        assert len(reach.leads)
        assert reach.leads[0] >= 1
        assert np.all(np.diff(reach.leads) > 0)
        assert reach.furthest <= horizon
        assert reach.furthest <= reach.gap * (DAY // step)


@given(steps, horizons)
def test_every_band_holds_a_learnt_lead(step: timedelta, quarters: int) -> None:
    for reach in found_for(step, quarters)[1]:
        for edges in (weight_bands(reach, step), spread_bands(reach, step)):
            assert edges == sorted(set(edges))
            assert edges[-1] == reach.furthest
            bands = band_of(reach.leads, edges)
            assert set(bands.tolist()) == set(range(len(edges)))


@given(steps, horizons)
def test_the_bands_are_the_same_as_views(step: timedelta, quarters: int) -> None:
    for reach in found_for(step, quarters)[1]:
        edges = weight_bands(reach, step)
        for leads in (reach.leads, reach.horizon):
            found = np.full(len(leads), -1)
            for band, here in bands_in(leads, edges):
                found[here] = band
            np.testing.assert_array_equal(found, band_of(leads, edges))


def test_the_default_of_fifty_hours_has_a_reach_for_each_day() -> None:
    first, later = reaches(STEP, 600)

    assert (first.gap, first.covers, first.furthest, first.spacing) == (1, slice(0, 288), 288, 6)
    assert (later.gap, later.covers, later.furthest, later.spacing) == (2, slice(288, 600), 576, 24)
    assert (first.kinds, later.kinds) == (("log", "root"), ("log",))
    assert weight_bands(first, STEP) == [3, 12, 72, 144, 288]
    assert spread_bands(first, STEP) == [3, 12, 36, 72, 144, 288]
    assert weight_bands(later, STEP) == [576]


@pytest.mark.parametrize("hours", [24.1, 25, 26.9, 27])
def test_a_horizon_little_over_a_day_has_a_lead_to_learn(hours: float) -> None:
    horizon = int(hours * 12)

    later = reaches(STEP, horizon)[1]

    assert list(later.leads) == [min(horizon, 324)]


def test_a_short_history_has_one_reach_for_all() -> None:
    (only,) = reaches(STEP, 600, apart=False)

    assert (only.covers, only.furthest) == (slice(0, 600), 288)


def test_a_lead_belongs_to_the_first_band_that_reaches_it() -> None:
    found = band_of(np.array([1, 3, 4, 12, 13, 500]), [3, 12])

    assert list(found) == [0, 0, 1, 1, 1, 1]
