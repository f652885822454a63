"""What KEDA is told, status by status; and the laws that hold for every answer."""

import math
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
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
from prescaler.core.decision import STAGES, Decision, Reason, Status, decide
from prescaler.core.events import EventEffect
from prescaler.core.forecast import Basis, Forecast
from prescaler.core.hpa import desired_pods, pods_for
from prescaler.core.plan import plan, require
from prescaler.core.plan_table import tabulate
from prescaler.core.policy import Mode, OnUnavailable
from prescaler.core.quantiles import QUANTILES
from prescaler.core.widths import Widths
from tests.support.builders import DAY, MONDAY, forecast, policy

NOW = MONDAY + timedelta(hours=1)
BY = Authored("ada", "match night", NOW - timedelta(minutes=1), None)
FRESH = Observed(last_actual=900.0, last_actual_at=NOW - timedelta(minutes=5))
ALWAYS = (Window(frozenset(range(7)), time(0), time(0), 10),)


def answer(
    found: Forecast | None, control: Control | None = None, now: datetime = NOW, **rules: Any
) -> Decision:
    return decide(found, (), policy(**rules), control or Control(), FRESH, now)


def test_an_active_forecast_is_served_whole() -> None:
    found = answer(forecast())

    assert found.status is Status.ACTIVE
    assert found.reason is None
    assert found.value == found.would_serve > 0
    assert found.value == pytest.approx(found.forecast_part, abs=0.001)
    assert tuple(stage.name for stage in found.stages) == STAGES
    assert found.age == timedelta(hours=1)
    assert answer(None).age is None


instants = st.integers(-3600, 55 * 3600).map(lambda s: MONDAY + timedelta(seconds=s))


@given(instants, st.sampled_from(Mode), st.integers(0, 30), st.booleans(), st.floats(-0.7, 1.1))
def test_decide_is_the_plan_at_now_and_the_closed_loop(
    now: datetime, mode: Mode, floor: int, with_event: bool, width: float
) -> None:
    """The open-loop stages of a decision are those of `plan`, whatever the mode."""
    kick_off = MONDAY + timedelta(hours=20)
    events = (EventEffect("final", kick_off, kick_off + timedelta(hours=2), 4.0),) * with_event
    widths = Widths((3,), ((width,) * len(QUANTILES),))
    rules, found = policy(mode=mode, min_pods=floor), forecast(plan_widths=widths)
    curve = plan(found, events, rules, np.array([int(now.timestamp())]))

    decided = decide(found, events, rules, Control(), FRESH, now)

    opened = [stage.load for stage in decided.stages[:5]]
    wanted = [float(x) if curve.covered[0] else None for x in curve.parts[0, :5]]
    assert opened == wanted
    if mode is Mode.ACTIVE:
        assert decided.value == pytest.approx(curve.load[0], abs=0.001)
        assert decided.value >= curve.load[0] - 1e-9


@given(instants, st.integers(0, 3599), st.sampled_from(Mode), st.booleans(), st.booleans())
def test_a_row_from_a_table_changes_nothing(
    start: datetime, offset: int, mode: Mode, with_event: bool, with_forecast: bool
) -> None:
    kick_off = MONDAY + timedelta(hours=20, minutes=7)
    final = EventEffect("final", kick_off, kick_off + timedelta(hours=2), 4.0, 0.0, 50)
    events = (final,) * with_event
    window = Window(frozenset({0, 1, 4}), time(19, 30), time(1, 15), 40)
    rules, found = policy(mode=mode, windows=(window,)), forecast() if with_forecast else None
    first, now = int(start.timestamp()), start + timedelta(seconds=offset)
    cells = require(found, events, rules) if found else None
    table = tabulate(found, events, rules, start=first, end=first + 3600, requirement=cells)

    plain = decide(found, events, rules, Control(), FRESH, now)
    quick = decide(found, events, rules, Control(), FRESH, now, row=table.at(int(now.timestamp())))

    assert table.covers(first + offset)
    assert not table.covers(first + 3600)
    assert plain == quick


