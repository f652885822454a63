"""Sums of scores: the same as the scores of a backtest, however the time is cut."""

import math
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prescaler.core.arrays import FloatArray
from prescaler.core.forecast import Forecast
from prescaler.core.score_days import ScoreSums, added, day_of, score_days
from prescaler.core.scores import cases_of, score
from prescaler.core.series import Series
from tests.support.builders import DAY, MONDAY, STEP, daily_demand, forecast, series

START = MONDAY - 9 * DAY
DEMAND = daily_demand(12)
HORIZON = 600


def made(cutoff_day: float, seed: int, horizon: int = HORIZON) -> Forecast:
    """A forecast that misses at random."""
    cutoff = START + int(cutoff_day * 288) * STEP
    first = (cutoff + STEP - START) // STEP
    truth = np.resize(DEMAND[first : first + horizon], horizon)
    noise = np.exp(0.2 * np.random.default_rng(seed).standard_normal(horizon))
    return forecast(truth * noise, cutoff=cutoff)


def holed(share: float, seed: int) -> Series:
    demand = DEMAND.copy()
    demand[np.random.default_rng(seed).random(len(demand)) < share] = np.nan
    return series(demand, START)


def total(actual: Series, runs: list[Forecast], bucket: str) -> ScoreSums:
    found = [score_days(actual, run, run.first_valid_at, actual.end) for run in runs]
    return added(sums for days in found for (_, name), sums in days.items() if name == bucket)


@pytest.mark.parametrize("bucket", ["15m", "1h", "6h", "24h", "48h"])
def test_they_are_the_scores_of_a_backtest(bucket: str) -> None:
    actual = holed(0.1, 3)
    runs = [made(8 + n / 8, n) for n in range(12)]
    index = [(run.first_valid_at - actual.start) // STEP for run in runs]
    values = np.stack([run.values for run in runs]).astype(np.float64)
    wanted = score(actual, cases_of(actual, index, values))[bucket]

    found = total(actual, runs, bucket)

    assert found.instants == wanted.instants
    assert found.better_naive == wanted.better_naive
    assert found.error == pytest.approx(wanted.error)
    assert found.error_ratio == pytest.approx(wanted.error_ratio)
    assert found.wql == pytest.approx(wanted.wql)
    for quantile, gap in found.gaps().items():
        assert gap == pytest.approx(wanted.gap[quantile])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-10, HORIZON + 20), max_size=6), st.floats(0, 1))
def test_time_may_be_cut_anywhere(cuts: list[int], share: float) -> None:
    actual, run = holed(share, 5), made(9, 5)
    bounds = [run.cutoff, *sorted(run.cutoff + n * STEP for n in cuts), run.valid_until]
    whole = score_days(actual, run, run.cutoff, run.valid_until)

    pieces: dict[object, ScoreSums] = {}
    for start, end in pairwise(bounds):
        for key, sums in score_days(actual, run, start, end).items():
            pieces[key] = pieces.get(key, ScoreSums.none()) + sums

    inside = {k: v for k, v in pieces.items() if k in whole}
    assert set(whole) == set(inside)
    for key, sums in whole.items():
        np.testing.assert_allclose(pieces[key].row, sums.row, rtol=1e-9)


def test_each_bucket_holds_the_shorter_ones_and_days_are_those_of_the_values() -> None:
    actual, run = holed(0, 1), made(8.9, 1)
    found = score_days(actual, run, run.cutoff, run.cutoff + 13 * STEP)

    assert {day for day, _ in found} <= {day_of(run.cutoff), day_of(run.cutoff) + DAY}
    counts = {b: total(actual, [run], b).instants for b in ("15m", "1h", "6h", "24h", "48h")}
    assert counts == {"15m": 3, "1h": 12, "6h": 72, "24h": 288, "48h": 576}


def test_a_step_longer_than_a_bucket_counts_its_first_value() -> None:
    hours = series(DEMAND[::12], START, timedelta(hours=1))
    run = forecast(np.ones(48), cutoff=START + 9 * DAY, step=timedelta(hours=1))

    found = score_days(hours, run, run.cutoff, run.valid_until)

    assert {bucket: sums.instants for (_, bucket), sums in found.items() if bucket == "15m"} == {
        "15m": 1
    }


def flat(values: FloatArray, said: float = 1.0) -> ScoreSums:
    run = forecast(np.full(3, said), cutoff=START + 8 * DAY)
    demand = np.resize(np.ones(1), 8 * 288 + 4)
    demand[-3:] = values
    found = score_days(series(demand, START), run, run.cutoff, run.valid_until)
    return added(sums for (_, bucket), sums in found.items() if bucket == "15m")


def test_no_pairs_say_nothing() -> None:
    none = ScoreSums.none()

    assert none.instants == 0
    assert (none.better_naive, none.coverage(), none.gaps()) == ("", {}, {})
    assert all(map(math.isnan, (none.error, none.wql, none.error_ratio)))
    assert flat(np.full(3, np.nan)).instants == 0
    empty = series(np.empty(0), START)
    assert score_days(empty, forecast(np.ones(3)), MONDAY, MONDAY + DAY) == {}


def test_an_error_of_nothing_beside_nothing_is_perfect() -> None:
    assert flat(np.ones(3)).error_ratio == 0.0
    assert flat(np.ones(3), said=2.0).error_ratio == math.inf
    assert flat(np.zeros(3), said=0.0).wql == 0.0


def test_a_quantile_that_is_no_number_is_not_counted() -> None:
    run = forecast(np.array([1.0, np.nan, 1.0]), cutoff=START + 8 * DAY)
    found = score_days(series(DEMAND, START), run, run.cutoff, run.valid_until)

    assert {sums.instants for (_, bucket), sums in found.items() if bucket == "15m"} == {2}


def test_without_a_day_of_history_there_is_no_ratio() -> None:
    run = forecast(np.ones(3), cutoff=START)
    found = score_days(series(DEMAND[:10], START), run, run.cutoff, run.valid_until)
    sums = added(found.values())

    assert math.isnan(sums.error_ratio)
    assert sums.error > 0
