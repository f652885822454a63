"""Where the forecast acts as growth of live demand: what is planned, decided and never done."""

from datetime import datetime, time, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescaler.core.calendar import Window
from prescaler.core.control import (
    Authored,
    Control,
    Freeze,
    GuardTrip,
    LastValid,
    ModeChange,
    Observed,
    Override,
)
from prescaler.core.decision import Decision, Reason, Status, decide
from prescaler.core.events import EventEffect
from prescaler.core.forecast import Forecast
from prescaler.core.plan import plan
from prescaler.core.policy import ActsAs, Mode, OnUnavailable
from tests.support.builders import MONDAY, forecast, policy

NOW = MONDAY + timedelta(hours=1)
BY = Authored("ada", "match night", NOW - timedelta(minutes=1), None)
RISE = np.concatenate([np.full(12, 800.0), np.full(588, 1600.0)])
"""Doubles at NOW, from one step to the next."""
FRESH = Observed(last_actual=900.0, last_actual_at=NOW - timedelta(minutes=5))
ALWAYS = (Window(frozenset(range(7)), time(0), time(0), 10),)


def answer(
    found: Forecast | None,
    control: Control | None = None,
    now: datetime = NOW,
    observed: Observed | None = None,
    **rules: Any,
) -> Decision:
    own = policy(acts_as=ActsAs.GROWTH, **rules)
    return decide(found, (), own, control or Control(), observed or FRESH, now)


def test_the_plan_is_not_served_but_its_growth_is() -> None:
    found = answer(forecast(RISE))

    assert (found.status, found.reason) == (Status.ACTIVE, None)
    assert found.value == found.forecast_part == found.would_serve == 0.0
    assert found.growth == pytest.approx(2.0 / 1.3, abs=0.001), "the line is 30 % up at NOW - 60 s"
    assert found.stages[4].load is not None, "the plan stays to be looked at"
    assert found.stages[5].note == "active; live demand x 1.5"


def test_declared_floors_and_people_act_as_ever() -> None:
    overridden = answer(forecast(RISE), Control(override=Override(BY, None, 30)))
    frozen = answer(forecast(RISE), Control(freeze=Freeze(BY, 1000.0)))

    assert answer(forecast(RISE), windows=ALWAYS).value == 800.0
    assert answer(forecast(RISE), windows=ALWAYS).growth > 1
    assert (overridden.value, overridden.growth) == (2400.0, 1.0)
    assert (frozen.value, frozen.growth) == (1000.0, 1.0)


@pytest.mark.parametrize(
    ("control", "now", "rules", "reason"),
    [
        (Control(), NOW, {"mode": Mode.SHADOW}, Reason.SHADOW),
        (Control(mode=ModeChange(BY, Mode.OFF)), NOW, {}, Reason.OFF),
        (Control(guard=GuardTrip("residuals", "far off", NOW)), NOW, {}, "guard:residuals"),
        (Control(), MONDAY + timedelta(days=9), {}, Reason.FORECAST_ENDED),
        (Control(), MONDAY - timedelta(hours=1), {}, Reason.WARMING_UP),
    ],
)
def test_where_the_forecast_must_be_silent_live_demand_stays_what_it_is(
    control: Control, now: datetime, rules: dict[str, Any], reason: str
) -> None:
    found = answer(forecast(RISE), control, now, **rules)

    assert (found.growth, found.value, found.reason) == (1.0, 0.0, reason)


def test_without_a_forecast_or_with_a_held_value_too() -> None:
    held = Control(last_valid=LastValid(640.0, NOW - timedelta(minutes=5)))

    assert answer(None).growth == 1.0
    found = answer(None, held, on_unavailable=OnUnavailable.HOLD)
    assert (found.status, found.value, found.growth) == (Status.HELD, 640.0, 1.0)


def test_shadow_says_what_would_be() -> None:
    found = answer(forecast(RISE), mode=Mode.SHADOW)

    assert found.stages[5].note == "shadow; would be live demand x 1.5"


def test_capped_growth_says_so() -> None:
    capped = answer(forecast(RISE), mode=Mode.CAPPED, cap=0.25)
    within = answer(forecast(RISE), mode=Mode.CAPPED, cap=0.9)

    assert (capped.growth, capped.reason) == (1.25, Reason.CAPPED)
    assert (within.growth, within.reason) == (answer(forecast(RISE)).growth, None)


@pytest.mark.parametrize(("age", "running"), [(0, 12), (59, 12), (60, 0), (-1, 0), (None, 0)])
def test_running_pods_are_told_while_they_are_fresh(age: int | None, running: int) -> None:
    at = None if age is None else NOW - timedelta(seconds=age)
    found = answer(forecast(RISE), observed=Observed(running_pods=12, pods_at=at))

    assert found.running == running


def test_a_planned_crowd_is_growth_too() -> None:
    kick_off = NOW + timedelta(minutes=3)
    crowd = EventEffect("final", kick_off, kick_off + timedelta(hours=2), 4.0)
    own = policy(acts_as=ActsAs.GROWTH)
    flat = forecast(np.full(600, 800.0))

    decided = decide(flat, (crowd,), own, Control(), None, NOW)

    assert decided.growth == pytest.approx(4.0, rel=0.01)


@given(st.integers(-7200, 55 * 3600), st.booleans())
def test_decide_serves_the_plans_growth_and_the_plan_itself_has_none(
    offset: int, grows: bool
) -> None:
    now = MONDAY + timedelta(seconds=offset)
    own = policy(acts_as=ActsAs.GROWTH if grows else ActsAs.PLAN)
    found = forecast(800.0 + 700.0 * np.sin(np.arange(600) / 9.0))
    curve = plan(found, (), own, np.array([int(now.timestamp())]))

    decided = decide(found, (), own, Control(), None, now)

    assert decided.growth == curve.growth[0]
    assert decided.growth >= 1
    if not grows:
        assert decided.growth == 1.0