loads = st.floats(0, 1e9, allow_nan=False)
controls = st.builds(
    Control,
    mode=st.none() | st.builds(ModeChange, st.just(BY), st.sampled_from(Mode)),
    freeze=st.none() | st.builds(Freeze, st.just(BY), loads),
    override=st.none()
    | st.builds(Override, st.just(BY), loads, st.none())
    | st.builds(Override, st.just(BY), st.none(), st.integers(0, 5000)),
    guard=st.none() | st.just(GuardTrip("residuals", "far outside for 30 min", NOW)),
    last_valid=st.none() | st.builds(LastValid, loads, st.just(NOW - timedelta(minutes=2))),
)
observations = st.builds(
    Observed,
    running_pods=st.none() | st.integers(0, 5000),
    ready_pods=st.none(),
    pods_at=st.none() | st.integers(-100, 200).map(lambda s: NOW - timedelta(seconds=s)),
    last_actual=st.none() | loads,
    last_actual_at=st.none() | st.just(NOW - timedelta(minutes=3)),
)


@given(
    st.none() | st.just(forecast()),
    controls,
    observations,
    instants,
    st.sampled_from(OnUnavailable),
    st.none() | st.integers(20, 100),
)
def test_every_answer_is_a_finite_number_and_never_negative(
    found: Forecast | None,
    control: Control,
    observed: Observed,
    now: datetime,
    unavailable: OnUnavailable,
    ceiling: int | None,
) -> None:
    rules = policy(on_unavailable=unavailable, min_pods=10, max_pods=ceiling)

    decided = decide(found, (), rules, control, observed, now)

    assert math.isfinite(decided.value)
    assert decided.value >= 0
    assert math.isfinite(decided.would_serve)
    assert decided.value == round(decided.value, 3)
    assert (decided.value == 0) or decided.status is not Status.NEUTRAL
    manual = control.override or control.freeze
    mode = control.mode.mode if control.mode else rules.mode
    if mode is not Mode.OFF and not manual:
        assert decided.value >= 10 * 80
    if ceiling is not None and mode is not Mode.OFF:
        assert decided.pods <= ceiling


ABSENCES = [
    Reason.WARMING_UP,
    Reason.TOO_LITTLE_HISTORY,
    Reason.NO_FORECAST,
    Reason.WORSE_THAN_NAIVE,
]


@pytest.mark.parametrize("absence", ABSENCES)
def test_without_a_forecast_the_answer_is_a_neutral_zero_with_its_reason(absence: Reason) -> None:
    found = decide(None, (), policy(), Control(), None, NOW, absence=absence)

    assert (found.value, found.status, found.reason) == (0.0, Status.NEUTRAL, absence)
    assert found.available


@pytest.mark.parametrize("absence", ABSENCES)
def test_with_on_unavailable_error_it_is_a_fault(absence: Reason) -> None:
    rules = policy(on_unavailable=OnUnavailable.ERROR)
    floored = policy(on_unavailable=OnUnavailable.ERROR, min_pods=2)

    assert not decide(None, (), rules, Control(), None, NOW, absence=absence).available
    assert decide(None, (), floored, Control(), None, NOW, absence=absence).available


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.SHADOW])
def test_a_mode_that_asks_for_silence_is_no_fault(mode: Mode) -> None:
    found = answer(forecast(), mode=mode, on_unavailable=OnUnavailable.ERROR)

    assert found.available
    assert (found.value, found.status, found.reason) == (0.0, Status.NEUTRAL, mode.value)
    assert found.would_serve > 0


@pytest.mark.parametrize("mode", [Mode.SHADOW, Mode.CAPPED, Mode.ACTIVE])
def test_declared_floors_are_served_in_every_mode_but_off(mode: Mode) -> None:
    found = answer(None, mode=mode, windows=ALWAYS)

    assert (found.value, found.status) == (800.0, Status.FLOOR)
    assert found.floor_part == 800.0


