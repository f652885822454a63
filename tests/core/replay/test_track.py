"""The plans of a walk in one go, held against `decide` tick by tick."""

from dataclasses import replace
from datetime import time, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prescaler.core.arrays import IntArray
from prescaler.core.calendar import Window
from prescaler.core.control import Control
from prescaler.core.decision import decide
from prescaler.core.event_book import EventBook
from prescaler.core.events import EventEffect
from prescaler.core.forecast import Forecast
from prescaler.core.hpa import pods_for
from prescaler.core.instants import from_epoch, to_epoch
from prescaler.core.planned import Effect
from prescaler.core.policy import ActsAs, Policy
from prescaler.core.replay.track import Track, declared_floors, said, track
from tests.support import builders as make

STEP = timedelta(minutes=5)
HORIZON = 24


def walk(seed: int, count: int = 8) -> list[Forecast]:
    """Forecasts of two hours, one every five minutes, of demand that jumps about."""
    draw = np.random.default_rng(seed)
    found = []
    for number in range(count):
        median = 800.0 * np.exp(draw.normal(0, 0.5, HORIZON))
        at = make.MONDAY + number * STEP
        found.append(
            make.forecast(
                median,
                cutoff=at - STEP,
                issued_at=at + timedelta(minutes=1),
                peak_ratio=(1.0 + draw.random(HORIZON)).astype(np.float32),
            )
        )
    return found


def ticks(count: int = 8) -> IntArray:
    first = to_epoch(make.MONDAY)
    return np.arange(first, first + (count + 2) * 300, 15, dtype=np.int64)


def laid(
    forecasts: list[Forecast], events: list[EventEffect], policy: Policy, at: IntArray
) -> Track:
    pods = np.array([_floor(events, policy, int(t)) for t in at])
    return track([said(one, events, policy) for one in forecasts], at, pods)


def _floor(events: list[EventEffect], policy: Policy, at: int) -> int:
    answer = decide(None, events, policy, Control(), None, from_epoch(at))
    return pods_for(answer.floor_part, policy.target)


def decided(forecasts: list[Forecast], events: list[EventEffect], policy: Policy, at: int) -> float:
    """What production would have answered with the newest forecast of then."""
    there = [one for one in forecasts if to_epoch(one.issued_at) <= at]
    newest = there[-1] if there else None
    return decide(newest, events, policy, Control(), None, from_epoch(at)).value


CROWD = EventEffect(
    "match",
    make.MONDAY + timedelta(minutes=40),
    make.MONDAY + timedelta(minutes=100),
    factor=5.0,
    min_pods=30,
    ramp_before=timedelta(minutes=2),
)


@pytest.mark.parametrize("events", [[], [CROWD]], ids=["without events", "with events"])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"quantile": 0.5, "hold": timedelta(0)},
        {"quantile": 0.97, "scale_min": 0},
        {"max_pods": 12, "min_pods": 3},
        {"windows": (Window(frozenset(range(7)), time(1, 10), time(1, 31), 20),)},
    ],
)
def test_the_track_is_what_decide_says_at_every_tick(
    changes: dict[str, Any], events: list[EventEffect]
) -> None:
    policy = make.policy(**changes)
    forecasts, at = walk(3), ticks()
    found = laid(forecasts, events, policy, at).served(policy)

    expected = [decided(forecasts, events, policy, int(t)) for t in at]
    np.testing.assert_allclose(found, expected, atol=0.0011)
    assert [pods_for(v, policy.target) for v in found.tolist()] == [
        pods_for(v, policy.target) for v in expected
    ]


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10_000),
    quantile=st.floats(0.05, 0.99),
    target=st.floats(0.3, 400.0),
    hold=st.integers(0, 1200),
)
def test_any_quantile_target_and_hold(seed: int, quantile: float, target: float, hold: int) -> None:
    policy = make.policy(quantile=quantile, hold=timedelta(seconds=hold)).with_target(target)
    forecasts, at = walk(seed), ticks()
    found = laid(forecasts, [CROWD], policy, at).served(policy)

    for tick in range(0, len(at), 7):
        expected = decided(forecasts, [CROWD], policy, int(at[tick]))
        assert pods_for(float(found[tick]), target) == pods_for(expected, target)


