"""The plan, against an obvious slow loop that was written without looking at it."""

from dataclasses import replace
from datetime import time, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from prescaler.core.arrays import FloatArray
from prescaler.core.calendar import Window
from prescaler.core.events import EventEffect
from prescaler.core.forecast import Forecast
from prescaler.core.hpa import lead_seconds, longest_lead, pods_for
from prescaler.core.plan import PLAN_STAGES, plan, require
from prescaler.core.policy import Policy
from prescaler.core.quantiles import QUANTILES
from prescaler.core.widths import Widths
from tests.support.builders import MONDAY, STEP, forecast, lead_time, policy

START = int(MONDAY.timestamp())
medians = arrays(np.float64, st.integers(3, 40), elements=st.floats(0, 20_000))


def slow_plan(found: Forecast, rules: Policy, instant: int) -> float | None:
    """What must be ready at an instant: one cell after the other, in words of the design."""
    column = QUANTILES.index(rules.quantile)
    loads = [
        float(row[column]) * float(ratio)
        for row, ratio in zip(found.values, found.peak_ratio, strict=True)
    ]
    starts = [int(s) for s in found.stamps]
    step = int(found.step.total_seconds())
    if not starts[0] <= instant < starts[-1] + step:
        return None
    pods = [max(rules.scale_min, pods_for(load, rules.target)) for load in loads]
    longest = longest_lead(max(pods), rules.lead_time, from_zero=rules.scale_min == 0)
    back = int(np.ceil(longest / found.step))
    due = []
    for index, load in enumerate(loads):
        earlier = [pods[max(0, index - n)] for n in range(1, back + 1)] or [pods[0]]
        lead = lead_seconds(
            np.array([min(earlier)]),
            np.array([pods[index]]),
            rules.lead_time,
            from_zero=rules.scale_min == 0,
        )[0]
        first = starts[index] - int(np.ceil(lead)) - int(rules.hold.total_seconds())
        if first <= instant < starts[index] + step:
            due.append(load)
    return max(due)


@given(medians, st.lists(st.integers(-600, 14_000), min_size=1, max_size=30), st.booleans())
def test_the_plan_is_that_of_the_slow_loop(
    median: FloatArray, offsets: list[int], from_zero: bool
) -> None:
    found = forecast(median)
    rules = policy(scale_min=0 if from_zero else 1)
    instants = START + np.array(sorted(offsets))

    curve = plan(found, (), rules, instants)

    for index, instant in enumerate(instants):
        wanted = slow_plan(found, rules, int(instant))
        maximum = curve.parts[index, PLAN_STAGES.index("maximum")]
        np.testing.assert_allclose(maximum, np.nan if wanted is None else wanted)
        assert curve.load[index] == pytest.approx(wanted or 0.0)


@given(medians, st.floats(-0.7, 1.1), st.booleans())
def test_widths_of_its_own_act_as_if_the_forecast_had_them(
    median: FloatArray, width: float, with_event: bool
) -> None:
    logs = np.full((1, len(QUANTILES)), round(width, 4))
    made = forecast(median)
    widened = Widths.of(np.array([3]), logs).applied(made.values.astype(np.float64))
    end = MONDAY + timedelta(hours=2)
    events = (EventEffect("final", MONDAY, end, 4.0),) * with_event
    instants = START + 60 * np.arange(30)

    curve = plan(
        replace(made, plan_widths=Widths.of(np.array([3]), logs)), events, policy(), instants
    )

    wide = replace(made, values=widened.astype(np.float32))
    wanted = plan(wide, events, policy(), instants)
    np.testing.assert_allclose(curve.parts, wanted.parts, rtol=1e-6, atol=1e-6)


@given(medians, st.lists(st.integers(-600, 14_000), min_size=2, max_size=30, unique=True))
def test_many_instants_at_once_are_the_same_as_one_by_one(
    median: FloatArray, offsets: list[int]
) -> None:
    found, rules = forecast(median), policy()
    instants = START + np.array(sorted(offsets))

    together = plan(found, (), rules, instants)

    for index, instant in enumerate(instants):
        alone = plan(found, (), rules, np.array([instant]))
        np.testing.assert_array_equal(together.parts[index], alone.parts[0])


def test_a_cliff_is_held_before_it_comes_by_lead_and_hold() -> None:
    median = np.full(60, 400.0)
    median[30:] = 8000.0
    found, rules = forecast(median), policy()
    cells = require(found, (), rules)
    cliff = 30

    lead = cells.lead[cliff]
    due = int(cells.due[cliff])

    assert lead >= 15 + 60 + 240
    assert due == int(cells.starts[cliff]) - int(lead) - 300
    before, after = plan(found, (), rules, np.array([due - 1, due])).load
    assert before < 1000
    assert after > 8000


def test_a_spike_of_one_step_is_not_lost_between_two_instants() -> None:
    median = np.full(60, 100.0)
    median[40] = 5000.0
    found, rules = forecast(median), policy(hold=timedelta(0))
    spike = int(found.stamps[40])

    every_minute = np.arange(spike - 3600, spike + 600, 60)
    load = plan(found, (), rules, every_minute).load

    assert load.max() == pytest.approx(5000 * 1.3 * 1.1, rel=1e-3)
    assert load[-1] < 1000


