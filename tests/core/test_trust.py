"""Ladder and guards as rules, without a store."""

import math
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescaler.core.control import Authored, Control, GuardTrip, ModeChange
from prescaler.core.forecast import Origin
from prescaler.core.policy import Mode, TrustSettings
from prescaler.core.quantiles import QUANTILES
from prescaler.core.score_days import WIDTH, ScoreDay, ScoreSums, day_of
from prescaler.core.trust import (
    LADDER,
    LADDER_AUTHOR,
    Evidence,
    beyond_seen,
    demotion,
    evidence,
    far_residuals,
    promotion,
)
from tests.support.builders import DAY, MONDAY, STEP, forecast, policy, series

AUTO = TrustSettings(auto=True)
OLD = MONDAY - 3 * DAY
TODAY = day_of(MONDAY)


def sums(ratio: float = 0.5, off: float = 0.0, instants: float = 100.0) -> ScoreSums:
    """Scores of this error ratio, with coverage this far below each quantile."""
    row = np.zeros(WIDTH)
    row[:3] = instants, 1000.0, ratio * 100
    row[3:6] = row[6:9] = instants, ratio * 100, 100.0
    reached = (np.array(QUANTILES) - off / 100) * instants
    row[9 + 8 : 9 + 16] = reached
    return ScoreSums(row)


def record(days: int, one: ScoreSums) -> list[ScoreDay]:
    return [ScoreDay(TODAY - n * DAY, Origin.BACKFILL, "1h", one) for n in range(1, days + 1)]


def at(mode: Mode, author: str = LADDER_AUTHOR, since: datetime = OLD) -> Control:
    return Control(mode=ModeChange(Authored(author, "why", since, None), mode))


GOOD = evidence(record(14, sums()), AUTO, None, stale=False)


def test_fourteen_good_days_miss_nothing() -> None:
    assert (GOOD.days, GOOD.missing) == (14, ())
    assert GOOD.gap == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (record(13, sums()), "13 of 14 days"),
        (record(14, sums(ratio=1.0)), "error is 1.00 of naive's"),
        (record(14, sums(off=5.2)), "coverage is 5.2 points off"),
        ([], "0 of 14 days"),
        (record(14, sums(instants=0)), "0 of 14 days"),
        ([replace(row, bucket="6h") for row in record(14, sums())], "0 of 14 days"),
    ],
)
def test_what_is_missing_is_said(rows: list[ScoreDay], text: str) -> None:
    found = evidence(rows, AUTO, None, stale=False)

    assert any(text in line for line in found.missing)
    assert promotion(Control(), policy(mode=Mode.SHADOW), AUTO, found, MONDAY) is None


def test_demand_that_does_not_come_in_suspends_promotion() -> None:
    found = evidence(record(14, sums()), AUTO, None, stale=True)

    assert found.missing == ("demand is not coming in",)


def test_after_a_demotion_only_later_days_count() -> None:
    rows = record(14, sums())

    assert evidence(rows, AUTO, MONDAY - 5 * DAY, stale=False).days == 4
    assert evidence([], AUTO, None, stale=False).gap != 0
    assert math.isnan(evidence([], AUTO, None, stale=False).gap)


def test_each_rung_takes_a_day_and_its_own_decision() -> None:
    own = policy(mode=Mode.SHADOW)
    first = promotion(Control(), own, AUTO, GOOD, MONDAY)
    assert first is not None
    assert first.mode is Mode.CAPPED
    assert "14 days, error 0.50 of naive's" in first.reason

    fresh = at(Mode.CAPPED, since=MONDAY - timedelta(hours=23))
    assert promotion(fresh, own, AUTO, GOOD, MONDAY) is None
    second = promotion(at(Mode.CAPPED), own, AUTO, GOOD, MONDAY)
    assert second is not None
    assert second.mode is Mode.ACTIVE
    assert promotion(at(Mode.ACTIVE), own, AUTO, GOOD, MONDAY) is None


