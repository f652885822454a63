from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from prescaler.core.calendar import PodInterval
from prescaler.core.events import EventEffect, event_floors, with_events
from prescaler.core.planned import Stack
from prescaler.core.uplift import Frame, UpliftCurve
from tests.support.builders import MONDAY

START = int(MONDAY.timestamp())
STARTS = START + 60 * np.arange(180)
ORDINARY = np.linspace(50.0, 150.0, 180)


def after(
    found: Sequence[EventEffect], starts: np.ndarray, ends: np.ndarray, ordinary: np.ndarray
) -> np.ndarray:
    """`with_events` on a single quantile."""
    return with_events(found, starts, ends, ordinary[:, None])[:, 0]


minutes = st.integers(0, 170).map(lambda m: timedelta(minutes=m))
effects = st.builds(
    lambda start, length, factor, added, up, down: EventEffect(
        "match", MONDAY + start, MONDAY + start + length, factor, added, 0, up, down
    ),
    minutes,
    st.integers(1, 90).map(lambda m: timedelta(minutes=m)),
    st.sampled_from([0.5, 0.8, 1.0, 1.5, 5.0]),
    st.sampled_from([0.0, 30.0]),
    st.integers(0, 20).map(lambda m: timedelta(minutes=m)),
    st.integers(0, 20).map(lambda m: timedelta(minutes=m)),
)


@given(st.lists(effects, max_size=4), st.randoms())
def test_the_order_of_events_does_not_matter(
    found: list[EventEffect], random: st.DataObject
) -> None:
    shuffled = sorted(found, key=lambda e: (e.end, e.factor), reverse=True)

    first = after(found, STARTS, STARTS + 60, ORDINARY)
    second = after(shuffled, STARTS, STARTS + 60, ORDINARY)

    np.testing.assert_array_equal(first, second)


@given(st.lists(effects, max_size=4))
def test_of_overlapping_events_the_larger_wins(found: list[EventEffect]) -> None:
    together = after(found, STARTS, STARTS + 60, ORDINARY)
    alone = [after([effect], STARTS, STARTS + 60, ORDINARY) for effect in found]

    for index in range(len(STARTS)):
        raising = [a[index] for a in alone if a[index] > ORDINARY[index]]
        lowering = [a[index] for a in alone if a[index] < ORDINARY[index]]
        wanted = max(raising) if raising else min(lowering, default=ORDINARY[index])
        assert together[index] == wanted


def test_an_event_acts_fully_between_start_and_end_and_ramps_around_them() -> None:
    hour = timedelta(hours=1)
    effect = EventEffect(
        "final", MONDAY + hour, MONDAY + 2 * hour, 5.0, 0.0, 0, timedelta(minutes=2),
        timedelta(minutes=10),
    )  # fmt: skip

    assert list(effect.strength(np.array([START + 3480, START + 3540, START + 3600]))) == [
        0,
        0.5,
        1,
    ]
    assert effect.strength(np.array([START + 7199]))[0] == 1
    assert effect.strength(np.array([START + 7200 + 600]))[0] == 0


def test_a_ramp_inside_a_cell_is_not_missed() -> None:
    effect = EventEffect("goal", MONDAY + timedelta(seconds=50), MONDAY + timedelta(minutes=9), 3.0)
    cell = np.array([START])

    assert after([effect], cell, cell + 60, np.array([100.0]))[0] == 300.0


def test_minimum_pods_of_events_are_declared_floors() -> None:
    effect = EventEffect("final", MONDAY, MONDAY + timedelta(hours=1), min_pods=125)
    quiet = EventEffect("talk", MONDAY, MONDAY + timedelta(hours=1))

    assert event_floors([effect, quiet]) == [PodInterval(START, START + 3600, 125)]


def stacking(factor: float, first: int, last: int, added: float = 0.0) -> EventEffect:
    start, end = (MONDAY + timedelta(minutes=m) for m in (first, last))
    return EventEffect("talk", start, end, factor, added, stack=Stack.MULTIPLY)


