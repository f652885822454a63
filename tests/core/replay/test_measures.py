"""Ticks, measures, intervals: every sum against a count by hand."""

import math
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from prescaler.core.errors import BadParameter, TooLittleHistory
from prescaler.core.replay.curves import drawing_step, dropped_at, stamps_of, thinned
from prescaler.core.replay.load import lay_out, usual_capacity
from prescaler.core.replay.measures import (
    EVENT,
    ORDINARY,
    Prices,
    at_starts,
    mean_starts,
    mean_tally,
    needed_pods,
    tally,
)
from prescaler.core.replay.paired import Interval, relative_change
from prescaler.core.replay.promise import Promise
from prescaler.core.replay.scaling import Outcome
from prescaler.core.series import Series, coarsen
from tests.support.replays import BEGIN, CAPACITY, HOUR, MATCH, MINUTE, load, series


def outcome(ready: np.ndarray, actions: int = 0) -> Outcome:
    return Outcome(ready, ready, np.ones_like(ready), actions, 0, 0)


def test_a_minute_is_split_along_a_straight_line_through_the_middles() -> None:
    values = np.array([60.0, 120.0, 60.0])
    found = lay_out(Series(BEGIN, MINUTE, values, values), BEGIN, BEGIN + 3 * MINUTE)

    assert found.demand[:8].tolist() == [60, 60, 67.5, 82.5, 97.5, 112.5, 112.5, 97.5]
    assert found.days == 1
    assert len(found) == 12


def test_the_signal_is_the_mean_of_a_minute_that_ended_30_s_ago() -> None:
    found = load()

    assert found.signal[100] == pytest.approx(found.demand[94:98].mean())
    assert found.signal[0] == found.demand[0]


def test_what_prometheus_did_not_see_is_no_signal_but_still_demand() -> None:
    whole = series()
    hole = whole.mean.copy()
    hole[60:120] = np.nan
    found = lay_out(whole, BEGIN, BEGIN + 3 * HOUR, seen=Series(BEGIN, MINUTE, hole, hole))

    assert np.isfinite(found.demand).all()
    assert np.isnan(found.signal[60 * 4 + 6 : 120 * 4]).all()
    assert np.isfinite(found.signal[121 * 4 + 6 :]).all()


def test_a_period_without_any_observation_cannot_be_played() -> None:
    hole = np.full(60, np.nan)

    with pytest.raises(TooLittleHistory, match="no demand"):
        lay_out(Series(BEGIN, MINUTE, hole, hole), BEGIN, BEGIN + HOUR)
    with pytest.raises(TooLittleHistory, match="guessed"):
        usual_capacity(Series(BEGIN, MINUTE, hole, hole))
    with pytest.raises(TooLittleHistory, match="guessed"):
        usual_capacity(zero())


def zero() -> Series:
    nothing = np.zeros(60)
    return Series(BEGIN, MINUTE, nothing, nothing)


def test_the_usual_capacity_makes_the_busy_level_thirty_pods() -> None:
    values = np.linspace(0.0, 3000.0, 1001)

    assert usual_capacity(Series(BEGIN, MINUTE, values, values)) == pytest.approx(99.5)


def test_measures_of_one_pod_too_few_and_one_too_many() -> None:
    values = np.full(120, 450.0)
    there = lay_out(Series(BEGIN, MINUTE, values, values), BEGIN, BEGIN + 2 * HOUR)
    ready = np.repeat([4, 6], 240)
    found = tally(there, outcome(ready, actions=3), CAPACITY).measures(
        Prices(pod_hour=0.1, node_idle_watts=100, node_full_watts=300, pods_per_node=10)
    )

    assert found.hours == 2
    assert found.pod_hours == 10
    assert found.cost == pytest.approx(1.0)
    assert found.dropped == pytest.approx(50 / 900)
    assert found.bad_minutes == 60
    assert found.bad_minutes_a_week == pytest.approx(60 * 84)
    assert found.under == pytest.approx(100 * 0.5 * 1 / 5)
    assert found.over == pytest.approx(100 * 0.5 * 1 / 5)
    assert (found.under_time, found.over_time) == (50, 50)
    assert found.utilisation == pytest.approx(9 / 10)
    assert found.kwh == pytest.approx((2 * 100 + 9 * 200 / 10) / 1000)
    assert found.actions == 36


def test_event_time_and_ordinary_time_add_up() -> None:
    there = load(crowd=3.0)
    found = tally(there, outcome(np.full(len(there), 8)), CAPACITY)
    whole = found.measures(Prices())
    parts = [found.measures(Prices(), part) for part in (ORDINARY, EVENT)]

    assert parts[1].hours == 4
    assert whole.hours == parts[0].hours + parts[1].hours == 48
    assert whole.bad_minutes == pytest.approx(sum(p.bad_minutes for p in parts))
    assert parts[1].dropped > whole.dropped > parts[0].dropped
    assert found.row("pods").tolist() == [8 * 5760, 8 * 5760]
    assert found.row("ticks", EVENT).tolist() == [0, 960]
    first = found.measures(Prices(), days=slice(0, 1))
    assert first.hours == 24
    assert first.dropped == pytest.approx(
        np.maximum(there.demand[:5760] - 800, 0).sum() / there.demand[:5760].sum()
    )


