"""Quantiles from residuals: empirical, ordered, never crossing the mix."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescaler.core.arrays import FloatArray
from prescaler.core.calibration import (
    Signs,
    Spread,
    _exceeded,
    _recent_sizes,
    measure,
    steepness,
)
from prescaler.core.quantiles import MEDIAN, QUANTILES, uncrossed, weighted_quantiles
from prescaler.core.trial import Expert, Trial
from tests.support.builders import STEP

LEADS = np.array([1, 2, 3, 6, 12, 36])
EDGES = [3, 12, 36]
CUTOFFS = 14 * 48


def make_trial(actual: FloatArray, spacing: int = 6, peak: FloatArray | None = None) -> Trial:
    """Cutoffs half an hour apart, targets at the local hour of their place."""
    at = np.arange(len(actual))[:, None] * spacing + LEADS
    return Trial(
        experts=(Expert("days", "log"),),
        leads=LEADS,
        actual=actual,
        peak=actual if peak is None else peak,
        predicted=np.zeros((1, *actual.shape)),
        age_days=np.arange(len(actual))[::-1] * spacing / 288,
        hour=(at % 288) / 12.0,
        spacing=spacing,
        spacing_days=spacing / 288,
    )


def measured(actual: FloatArray, mixed: FloatArray, apart: float = 5.0) -> Spread:
    return measure(
        make_trial(actual), mixed, np.full(mixed.shape, apart), EDGES, step=STEP, offset=5.0
    )


def signs_of(spread: Spread, apart: FloatArray) -> Signs:
    """Nothing steep, and the sizes of the refit."""
    return Signs(apart, spread.recent, np.zeros(len(apart)))


def around(spread: Spread, median: FloatArray, lead: int = 6) -> FloatArray:
    leads = np.full(len(median), lead)
    hour = np.linspace(0, 23.9, len(median))
    return median[:, None] + spread.around(
        median, signs_of(spread, np.full(len(median), 5.0)), leads, hour
    )


@pytest.mark.parametrize("lead", [1, 6, 36])
def test_quantiles_cover_what_they_say(lead: int) -> None:
    random = np.random.default_rng(3)
    shape = (CUTOFFS, len(LEADS))
    noise = random.gamma(2, 5, shape) - 8.39  # the median of the noise is zero
    spread = measured(100.0 + noise, np.full(shape, 100.0))

    truth = 100.0 + random.gamma(2, 5, 20_000) - 8.39
    found = around(spread, np.full(20_000, 100.0), lead)

    for column, quantile in enumerate(QUANTILES):
        assert (truth <= found[:, column]).mean() == pytest.approx(quantile, abs=0.04)


def test_an_exact_forecast_has_no_spread() -> None:
    mixed = np.random.default_rng(1).gamma(2, 50, (CUTOFFS, len(LEADS)))

    found = around(measured(mixed, mixed, 0.0), np.array([0.0, 10.0, 500.0]))

    np.testing.assert_array_equal(found, np.repeat([[0.0], [10.0], [500.0]], 8, axis=1))


@pytest.mark.parametrize("known", [0, 4])
def test_fewer_than_five_residuals_are_no_distribution(known: int) -> None:
    actual = np.full((CUTOFFS, len(LEADS)), np.nan)
    actual[:known, :] = 300.0
    actual[:, 1:] = np.nan

    spread = measured(actual, np.full(actual.shape, 100.0))

    assert not spread.table.any()
    np.testing.assert_array_equal(around(spread, np.array([80.0])), 80.0)


@given(st.integers(0, 10_000), st.floats(0.01, 100.0))
def test_the_median_stays_the_mix_and_quantiles_ascend(seed: int, bias: float) -> None:
    random = np.random.default_rng(seed)
    mixed = random.gamma(2, 50, (60, len(LEADS)))
    holes = random.random(mixed.shape) < 0.2
    spread = measured(np.where(holes, np.nan, mixed * bias), mixed)
    median = random.gamma(2, 50, 50)

    values = around(spread, median)

    np.testing.assert_allclose(values[:, MEDIAN], median)
    np.testing.assert_array_equal(values, uncrossed(values))


def test_a_later_band_has_a_spread_of_its_own() -> None:
    random = np.random.default_rng(2)
    actual = 100.0 + random.normal(size=(CUTOFFS, len(LEADS))) * [1, 1, 1, 5, 5, 25]
    spread = measured(actual, np.full(actual.shape, 100.0))

    near, middle, far = (np.ptp(around(spread, np.full(9, 100.0), k)[4]) for k in (1, 6, 36))

    assert near * 3 < middle
    assert middle * 3 < far


def test_the_hour_of_bursts_is_wider_than_the_rest_of_the_day() -> None:
    random = np.random.default_rng(2)
    trial = make_trial(np.zeros((CUTOFFS, len(LEADS))))
    size = np.where(np.abs(trial.hour - 21.0) < 1.5, 20.0, 2.0)
    spread = measured(100.0 + size * random.standard_normal(size.shape), np.full(size.shape, 100.0))

    signs = signs_of(spread, np.full(2, 5.0))
    found = spread.around(np.full(2, 100.0), signs, np.array([6, 6]), np.array([21.0, 9]))

    assert np.ptp(found[0]) > 2 * np.ptp(found[1])


def test_experts_that_disagree_announce_a_miss() -> None:
    random = np.random.default_rng(4)
    shape = (CUTOFFS, len(LEADS))
    apart = random.gamma(1.0, 10.0, shape)
    trial = make_trial(100.0 + apart * random.standard_normal(shape))
    spread = measure(trial, np.full(shape, 100.0), apart, EDGES, step=STEP, offset=5.0)

    signs = signs_of(spread, np.array([2.0, 40.0]))
    calm, torn = spread.around(np.full(2, 100.0), signs, np.array([6, 6]), np.array([9.0, 9.0]))

    assert np.ptp(torn) > 3 * np.ptp(calm)


@pytest.mark.parametrize("first_lead", [1, 81])
def test_recent_sizes_are_of_outcomes_that_had_come(first_lead: int) -> None:
    random = np.random.default_rng(4)
    trial = replace(make_trial(np.zeros((200, len(LEADS)))), leads=LEADS + first_lead - 1)
    residual = random.standard_normal((200, len(LEADS)))
    known_by = (np.arange(200)[:, None] * trial.spacing + trial.leads) <= 120 * trial.spacing
    shuffled = residual.copy()
    for column in range(len(LEADS)):  # the mean of all stays what it is
        later = ~known_by[:, column]
        shuffled[later, column] = random.permutation(residual[later, column])

    one, two = (_recent_sizes(trial, values)[0] for values in (residual, shuffled))

    np.testing.assert_allclose(one[:121], two[:121], rtol=1e-9)
    assert not np.allclose(one[160:, 0], two[160:, 0])
    assert not np.allclose(one[160:, 1], two[160:, 1])


def test_the_present_size_is_that_of_the_newest_outcomes() -> None:
    residual = np.where(np.arange(200)[:, None] < 170, 1.0, 9.0) * np.ones(len(LEADS))
    trial = make_trial(np.zeros(residual.shape))

    sizes, usual = _recent_sizes(trial, residual)

    np.testing.assert_allclose(sizes[-1], 9.0, rtol=0.25)
    np.testing.assert_allclose(sizes[150], 1.0, rtol=0.25)
    assert usual == pytest.approx((170 + 9 * 30) / 200)


def test_a_roll_hears_of_a_restless_hour_at_once() -> None:
    actual = 100.0 + np.random.default_rng(1).normal(size=(CUTOFFS, len(LEADS)))
    spread = measured(actual, np.full(actual.shape, 100.0))
    calm, restless = np.full((7, 4), spread.usual), np.full((7, 4), spread.usual)
    restless[-2:] *= 9
    unknown = np.full((7, 4), np.nan)

    usual = np.full(2, spread.usual)
    np.testing.assert_allclose(spread.newest(calm, 1 / 48), usual)
    np.testing.assert_allclose(spread.newest(unknown, 1 / 48), usual)
    three, one = spread.newest(-restless, 1 / 48) / usual
    assert one == pytest.approx((8 * 9 + 2) / 10)
    assert three == pytest.approx((16 + 8 * 9 + 2) / 26)


def test_a_ramp_announces_a_miss_in_the_first_hour_alone() -> None:
    random = np.random.default_rng(6)
    mixed = np.full((CUTOFFS, len(LEADS)), 100.0)
    mixed += random.gamma(1.0, 3.0, (CUTOFFS, 1)) * LEADS
    steep = steepness(mixed, LEADS, STEP)
    trial = make_trial(mixed + steep * random.standard_normal(mixed.shape))
    spread = measure(trial, mixed, np.ones(mixed.shape), EDGES, step=STEP, offset=5.0)
    signs = Signs(np.ones(2), spread.recent, np.array([0.5, 12.0]))

    near, far = (
        np.ptp(spread.around(np.full(2, 100.0), signs, np.full(2, k), np.full(2, 9.0)), axis=1)
        for k in (6, 36)
    )

    assert near[1] > 4 * near[0]
    assert far[1] == pytest.approx(far[0])


def test_steepness_is_the_larger_change_per_step_towards_a_neighbour() -> None:
    mixed = np.array([[0.0, 1.0, 1.0, 7.0, 1.0, 9.0]])

    np.testing.assert_allclose(steepness(mixed, LEADS, STEP), [[1.0, 1.0, 2.0, 2.0, 1.0, 0.0]])
    assert not steepness(mixed, LEADS, 12 * STEP).any()
    assert not steepness(mixed[:, :1], LEADS[:1], STEP).any()


@given(st.integers(0, 10_000), st.floats(0.5, 30.0))
def test_quantile_times_peak_ratio_covers_the_highest_minute(seed: int, restless: float) -> None:
    random = np.random.default_rng(seed)
    shape = (CUTOFFS, len(LEADS))

    def drawn() -> tuple[FloatArray, FloatArray]:
        mean = 100.0 + random.normal(scale=10.0, size=shape)
        return mean, mean + random.exponential(restless, shape)

    (actual, peak), (_, later) = drawn(), drawn()
    trial, mixed = make_trial(actual, peak=peak), np.full(shape, 100.0)
    spread = measure(trial, mixed, np.full(shape, 5.0), EDGES, step=STEP, offset=5.0)

    hour = random.uniform(0, 24, CUTOFFS)
    leads = np.full(CUTOFFS, 6)
    signs = signs_of(spread, np.full(CUTOFFS, 5.0))
    upper = 100.0 + spread.around(mixed[:, 0], signs, leads, hour)[:, 6]
    promised = upper * spread.peak_ratio(leads, hour)

    assert (later[:, 3] <= promised).mean() == pytest.approx(0.95, abs=0.07)


def test_without_anything_finer_than_the_step_no_peak_is_invented() -> None:
    actual = np.random.default_rng(1).gamma(2, 50, (CUTOFFS, len(LEADS)))
    actual[5:9] = np.nan

    spread = measured(actual, np.full(actual.shape, 100.0))

    assert (spread.peak == 1.0).all()


def test_the_last_requests_of_a_closed_night_make_no_ratio_of_thousands() -> None:
    actual = np.zeros((CUTOFFS, len(LEADS)))
    peak = np.where(np.random.default_rng(1).random(actual.shape) < 0.2, 3.0, 0.0)
    trial = make_trial(actual, peak=peak)

    spread = measure(trial, actual, actual, EDGES, step=STEP, offset=5.0)

    assert spread.peak.max() <= (3.0 + 5.0) / 5.0


def test_fewer_than_five_peaks_make_no_ratio() -> None:
    actual = np.full((CUTOFFS, len(LEADS)), 100.0)
    peak = np.full(actual.shape, np.nan)
    peak[:4, 0] = 900.0
    trial = make_trial(actual, peak=peak)

    spread = measure(trial, actual, np.full(actual.shape, 5.0), EDGES, step=STEP, offset=5.0)

    assert (spread.peak == 1.0).all()


@given(seed=st.integers(0, 99), points=st.integers(1, 300), hours=st.integers(1, 24))
def test_a_quantile_from_the_top_is_the_quantile(seed: int, points: int, hours: int) -> None:
    random = np.random.default_rng(seed)
    ratio, weight = random.lognormal(size=points), random.random(points)
    hour = random.integers(0, hours, points)
    near = random.choice([1e-9, 1.0], (24, 24), p=[0.7, 0.3])

    found = _exceeded(ratio, weight, hour, near)

    wanted = weighted_quantiles(ratio, weight * near[:, hour], np.array([0.95]))[:, 0]
    np.testing.assert_allclose(found, wanted)


def test_an_hour_with_the_lowest_ratios_and_no_neighbours_has_its_own_quantile() -> None:
    ratio = np.r_[np.linspace(1.0, 2.0, 10), np.linspace(5.0, 6.0, 90)]
    hour = np.r_[np.zeros(10, np.int64), np.full(90, 12)]

    found = _exceeded(ratio, np.ones(100), hour, np.eye(24) + 1e-9)

    assert 1.9 < found[0] < 2.1
    assert 5.9 < found[12] < 6.1
