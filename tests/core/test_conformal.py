"""Widths that are corrected by what came: they keep their promise in the long run."""

from datetime import timedelta
from functools import cache

import numpy as np
import pytest

from prescaler.core.conformal import Watch
from prescaler.core.history import History
from prescaler.core.quantiles import QUANTILES
from prescaler.core.series import Series
from prescaler.core.track_record import TrackRecord
from tests.support.builders import MONDAY, PARIS

# They share walks that take seconds.
pytestmark = pytest.mark.xdist_group("conformal")

HOURLY = timedelta(hours=1)
P95 = QUANTILES.index(0.95)


def history(values: np.ndarray) -> History:
    return History.of(Series(MONDAY, HOURLY, values, values), PARIS, 24)


def said(scale: float, steps: int = 24) -> np.ndarray:
    """Quantiles of a normal law of some width around 100."""
    normal = np.array([-1.645, -1.282, -0.674, 0.0, 0.674, 1.282, 1.645, 2.326])
    return np.repeat((100.0 + scale * normal)[None], steps, axis=0)


@cache
def kept(true_width: float, told_width: float, hours: int = 1800) -> tuple[float, Watch]:
    """Share of outcomes under the corrected 0.95 quantile, an hour ahead, over so many hours."""
    random = np.random.default_rng(11)
    values = 100.0 + true_width * random.standard_normal(1900)
    watch, hits = Watch.new(HOURLY, 24), []
    for now in range(48, hours):
        known = history(values[:now])
        watch = watch.learned(known)
        told = 100.0 + (said(told_width) - 100.0) * watch.factors(np.arange(1, 25))
        hits.append(values[now] <= told[0, P95])
        watch = watch.saying(known, told, told[:, 0])
    return float(np.mean(hits[400:])), watch


@pytest.mark.parametrize("told", [6.0, 10.0, 18.0])
def test_a_wrong_width_is_corrected_until_the_promise_holds(told: float) -> None:
    share, watch = kept(10.0, told)

    assert share == pytest.approx(0.95, abs=0.015)
    assert np.exp(watch.width[0, P95]) == pytest.approx(10.0 / told, rel=0.35)


def test_what_waits_is_bounded_and_judged_once() -> None:
    watch = Watch.new(HOURLY, 24)
    values = np.full(300, 100.0)
    for now in range(48, 200):
        known = history(values[:now] + 500.0)
        watch = watch.learned(known).saying(known, said(1.0), np.full(24, 90.0))

    assert len(watch.cutoffs) == 24
    again = watch.learned(known)
    np.testing.assert_array_equal(watch.width, again.width)


def test_the_record_tells_error_and_coverage_of_each_bucket() -> None:
    share, watch = kept(10.0, 10.0)

    told = watch.record.told(watch.leads, HOURLY)

    assert list(told) == ["15m", "1h", "6h", "24h"]
    assert told["1h"]["0.95"] == pytest.approx(share, abs=0.04)
    assert told["1h"]["0.9"] < told["1h"]["0.95"] <= told["1h"]["0.99"] <= 1
    assert 0 < told["1h"]["error_ratio"] < 1
    assert 100 < told["24h"]["outcomes"] < 300


def test_a_young_record_tells_nothing() -> None:
    _, watch = kept(10.0, 10.0)
    young = TrackRecord.empty(len(watch.leads))

    assert young.told(watch.leads, HOURLY) == {}
    assert watch.record.faded(timedelta(days=70)).told(watch.leads, HOURLY) == {}


def test_a_naive_forecast_that_never_misses_leaves_no_ratio() -> None:
    record = TrackRecord.empty(1)
    for _ in range(20):
        record = record.with_outcome(0, 100.0, said(1.0)[0], 100.0)

    assert "error_ratio" not in record.told(np.array([1]), HOURLY)["1h"]


def test_nothing_is_learnt_from_holes_or_ties() -> None:
    for level in (np.nan, 0.0):
        known = history(np.full(60, 100.0))
        watch = Watch.new(HOURLY, 24).saying(known, np.zeros((24, len(QUANTILES))), np.zeros(24))
        later = history(np.concatenate([np.full(60, 100.0), np.full(30, level)]))

        assert not watch.learned(later).width.any()


def test_a_history_that_begins_later_forgets_what_it_cannot_judge() -> None:
    known = history(np.full(60, 100.0))
    watch = Watch.new(HOURLY, 24).saying(known, said(1.0), np.full(24, 90.0))
    fresh = Series(MONDAY + 100 * HOURLY, HOURLY, np.full(60, 100.0), np.full(60, 100.0))

    found = watch.learned(History.of(fresh, PARIS, 24))

    assert len(found.cutoffs) == 0
    assert not found.width.any()


def test_factors_lie_within_bounds_and_a_short_horizon_is_watched_at_its_end() -> None:
    watch = Watch.new(timedelta(minutes=30), 1)

    assert watch.leads.tolist() == [1]
    np.testing.assert_array_equal(watch.factors(np.array([1, 2])), 1.0)

    _, extreme = kept(100.0, 1.0, 600)
    assert np.exp(extreme.width).max() == pytest.approx(3.0, abs=1e-9)
