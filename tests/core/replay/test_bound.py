"""How high a rate may really be, and the rows that tell of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescaler.core.replay.bound import LEVEL, most_spells, upper_bound
from prescaler.core.replay.choice import CHOICE_HEAD, choice_rows
from prescaler.core.replay.measures import Prices
from prescaler.core.replay.promise import Promise
from tests.support.replays import played, reactive

PRICES = Prices()
DAYS = st.lists(st.floats(0, 1e4, allow_subnormal=False), min_size=1, max_size=60)


def test_it_is_garwoods_limit_of_a_poisson_mean() -> None:
    """The quantiles 0.8 of Gamma(n + 1, 1), from tables."""
    for spells, limit in ((1, 2.9943), (2, 4.2790), (5, 7.9060), (20, 24.7280)):
        bad = np.zeros(60)
        bad[:spells] = 3.0
        assert upper_bound(bad, 10.0) == pytest.approx(limit * 3.0 / 10.0, rel=0.01)


def test_nothing_wrong_and_nothing_seen_are_nothing() -> None:
    assert upper_bound(np.zeros(9), 9.0) == 0
    assert upper_bound(np.ones(9), 0.0) == 0
    assert most_spells(0.0) == float("inf")
    assert most_spells(2.0) == pytest.approx(1.6094 / 2, rel=0.01)


@given(DAYS, st.floats(0.1, 100.0))
def test_it_lies_above_the_rate_and_grows_with_the_unit(days: list[float], unit: float) -> None:
    bad = np.array(days)
    bound = upper_bound(bad, 7.0)

    assert bound >= bad.sum() / 7.0
    assert upper_bound(bad * unit, 7.0) == pytest.approx(bound * unit, rel=1e-6, abs=1e-9)


def test_the_same_sum_on_fewer_days_is_less_certain() -> None:
    even, once = np.ones(10), np.r_[10.0, np.zeros(9)]

    assert upper_bound(even, 10.0) < upper_bound(once, 10.0)


@pytest.mark.parametrize("often", [0.2, 0.5, 1.0])
def test_it_holds_at_least_as_often_as_it_says(often: float) -> None:
    """Spells of 4 minutes, so many a day, 28 days."""
    draws = 4.0 * np.random.default_rng(1).poisson(often, (2000, 28))
    held = float(np.mean([upper_bound(days, 28.0) >= 4.0 * often for days in draws]))

    assert LEVEL - 0.03 < held < 0.95


def test_a_promise_has_a_bound_in_its_own_unit() -> None:
    run, days = played(reactive(0.7), 10, 5), slice(0, 6)

    minutes = Promise.parse("10m/1d")
    assert minutes.of(run.tally.measures(PRICES, days=days)) == pytest.approx(5)
    assert minutes.bound(run.tally, days) == pytest.approx(9.0754 * 5 / 6, rel=0.01)
    assert Promise.parse("1%").bound(run.tally, days) == pytest.approx(9.0754 * 0.005 / 6, rel=0.01)


def choice(value: float, bound: float | None) -> dict[str, object]:
    part = {"value": value, "pod_hours": 1234.5}
    return {
        "setting": {"text": "reactive at 70 %"},
        "first_two_thirds": {**part, "bound": bound},
        "last_third": part,
    }


def test_the_choices_are_told_with_bound_and_margin() -> None:
    advice = {"best": choice(2.0, 6.5), "present": choice(20.0, 31.0), "best_reactive": None}
    rows = choice_rows(advice, Promise.parse("10m/30d"))

    assert rows == [
        ["advised", "reactive at 70 %", "2 min", "6.5 min", "3.5 min", "2 min", "1,234"],
        ["as today", "reactive at 70 %", "20 min", "31 min", "-21 min", "20 min", "1,234"],
    ]
    assert len(rows[0]) == len(CHOICE_HEAD)
    (share,) = choice_rows({"best": choice(0.0001, 0.0002)}, Promise.parse("0.1%"))
    assert share[2:5] == ["0.01 %", "0.02 %", "0.08 %"]
    (quiet,) = choice_rows({"best": choice(0.0, None)}, Promise.parse("10m/30d"))
    assert quiet[2:5] == ["0 min", "none seen", "-"]
