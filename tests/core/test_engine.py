"""The engine on histories of every kind: a forecast or a named reason."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from prescaler.core.arrays import FloatArray
from prescaler.core.calibration import spread, spread_around
from prescaler.core.combination import Combination, combine
from prescaler.core.engine import ModelState, refit, roll
from prescaler.core.errors import ForecasterFailed, TooLittleHistory
from prescaler.core.forecast import Basis
from prescaler.core.forecasters.naive import SeasonalNaive
from prescaler.core.forecasters.profile import WeekProfile
from prescaler.core.history import History
from prescaler.core.quantiles import MEDIAN, QUANTILES
from prescaler.core.series import Series
from prescaler.core.trial import Trial, bands
from tests.support.builders import DAY, MONDAY, PARIS, STEP, daily_demand, series

H = 120


def history(values: FloatArray, start: datetime = MONDAY, ahead: int = H) -> History:
    return History.of(series(values, start), PARIS, ahead)


def test_a_daily_rhythm_is_forecast_far_better_than_naive() -> None:
    values = daily_demand(29)
    known = history(values[: 28 * 288])

    outlook = roll(refit(known, H), known, H)

    truth = values[28 * 288 : 28 * 288 + H]
    naive = values[27 * 288 : 27 * 288 + H]
    error = np.abs(outlook.values[:, MEDIAN] - truth).mean()
    assert error < 0.9 * np.abs(naive - truth).mean()
    assert outlook.basis is Basis.POOL


def test_refit_and_roll_are_deterministic_and_change_nothing() -> None:
    known = history(daily_demand(14))
    before = known.demand.copy()

    first, second = (roll(refit(known, H), known, H) for _ in range(2))

    np.testing.assert_array_equal(first.values, second.values)
    assert first.weights == second.weights
    np.testing.assert_array_equal(before, known.demand)


def test_what_comes_after_the_cutoff_changes_nothing() -> None:
    values = daily_demand(20)
    planted = np.concatenate([values[: 14 * 288], np.full(6 * 288, 1e9)])

    honest = history(values).until(14 * 288)
    tempted = history(planted).until(14 * 288)

    one, two = (roll(refit(known, H), known, H) for known in (honest, tempted))
    np.testing.assert_array_equal(one.values, two.values)


@pytest.mark.parametrize("days", [2, 3, 5, 8, 15])
def test_short_histories_give_ordered_finite_quantiles(days: int) -> None:
    known = history(daily_demand(days))

    outlook = roll(refit(known, H), known, H)

    assert outlook.values.shape == (H, len(QUANTILES))
    assert np.isfinite(outlook.values).all()
    assert (outlook.values >= 0).all()
    assert (np.diff(outlook.values, axis=1) >= 0).all()
    assert (outlook.peak_ratio >= 1).all()


@pytest.mark.parametrize("hours", [0.1, 5, 24, 47.9])
def test_less_than_two_days_is_too_little(hours: float) -> None:
    with pytest.raises(TooLittleHistory, match="48 h are needed"):
        refit(history(daily_demand(hours / 24)), H)


def test_a_constant_zero_is_forecast_as_zero() -> None:
    known = history(np.zeros(10 * 288))

    outlook = roll(refit(known, H), known, H)

    assert (outlook.values == 0).all()


def test_a_constant_is_forecast_as_itself() -> None:
    known = history(np.full(10 * 288, 42.0))

    outlook = roll(refit(known, H), known, H)

    np.testing.assert_allclose(outlook.values, 42.0, rtol=1e-6)


def test_gaps_of_days_are_survived() -> None:
    values = daily_demand(20)
    values[5 * 288 : 9 * 288] = np.nan
    values[-40:] = np.nan
    known = history(values)

    outlook = roll(refit(known, H), known, H)

    assert np.isfinite(outlook.values).all()
    assert outlook.values[:, MEDIAN].max() > 50


def test_a_history_of_mostly_holes_is_too_little() -> None:
    values = np.full(30 * 288, np.nan)
    values[::1000] = 5.0

    with pytest.raises(TooLittleHistory, match="are needed"):
        refit(history(values), H)


def test_closed_nights_and_bursts_are_survived() -> None:
    values = daily_demand(20)
    values[np.arange(len(values)) % 288 < 190] = 0.0
    known = history(values)

    outlook = roll(refit(known, H), known, H)

    assert np.isfinite(outlook.values).all()


def test_noise_without_rhythm_is_left_to_naive_or_beats_it() -> None:
    random = np.random.default_rng(7)
    known = history(random.gamma(0.3, 10, 20 * 288))

    outlook = roll(refit(known, H), known, H)

    assert np.isfinite(outlook.values).all()


def test_a_clock_change_does_not_move_the_evening() -> None:
    start = datetime(2026, 10, 1, tzinfo=MONDAY.tzinfo)
    points = 30 * 288
    index = History.of(series(np.zeros(points + 2), start), PARIS, 0).calendar
    wall = index.slot[:points]
    values = np.where((wall >= 250) & (wall < 262), 500.0, 100.0)
    known = history(values, start, ahead=288)

    outlook = roll(refit(known, 288), known, 288)

    slots = known.calendar.slot[points : points + 288]
    high = outlook.values[:, MEDIAN] > 300
    assert set(slots[high]) <= set(range(249, 263))
    assert high.sum() >= 10


def test_a_peak_inside_the_step_is_carried_by_the_hour() -> None:
    mean = daily_demand(10)
    known = History.of(Series(MONDAY, STEP, mean, mean * 1.8), PARIS, H)

    outlook = roll(refit(known, H), known, H)

    np.testing.assert_allclose(outlook.peak_ratio, 1.8, rtol=1e-9)


def test_the_state_says_which_grid_it_is_for() -> None:
    known = history(daily_demand(4))
    state = refit(known, H)

    assert state.fits(STEP, H)
    assert not state.fits(STEP, H + 1)
    assert not state.fits(2 * STEP, H)


def test_a_forecaster_that_fails_now_loses_its_share() -> None:
    known = history(daily_demand(10))
    state = refit(known, H)
    broken = ModelState(**{**vars(state), "parameters": {}})
    one = ModelState(
        **{**vars(state), "parameters": {"naive_day": state.parameters.get("naive_day", {})}}
    )

    with pytest.raises(ForecasterFailed, match="none of the forecasters"):
        roll(broken, known, H)
    assert np.isfinite(roll(one, known, H).values).all()


class Failing:
    """A forecaster that cannot do it: at once, in a fit, or in a prediction."""

    name = "failing"

    def __init__(self, fits: int = 0) -> None:
        self._fits = fits

    def fit(self, history: History) -> dict[str, FloatArray]:
        self._fits -= 1
        if self._fits < 0:
            raise ForecasterFailed("cannot fit")
        return {}

    def predict(self, parameters: object, history: History, horizon: int) -> FloatArray:
        if len(history) == 10 * 288:
            raise ForecasterFailed("cannot predict")
        return np.full(horizon, 100.0)


def with_pool(monkeypatch: pytest.MonkeyPatch, *pool: Any) -> None:
    monkeypatch.setattr("prescaler.core.engine.POOL", pool)
    monkeypatch.setattr("prescaler.core.engine.BY_NAME", {f.name: f for f in pool})


def test_without_any_forecaster_it_is_a_named_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with_pool(monkeypatch, Failing())

    with pytest.raises(ForecasterFailed, match="no forecaster could be tried"):
        refit(history(daily_demand(10)), H)


@pytest.mark.parametrize("fits", [1, 2])
def test_one_that_fails_after_its_trial_is_left_out(
    monkeypatch: pytest.MonkeyPatch, fits: int
) -> None:
    naive = SeasonalNaive("naive_day", DAY)
    with_pool(monkeypatch, Failing(fits), naive)
    monkeypatch.setattr(
        "prescaler.core.engine.combine",
        lambda *_: Combination(np.full((4, 2), 0.5), (False,) * 4, "failing"),
    )
    known = history(daily_demand(10), ahead=288)

    outlook = roll(refit(known, 288), known, 288)

    np.testing.assert_allclose(outlook.values[:, MEDIAN], naive.predict({}, known, 288))
    np.testing.assert_array_equal(outlook.naive, outlook.values[:, MEDIAN])


def test_a_history_without_any_naive_forecast_is_its_own_bar(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_pool(monkeypatch, WeekProfile())
    known = history(daily_demand(10))

    outlook = roll(refit(known, H), known, H)

    np.testing.assert_array_equal(outlook.naive, outlook.values[:, MEDIAN])


def make_trial(actual: FloatArray, **predicted: FloatArray) -> Trial:
    return Trial(
        experts=tuple(predicted),
        origins=np.arange(len(actual)),
        actual=actual,
        predicted=np.stack(list(predicted.values())),
        age_days=np.linspace(14, 0, len(actual)),
    )


def test_a_perfect_forecaster_gets_everything() -> None:
    actual = np.random.default_rng(1).gamma(2, 10, (20, 30))
    trial = make_trial(actual, naive_day=actual + 5, profile=actual)

    mix = combine(trial, [slice(0, 30)])

    assert list(mix.shares[0]) == [0.0, 1.0]
    assert mix.naive == (False,)


def test_what_does_not_beat_naive_is_replaced_by_it() -> None:
    actual = np.random.default_rng(1).gamma(2, 10, (20, 30))
    trial = make_trial(actual, naive_day=actual + 1, naive_week=actual + 2, profile=actual + 3)

    mix = combine(trial, [slice(0, 30)])

    assert list(mix.shares[0]) == [1.0, 0.0, 0.0]
    assert (mix.naive, mix.naive_name) == ((True,), "naive_day")


def test_one_that_explodes_is_cut_off() -> None:
    actual = np.random.default_rng(1).gamma(2, 10, (20, 30))
    trial = make_trial(actual, naive_day=actual + 8, profile=actual - 1, harmonic=actual * 1e6)

    assert combine(trial, [slice(0, 30)]).shares[0, 2] < 1e-12


def test_quantiles_cover_what_they_say() -> None:
    random = np.random.default_rng(3)
    combined = random.uniform(50, 150, (400, 10))
    actual = combined + random.gamma(2, 5, (400, 10)) - 8
    table = spread(actual, combined, np.linspace(14, 0, 400), 5.0, [slice(0, 10)])

    fresh = random.uniform(50, 150, 20_000)
    truth = fresh + random.gamma(2, 5, 20_000) - 8
    found = spread_around(fresh, table, 5.0, [slice(0, 20_000)])

    for column, quantile in enumerate(QUANTILES):
        if quantile > 0.5:
            assert (truth <= found[:, column]).mean() == pytest.approx(quantile, abs=0.05)


def test_a_band_with_too_few_residuals_borrows_from_the_others() -> None:
    combined = np.full((5, 40), 100.0)
    actual = combined + np.random.default_rng(1).normal(0, 5, (5, 40))
    table = spread(actual, combined, np.linspace(2, 0, 5), 5.0, [slice(0, 1), slice(1, 40)])

    assert table[0, -1] > 0


def test_without_any_residual_there_is_no_spread() -> None:
    hole = np.full((3, 4), np.nan)

    table = spread(hole, np.ones((3, 4)), np.zeros(3), 1.0, [slice(0, 4)])

    assert (table == 0).all()


def test_bands_are_the_gaps_between_the_buckets() -> None:
    known = history(daily_demand(3))

    found = [(name, band.start, band.stop) for name, band in bands(known, 600)]

    assert found == [
        ("15m", 0, 3),
        ("1h", 3, 12),
        ("6h", 12, 72),
        ("24h", 72, 288),
        ("48h", 288, 600),
    ]
    assert [name for name, _ in bands(known, 2)] == ["15m"]


def test_a_step_of_an_hour_has_no_empty_band() -> None:
    hourly = Series(MONDAY, timedelta(hours=1), np.ones(100), np.ones(100))
    known = History.of(hourly, PARIS, 50)

    assert [(n, b.start, b.stop) for n, b in bands(known, 50)] == [
        ("15m", 0, 1),
        ("6h", 1, 6),
        ("24h", 6, 24),
        ("48h", 24, 50),
    ]


def test_history_shows_only_the_past() -> None:
    known = history(daily_demand(3))
    earlier = known.until(288)

    assert earlier.cutoff == MONDAY + DAY - STEP
    assert np.isnan(earlier.demand_at(np.array([288, 500]))).all()
    assert earlier.ahead == known.ahead + 2 * 288
