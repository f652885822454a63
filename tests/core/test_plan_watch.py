"""The plan's own widths: the maximum over a window keeps what the quantile promises."""

from datetime import timedelta

import numpy as np
import pytest

from prescaler.core import plan_watch
from prescaler.core.arrays import FloatArray
from prescaler.core.conformal import Watch
from prescaler.core.history import History
from prescaler.core.quantiles import QUANTILES
from prescaler.core.series import Series
from prescaler.core.widths import Widths
from tests.support.builders import MONDAY, PARIS, STEP

P90, P95 = QUANTILES.index(0.9), QUANTILES.index(0.95)
NORMAL = np.array([-1.645, -1.282, -0.674, 0.0, 0.674, 1.282, 1.645, 2.326])
HORIZON = 24
SAID = np.tile(100.0 + 10.0 * NORMAL, (HORIZON, 1))
EVEN = np.ones(HORIZON)


def history(mean: FloatArray, peak: FloatArray | None = None) -> History:
    series = Series(MONDAY, STEP, mean, mean if peak is None else peak)
    return History.of(series, PARIS, HORIZON)


def shares(steps: int) -> tuple[FloatArray, FloatArray]:
    """[Q] how often the maximum of three steps lay under the promised one: as it was, and told."""
    random = np.random.default_rng(5)
    demand = 100.0 + 10.0 * random.standard_normal(steps)
    watch = Watch.new(STEP, HORIZON)
    before, after = [], []
    for now in range(300, steps - 3, 3):
        known = history(demand[:now])
        watch = plan_watch.learned(watch, known)
        wider = Widths.of(watch.leads, watch.width).applied(SAID)
        highest = demand[now : now + 3].max()
        before.append(highest <= SAID[:3].max(axis=0))
        after.append(highest <= wider[:3].max(axis=0))
        watch = plan_watch.saying(watch, known, wider, EVEN, SAID[:, 3])
    return np.mean(before[300:], axis=0), np.mean(after[300:], axis=0)


def test_the_maximum_of_quantiles_is_corrected_until_it_is_the_quantile_of_the_maximum() -> None:
    before, after = shares(6_000)

    assert before[P90] < 0.77
    assert before[P95] < 0.89
    assert after[P90] == pytest.approx(0.90, abs=0.02)
    assert after[P95] == pytest.approx(0.95, abs=0.015)


def test_peaks_inside_the_step_count_and_their_ratio_carries_them() -> None:
    mean = np.full(600, 100.0)
    watch = plan_watch.saying(
        Watch.new(STEP, HORIZON), history(mean[:300]), SAID, np.full(HORIZON, 1.5), SAID[:, 3]
    )

    carried = plan_watch.learned(watch, history(mean, np.full(600, 140.0)))
    missed = plan_watch.learned(watch, history(mean, np.full(600, 190.0)))

    assert np.all(carried.width[:, P95] < 0)
    assert np.all(missed.width[:, P95] > 0)
    assert missed.width[0, P95] == pytest.approx(0.03 * 10 * 0.95)


def test_a_window_with_a_hole_says_nothing_and_a_short_history_is_survived() -> None:
    mean = np.full(600, 100.0)
    watch = plan_watch.saying(Watch.new(STEP, HORIZON), history(mean[:300]), SAID, EVEN, SAID[:, 3])
    gone = mean.copy()
    gone[300:] = np.nan

    assert not plan_watch.learned(watch, history(gone)).width.any()
    assert plan_watch.learned(watch, history(mean[:3])) is watch


@pytest.mark.parametrize("tail", [True, False])
def test_the_highest_ahead_is_that_of_a_slow_loop(tail: bool) -> None:
    values = np.random.default_rng(1).random((40, 2))

    found = plan_watch.highest_ahead(values, 3, tail=tail)

    wanted = [values[i : i + 3].max(axis=0) for i in range(40 if tail else 38)]
    np.testing.assert_array_equal(found, wanted)


def test_a_step_as_long_as_the_window_is_its_own_window() -> None:
    hour = timedelta(hours=1)
    values = np.arange(200.0)
    known = History.of(Series(MONDAY, hour, values, values), PARIS, HORIZON)
    watch = plan_watch.saying(Watch.new(hour, HORIZON), known, SAID, EVEN, SAID[:, 3])

    np.testing.assert_array_equal(watch.said[0], SAID[watch.leads - 1])
