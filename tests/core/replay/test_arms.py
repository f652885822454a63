"""The arms on two days whose second evening brings a crowd."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from prescaler.core.errors import BadParameter
from prescaler.core.instants import to_epoch
from prescaler.core.replay.arms import configured, metrics_of, multiplier, play
from prescaler.core.replay.ground import Arm, Ground, Setting
from prescaler.core.replay.load import Load
from prescaler.core.replay.measures import Prices
from prescaler.core.replay.rivals import cron_pods, today_pods
from prescaler.core.replay.scaling import Delays, Kind, Scaling, Sleep
from prescaler.core.replay.track import Said, track
from prescaler.core.series import Series
from tests.support.replays import BEGIN, CAPACITY, MINUTE, ground, load, reactive, series

SEEDS = (1, 2)
SLEEPING = (Arm.PEAK, Arm.REACTIVE, Arm.CRON, Arm.WEEK_AGO, Arm.ORACLE, Arm.BOUND)


def tracked(level: float, **changes: Any) -> Ground:
    """Prescaler has a floor of `level` pods and no forecast."""
    there = ground(**changes)
    pods = np.full(len(there.load), int(level))
    found = track([], there.load.ticks, pods)
    return replace(there, tracks={Arm.PLAIN: found, Arm.CALENDAR: found})


def test_every_arm_plays_and_the_oracle_is_in_time() -> None:
    there = tracked(3, crowd=4.0)
    found = {arm: play(Setting(arm, 0.8), there, SEEDS) for arm in Arm}
    dropped = {arm: run.tally.measures(Prices()).dropped for arm, run in found.items()}
    hours = {arm: run.tally.measures(Prices()).pod_hours for arm, run in found.items()}

    assert dropped[Arm.PEAK] == dropped[Arm.BOUND] == 0
    assert dropped[Arm.ORACLE] < 0.2 * dropped[Arm.REACTIVE]
    assert max(hours[Arm.BOUND], hours[Arm.ORACLE]) < hours[Arm.PEAK]
    assert found[Arm.ORACLE].readiness == pytest.approx(1.0)
    assert (found[Arm.REACTIVE].readiness or 1.0) < 0.5
    assert (found[Arm.REACTIVE].late or 0.0) > 0


def test_more_lucks_are_averaged() -> None:
    there = ground(crowd=4.0)
    alone = [play(reactive(0.8), there, (seed,)) for seed in SEEDS]
    both = play(reactive(0.8), there, SEEDS)

    mean = np.mean([run.tally.sums for run in alone], axis=0)
    np.testing.assert_allclose(both.tally.sums, mean)
    assert np.array_equal(both.ready, alone[0].ready)


def test_prescaler_never_falls_below_reactive_where_it_is_dead() -> None:
    there = tracked(0, crowd=4.0)
    ours = play(Setting(Arm.PLAIN, 0.8, 0.95), there, SEEDS)
    alone = play(Setting(Arm.PLAIN, 0.8, 0.95).alone, there, SEEDS)

    np.testing.assert_array_equal(ours.tally.sums, alone.tally.sums)
    np.testing.assert_array_equal(ours.ready, alone.ready)


def test_a_dead_stretch_serves_nothing() -> None:
    there = replace(tracked(9), dead=[(100, 200)])
    predicted, _ = metrics_of(Setting(Arm.PLAIN, 0.5), there)

    assert set(predicted.values[100:200].tolist()) == {0.0}
    assert predicted.values[99] == predicted.values[200] == 450.0
    assert predicted.landed
    assert predicted.target == 50.0


def test_a_formula_fails_where_reality_cannot_be_read() -> None:
    there = tracked(9)
    signal = there.load.signal.copy()
    signal[100:200] = np.nan
    blind = replace(there, load=replace(there.load, signal=signal))
    apart, _ = metrics_of(Setting(Arm.PLAIN, 0.5), blind)
    composite, _ = metrics_of(Setting(Arm.PLAIN, 0.5), replace(blind, formula=True))

    assert set(apart.values[100:200].tolist()) == {450.0}
    assert np.isnan(composite.values[100:200]).all()
    assert np.isfinite(composite.values[:100]).all()
    assert np.isfinite(composite.values[200:]).all()


def test_the_reactive_term_may_have_a_target_of_its_own() -> None:
    _, own = metrics_of(Setting(Arm.PLAIN, 0.9, reactive=0.6), tracked(1))

    assert own.target == pytest.approx(60.0)
    assert Setting(Arm.PLAIN, 0.9, reactive=0.6).alone == reactive(0.6)
    assert Setting(Arm.PLAIN, 0.9).alone == reactive(0.9)


def foreseen(rise: float, **changes: Any) -> Ground:
    """Prescaler foresees, at every tick, that demand grows `rise`-fold within a step."""
    there = ground(**changes)
    begun = to_epoch(BEGIN)
    every = np.arange(begun, int(there.load.ticks[-1]), 300)
    cells = np.concatenate([np.full((1, 8), 100.0), np.full((23, 8), 100.0 * rise)])
    walk = [
        Said(int(at), int(at), 300, cells, np.ones(24, np.float32), np.zeros(24, int))
        for at in every
    ]
    found = track(walk, there.load.ticks, np.zeros(len(there.load), int))
    return replace(there, tracks={Arm.PLAIN: found})


GROWS = Setting(Arm.PLAIN, 0.8, 0.5, growth=True)


def test_growth_multiplies_live_demand_and_lands() -> None:
    there = foreseen(3.0)
    composite, own = metrics_of(GROWS, there)

    times = composite.values / there.load.signal
    assert times.min() >= 1.0
    assert times.max() == pytest.approx(3.0)
    assert composite.landed
    assert (composite.target, own.target) == (80.0, 80.0)


def test_growth_keeps_to_the_ceiling_but_does_not_lower_reality() -> None:
    there = foreseen(3.0)
    capped = replace(there, policy=replace(there.policy, max_pods=9))
    composite, _ = metrics_of(GROWS, capped)

    live = there.load.signal
    assert (composite.values >= live).all()
    assert (composite.values <= np.maximum(live, 9 * 80.0)).all()
    assert (composite.values > live).any()


def test_growth_of_a_reactive_term_with_a_target_of_its_own() -> None:
    there = foreseen(1.0)
    composite, own = metrics_of(replace(GROWS, reactive=0.4), there)

    np.testing.assert_allclose(composite.values, 2.0 * there.load.signal)
    assert own.target == 40.0


def test_growth_is_reactive_scaling_where_prescaler_is_dead_and_nothing_without_reality() -> None:
    there = foreseen(3.0, crowd=4.0)
    dead = replace(there, dead=[(0, len(there.load))])
    ours, theirs = play(GROWS, dead, SEEDS), play(reactive(0.8), there, SEEDS)
    blind = there.load.signal.copy()
    blind[100:200] = np.nan
    unseen = replace(there, load=replace(there.load, signal=blind))

    assert np.array_equal(ours.ready, theirs.ready)
    composite, _ = metrics_of(GROWS, unseen)
    assert np.isnan(composite.values[100:200]).all()
    alive = play(GROWS, there, SEEDS)
    assert (alive.ready.sum()) > theirs.ready.sum()


def test_a_setting_overrides_the_policy() -> None:
    policy = configured(Setting(Arm.PLAIN, 0.9, 0.75, timedelta(0)), ground())
    same = configured(Setting(Arm.PLAIN, 0.9), ground())

    assert (policy.quantile, policy.hold, policy.target) == (0.75, timedelta(0), 90.0)
    assert (same.quantile, same.hold) == (0.95, timedelta(minutes=5))


def test_without_forecasts_or_seeds_nothing_is_played() -> None:
    with pytest.raises(BadParameter, match="no forecasts"):
        play(Setting(Arm.PLAIN, 0.8), ground(), SEEDS)
    with pytest.raises(BadParameter, match="seed"):
        play(reactive(0.8), ground(), ())


def test_no_events_no_readiness() -> None:
    found = play(reactive(0.8), ground(events=[]), (1,))

    assert found.readiness is None
    assert found.late is None


def test_today_has_an_evening_window_and_multiplied_events() -> None:
    there = ground(crowd=1.0)
    pods = today_pods(there, 100.0, times=3)
    hour = (there.load.ticks - to_epoch(BEGIN)) / 3600
    base = int(pods[hour == 20][0])

    evening = there.load.demand[(hour >= 19.5) & (hour < 23.5)]
    assert base == int(np.ceil(np.quantile(evening, 0.95) / 100))
    assert set(pods[(hour >= 19.5) & (hour < 23.5)].tolist()) == {base}
    assert set(pods[(hour >= 42.5) & (hour < 46.5)].tolist()) == {3.0 * base}
    assert set(pods[(hour >= 46.5) & (hour < 47.5)].tolist()) == {base}
    assert pods[hour < 19.5].max() == 0
    assert pods[hour >= 47.5].max() == 0
    code, _ = metrics_of(Setting(Arm.TODAY_CODE, 1.0, times=3), there)
    assert code.kind is Kind.CODE
    assert code.target == 10.0
    assert np.array_equal(code.values, pods)


def test_today_without_an_event_free_evening_takes_any_evening_and_at_worst_any_time() -> None:
    there = ground()
    only_second = replace(there, load=_from(there, 24))
    noon = replace(there, load=_from(there, 30, 40))

    assert today_pods(only_second, 100.0, 1).max() > 1
    assert today_pods(noon, 100.0, 1).max() >= 0
    unknown = replace(
        only_second.load,
        demand=np.where(only_second.load.event | _evening(only_second), np.nan, 500.0),
    )
    assert today_pods(replace(only_second, load=unknown), 100.0, 1).max() == 5


def _from(there: Ground, first: int, last: int = 48) -> Load:
    rows = slice(first * 240, last * 240)
    whole = there.load
    return replace(
        whole,
        ticks=whole.ticks[rows],
        demand=whole.demand[rows],
        signal=whole.signal[rows],
        event=whole.event[rows],
        day=whole.day[rows] - whole.day[rows][0],
    )


def _evening(there: Ground) -> np.ndarray:
    hour = (there.load.ticks - to_epoch(BEGIN)) / 3600 % 24
    return (hour >= 19.5) & (hour < 23.5)


def test_the_multiplier_is_the_smallest_that_is_ready() -> None:
    there = ground(crowd=4.0)
    times = multiplier(there, 0.8, (1,))
    ready = [
        play(Setting(Arm.TODAY_FLOOR, 0.8, times=n), there, (1,)).readiness or 0.0
        for n in (times - 1, times)
    ]

    assert times > 1
    assert ready[0] < 0.99 <= ready[1]
    assert multiplier(ground(events=[]), 0.8, (1,)) == 1


def test_a_multiplier_that_nothing_reaches_ends_somewhere() -> None:
    hopeless = replace(ground(crowd=4.0), delays=Delays(pod_median=timedelta(hours=9)))

    assert multiplier(hopeless, 0.8, (1,)) == 40


def test_cron_has_the_busiest_four_hours_of_the_days_before() -> None:
    there = ground(days=2)
    begun = replace(there, load=_from(there, 24))
    pods = cron_pods(begun, 100.0)
    hour = (begun.load.ticks - to_epoch(BEGIN)) / 3600 % 24

    assert sorted(set(hour[pods > 0].astype(int).tolist())) == [10, 11, 12, 13]
    assert pods.max() == 11
    assert cron_pods(there, 100.0).max() == 0, "nothing is known before the first tick"


def test_cron_goes_by_the_wall_clock() -> None:
    there = ground(zone=ZoneInfo("Asia/Tokyo"))
    begun = replace(there, load=_from(there, 24))
    hour = (begun.load.ticks - to_epoch(BEGIN)) / 3600 % 24

    assert sorted(set(hour[cron_pods(begun, 100.0) > 0].astype(int).tolist())) == [10, 11, 12, 13]


def test_last_week_is_a_forecast_where_there_was_one() -> None:
    short = metrics_of(Setting(Arm.WEEK_AGO, 1.0), ground())[0]
    nine = Series(BEGIN, MINUTE, *(np.tile(series().mean, 5)[: 9 * 1440],) * 2)
    there = ground(series=nine, load=replace(load(), ticks=load().ticks + 7 * 86400))
    copied = metrics_of(Setting(Arm.WEEK_AGO, 1.0), there)[0]

    assert short.values.max() == 0
    assert (copied.values >= np.nan_to_num(load().demand) - 15).all()
    assert copied.target == CAPACITY


def test_the_oracle_sees_every_minute_even_the_last_unfinished_one() -> None:
    there = ground()
    cut = replace(there, load=_from(there, 0, 1))
    odd = replace(
        cut.load,
        **{n: getattr(cut.load, n)[:-2] for n in ("ticks", "demand", "signal", "event", "day")},
    )
    (metric,) = metrics_of(Setting(Arm.ORACLE, 1.0), replace(cut, load=odd))

    assert len(metric.values) == 238
    assert (metric.values >= odd.demand - 0.1).all()


def nightly() -> Ground:
    """Nobody comes before eight and after twenty; the workload may sleep."""
    there = tracked(9)
    minutes = np.arange(len(there.load)) // 4 % 1440
    night = (minutes < 8 * 60) | (minutes >= 20 * 60)
    quiet = replace(
        there.load,
        demand=np.where(night, 0.0, there.load.demand),
        signal=np.where(night, 0.0, there.load.signal),
    )
    policy = replace(there.policy, scale_min=0)
    return replace(there, load=quiet, policy=policy, scaling=Scaling(sleep=Sleep()))


def test_what_may_sleep_sleeps_in_every_arm_but_that_of_the_peak() -> None:
    there = nightly()
    asleep = {arm: play(Setting(arm, 0.7), there, [1, 2]) for arm in SLEEPING}

    assert asleep[Arm.PEAK].asleep == 0
    for arm, found in asleep.items():
        if arm is not Arm.PEAK:
            assert 0.4 < found.asleep <= 0.5, arm
    assert asleep[Arm.REACTIVE].woken == 2
    assert asleep[Arm.BOUND].asleep == pytest.approx(0.5)
    assert asleep[Arm.REACTIVE].tally.measures(Prices()).dropped > 0
    assert asleep[Arm.ORACLE].tally.measures(Prices()).dropped == 0


def test_a_dead_trigger_keeps_awake_what_may_sleep_and_only_that() -> None:
    there = replace(nightly(), dead=[(0, 20_000)])
    setting = Setting(Arm.PLAIN, 0.7, 0.5)

    assert np.isnan(metrics_of(setting, there)[0].values[:20]).all()
    assert play(setting, there, [1]).asleep == 0
    awake = replace(there, scaling=Scaling())
    assert set(metrics_of(setting, awake)[0].values[:20]) == {0.0}


def test_a_plan_must_be_above_a_share_of_a_pod_to_wake() -> None:
    there = nightly()
    careful = replace(there, scaling=Scaling(sleep=Sleep(wake_at=9.5)))
    setting = Setting(Arm.PLAIN, 0.7)

    assert metrics_of(setting, there)[0].activation == 0
    assert metrics_of(setting, careful)[0].activation == pytest.approx(9.5 * 70)
    assert metrics_of(setting, careful)[1].activation == 0
    assert play(setting, there, [1]).asleep == 0
    assert play(setting, careful, [1]).asleep > 0.4
