"""KEDA's loop in the replay, against what was observed or read of KEDA 2.20.2."""

import hashlib
import math
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prescaler.core.errors import BadParameter
from prescaler.core.replay.controller import sync
from prescaler.core.replay.keda import Keda, heard, poll, turn_at
from prescaler.core.replay.loop import Pace, run
from prescaler.core.replay.machine import (
    hpa_numbers,
    keda_numbers,
    memory_of,
    metric_numbers,
    plant_numbers,
    start,
)
from prescaler.core.replay.scaling import Behavior, Delays, Kind, Metric, Outcome, Scaling, Sleep
from prescaler.core.replay.simulate import simulate

NAN = math.nan
SECOND = timedelta(seconds=1)
QUICK = Delays(pod_median=timedelta(0), pods_per_node=0)
A_MINUTE, AN_HOUR = 4, 240


def at(moment: float = 0.0, sleep: Sleep | None = None) -> Keda:
    """KEDA whose first poll comes at that many seconds."""
    return keda_numbers(sleep or Sleep(), 1)._replace(phase=moment)


def played(
    *metrics: Metric, scaling: Scaling | None = None, first: float = 0.0, delays: Delays = QUICK
) -> Outcome:
    """The loop without a compiler, polled from `first` seconds on."""
    used = scaling or Scaling(sleep=Sleep())
    numbers, hpa, keda = metric_numbers(metrics), hpa_numbers(used), at(first, used.sleep)
    plant = plant_numbers(delays, 15.0, len(metrics[0].values), 1)
    floor = start(numbers, hpa, plant, keda)
    ready, asked, nodes, told = run(
        numbers, hpa, plant, floor, memory_of(hpa, 15.0), Pace(15.0, 1), keda
    )
    return Outcome(ready, asked, nodes, *(int(count) for count in told))


def demand(*parts: tuple[float, int]) -> Metric:
    """Values that stay for so many ticks, one pod each."""
    return Metric(np.repeat([value for value, _ in parts], [many for _, many in parts]), 1.0)


@pytest.mark.parametrize(
    ("value", "activation", "active"),
    [
        (10.0, 5.0, True),
        (10.0, 10.0, False),
        (10.0, 9.99, True),
        (0.0004, 0.0, True),
        (0.0, 0.0, False),
        (-3.0, -5.0, True),
        (-3.0, 0.0, False),
    ],
)
def test_a_trigger_is_active_strictly_above_its_activation(
    value: float, activation: float, active: bool
) -> None:
    metric = Metric(np.array([value]), 1.0, activation=activation)

    assert heard(metric_numbers([metric]), 0, composite=False) == (active, False)


@pytest.mark.parametrize(
    ("ours", "reactive", "apart", "formula"),
    [
        (0.0, 0.0, (False, False), (False, False)),
        (10.0, 0.0, (True, False), (True, False)),
        (0.0, 4.0, (True, False), (True, False)),
        (NAN, 4.0, (True, True), (False, False)),
        (10.0, NAN, (True, True), (False, False)),
        (NAN, 0.0, (False, True), (False, False)),
        (NAN, NAN, (False, True), (False, False)),
    ],
)
def test_any_trigger_activates_and_a_formula_needs_them_all(
    ours: float, reactive: float, apart: tuple[bool, bool], formula: tuple[bool, bool]
) -> None:
    metrics = metric_numbers([Metric(np.array([ours]), 1.0), Metric(np.array([reactive]), 1.0)])

    assert heard(metrics, 0, composite=False) == apart
    assert heard(metrics, 0, composite=True) == formula


@pytest.mark.parametrize(
    ("value", "pods", "idle_polls", "least", "found"),
    [
        (5.0, 0, 99, 1, 1),
        (5.0, 0, 99, 3, 3),
        (5.0, 7, 99, 1, 7),
        (0.0, 0, 99, 1, 0),
        (0.0, 7, 9, 1, 7),
        (0.0, 7, 10, 1, 0),
        (0.0, 7, 10, 3, 0),
        (NAN, 7, 99, 1, 7),
        (NAN, 0, 99, 1, 0),
    ],
)
def test_one_poll_every_30_s_and_a_cooldown_of_300_s(
    value: float, pods: int, idle_polls: int, least: int, found: int
) -> None:
    metrics, keda = metric_numbers([Metric(np.array([value]), 1.0)]), at()
    keda.active_at[0] = 100

    assert poll(metrics, 0, 100 + idle_polls, pods, least, keda) == found