def test_windows_and_minimums_are_floors_with_and_without_a_forecast() -> None:
    rules = policy(
        windows=(Window(frozenset(range(7)), time(19, 30), time(23, 30), 40),), min_pods=3
    )
    noon, evening = MONDAY + timedelta(hours=11), MONDAY + timedelta(hours=19)
    instants = np.array([int(noon.timestamp()), int(evening.timestamp())])

    curve = plan(None, (), rules, instants)

    assert list(curve.load) == [3 * 80, 40 * 80]
    assert not curve.covered.any()
    assert list(plan(forecast(), (), rules, instants).parts[:, -1]) == [3 * 80, 40 * 80]


def test_the_larger_of_two_overlapping_windows_holds() -> None:
    days = frozenset(range(7))
    rules = policy(
        windows=(Window(days, time(18), time(22), 50), Window(days, time(20), time(23), 20))
    )
    evening = int((MONDAY + timedelta(hours=20)).timestamp())

    assert plan(None, (), rules, np.array([evening])).load[0] == 50 * 80


def test_an_event_raises_the_plan_to_the_minute() -> None:
    kick_off = MONDAY + timedelta(hours=2, minutes=2)
    match = EventEffect(
        "semi-final", kick_off, kick_off + timedelta(hours=2), 5.0, 0.0, 0, timedelta(minutes=2)
    )
    found, rules = forecast(np.full(120, 1000.0)), policy(hold=timedelta(0))

    cells = require(found, (match,), rules)
    quiet = require(found, (), rules)

    assert int(cells.ends[0] - cells.starts[0]) == 60
    assert int(quiet.ends[0] - quiet.starts[0]) == 300
    raised = cells.parts[:, 2] > cells.parts[:, 1] * 1.001
    assert int(cells.starts[raised][0]) == int((kick_off - timedelta(minutes=2)).timestamp())


def test_an_events_minimum_is_a_floor_that_needs_no_forecast() -> None:
    match = EventEffect("final", MONDAY, MONDAY + timedelta(hours=1), min_pods=125)

    assert plan(None, (match,), policy(), np.array([START])).load[0] == 125 * 80


def test_an_events_minimum_is_asked_for_a_lead_time_before() -> None:
    """From what the window keeps just before; one that asks for no more needs no lead."""
    rules = policy(windows=(Window(frozenset(range(7)), time(19, 30), time(23, 30), 40),))
    kick_off = MONDAY + timedelta(hours=20)
    match = EventEffect("final", kick_off, kick_off + timedelta(hours=1), min_pods=44)
    small = EventEffect("talk", kick_off, kick_off + timedelta(hours=1), min_pods=30)
    at = int(kick_off.timestamp())

    def pods(effects: tuple[EventEffect, ...], second: int) -> float:
        return float(plan(None, effects, rules, np.array([at + second])).load[0] / 80)

    # One sync of 15 s and 60 s for the pods; the nodes have room for them.
    assert [pods((match,), second) for second in (-76, -75, 0)] == [40, 44, 44]
    assert [pods((small,), second) for second in (-76, 0)] == [40, 40]
    followed = replace(match, end=kick_off + timedelta(hours=2))
    assert pods((match, followed), -75) == 44


def test_an_event_that_is_over_costs_no_finer_cells() -> None:
    past = EventEffect("past", MONDAY - timedelta(days=3), MONDAY - timedelta(days=2), 5.0)

    assert len(require(forecast(), (past,), policy()).starts) == 600


def test_faster_pods_mean_a_later_start() -> None:
    median = np.full(60, 400.0)
    median[30:] = 8000.0
    slow = require(forecast(median), (), policy()).due[30]
    quick_pods = lead_time(spare_room=1e9)
    quick = require(forecast(median), (), policy(lead_time=quick_pods)).due[30]

    assert quick - slow == 240


def test_instants_must_ascend() -> None:
    with pytest.raises(ValueError, match="ascend"):
        plan(forecast(), (), policy(), np.array([START + 1, START]))


def test_no_instants_give_no_plan() -> None:
    assert len(plan(forecast(), (), policy(), np.array([], dtype=np.int64)).load) == 0


def test_the_plan_ends_with_the_forecast() -> None:
    found = forecast(np.full(10, 100.0))
    end = int(found.valid_until.timestamp())

    curve = plan(found, (), policy(), np.array([end - 1, end]))

    assert list(curve.covered) == [True, False]
    assert curve.load[1] == 0


def test_near_its_end_the_covered_part_of_the_window_counts() -> None:
    found = forecast(np.linspace(100, 200, 10))
    last = int((found.valid_until - STEP).timestamp())

    load = plan(found, (), policy(), np.array([last])).load[0]

    assert load == pytest.approx(200 * 1.3 * 1.1, rel=1e-3)