def test_nothing_measured_is_nothing_dropped() -> None:
    there = load()
    found = tally(there, outcome(np.full(len(there), 8)), CAPACITY)
    empty = replace(found, sums=found.sums * 0).measures(Prices())

    assert (empty.dropped, empty.utilisation, empty.actions) == (0, 0, 0)


def test_ticks_of_unknown_demand_do_not_count() -> None:
    values = np.full(120, 450.0)
    values[60:] = np.nan
    there = lay_out(Series(BEGIN, MINUTE, values, values), BEGIN, BEGIN + 2 * HOUR)
    found = tally(there, outcome(np.full(480, 5)), CAPACITY).measures(Prices())

    assert found.hours == 1
    assert found.pod_hours == 5
    assert needed_pods(np.array([np.nan, 0.0, 100.0, 100.1]), CAPACITY).tolist() == [1, 1, 1, 2]


def test_the_mean_of_two_lucks() -> None:
    there = load()
    one, two = (tally(there, outcome(np.full(len(there), n), n), CAPACITY) for n in (4, 8))
    mean = mean_tally([one, two])

    assert mean.measures(Prices()).pod_hours == 6 * 48
    assert mean.actions == 6


def test_readiness_and_lateness_at_a_start() -> None:
    there = load(crowd=3.0)
    at = 44 * 240
    ready = np.full(len(there), 8)
    ready[at + 12 :] = 40
    wanted = int(np.ceil(there.demand[at : at + 20].max() / 100))
    (found,) = at_starts(there, outcome(ready), [MATCH], CAPACITY)
    (never,) = at_starts(there, outcome(np.full(len(there), 2)), [MATCH], CAPACITY)
    (mean,) = mean_starts([[found], [never]])

    assert found.needed == wanted
    assert found.readiness == pytest.approx(8 / wanted)
    assert found.late == 3
    assert never.late == 120
    assert mean.late == 61.5
    assert mean.readiness == pytest.approx((8 + 2) / 2 / wanted)


def test_an_event_outside_of_the_period_has_no_readiness() -> None:
    there = lay_out(series(), BEGIN, BEGIN + 24 * HOUR, [MATCH])

    assert at_starts(there, outcome(np.full(len(there), 2)), [MATCH], CAPACITY) == []


def test_a_change_by_the_same_days() -> None:
    theirs = np.random.default_rng(1).random(28) + 1
    found = relative_change(theirs * 0.8, theirs)
    loose = relative_change(np.random.default_rng(2).random(28), theirs)

    assert found.value == pytest.approx(-0.2)
    assert found.low == pytest.approx(-0.2)
    assert found.high == pytest.approx(-0.2)
    assert loose.low is not None
    assert loose.high is not None
    assert loose.value is not None
    assert loose.low < loose.value < loose.high
    assert relative_change(theirs, theirs * 0).value is None


def test_no_interval_rather_than_a_wrong_one() -> None:
    theirs = np.random.default_rng(1).random(14) + 1
    rare = np.zeros(28)
    rare[3] = 1.0

    assert relative_change(theirs / 2, theirs).low == pytest.approx(-0.5)
    short = relative_change(theirs[1:] / 2, theirs[1:])
    assert short.value == pytest.approx(-0.5)
    assert short.low is short.high is None
    assert relative_change(rare / 2, rare) == Interval(-0.5, None, None), (
        "most groups have nothing to compare with"
    )


def test_only_days_that_were_observed_count_as_days() -> None:
    """14 rows of which the last is an hour, or of which most have no demand, are not 14 days."""
    theirs = np.random.default_rng(1).random(20) + 1
    ours, whole = theirs / 2, np.ones(20)
    holes = np.where(np.arange(20) % 2, 0.0, 1.0)
    ragged = np.append(np.full(13, 1.0), 1 / 24)

    assert relative_change(ours, theirs, whole) == relative_change(ours, theirs)
    assert relative_change(ours[:14], theirs[:14], ragged).low is None
    assert relative_change(ours * holes, theirs * holes, holes).low is None
    fuller = np.where(np.arange(20) < 5, 0.0, 1.0)
    found = relative_change(ours * fuller, theirs * fuller, fuller)
    assert found == relative_change(ours[5:], theirs[5:])


def test_nothing_falls_by_more_than_all_of_it() -> None:
    theirs = np.ones(14)
    ours = np.where(np.arange(14) < 4, 0.5, 0.0)

    found = relative_change(ours, theirs)

    assert found.low == -1.0
    assert found.high is not None
    assert found.high > -0.8