@pytest.mark.parametrize(
    ("values", "pods", "last"), [((5.0, 0.0), 2, 7), ((5.0, NAN), 2, 0), ((5.0, NAN), 0, 7)]
)
def test_beside_a_failing_trigger_the_cooldown_does_not_start_anew(
    values: tuple[float, float], pods: int, last: int
) -> None:
    metrics = metric_numbers([Metric(np.array([value]), 1.0) for value in values])
    keda = at()
    keda.active_at[0] = 0

    poll(metrics, 0, 7, pods, 1, keda)

    assert keda.active_at[0] == last


@pytest.mark.parametrize(
    ("polling", "first", "ticks"),
    [
        (30, 0.0, [0, 2, 4, 6, 8]),
        (30, 7.0, [1, 3, 5, 7, 9]),
        (20, 0.0, [0, 2, 3, 4, 6, 7, 8]),
        (10, 5.0, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (60, 16.0, [2, 6]),
    ],
)
def test_a_poll_sees_the_first_tick_that_is_not_before_it(
    polling: int, first: float, ticks: list[int]
) -> None:
    keda = at(first, Sleep(polling=polling * SECOND))

    turns = [turn_at(tick * 15.0, keda) for tick in range(-1, 10)]

    assert [tick for tick in range(10) if turns[tick + 1] > turns[tick]] == ticks


def test_the_hpa_is_silent_at_0_pods() -> None:
    hpa = hpa_numbers(Scaling(sleep=Sleep()))
    metrics = metric_numbers([Metric(np.array([500.0]), 1.0)])

    assert sync(metrics, 0, 0.0, 0, 0, hpa, memory_of(hpa, 15.0)) == 0


def test_keda_wakes_one_pod_and_the_hpa_goes_on_from_there() -> None:
    found = played(demand((0.0, 9), (30.0, 20)))

    assert list(found.asked[:17]) == [*[0] * 11, 1, 4, 8, 16, 30, 30]
    assert found.woken == 1
    assert found.actions == 5


def test_with_an_idle_count_keda_wakes_the_minimum() -> None:
    found = played(demand((0.0, 9), (30.0, 20)), scaling=Scaling(least=3, sleep=Sleep()))

    assert list(found.asked[:15]) == [*[0] * 11, 3, 6, 12, 24]


def test_it_sleeps_at_the_poll_a_cooldown_after_the_last_active_one() -> None:
    found = played(demand((6.0, 9), (0.0, 40)))

    assert int(np.argmax(found.asked == 0)) == 8 + 20 + 1
    assert found.asked[8 + 20] == 6
    assert set(found.asked[29:]) == {0}


def test_a_short_cooldown_takes_everything_before_the_hpa_would() -> None:
    found = played(demand((6.0, 9), (0.0, 40)), scaling=Scaling(sleep=Sleep(cooldown=45 * SECOND)))

    assert list(found.asked[10:15]) == [6, 6, 6, 0, 0]


def test_after_a_short_sleep_the_hpa_remembers_what_it_recommended() -> None:
    """Without `behavior` the top of 300 s is the answer, also when KEDA has woken one pod."""
    used = Scaling(sleep=Sleep(cooldown=30 * SECOND))

    found = played(demand((6.0, 9), (0.0, 6), (1.0, 20)), scaling=used)

    assert list(found.asked[10:20]) == [6, 0, 0, 0, 0, 0, 0, 1, 4, 6]


def test_below_its_activation_even_a_busy_workload_sleeps() -> None:
    low = Metric(np.full(60, 4.0), 1.0, activation=4.0)

    assert set(played(low).asked) == {0}


def test_a_plan_wakes_what_reality_would_leave_asleep() -> None:
    ours, reactive = demand((0.0, 20), (3.0, 20)), demand((0.0, 40))

    found = played(ours, reactive)

    assert list(found.asked[19:24]) == [0, 0, 1, 3, 3]


@pytest.mark.parametrize(("composite", "last"), [(False, 6), (True, 0)])
def test_where_reality_cannot_be_read_only_a_formula_lets_it_sleep(
    composite: bool, last: int
) -> None:
    reality = demand((6.0, 9), (NAN, AN_HOUR))

    found = played(reality, scaling=Scaling(sleep=Sleep(composite=composite)))

    assert found.asked[-1] == last


@pytest.mark.parametrize(
    ("value", "composite", "pods"),
    [(0.0, False, 0), (5.0, False, 5), (NAN, False, 1), (NAN, True, 0)],
)
def test_the_first_tick_finds_it_asleep_where_nothing_is_active(
    value: float, composite: bool, pods: int
) -> None:
    found = played(demand((value, 2)), scaling=Scaling(sleep=Sleep(composite=composite)))

    assert found.asked[0] == found.ready[0] == pods


def test_who_was_awake_when_it_began_was_active_until_then() -> None:
    found = played(demand((NAN, 2), (0.0, 60)), scaling=Scaling(sleep=Sleep()))

    assert int(np.argmax(found.asked == 0)) == 18 + 1


def test_its_nodes_leave_too_and_come_anew() -> None:
    slow = Delays(pod_median=timedelta(0), node_least=3 * 60 * SECOND, node_most=3 * 60 * SECOND)

    found = played(demand((6.0, 4), (0.0, AN_HOUR), (6.0, AN_HOUR)), delays=slow)

    woken = 4 + AN_HOUR + 1
    assert found.nodes[woken - 1] == 0
    assert found.asked[woken] == 1
    assert int(np.argmax(found.ready[woken:] > 0)) == 3 * A_MINUTE


@given(st.lists(st.floats(0, 90), min_size=5, max_size=150), st.integers(0, 3))
@settings(max_examples=25, deadline=None)
def test_where_something_is_always_active_sleep_changes_nothing(
    load: list[float], seed: int
) -> None:
    metrics = [Metric(np.array(load), 1.0), Metric(np.full(len(load), 0.5), 1.0)]

    asleep, awake = (
        simulate(metrics, Scaling(sleep=sleep), Delays(), seed=seed) for sleep in (Sleep(), None)
    )

    assert np.array_equal(asleep.asked, awake.asked)
    assert np.array_equal(asleep.ready, awake.ready)
    assert (asleep.actions, asleep.woken) == (awake.actions, 0)


def test_the_moment_of_the_polls_is_drawn_with_the_luck() -> None:
    phases = [keda_numbers(Sleep(), seed).phase for seed in range(20)]

    assert len(set(phases)) == 20
    assert 0 <= min(phases) < 10
    assert 20 < max(phases) < 30


def test_the_compiled_loop_sleeps_as_the_interpreted_one_does() -> None:
    used, metric = Scaling(sleep=Sleep()), demand((6.0, 9), (0.0, 60), (30.0, 60), (0.0, 90))
    first = keda_numbers(Sleep(), 5).phase

    compiled = simulate([metric], used, QUICK, seed=5)

    assert np.array_equal(compiled.asked, played(metric, scaling=used, first=first).asked)
    assert compiled.woken == 1


@pytest.mark.parametrize(
    "sleep",
    [
        Sleep(polling=timedelta(0)),
        Sleep(polling=-SECOND),
        Sleep(cooldown=-SECOND),
    ],
)
def test_impossible_polls_and_cooldowns_are_refused(sleep: Sleep) -> None:
    with pytest.raises(BadParameter, match="KEDA polls after more than 0 s"):
        simulate([demand((1.0, 4))], Scaling(sleep=sleep), QUICK, seed=1)


def test_a_cooldown_of_nothing_sleeps_at_the_next_poll() -> None:
    used = Scaling(sleep=Sleep(cooldown=timedelta(0)))

    assert list(played(demand((6.0, 4), (0.0, 6)), scaling=used).asked[3:7]) == [6, 6, 0, 0]


def test_what_never_sleeps_is_played_as_before_keda_was_modelled() -> None:
    """The digest is that of the loop without `keda.py`, over pods and counts."""
    digest = hashlib.sha256()
    for number in range(12):
        at_tick = np.arange(400)
        first = 450.0 + 450.0 * np.sin(at_tick * (0.01 + 0.003 * number))
        second = np.where(at_tick % 37 < 3, np.nan, np.roll(first, 5) * 0.8)
        kind = (Kind.AVERAGE_VALUE, Kind.VALUE, Kind.CODE)[number % 3]
        metrics = [
            Metric(np.where(at_tick % 90 < 20, 0.0, first), 10.0, landed=bool(number % 2)),
            Metric(second, 300.0 if kind is Kind.VALUE else 12.0, kind),
        ]
        behavior = Behavior() if number % 5 == 0 else None
        still = Delays(pod_sigma=0.0, pods_per_node=(0, 10, 4)[number % 3])
        used = Scaling(least=1 + number % 4, most=30 + number, behavior=behavior)
        found = simulate(metrics, used, still, seed=number)
        counts = np.array([found.actions, found.lost, found.swallowed])
        for row in (found.ready, found.asked, found.nodes, counts):
            digest.update(np.ascontiguousarray(row, dtype="<i8").tobytes())

    assert digest.hexdigest() == "2f98280e74e3eefd4a74907dc5eca8b878afb9b4a3711d841bcbed7b0f5c8eda"