@given(st.lists(effects, max_size=3), st.lists(st.floats(1.0, 3.0), max_size=3), st.randoms())
def test_stacking_events_multiply_whatever_the_order(
    others: list[EventEffect], factors: list[float], random: st.DataObject
) -> None:
    stacked = [stacking(factor, 30, 90) for factor in factors]
    base = after([o for o in others if o.factor >= 1 or not factors], STARTS, STARTS + 60, ORDINARY)
    kept = [o for o in others if o.factor >= 1 or not factors]

    found = after([*stacked, *kept], STARTS, STARTS + 60, ORDINARY)
    turned = after([*reversed(kept), *reversed(stacked)], STARTS, STARTS + 60, ORDINARY)

    np.testing.assert_array_equal(found, turned)
    np.testing.assert_allclose(found[30:90], base[30:90] * np.prod(factors), rtol=1e-12)
    np.testing.assert_array_equal(found[:30], base[:30])
    np.testing.assert_array_equal(found[90:], base[90:])


def test_what_stacking_events_add_comes_on_top() -> None:
    match = EventEffect("match", MONDAY, MONDAY + timedelta(hours=3), 2.0)
    pair = [stacking(1.0, 0, 60, 10.0), stacking(1.5, 0, 60, 5.0)]

    found = after([match, *pair], STARTS[:1], STARTS[:1] + 60, np.array([100.0]))

    assert found[0] == 100.0 * 2.0 * 1.5 + 15.0


def test_an_event_that_lowers_demand_does_so_only_where_no_other_acts() -> None:
    low = EventEffect("strike", MONDAY, MONDAY + timedelta(hours=3), 0.5)
    low_stacking = stacking(0.5, 0, 180)
    other = stacking(1.2, 60, 120)

    for one in (low, low_stacking):
        found = after([one, other], STARTS, STARTS + 60, np.full(180, 100.0))
        assert found[:60].tolist() == [50.0] * 60
        assert found[60:120].tolist() == [120.0] * 60
        assert found[120:].tolist() == [50.0] * 60


def learnt(factor: float) -> UpliftCurve:
    frame = Frame(timedelta(minutes=5), 2, 12, 2)
    return UpliftCurve(frame, np.full(16, np.log(factor)), np.zeros((16, 24)), 0.0)


def test_a_learnt_curve_takes_the_place_of_factor_and_ramps() -> None:
    start = MONDAY + timedelta(minutes=30)
    match = EventEffect("match", start, start + timedelta(hours=1), 9.0, 7.0, curve=learnt(3.0))
    ordinary = np.full((180, 8), 100.0)

    found = with_events([match], STARTS, STARTS + 60, ordinary)

    np.testing.assert_allclose(found[20:30], 300.0)
    np.testing.assert_allclose(found[30:90], 307.0)
    np.testing.assert_allclose(found[90:100], 300.0)
    np.testing.assert_array_equal(found[:20], ordinary[:20])
    np.testing.assert_array_equal(found[100:], ordinary[100:])
    assert match.begins == MONDAY + timedelta(minutes=20)
    assert match.fades_until == MONDAY + timedelta(minutes=100)


def test_a_learnt_curve_stacks_by_its_median() -> None:
    start = MONDAY + timedelta(minutes=30)
    hour = timedelta(hours=1)
    match = EventEffect("match", start, start + hour, curve=learnt(3.0), stack=Stack.MULTIPLY)
    sale = EventEffect("sale", MONDAY, MONDAY + 3 * hour, 2.0)

    found = with_events([match, sale], STARTS, STARTS + 60, np.full((180, 8), 100.0))

    np.testing.assert_allclose(found[20:100], 600.0)
    np.testing.assert_allclose(found[:20], 200.0)


def test_quantiles_of_overlapping_curves_never_cross() -> None:
    start = MONDAY + timedelta(minutes=30)
    hour = timedelta(hours=1)
    wide = replace(learnt(1.0), spread=np.tile(np.linspace(-2.0, 2.0, 24), (16, 1)))
    found = with_events(
        [
            EventEffect("a", start, start + hour, curve=wide),
            EventEffect("b", start, start + hour, curve=learnt(1.5)),
            EventEffect("c", start, start + hour, 0.5),
        ],
        STARTS,
        STARTS + 60,
        np.tile(np.linspace(80.0, 120.0, 8), (180, 1)),
    )

    assert np.all(np.diff(found, axis=1) >= 0)
