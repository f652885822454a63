"""Pods and nodes behind the HPA, and the whole loop."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prescaler.core.arrays import FloatArray
from prescaler.core.errors import BadParameter
from prescaler.core.policy import Tolerance
from prescaler.core.replay.loop import Pace, run
from prescaler.core.replay.machine import (
    hpa_numbers,
    keda_numbers,
    memory_of,
    metric_numbers,
    plant_numbers,
    start,
)
from prescaler.core.replay.scaling import Behavior, Delays, Kind, Metric, Outcome, Scaling
from prescaler.core.replay.simulate import simulate

AT_ONCE = timedelta(0)
MINUTE = timedelta(minutes=1)
QUICK = Delays(pod_median=AT_ONCE, pods_per_node=0)
SPIKY = np.array([*[40.0] * 30, *[400.0] * 40, *[20.0] * 60, *[900.0] * 10, *[5.0] * 80])


def interpreted(metrics: list[Metric], scaling: Scaling, delays: Delays, seed: int) -> Outcome:
    """The same loop without a compiler, which is also the one that coverage can see."""
    numbers, hpa = metric_numbers(metrics), hpa_numbers(scaling)
    plant = plant_numbers(delays, 15.0, len(metrics[0].values), seed)
    pace = Pace(15.0, scaling.sync // timedelta(seconds=15))
    keda = keda_numbers(scaling.sleep, seed)
    floor = start(numbers, hpa, plant, keda)
    memory = memory_of(hpa, 15.0)
    ready, asked, nodes, told = run(numbers, hpa, plant, floor, memory, pace, keda)
    return Outcome(ready, asked, nodes, *(int(x) for x in told))


def same(one: Outcome, other: Outcome) -> bool:
    return all(np.array_equal(vars(one)[name], vars(other)[name]) for name in vars(one))


@pytest.mark.parametrize(
    ("scaling", "delays"),
    [
        (Scaling(), Delays()),
        (Scaling(behavior=Behavior(), sync=timedelta(seconds=30)), Delays()),
        (Scaling(least=3, most=30), Delays(spot_loss=0.9, spare_room=0.0, pods_per_node=4)),
        (Scaling(tolerance=Tolerance(0.0, 0.0)), Delays(pods_per_node=0, pod_sigma=0.0)),
    ],
)
def test_the_compiled_loop_says_what_the_interpreted_one_says(
    scaling: Scaling, delays: Delays
) -> None:
    holes = SPIKY.copy()
    holes[25:45] = np.nan
    metrics = [
        Metric(SPIKY, 10.0, landed=True),
        Metric(holes, 12.0),
        Metric(SPIKY / 10, 10.0, Kind.CODE),
    ]

    for seed in range(3):
        compiled = simulate(metrics, scaling, delays, seed=seed)
        assert same(compiled, interpreted(metrics, scaling, delays, seed))


def test_without_delays_supply_follows_the_hpa_at_once() -> None:
    values = np.array([1.0] * 4 + [30.0] * 30 + [5.0] * 40)

    found = interpreted([Metric(values, 1.0)], Scaling(), QUICK, 1)

    assert list(found.asked[4:10]) == [1, 4, 8, 16, 30, 30]
    assert list(found.ready[4:10]) == [1, 4, 8, 16, 30, 30]
    assert found.asked[34 + 20] == 30
    assert found.asked[34 + 21] == 5
    assert found.actions == 5


def test_the_first_tick_finds_the_pods_that_it_needs() -> None:
    found = interpreted([Metric(SPIKY, 10.0), Metric(SPIKY, 1.0, Kind.CODE)], Scaling(), QUICK, 1)

    assert found.ready[0] == 4


def test_a_pod_is_ready_after_its_drawn_time() -> None:
    values = np.array([4.0] * 10 + [8.0] * 40)
    delays = Delays(pod_median=timedelta(seconds=50), pod_sigma=0.0, pods_per_node=0)

    found = interpreted([Metric(values, 1.0)], Scaling(), delays, 1)

    asked = int(np.argmax(found.asked == 8))
    assert int(np.argmax(found.ready == 8)) - (asked - 1) == 4


def test_pods_beyond_the_spare_room_wait_for_a_node() -> None:
    values = np.array([8.0] * 10 + [16.0] * 60)
    delays = Delays(pod_median=AT_ONCE, pod_sigma=0.0, node_least=3 * MINUTE, node_most=3 * MINUTE)

    found = interpreted([Metric(values, 1.0)], Scaling(), delays, 1)

    assert found.nodes[0] == 1
    begun = 10
    assert found.ready[begun + 2] == 10
    assert found.ready[begun + 12] == 10
    assert int(np.argmax(found.nodes == 2)) == begun + 12
    assert found.ready[begun + 13] == 16


def test_spare_room_has_a_node_ready_for_the_next_pods() -> None:
    assert interpreted([Metric(np.full(3, 9.0), 1.0)], Scaling(), Delays(), 1).nodes[0] == 2
    assert interpreted([Metric(np.full(3, 8.0), 1.0)], Scaling(), Delays(), 1).nodes[0] == 1


def test_an_empty_node_leaves_after_ten_minutes() -> None:
    values = np.array([30.0] * 4 + [5.0] * 80)

    found = interpreted([Metric(values, 1.0)], Scaling(), Delays(), 1)

    fell = int(np.argmax(found.asked == 5))
    left = int(np.argmax(found.nodes == 1))
    assert left - (fell - 1) == 40
    assert found.nodes[left - 1] == 4


def test_a_scale_down_takes_pods_that_are_not_ready_first() -> None:
    values = np.array([4.0] * 4 + [16.0] * 4 + [6.0] * 30)
    slow = Delays(pod_median=10 * MINUTE, pod_sigma=0.0, pods_per_node=0)
    hurried = Scaling(behavior=replace(Behavior(), down=replace(Behavior().down, window=AT_ONCE)))

    found = interpreted([Metric(values, 1.0)], hurried, slow, 1)

    assert found.asked[-1] == 6
    assert set(found.ready) == {4}


def test_a_lost_spot_node_takes_its_pods_and_they_come_back() -> None:
    delays = Delays(spot_loss=0.5, spare_room=0.0)

    found = interpreted([Metric(np.full(960, 40.0), 1.0)], Scaling(), delays, 3)

    assert found.lost >= 10
    assert found.ready[found.ready < 40].max() >= 30
    assert found.ready[-1] == 40
    assert set(found.asked) == {40}


def test_swallowed_counts_what_the_tolerance_kept_back() -> None:
    plan = np.full(10, 21.0)
    plan[0] = 20.0

    swallowed = interpreted([Metric(plan, 1.0)], Scaling(), QUICK, 1)
    landed = interpreted([Metric(plan, 1.0, landed=True)], Scaling(), QUICK, 1)

    assert swallowed.swallowed == 9
    assert swallowed.asked[-1] == 20
    assert landed.swallowed == 0
    assert landed.asked[-1] == 23


def test_other_kinds_and_missing_values_are_not_swallowed() -> None:
    code = interpreted([Metric(np.full(5, 20.0), 10.0, Kind.CODE)], Scaling(), QUICK, 1)
    missing = interpreted([Metric(np.full(5, np.nan), 1.0)], Scaling(), QUICK, 1)

    assert code.swallowed == missing.swallowed == 0


@given(st.lists(st.floats(0, 5000), min_size=5, max_size=200), st.integers(0, 5))
@settings(max_examples=25, deadline=None)
def test_what_is_ready_was_asked_for_and_fits_its_nodes(load: list[float], seed: int) -> None:
    delays = Delays(spare_room=0.0)

    found = interpreted([Metric(np.array(load), 10.0)], Scaling(), delays, seed)

    assert np.all(found.ready <= found.asked)
    assert np.all(found.ready <= 10 * found.nodes)
    assert np.all(found.ready >= 0)


@given(
    st.lists(st.tuples(st.floats(0, 5000), st.floats(0, 5000)), min_size=5, max_size=150),
    st.integers(0, 3),
)
@settings(max_examples=25, deadline=None)
def test_beside_reality_a_prediction_can_only_add_pods(
    load: list[tuple[float, float]], seed: int
) -> None:
    """Exactly so without tolerance; with it the HPA may stay up to 10 % below either metric."""
    ours, reactive = (Metric(np.array(column), 10.0) for column in zip(*load, strict=True))
    exact = Scaling(tolerance=Tolerance(0.0, 0.0))

    alone = interpreted([reactive], exact, QUICK, seed)
    both = interpreted([ours, reactive], exact, QUICK, seed)

    assert np.all(both.asked >= alone.asked)


@given(st.lists(st.floats(0, 5000), min_size=5, max_size=150), st.integers(0, 3))
@settings(max_examples=25, deadline=None)
def test_a_dead_prediction_is_reactive_scaling_alone(load: list[float], seed: int) -> None:
    reactive = Metric(np.array(load), 10.0)
    neutral = Metric(np.zeros(len(load)), 10.0, landed=True)

    alone = interpreted([reactive], Scaling(), Delays(), seed)
    both = interpreted([neutral, reactive], Scaling(), Delays(), seed)

    assert same(replace(alone, swallowed=0), both)


def bad(values: FloatArray, target: float = 1.0, **changes: Any) -> None:
    scaling = {k: v for k, v in changes.items() if k in ("least", "most", "sync")}
    delays = {k: v for k, v in changes.items() if k not in scaling}
    simulate([Metric(values, target)], Scaling(**scaling), Delays(**delays), seed=1)


@pytest.mark.parametrize(
    "changes",
    [
        {"target": 0.0},
        {"least": 0},
        {"most": 0},
        {"sync": timedelta(seconds=20)},
        {"sync": timedelta(seconds=5)},
        {"pod_median": -MINUTE},
        {"node_most": AT_ONCE},
        {"pods_per_node": -1},
        {"spot_loss": 1.0},
        {"spare_room": -0.1},
        {"pod_sigma": -1.0},
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadParameter):
        bad(SPIKY, **changes)


def test_a_replay_needs_values() -> None:
    for metrics in ([], [Metric(np.array([]), 1.0)], [Metric(SPIKY, 1.0), Metric(SPIKY[1:], 1.0)]):
        with pytest.raises(BadParameter, match="at every tick"):
            simulate(metrics, Scaling(), Delays(), seed=1)