def test_off_serves_no_floor_either() -> None:
    found = answer(forecast(), mode=Mode.OFF, windows=ALWAYS)

    assert (found.value, found.status, found.reason) == (0.0, Status.NEUTRAL, Reason.OFF)


def test_a_tripped_guard_keeps_the_floors() -> None:
    control = Control(guard=GuardTrip("residuals", "far outside for 30 min", NOW))

    found = answer(forecast(), control, windows=ALWAYS)

    assert (found.value, found.status) == (800.0, Status.FLOOR)
    assert (found.reason, found.detail) == ("guard:residuals", "far outside for 30 min")


def test_a_forecast_is_good_until_its_end_and_not_longer() -> None:
    found = forecast()

    last = answer(found, now=found.valid_until - timedelta(seconds=1))
    after = answer(found, now=found.valid_until)

    assert last.status is Status.ACTIVE
    assert (after.value, after.reason) == (0.0, Reason.FORECAST_ENDED)


def test_before_its_first_instant_it_is_warming_up() -> None:
    assert answer(forecast(), now=MONDAY - DAY).reason == Reason.WARMING_UP


def hold(age: timedelta, value: float = 1234.0) -> Control:
    return Control(last_valid=LastValid(value, NOW - age))


def test_hold_serves_the_last_valid_value_for_a_while() -> None:
    young = answer(None, hold(timedelta(minutes=14)), on_unavailable=OnUnavailable.HOLD)
    old = answer(None, hold(timedelta(minutes=16)), on_unavailable=OnUnavailable.HOLD)

    assert (young.value, young.status, young.reason) == (1234.0, Status.HELD, Reason.NO_FORECAST)
    assert (old.value, old.status) == (0.0, Status.NEUTRAL)


def test_hold_is_for_those_who_asked_and_for_lost_forecasts_only() -> None:
    control = hold(timedelta(minutes=1))
    rules = policy(on_unavailable=OnUnavailable.HOLD)

    assert answer(None, control).status is Status.NEUTRAL
    found = decide(None, (), rules, control, None, NOW, absence=Reason.TOO_LITTLE_HISTORY)
    assert found.status is Status.NEUTRAL


def test_a_floor_above_the_held_value_is_served_as_a_floor() -> None:
    found = answer(
        None, hold(timedelta(minutes=1), 100.0), on_unavailable=OnUnavailable.HOLD, windows=ALWAYS
    )

    assert (found.value, found.status) == (800.0, Status.FLOOR)


@pytest.mark.parametrize(
    ("own", "value"),
    [
        (Override(BY, 50.0, None), 50.0),
        (Override(BY, None, 7), 560.0),
        (Override(BY, 0.0, None), 0.0),
    ],
)
def test_an_override_goes_up_and_down_and_below_floors(own: Override, value: float) -> None:
    found = answer(forecast(), Control(override=own), windows=ALWAYS, mode=Mode.SHADOW)

    assert (found.value, found.status) == (value, Status.OVERRIDE)
    assert found.detail == "ada: match night"


def test_an_override_beats_a_freeze_and_both_end_by_themselves() -> None:
    until = NOW + timedelta(minutes=1)
    control = Control(
        freeze=Freeze(BY, 77.0), override=Override(replace(BY, until=until), 50.0, None)
    )

    assert answer(forecast(), control).status is Status.OVERRIDE
    later = answer(forecast(), control, now=until)
    assert (later.status, later.value) == (Status.FROZEN, 77.0)


def test_off_ignores_overrides() -> None:
    control = Control(override=Override(BY, 50.0, None))

    assert answer(forecast(), control, mode=Mode.OFF).value == 0.0


def test_a_mode_set_at_run_time_beats_the_file_until_it_ends() -> None:
    until = NOW + timedelta(hours=1)
    control = Control(mode=ModeChange(replace(BY, until=until), Mode.SHADOW))

    assert answer(forecast(), control).reason == Reason.SHADOW
    assert answer(forecast(), control, now=until).status is Status.ACTIVE


