"""The engine on histories of every kind: a forecast or a named reason."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest

from prescaler.core.drift import bounds_of
from prescaler.core.engine import ModelState, refit, roll
from prescaler.core.errors import ForecasterFailed, TooLittleHistory
from prescaler.core.forecast import Basis
from prescaler.core.forecasters import NAIVE, POOL
from prescaler.core.history import History
from prescaler.core.quantiles import MEDIAN, QUANTILES
from prescaler.core.series import Series
from tests.support.builders import DAY, MINUTE, MONDAY, PARIS, STEP, daily_demand, series
from tests.support.engines import (
    BOTH_DAYS,
    FIFTY_HOURS,
    H,
    assert_sound,
    error_of,
    history,
    outlook_of,
)


def test_a_daily_rhythm_is_forecast_far_better_than_naive() -> None:
    values = daily_demand(29)
    outlook = outlook_of(history(values[: 28 * 288]))

    truth = values[28 * 288 : 28 * 288 + H]
    assert error_of(outlook.values[:, MEDIAN], truth) < 0.9 * error_of(outlook.naive, truth)
    assert outlook.basis is Basis.POOL


def test_what_comes_lies_where_the_quantiles_say() -> None:
    values = daily_demand(30)
    outlook = outlook_of(history(values[: 28 * 288]), 576)

    truth = values[28 * 288 :]
    for column in (0, len(QUANTILES) - 2):
        share = (truth <= outlook.values[:, column]).mean()
        assert share == pytest.approx(QUANTILES[column], abs=0.05)


@BOTH_DAYS
def test_refit_and_roll_are_deterministic_and_change_nothing(horizon: int) -> None:
    known = history(daily_demand(14))
    before = known.demand.copy()

    first, second = (outlook_of(known, horizon) for _ in range(2))

    np.testing.assert_array_equal(first.values, second.values)
    assert first.weights == second.weights
    np.testing.assert_array_equal(before, known.demand)


@BOTH_DAYS
def test_what_comes_after_the_cutoff_changes_nothing(horizon: int) -> None:
    values = daily_demand(20)
    planted = np.concatenate([values[: 14 * 288], np.full(6 * 288, 1e9)])

    one, two = (outlook_of(history(known).until(14 * 288), horizon) for known in (values, planted))

    np.testing.assert_array_equal(one.values, two.values)


@pytest.mark.parametrize("days", [1.5, 2, 3, 5, 8, 15])
@BOTH_DAYS
def test_short_histories_give_ordered_finite_quantiles(days: float, horizon: int) -> None:
    assert_sound(outlook_of(history(daily_demand(days)), horizon), horizon)


@pytest.mark.parametrize("hours", [0.1, 5, 24, 35.9])
def test_less_than_a_day_and_a_half_is_too_little(hours: float) -> None:
    with pytest.raises(TooLittleHistory, match="36 h are needed"):
        refit(history(daily_demand(hours / 24)), H)


def test_a_roll_needs_as_much_as_a_refit() -> None:
    state = refit(history(daily_demand(3)), H)

    with pytest.raises(TooLittleHistory, match="36 h are needed"):
        roll(state, history(daily_demand(1)), H)


def test_a_history_of_mostly_holes_is_too_little() -> None:
    values = np.full(30 * 288, np.nan)
    values[::1000] = 5.0

    with pytest.raises(TooLittleHistory, match="observations in"):
        refit(history(values), H)


def test_some_hours_far_back_are_too_little() -> None:
    """Ten hours seen a month ago must not become a forecast that looks certain."""
    values = np.full(30 * 288, np.nan)
    values[:120] = daily_demand(1)[:120]

    with pytest.raises(TooLittleHistory, match=r"10\.0 h of history"):
        refit(history(values), 600)


def test_a_constant_zero_is_forecast_as_zero() -> None:
    outlook = outlook_of(history(np.zeros(10 * 288)), 600)

    assert (outlook.values == 0).all()


def test_a_constant_is_forecast_as_itself() -> None:
    outlook = outlook_of(history(np.full(10 * 288, 42.0)), 600)

    np.testing.assert_allclose(outlook.values, 42.0, rtol=1e-6)


def test_gaps_of_days_are_survived() -> None:
    values = daily_demand(20)
    values[5 * 288 : 9 * 288] = np.nan
    values[-40:] = np.nan

    outlook = outlook_of(history(values), 600)

    assert_sound(outlook, 600)
    assert outlook.values[:, MEDIAN].max() > 50


def test_closed_nights_are_forecast_as_closed() -> None:
    values = daily_demand(20)
    closed = np.arange(len(values)) % 288 < 190
    values[closed] = 0.0

    outlook = outlook_of(history(values), 288)

    assert_sound(outlook, 288)
    assert outlook.values[:180, MEDIAN].max() < 3.0
    assert outlook.values[12:180, MEDIAN].max() < 0.1
    assert outlook.values[200:280, MEDIAN].min() > 10.0


def test_noise_without_rhythm_is_survived() -> None:
    random = np.random.default_rng(7)

    assert_sound(outlook_of(history(random.gamma(0.3, 10, 20 * 288)), 600), 600)


@pytest.mark.parametrize("factor", [1e-9, 1e12])
def test_the_unit_of_the_load_does_not_matter(factor: float) -> None:
    values = daily_demand(10)

    one, two = (outlook_of(history(v)) for v in (values, factor * values))

    np.testing.assert_allclose(two.values, factor * one.values, rtol=1e-4)


def test_a_clock_change_does_not_move_the_evening() -> None:
    start = datetime(2026, 10, 1, tzinfo=MONDAY.tzinfo)
    points = 30 * 288
    wall = History.of(series(np.zeros(points + 2), start), PARIS, 0).calendar.slot[:points]
    values = np.where((wall >= 250) & (wall < 262), 500.0, 100.0)
    known = history(values, start)

    outlook = outlook_of(known, 288)

    slots = known.calendar.slot[points : points + 288]
    high = outlook.values[:, MEDIAN] > 300
    assert set(slots[high]) <= set(range(249, 263))
    assert high.sum() >= 10


def test_a_peak_inside_the_step_is_carried_by_the_hour() -> None:
    mean = daily_demand(11)
    evening = (np.arange(len(mean)) % 288) // 12 == 19  # 20 h in Paris
    peak = np.where(evening, 1.8, 1.2) * mean
    known = History.of(Series(MONDAY, STEP, mean[:-288], peak[:-288]), PARIS, 288)

    outlook = outlook_of(known, 288)

    promised = outlook.values[:, QUANTILES.index(0.95)] * outlook.peak_ratio
    coming, there = peak[-288:], evening[-288:]
    assert (coming <= promised)[there].mean() >= 0.7  # of twelve
    assert promised[there].mean() >= coming[there].mean()
    assert (coming <= promised).mean() >= 0.8
    morning = slice(6 * 12, 12 * 12)
    assert (promised < 1.3 * coming)[morning].mean() >= 0.9
    assert outlook.historic_max == known.series.peak.max()


def test_the_state_says_which_grid_it_is_for() -> None:
    state = refit(history(daily_demand(4)), H)

    assert state.fits(STEP, H)
    assert not state.fits(STEP, H + 1)
    assert not state.fits(2 * STEP, H)
    with pytest.raises(ForecasterFailed, match="another step or horizon"):
        roll(state, history(daily_demand(4), ahead=H + 1), H + 1)


@pytest.mark.parametrize("minutes", [0.25, 0.5, 1, 2, 5, 10, 15, 20, 30, 60])
@pytest.mark.parametrize("days", [3, 8])
def test_any_step_that_divides_a_day_will_do(minutes: float, days: int) -> None:
    step = minutes * MINUTE
    values = daily_demand(days + FIFTY_HOURS / DAY, step=step)
    known = History.of(series(values, step=step), PARIS, 0).until(days * DAY // step)
    horizon = FIFTY_HOURS // step

    outlook = outlook_of(known, horizon)

    assert_sound(outlook, horizon)
    assert error_of(outlook.values[:, MEDIAN], values[len(known) :]) < 0.5


@pytest.mark.parametrize("hours", [0.1, 10, 24, 24.1, 25, 27, 40, 48, 50, 80, 336])
def test_any_horizon_will_do(hours: float) -> None:
    horizon = int(hours * 12)
    known = history(daily_demand(8), ahead=horizon)

    assert_sound(outlook_of(known, horizon), horizon)


def test_leads_beyond_two_days_are_no_worse_than_the_second_day() -> None:
    values = daily_demand(28 + FIFTY_HOURS / DAY)
    said = outlook_of(history(values).until(28 * 288), 600).values[:, MEDIAN]

    truth = values[28 * 288 :]
    assert error_of(said[576:], truth[576:]) < 1.5 * error_of(said[288:576], truth[288:576])


@BOTH_DAYS
def test_weights_explain_themselves(horizon: int) -> None:
    outlook = outlook_of(history(daily_demand(15)), horizon)

    buckets = ["15m", "1h", "6h"] if horizon == H else ["15m", "1h", "6h", "24h", "48h"]
    assert list(outlook.weights) == buckets
    for shares in outlook.weights.values():
        assert set(shares) <= {forecaster.name for forecaster in POOL}
        assert list(shares.values()) == sorted(shares.values(), reverse=True)
        assert 0.86 <= sum(shares.values()) <= 1.01


def test_an_hourly_step_explains_its_first_bucket_by_its_first_step() -> None:
    hour = 60 * MINUTE
    known = History.of(series(daily_demand(6, step=hour), step=hour), PARIS, 1)

    outlook = outlook_of(known, 1)

    assert list(outlook.weights) == ["15m", "1h"]
    assert outlook.weights["15m"] == outlook.weights["1h"]


def test_a_horizon_below_the_first_bucket_is_explained_too() -> None:
    assert list(outlook_of(history(daily_demand(3)), 1).weights) == ["15m"]


def given_to_naive(state: ModelState, share: float) -> ModelState:
    parts = []
    for part in state.reaches:
        mix = replace(part.mix, naive_share=np.full(len(part.mix.edges), share))
        parts.append(replace(part, mix=mix))
    return replace(state, reaches=tuple(parts))


def test_where_the_mix_gives_way_the_forecast_is_naive_and_says_so() -> None:
    known = history(daily_demand(15))

    outlook = roll(given_to_naive(refit(known, 288), 1.0), known, 288)

    assert outlook.basis is Basis.NAIVE
    assert all(list(shares.values()) == [1.0] for shares in outlook.weights.values())
    assert set().union(*outlook.weights.values()) <= {"day_before", "week_before"}


def test_a_pool_without_naive_curves_has_no_bar_to_give_way_to() -> None:
    known = history(daily_demand(10))
    pool = tuple(forecaster for forecaster in POOL if forecaster.name not in NAIVE)

    outlook = roll(refit(known, H, pool=pool), known, H, pool)

    assert outlook.basis is Basis.POOL
    assert_sound(outlook)
    assert all(sum(shares.values()) > 0.86 for shares in outlook.weights.values())


def test_days_that_repeat_exactly_are_repeated() -> None:
    day = np.random.default_rng(3).gamma(2, 50, 288)

    outlook = outlook_of(history(np.tile(day, 10)), 288)

    np.testing.assert_allclose(outlook.values[:, MEDIAN], day, rtol=1e-3)
    np.testing.assert_allclose(outlook.naive, day)
    for shares in outlook.weights.values():
        assert shares["day_before"] > 0.3


def test_without_anything_to_copy_the_forecast_is_its_own_bar() -> None:
    known = history(daily_demand(8))
    state = replace(refit(known, H), naive=timedelta(weeks=20))

    outlook = roll(state, known, H)

    np.testing.assert_array_equal(outlook.naive, outlook.values[:, MEDIAN])


@BOTH_DAYS
@pytest.mark.parametrize("silent", [0, 2 * H])
def test_what_a_refit_says_is_what_a_roll_says_at_once(horizon: int, silent: int) -> None:
    """Without a redraw of the curves, and with one where the source has been silent for days."""
    values = daily_demand(17)
    values[len(values) - silent :] = np.nan
    known = history(values)

    state = refit(known, horizon)

    said = roll(state, known, horizon).values
    np.testing.assert_array_equal(state.near, bounds_of(said, STEP))
    np.testing.assert_array_equal(state.watch.said[-1], said[state.watch.leads - 1])


def test_a_roll_uses_what_was_observed_since_the_refit() -> None:
    values = daily_demand(15)
    risen = values.copy()
    risen[14 * 288 :] *= 1.5
    state = refit(history(values[: 14 * 288]), H)

    usual, high = (
        roll(state, history(v[: 14 * 288 + 12]), H).values[:12, MEDIAN] for v in (values, risen)
    )

    assert np.all(high > 1.1 * usual)


def test_a_roll_of_an_older_fit_forecasts_from_the_newest_point_on() -> None:
    values = daily_demand(18)
    state = refit(history(values[: 14 * 288]), H)

    said = roll(state, history(values[: 15 * 288 + 100]), H).values[:, MEDIAN]

    assert error_of(said, values[15 * 288 + 100 : 15 * 288 + 100 + H]) < 0.1


@pytest.mark.parametrize(
    ("growth", "days_later", "lead"),
    [(1.5, 0.25, 12), (1.5, 0.5, 72), (2, 0.25, 12), (2, 0.5, 72), (4, 1, 12), (4, 2, 288)],
)
def test_growth_is_followed(growth: float, days_later: float, lead: int) -> None:
    """The next hour within hours, the next day within two: naive needs a day for any of them."""
    values = daily_demand(18)
    values[14 * 288 :] *= growth
    now = int((14 + days_later) * 288)

    said = outlook_of(history(values).until(now), 288).values[:lead, MEDIAN]

    assert error_of(said, values[now : now + lead]) < 0.15


def test_history_shows_only_the_past() -> None:
    known = history(daily_demand(3))
    earlier = known.until(288)

    assert earlier.cutoff == MONDAY + DAY - STEP
    assert np.isnan(earlier.demand_at(np.array([288, 500]))).all()
    assert earlier.ahead == known.ahead + 2 * 288


@pytest.mark.parametrize("days", [0.5, 2, 10, 15, 20])
def test_a_long_trailing_gap_leaves_shape_and_width(days: float) -> None:
    values = daily_demand(31)
    known = values[: 30 * 288].copy()
    known[-int(days * 288) :] = np.nan

    said = outlook_of(history(known, ahead=288), 288).values

    assert error_of(said[:, MEDIAN], values[30 * 288 :]) < 0.15
    upper = said[:, QUANTILES.index(0.95)]
    assert ((upper - said[:, MEDIAN]) / said[:, MEDIAN]).mean() > 0.04


def test_no_quantile_lies_above_the_ceiling() -> None:
    random = np.random.default_rng(5)
    values = daily_demand(12) * np.exp(3.0 * random.standard_normal(12 * 288))

    said = outlook_of(history(values, ahead=288), 288).values

    assert said.max() <= 3.0 * values.max()


def test_a_fit_that_gives_no_numbers_is_a_named_error() -> None:
    known = history(daily_demand(12))
    state = refit(known, H)
    part = state.reaches[0]
    nothing = replace(part.learnt, coefficients=np.full_like(part.learnt.coefficients, np.nan))
    broken = replace(state, reaches=(replace(part, learnt=nothing), *state.reaches[1:]))

    with pytest.raises(ForecasterFailed, match="no numbers"):
        roll(broken, known, H)


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("every", [2, 3, 12])
def test_a_source_that_answers_at_every_nth_step_still_has_widths(every: int, first: int) -> None:
    """At some leads nothing was ever observed; a quantile on the median would promise certainty."""
    values = daily_demand(28)
    known = np.full_like(values, np.nan)
    known[first::every] = values[first::every]

    said = outlook_of(history(known, ahead=288), 288).values

    wide = said[:, QUANTILES.index(0.95)] > 1.01 * said[:, MEDIAN]
    assert wide[: 288 - 12].mean() > 0.9
