"""Latest safe start, raises that come too late, measured start times."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prescaler.core.arrays import FloatArray
from prescaler.core.forecast import Forecast
from prescaler.core.hpa import lead_seconds
from prescaler.core.lead_time import (
    MeasuredStarts,
    Raise,
    next_raise,
    raise_at,
    start_time,
    unreachable,
)
from prescaler.core.plan import Requirement, require
from prescaler.core.policy import Policy, StartTime
from tests.support.builders import MINUTE, MONDAY, STEP, forecast, lead_time, policy

TARGET = 80.0


def exact(pods: FloatArray) -> Forecast:
    """A forecast that needs exactly these pods, step by step, at every quantile."""
    made = forecast(pods * TARGET)
    flat = np.repeat((pods * TARGET)[:, None], 8, axis=1).astype(np.float32)
    return forecast(
        pods * TARGET,
        values=flat,
        peak_ratio=np.ones(len(pods), dtype=np.float32),
        naive=made.naive,
    )


def evening(low: int = 12, high: int = 120, at: int = 12) -> tuple[Requirement, Policy]:
    """`low` pods, from step `at` on `high`."""
    pods = np.where(np.arange(100) < at, low, high).astype(np.float64)
    own = policy()
    return require(exact(pods), (), own), own


KICK_OFF = MONDAY + 12 * STEP


def test_the_latest_start_is_the_crowd_minus_the_lead_without_the_hold() -> None:
    cells, own = evening()
    (seconds,) = lead_seconds(np.array([12]), np.array([120]), own.lead_time, from_zero=False)

    found = raise_at(cells, own, KICK_OFF + MINUTE)

    assert found == Raise(
        KICK_OFF, 120, KICK_OFF - timedelta(seconds=seconds), timedelta(seconds=seconds)
    )
    assert next_raise(cells, own, MONDAY, 12) == found


def test_what_the_forecast_does_not_cover_is_not_known() -> None:
    cells, own = evening()

    assert raise_at(cells, own, MONDAY - MINUTE) is None
    assert raise_at(cells, own, MONDAY + 100 * STEP) is None
    assert next_raise(cells, own, MONDAY, 120) is None


@pytest.mark.parametrize(("pods", "found"), [(109, True), (110, False), (120, False)])
def test_a_raise_that_the_hpa_ignores_is_none(pods: int, found: bool) -> None:
    cells, own = evening()

    assert (next_raise(cells, own, MONDAY, pods) is not None) is found


def test_a_raise_known_in_time_is_not_late() -> None:
    cells, own = evening()
    latest = raise_at(cells, own, KICK_OFF)
    assert latest is not None

    assert unreachable(cells, own, latest.latest_start, 12) is None
    assert unreachable(cells, own, MONDAY, 12) is None


def test_a_raise_known_too_late_says_by_how_much_and_what_would_help() -> None:
    cells, own = evening()
    late = unreachable(cells, own, KICK_OFF - 3 * MINUTE, 12)

    assert late is not None
    assert (late.at, late.pods, late.running) == (KICK_OFF, 120, 12)
    # 4 syncs, a pod's 60 s, a node's 240 s: 360 s, of which 180 are left.
    assert late.late_by == timedelta(seconds=180)
    assert late.helps == (
        "known or started 180 s earlier",
        "policy.min_pods or a window of 105 pods before",
    )


def test_where_the_ramp_is_what_takes_long_another_ramp_helps() -> None:
    pods = np.where(np.arange(100) < 12, 12, 120).astype(np.float64)
    own = policy(lead_time=lead_time(spare_room=20.0))
    cells = require(exact(pods), (), own)

    late = unreachable(cells, own, KICK_OFF - timedelta(seconds=80), 12)

    assert late is not None
    assert late.late_by == timedelta(seconds=40)
    assert any("Percent 900" in text for text in late.helps)


def test_nothing_more_to_have_is_never_late() -> None:
    cells, own = evening()

    assert unreachable(cells, own, KICK_OFF - MINUTE, 120) is None
    assert unreachable(cells, own, MONDAY + 100 * STEP, 1) is None


def test_in_the_last_second_only_running_pods_help() -> None:
    cells, own = evening()
    late = unreachable(cells, own, KICK_OFF - timedelta(seconds=1), 12)

    assert late is not None
    assert late.helps[1:] == ("policy.min_pods or a window of 120 pods before",)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 200), st.integers(1, 200), st.integers(1, 700), st.integers(1, 200))
def test_late_means_that_the_pods_are_ready_after_the_crowd(
    low: int, high: int, seconds: int, running: int
) -> None:
    cells, own = evening(low, high)
    now = KICK_OFF - timedelta(seconds=seconds)
    late = unreachable(cells, own, now, running)

    if late is not None:
        (needed,) = lead_seconds(
            np.array([running]), np.array([late.pods]), own.lead_time, from_zero=False
        )
        assert now + timedelta(seconds=int(needed)) == late.at + late.late_by
        assert late.late_by > timedelta(0)
    else:
        at = raise_at(cells, own, KICK_OFF)
        assert at is not None
        (needed,) = lead_seconds(
            np.array([running]), np.array([high]), own.lead_time, from_zero=False
        )
        due = now >= at.latest_start - own.hold
        assert high <= running or not due or needed <= seconds


def test_measured_times_are_rounded_up_and_need_twenty_starts() -> None:
    assert start_time([31.0] * 19) is None
    assert start_time([float("nan"), -1.0] * 30) is None
    assert start_time([31.0] * 19 + [95.0]) == StartTime(
        timedelta(seconds=35), timedelta(seconds=35)
    )
    assert start_time([30.0] * 18 + [95.0] * 3) == StartTime(
        timedelta(seconds=30), timedelta(seconds=95)
    )


def test_measured_times_replace_configured_ones_each_on_its_own() -> None:
    own, seen = lead_time(), StartTime(MINUTE, 2 * MINUTE)

    some = MeasuredStarts(seen, None, 40, 3).applied(own)
    none = MeasuredStarts(None, None, 0, 0).applied(own)

    assert (some.pod_start, some.node_start) == (seen, own.node_start)
    assert none == own