def grown(forecasts: list[Forecast], events: list[EventEffect], policy: Policy, at: int) -> float:
    there = [one for one in forecasts if to_epoch(one.issued_at) <= at]
    newest = there[-1] if there else None
    return decide(newest, events, policy, Control(), None, from_epoch(at)).growth


@pytest.mark.parametrize("events", [[], [CROWD]], ids=["without events", "with events"])
@pytest.mark.parametrize(
    "changes",
    [{}, {"quantile": 0.5, "hold": timedelta(0)}, {"quantile": 0.8, "hold": timedelta(minutes=20)}],
)
def test_the_growth_of_a_track_is_what_decide_serves_at_every_tick(
    changes: dict[str, Any], events: list[EventEffect]
) -> None:
    policy = make.policy(acts_as=ActsAs.GROWTH, **changes)
    forecasts, at = walk(3), ticks()
    found = laid(forecasts, events, policy, at)

    expected = [grown(forecasts, events, policy, int(t)) for t in at]
    np.testing.assert_allclose(found.growth(policy), expected, atol=0.0011)
    assert max(expected) > 1.2
    floors = [decided(forecasts, events, policy, int(t)) for t in at]
    np.testing.assert_allclose(found.served(policy), floors, atol=0.0011)


def test_before_the_first_forecast_and_behind_the_last_nothing_is_planned() -> None:
    forecasts = walk(1, count=2)
    first = to_epoch(make.MONDAY)
    at = np.arange(first, first + 4 * 3600, 15, dtype=np.int64)
    found = laid(forecasts, [], make.policy(), at)
    planned = found.planned(make.policy())

    assert np.isnan(planned[:4]).all()
    assert np.isfinite(planned[4])
    assert found.covered[4]
    ends = to_epoch(forecasts[-1].valid_until)
    assert np.isnan(planned[at >= ends]).all()
    assert not found.covered[at >= ends].any()
    assert np.isfinite(planned[(at >= first + 60) & (at < ends)]).all()


def test_no_forecast_at_all_leaves_the_floors() -> None:
    found = track([], ticks(), np.full(len(ticks()), 4))

    assert found.served(make.policy()).tolist() == [320.0] * len(ticks())


def test_an_event_is_no_floor_before_it_is_known() -> None:
    known = make.MONDAY + timedelta(minutes=20)
    one = make.event(
        start=make.MONDAY,
        end=make.MONDAY + timedelta(hours=2),
        effect=Effect(min_pods=7),
        known_from=known,
    )
    at = ticks()
    pods = declared_floors(EventBook((one,)), make.policy(), at)

    assert set(pods[at < to_epoch(known)].tolist()) == {0}
    assert set(pods[at >= to_epoch(known)].tolist()) == {7}


def test_an_event_known_for_long_is_a_floor_from_the_first_tick_on() -> None:
    one = make.event(
        start=make.MONDAY,
        end=make.MONDAY + timedelta(hours=2),
        effect=Effect(min_pods=7),
        known_from=make.MONDAY - timedelta(days=3),
    )

    assert set(declared_floors(EventBook((one,)), make.policy(), ticks()).tolist()) == {7}


def test_a_forecast_that_was_never_the_newest_is_left_out() -> None:
    forecasts = walk(5, count=3)
    twin = replace(forecasts[1], values=forecasts[1].values * 9)
    policy, at = make.policy(), ticks()

    with_twin = track(
        [said(one, [], policy) for one in [forecasts[0], twin, forecasts[1]]], at, at * 0
    )
    without = track([said(one, [], policy) for one in forecasts[:2]], at, at * 0)
    np.testing.assert_array_equal(with_twin.served(policy), without.served(policy))