@pytest.mark.parametrize(
    ("days", "depends", "least"), [(14, 0.0, 0.92), (14, 0.5, 0.87), (60, 0.5, 0.90)]
)
def test_the_interval_holds_the_truth_nearly_as_often_as_it_says(
    days: int, depends: float, least: float
) -> None:
    """1000 cases; each day takes `depends` of its deviation from the day before."""
    rng = np.random.default_rng(3)
    noise = rng.standard_normal((1000, days + 40))
    for day in range(1, days + 40):
        noise[:, day] = depends * noise[:, day - 1] + math.sqrt(1 - depends**2) * noise[:, day]
    theirs = 100 * (1 + 0.15 * rng.standard_normal((1000, days)).clip(-3, 3))
    ours = 0.9 * theirs + 10 * noise[:, 40:]

    found = [relative_change(one, other) for one, other in zip(ours, theirs, strict=True)]
    held = [x.low <= -0.1 <= x.high for x in found if x.low is not None and x.high is not None]

    assert len(held) == 1000
    assert least < np.mean(held) < 0.975


def test_a_run_is_drawn_with_at_most_2000_points() -> None:
    there = load()
    step = drawing_step(there)
    shown = thinned(there.demand, step)

    assert step == 5 * MINUTE
    assert len(shown) == 576 == len(stamps_of(there, step))
    expected = coarsen(series(), 5 * MINUTE).mean
    np.testing.assert_allclose(shown, expected, rtol=0.05)
    assert thinned(np.array([1.0, np.nan, 3.0, 5.0, np.nan]), MINUTE).tolist()[0] == 3.0
    assert np.isnan(thinned(np.array([1.0, 1.0, 1.0, 1.0, np.nan]), MINUTE)[1])
    assert dropped_at(there, np.full(len(there), 5), 100.0).max() == pytest.approx(600, rel=0.01)
    long = replace(there, ticks=np.arange(5760 * 900))
    assert drawing_step(long) == 6 * HOUR


@pytest.mark.parametrize(
    ("text", "limit"), [("10m/30d", 10), ("0.01%", 0.0001), ("100%", 1.0), (" 90s/1d ", 1.5)]
)
def test_promises_that_can_be_read(text: str, limit: float) -> None:
    assert Promise.parse(text).limit == pytest.approx(limit)


@pytest.mark.parametrize(
    "text", ["", "10", "10m", "101%", "\u0663%", "2d/1d", "10m/0s", "-1%", "x/30d"]
)
def test_promises_that_cannot(text: str) -> None:
    with pytest.raises(BadParameter):
        Promise.parse(text)


def test_a_promise_counts_in_its_own_unit() -> None:
    values = np.full(120, 450.0)
    there = lay_out(Series(BEGIN, MINUTE, values, values), BEGIN, BEGIN + 2 * HOUR)
    found = tally(there, outcome(np.repeat([4, 6], 240)), CAPACITY).measures(Prices())
    minutes, share = Promise.parse("60m/2h"), Promise.parse("5%")

    assert minutes.of(found) == 60
    assert minutes.kept(found)
    assert not Promise.parse("59m/2h").kept(found)
    assert share.of(found) == pytest.approx(50 / 900)
    assert not share.kept(found)
    assert minutes.told(60) == "60 bad minutes in 2h"
    assert share.told(0.01) == "1 % of demand dropped"
    assert minutes.of(replace(found, hours=0.0)) == 0


def test_days_are_counted_from_the_first_tick() -> None:
    there = lay_out(series(), BEGIN + 6 * HOUR, BEGIN + timedelta(days=2))

    assert there.days == 2
    assert np.bincount(there.day).tolist() == [5760, 42 * 240 - 5760]


def test_a_workload_that_may_sleep_needs_no_pod_without_demand() -> None:
    values = np.repeat([0.0, 450.0], 60)
    there = lay_out(Series(BEGIN, MINUTE, values, values), BEGIN, BEGIN + 2 * HOUR)
    there = replace(there, demand=np.repeat([0.0, 450.0], 240))
    ready = np.repeat([0, 2, 5, 0], 120)

    awake, asleep = (
        tally(there, outcome(ready), CAPACITY, rest=rest).measures(Prices()) for rest in (1, 0)
    )

    assert asleep.dropped == awake.dropped == pytest.approx(0.5)
    assert (awake.under, awake.over) == pytest.approx((50, 25))
    assert (asleep.under, asleep.over) == pytest.approx((25, 50))
    assert (asleep.under_time, asleep.over_time) == (25, 25)
    assert asleep.pod_hours == pytest.approx(0.5 * 7)


def test_where_nothing_is_needed_all_is_ready() -> None:
    there = replace(load(), demand=np.zeros(len(load())))
    nobody = outcome(np.zeros(len(there), dtype=np.int64))

    (found,) = at_starts(there, nobody, [MATCH], CAPACITY, rest=0)
    (awake,) = at_starts(there, nobody, [MATCH], CAPACITY)

    assert (found.needed, found.readiness, found.late) == (0, 1.0, 0)
    assert (awake.needed, awake.readiness, awake.late) == (1, 0.0, 120)


@pytest.mark.parametrize(
    ("minutes", "told"),
    [(0.205, "0.205"), (999.4, "999"), (999.5, "1,000"), (1210.4, "1,210"), (-2180.0, "-2,180")],
)
def test_many_bad_minutes_are_written_out(minutes: float, told: str) -> None:
    promise = Promise.parse("10m/30d")

    assert promise.short(minutes) == f"{told} min"
    assert promise.told(minutes) == f"{told} bad minutes in 30d"