def test_capped_stays_near_naive_and_reality() -> None:
    high = forecast(np.full(600, 5000.0), naive=np.full(600, 1000.0, dtype=np.float32))

    found = answer(high, mode=Mode.CAPPED)

    assert found.value == pytest.approx(1500.0)
    assert (found.status, found.reason) == (Status.ACTIVE, Reason.CAPPED)
    assert found.would_serve == pytest.approx(5000 * 1.3 * 1.1, rel=1e-3)


def test_the_cap_follows_what_really_runs() -> None:
    high = forecast(np.full(600, 5000.0), naive=np.full(600, 1000.0, dtype=np.float32))
    busy = Observed(last_actual=3000.0, last_actual_at=NOW)

    found = decide(high, (), policy(mode=Mode.CAPPED), Control(), busy, NOW)

    assert found.value == pytest.approx(4500.0)


def test_the_ceiling_is_said() -> None:
    found = answer(forecast(np.full(600, 5000.0)), max_pods=20)

    assert (found.value, found.reason) == (1600.0, Reason.CEILING)


def test_missing_actuals_never_demote_but_are_said() -> None:
    old = Observed(last_actual=900.0, last_actual_at=NOW - timedelta(minutes=22))

    found = decide(forecast(), (), policy(), Control(), old, NOW)

    assert (found.status, found.reason) == (Status.ACTIVE, Reason.STALE_DEMAND)
    assert found.value == answer(forecast()).value


def test_a_naive_forecast_says_so() -> None:
    assert answer(forecast(basis=Basis.NAIVE)).reason == Reason.NAIVE
    borrowed = answer(forecast(basis=Basis.BORROWED))
    assert borrowed.reason is None
    assert "sibling" in str(borrowed.detail)


def near(running: int, age: float, needed_pods: float) -> Decision:
    found = forecast(np.full(600, needed_pods * 80 / 1.3 / 1.1))
    seen = Observed(running, None, NOW - timedelta(seconds=age), 900.0, NOW)
    return decide(found, (), policy(), Control(), seen, NOW)


def test_a_plan_nine_percent_above_what_runs_is_not_swallowed() -> None:
    found = near(100, 10, 108.9)

    assert found.pods == 111
    assert desired_pods(found.value, 80, 100, policy().lead_time.tolerance) == 111
    note = next(stage.note for stage in found.stages if stage.name == "tolerance")
    assert "2 more" in note


@pytest.mark.parametrize("age", [60, 3600, -5])
def test_old_counts_of_pods_correct_nothing(age: float) -> None:
    assert near(100, age, 108.9).pods == 109


def test_a_plan_below_what_runs_is_left_alone() -> None:
    assert near(100, 10, 50.0).pods == 50


def test_a_floor_survives_the_tolerance() -> None:
    seen = Observed(37, None, NOW, 900.0, NOW)
    found = decide(None, (), policy(min_pods=40), Control(), seen, NOW)

    assert desired_pods(found.value, 80, 37, policy().lead_time.tolerance) >= 40


def test_rounding_goes_up() -> None:
    load = 7 * 80 - 0.0004
    found = answer(None, Control(override=Override(BY, load, None)))

    assert (found.value, found.pods) == (560.0, 7)


@given(st.floats(0.01, 1000), st.floats(0, 1e6))
@example(0.015625, 2.4376094583109988e-11)
def test_rounding_never_changes_the_number_of_pods(target: float, load: float) -> None:
    rules = policy().with_target(target)
    found = decide(None, (), rules, Control(override=Override(BY, load, None)), None, NOW)

    assert found.pods == pods_for(load, target)


def test_the_scaledobjects_own_target_turns_pods_into_load() -> None:
    found = decide(None, (), policy(windows=ALWAYS).with_target(50), Control(), None, NOW)

    assert (found.value, found.pods, found.target) == (500.0, 10, 50)
