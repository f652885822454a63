"""Scores against obvious loops and known values."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescaler.core.quantiles import MEDIAN, QUANTILES
from prescaler.core.scores import (
    Cases,
    cases_of,
    coverage_gap,
    daily_maximum,
    false_calm,
    naive_cases,
    pinball,
    score,
)
from prescaler.core.series import Series
from tests.support.builders import DAY, MONDAY, STEP, daily_demand

HOURLY = timedelta(hours=1)
Q = len(QUANTILES)


def hourly(values: np.ndarray) -> Series:
    return Series(MONDAY, HOURLY, values, values)


def flat(series: Series, index: list[int], level: float, steps: int = 24) -> Cases:
    return cases_of(series, index, np.full((len(index), steps, Q), level))


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.sampled_from([0.05, 0.5, 0.9, 0.99]))
def test_the_pinball_loss_is_its_definition(
    actual: float, forecast: float, quantile: float
) -> None:
    missed = actual - forecast
    expected = quantile * missed if missed >= 0 else (quantile - 1) * missed

    found = float(pinball(np.array(actual), np.array(forecast), quantile))

    assert found == pytest.approx(expected)
    assert found >= 0


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.01, 0.99))
def test_the_gap_is_zero_exactly_where_the_quantile_lies_between(
    one: float, two: float, quantile: float
) -> None:
    below, reached = sorted((one, two))

    gap = coverage_gap(quantile, below, reached)

    assert (gap == 0) == (below <= quantile <= reached)
    assert 0 <= gap <= 100


def test_scores_are_what_a_loop_says() -> None:
    random = np.random.default_rng(3)
    series = hourly(random.gamma(2, 50, 40 * 24))
    index = [700, 733, 801]
    values = np.sort(random.gamma(2, 50, (3, 24, Q)), axis=2)
    found = score(series, cases_of(series, index, values))["6h"]

    errors, losses, total, naive = [], [], 0.0, {24: [], 168: []}  # type: ignore[var-annotated]
    for row, first in enumerate(index):
        for lead in range(6):
            y = series.mean[first + lead]
            errors.append(abs(y - values[row, lead, MEDIAN]))
            total += y
            for q in (3, 4, 5, 6, 7):
                m = y - values[row, lead, q]
                losses.append(max(QUANTILES[q] * m, (QUANTILES[q] - 1) * m))
            for period, list_ in naive.items():
                list_.append(abs(y - series.mean[first + lead - period]))
    best = min(np.mean(v) for v in naive.values())
    assert found.instants == 18
    assert found.error == pytest.approx(np.mean(errors))
    assert found.error_ratio == pytest.approx(np.mean(errors) / best)
    assert found.wql == pytest.approx(2 * np.sum(losses) / 5 / total)


def test_a_missing_observation_is_not_scored() -> None:
    values = daily_demand(40, step=HOURLY)
    values[701:705] = np.nan
    found = score(hourly(values), flat(hourly(values), [700], 5.0))

    assert found["24h"].instants == 20


def test_buckets_end_where_the_forecast_does() -> None:
    values = daily_demand(40, step=HOURLY)

    assert list(score(hourly(values), flat(hourly(values), [700], 5.0))) == [
        "15m",
        "1h",
        "6h",
        "24h",
    ]
    assert list(score(hourly(values), flat(hourly(values), [700], 5.0, 1))) == ["15m", "1h"]
    assert "48h" in score(hourly(values), flat(hourly(values), [700], 5.0, 50))


def test_naive_looks_back_whole_periods_and_never_into_the_horizon() -> None:
    series = hourly(np.arange(40.0 * 24))

    found = naive_cases(series, flat(series, [700], 0.0, 50), DAY)

    np.testing.assert_array_equal(found[0, :24, MEDIAN], np.arange(676.0, 700.0))
    np.testing.assert_array_equal(found[0, 24:48, MEDIAN], np.arange(676.0, 700.0))


def test_without_a_naive_forecast_there_is_no_ratio() -> None:
    series = hourly(daily_demand(1.9, step=HOURLY))

    found = score(series, flat(series, [3], 5.0))["24h"]

    assert np.isnan(found.error_ratio)
    assert np.isnan(found.wql_ratio)
    assert found.better_naive == ""


def test_nothing_known_gives_no_number() -> None:
    series = hourly(np.full(40 * 24, np.nan))

    found = score(series, flat(series, [700], 5.0))["24h"]

    assert found.instants == 0
    assert np.isnan(found.error)


def test_a_perfect_naive_makes_any_miss_infinitely_worse() -> None:
    series = hourly(np.tile(np.arange(24.0) + 1, 40))

    found = score(series, flat(series, [700], 5.0))["24h"]

    assert found.error_ratio == float("inf")


def test_ties_at_zero_count_against_nobody() -> None:
    series = hourly(np.zeros(40 * 24))

    found = score(series, flat(series, [700], 0.0))["24h"]

    assert found.gap == {"0.9": 0.0, "0.95": 0.0, "0.99": 0.0}
    assert found.error_ratio == 0.0


def test_a_ramp_that_the_quantile_carries_is_no_false_calm() -> None:
    values = np.full(10 * 288, 100.0)
    values[2000:2100] = 500.0
    series = Series(MONDAY, STEP, values, values)
    calm, ready = (flat(series, [1998], level, 12) for level in (100.0, 600.0))

    assert false_calm(series, calm, 3) == (1, 1)
    assert false_calm(series, ready, 3) == (1, 0)


def test_even_traffic_has_no_ramps() -> None:
    values = np.full(10 * 288, 100.0)
    series = Series(MONDAY, STEP, values, values)

    assert false_calm(series, flat(series, [1998, 2100], 100.0, 12), 3) == (0, 0)


def test_ramps_are_not_counted_on_coarse_grids_in_gaps_or_behind_the_end() -> None:
    hours = hourly(daily_demand(40, step=HOURLY))
    assert false_calm(hours, flat(hours, [700], 1.0), 1) == (0, 0)

    values = daily_demand(10)
    values[2000:2004] = np.nan
    series = Series(MONDAY, STEP, values, values)
    assert false_calm(series, flat(series, [1998, len(values) - 4], 1.0, 12), 3) == (0, 0)


def test_the_daily_maximum_is_compared_in_height_and_time() -> None:
    series = hourly(np.tile(np.r_[np.full(20, 10.0), [50.0], np.full(3, 10.0)], 40))
    values = np.full((1, 24, Q), 10.0)
    values[0, 18] = 40.0

    found = daily_maximum(series, cases_of(series, [24 * 30], values))

    assert found is not None
    np.testing.assert_allclose(found, (-0.2, 120.0))
    assert daily_maximum(series, flat(series, [len(series) - 3], 1.0)) is None