@pytest.mark.parametrize(
    ("control", "mode", "settings"),
    [
        (Control(), Mode.SHADOW, TrustSettings()),
        (Control(), Mode.OFF, AUTO),
        (at(Mode.SHADOW, "ada"), Mode.SHADOW, AUTO),
        (Control(guard=GuardTrip("residuals", "x", OLD)), Mode.SHADOW, AUTO),
        (Control(), Mode.CAPPED, replace(AUTO, most=Mode.CAPPED)),
        (Control(), Mode.ACTIVE, replace(AUTO, most=Mode.CAPPED)),
    ],
)
def test_the_ladder_leaves_alone_what_is_not_its_own(
    control: Control, mode: Mode, settings: TrustSettings
) -> None:
    assert promotion(control, policy(mode=mode), settings, GOOD, MONDAY) is None


@pytest.mark.parametrize(
    ("control", "settings", "down"),
    [
        (at(Mode.ACTIVE), AUTO, True),
        (at(Mode.CAPPED), AUTO, True),
        (at(Mode.SHADOW), AUTO, False),
        (at(Mode.ACTIVE, "ada"), AUTO, False),
        (at(Mode.ACTIVE), TrustSettings(), False),
        (Control(), AUTO, True),
    ],
)
def test_a_trip_takes_an_automatic_mode_down(
    control: Control, settings: TrustSettings, down: bool
) -> None:
    step = demotion(control, policy(mode=Mode.ACTIVE), settings)

    assert (step is not None) is down
    assert step is None or step.mode is Mode.SHADOW


@given(
    st.integers(0, 20), st.floats(0, 3), st.floats(0, 20), st.booleans(), st.sampled_from(LADDER)
)
def test_nobody_goes_up_without_all_of_the_evidence(
    days: int, ratio: float, off: float, stale: bool, mode: Mode
) -> None:
    found = evidence(record(days, sums(ratio, off)), AUTO, None, stale=stale)
    step = promotion(Control(), policy(mode=mode), AUTO, found, MONDAY)

    if step is not None:
        assert days >= 14
        assert ratio < 1
        assert off <= 5.0 + 1e-6
        assert not stale
        assert LADDER.index(step.mode) == LADDER.index(mode) + 1


# A forecast of 1000 with 0.05 and 0.99 at 700 and 1500: far is below 100 and above 2500.
SAID = forecast(np.full(600, 1000.0), cutoff=MONDAY - STEP)


@pytest.mark.parametrize(
    ("value", "far"), [(1000.0, False), (2400.0, False), (2600.0, True), (0.0, True)]
)
def test_far_is_three_times_outside(value: float, far: bool) -> None:
    assert far_residuals(series(np.full(12, value)), SAID) is far


def test_a_point_that_is_near_is_enough_and_missing_ones_say_nothing() -> None:
    values = np.full(12, 9000.0)
    values[:2] = 1000.0
    assert far_residuals(series(values), SAID) is False
    values[:3] = np.nan
    assert far_residuals(series(values), SAID) is None
    assert far_residuals(series(np.empty(0)), SAID) is None
    before = series(np.full(12, 9000.0), MONDAY - DAY)
    assert far_residuals(before, SAID) is None


def test_a_forecast_beyond_all_that_was_seen_is_told_by_how_much() -> None:
    peaky = forecast(np.full(600, 1000.0), historic_max=400.0)
    found = beyond_seen(peaky, policy(quantile=0.5), 2.0, MONDAY)

    assert found == pytest.approx(1000 * 1.1 / 400, rel=1e-3)
    assert beyond_seen(peaky, policy(quantile=0.5), 2.8, MONDAY) is None
    assert beyond_seen(replace(peaky, historic_max=0.0), policy(), 2.0, MONDAY) is None
    assert beyond_seen(peaky, policy(), 2.0, MONDAY + 9 * DAY) is None


def test_only_the_next_two_hours_count() -> None:
    path = np.full(600, 100.0)
    path[30:] = 90_000.0
    late = forecast(path, historic_max=100.0)

    assert beyond_seen(late, policy(), 3.0, MONDAY) is None
    assert beyond_seen(late, policy(), 3.0, MONDAY + timedelta(hours=1)) is not None


def test_evidence_is_plain() -> None:
    assert Evidence(1, ScoreSums.none(), ("x",)).missing == ("x",)
