"""The HPA of the replay, against what was observed of Kubernetes 1.36.2."""

import math
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescaler.core.hpa import desired_pods, smallest_reachable
from prescaler.core.policy import PolicyType, ScalingPolicy, Tolerance
from prescaler.core.replay.controller import Hpa, Memory, proposal, smallest_reached, sync
from prescaler.core.replay.machine import hpa_numbers, memory_of, metric_numbers
from prescaler.core.replay.scaling import Behavior, Direction, Kind, Metric, Scaling, Select

NONE = timedelta(0)
SECONDS_15 = timedelta(seconds=15)


def behavior(
    *policies: tuple[PolicyType, int, int], window: int = 0, select: Select = Select.MOST
) -> Behavior:
    """A scaleUp of these policies, with Kubernetes' own scaleDown."""
    written = tuple(ScalingPolicy(kind, value, timedelta(seconds=s)) for kind, value, s in policies)
    return Behavior(up=Direction(timedelta(seconds=window), written, select))


def played(
    values: list[float], pods: int, *, spacing: float = 15.0, target: float = 1.0, **scaling: Any
) -> list[int]:
    """Pods after each sync, one value a sync."""
    hpa = hpa_numbers(Scaling(**scaling))
    return syncs(values, pods, hpa, memory_of(hpa, spacing), spacing=spacing, target=target)


def syncs(
    values: list[float], pods: int, hpa: Hpa, memory: Memory, *, spacing: float, target: float
) -> list[int]:
    metrics, found = metric_numbers([Metric(np.array(values), target)]), []
    for tick in range(len(values)):
        pods = sync(metrics, tick, tick * spacing, pods, pods, hpa, memory)
        found.append(pods)
    return found


@pytest.mark.parametrize(
    ("value", "running", "wanted"),
    [(22.0, 20, 20), (22.01, 20, 23), (11.01, 1, 12), (18.0, 20, 20), (17.99, 20, 18)],
)
def test_the_tolerance_as_observed(value: float, running: int, wanted: int) -> None:
    hpa = hpa_numbers(Scaling())

    assert wanted == proposal(value, 1.0, Kind.AVERAGE_VALUE, running, running, hpa)


def test_a_tolerance_of_zero_lets_every_fraction_count() -> None:
    hpa = hpa_numbers(Scaling(tolerance=Tolerance(up=0.0)))

    assert proposal(20.5, 1.0, Kind.AVERAGE_VALUE, 20, 20, hpa) == 21


@given(st.floats(0, 1e6), st.integers(1, 500), st.integers(1, 2000), st.sampled_from([0.0, 0.1]))
def test_it_proposes_what_the_rules_of_the_core_say(
    value: float, target: int, pods: int, up: float
) -> None:
    tolerance = Tolerance(up, 0.1)
    hpa = hpa_numbers(Scaling(tolerance=tolerance))

    expected = desired_pods(value, float(target), pods, tolerance)

    assert expected == proposal(value, float(target), Kind.AVERAGE_VALUE, pods, 1, hpa)


@given(st.integers(0, 3000), st.integers(0, 2000), st.sampled_from([0.0, 0.05, 0.1]))
def test_it_reaches_what_the_rules_of_the_core_say(wanted: int, pods: int, up: float) -> None:
    tolerance = Tolerance(up, 0.1)
    hpa = hpa_numbers(Scaling(tolerance=tolerance))

    assert smallest_reachable(wanted, pods, tolerance) == smallest_reached(wanted, pods, hpa)


def test_without_a_behavior_pods_double_or_become_four_at_every_sync() -> None:
    assert played([30.0] * 5, 1) == [4, 8, 16, 30, 30]
    assert played([30.0] * 4, 4) == [8, 16, 30, 30]


def test_a_policy_of_900_percent_goes_from_1_to_10_to_30() -> None:
    fast = behavior((PolicyType.PERCENT, 900, 10))

    assert played([30.0] * 3, 1, behavior=fast) == [10, 30, 30]


def test_policies_count_past_events_so_that_an_early_sync_adds_nothing() -> None:
    bare = Behavior()

    early = played([120.0] * 8, 12, spacing=14.9, behavior=bare)

    assert early == [24, 24, 48, 48, 96, 96, 120, 120]


def test_policies_over_ten_seconds_ramp_as_if_there_were_no_behavior() -> None:
    written = behavior((PolicyType.PERCENT, 100, 10), (PolicyType.PODS, 4, 10))

    found = played([120.0] * 4, 12, spacing=14.9, behavior=written)

    assert found == played([120.0] * 4, 12) == [24, 48, 96, 120]


@pytest.mark.parametrize(
    ("select", "reached"), [(Select.MOST, 20), (Select.LEAST, 14), (Select.DISABLED, 10)]
)
def test_select_policy(select: Select, reached: int) -> None:
    both = behavior((PolicyType.PERCENT, 100, 15), (PolicyType.PODS, 4, 15), select=select)

    assert played([100.0], 10, behavior=both) == [reached]


@pytest.mark.parametrize(
    ("select", "reached"), [(Select.MOST, 5), (Select.LEAST, 8), (Select.DISABLED, 10)]
)
def test_select_policy_downwards(select: Select, reached: int) -> None:
    policies = (
        ScalingPolicy(PolicyType.PODS, 2, SECONDS_15),
        ScalingPolicy(PolicyType.PERCENT, 50, SECONDS_15),
    )
    slow = Behavior(down=Direction(NONE, policies, select))

    assert played([1.0], 10, behavior=slow) == [reached]


def test_policies_downwards_count_past_events_too() -> None:
    slow = Behavior(
        down=Direction(NONE, (ScalingPolicy(PolicyType.PODS, 3, timedelta(minutes=1)),))
    )

    assert played([1.0] * 6, 10, behavior=slow) == [7, 7, 7, 7, 7, 4]


def test_the_way_up_counts_what_was_removed_meanwhile() -> None:
    mixed = Behavior(
        up=Direction(NONE, (ScalingPolicy(PolicyType.PODS, 4, timedelta(minutes=5)),)),
        down=Direction(NONE, (ScalingPolicy(PolicyType.PERCENT, 100, SECONDS_15),)),
    )

    assert played([10.0, 5.0, 20.0], 10, behavior=mixed) == [10, 5, 14]


def test_scaling_down_waits_for_the_highest_recommendation_of_300_seconds() -> None:
    found = played([30.0] + [5.0] * 22, 30)

    assert found.index(5) * 15 == 315
    assert set(found[:21]) == {30}


def test_a_flapping_metric_holds_the_top() -> None:
    assert set(played([30.0, 5.0] * 60, 30)) == {30}


def test_without_a_behavior_a_ramp_goes_on_to_the_top_that_was_once_recommended() -> None:
    """`stabilizeRecommendation` gives the highest of 300 s, not only a brake on the way down."""
    spike = [30.0, 6.0, 6.0, 6.0, 6.0]

    assert played(spike, 4) == [8, 16, 30, 30, 30]
    assert played(spike, 4, behavior=Behavior()) == [8, 8, 8, 8, 8]


def test_percents_are_kubernetes_own_floating_point() -> None:
    tenth = behavior((PolicyType.PERCENT, 10, 15))
    down = ScalingPolicy(PolicyType.PERCENT, 10, SECONDS_15)

    assert played([500.0], 100, behavior=tenth) == [111]
    assert played([1.0], 100, behavior=Behavior(down=Direction(NONE, (down,)))) == [90]


def test_a_window_upwards_waits_for_the_lowest_recommendation() -> None:
    slow = behavior((PolicyType.PERCENT, 900, 10), window=60)

    found = played([4.0] + [30.0] * 6, 4, behavior=slow)

    assert found == [4, 4, 4, 4, 4, 30, 30]


def test_each_direction_has_its_own_window() -> None:
    quick_down = Behavior(
        up=Direction(timedelta(minutes=10), behavior().up.policies),
        down=Direction(timedelta(seconds=30), Behavior().down.policies),
    )

    assert played([9.0, 9.0, 9.0, 4.0, 4.0, 4.0, 9.0], 9, behavior=quick_down)[3:] == [9, 9, 4, 4]


def test_a_value_multiplies_ready_pods() -> None:
    hpa = hpa_numbers(Scaling())

    assert proposal(2.0, 1.0, Kind.VALUE, 8, 4, hpa) == 8
    assert proposal(2.0, 1.0, Kind.VALUE, 8, 8, hpa) == 16
    assert proposal(1.05, 1.0, Kind.VALUE, 8, 4, hpa) == 8


@pytest.mark.parametrize(
    ("wanted", "pods", "today", "before"),
    [(55, 25, 25, 28), (25, 25, 25, 25), (20, 25, 25, 25), (0, 25, 0, 0)],
)
def test_the_11_10_code_sits_on_the_tolerance(
    wanted: float, pods: int, today: int, before: int
) -> None:
    now, then = (hpa_numbers(Scaling(distance_rule=old)) for old in (False, True))

    assert today == proposal(wanted, 10.0, Kind.CODE, pods, pods, now)
    assert before == proposal(wanted, 10.0, Kind.CODE, pods, pods, then)


def two(first: float, second: float, pods: int) -> int:
    metrics = [Metric(np.array([first]), 1.0), Metric(np.array([second]), 2.0)]
    hpa = hpa_numbers(Scaling())
    return sync(metric_numbers(metrics), 0, 0.0, pods, pods, hpa, memory_of(hpa, 15.0))


def test_of_several_metrics_the_largest_proposal_counts() -> None:
    assert two(12.0, 30.0, 10) == 15
    assert two(18.0, 30.0, 10) == 18


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [(math.nan, 30.0, 15), (math.nan, 4.0, 10), (14.0, math.nan, 14), (math.nan, math.nan, 10)],
)
def test_a_failing_metric_blocks_scaling_down_only(first: float, second: float, found: int) -> None:
    assert two(first, second, 10) == found


def test_nothing_wakes_a_workload_at_0_pods() -> None:
    assert played([30.0], 0) == [0]


def test_the_bounds_hold() -> None:
    assert played([30.0, 30.0], 8, most=12) == [12, 12]
    assert played([1.0] * 25, 8, least=3)[-1] == 3


def test_a_landed_value_is_never_swallowed() -> None:
    hpa = hpa_numbers(Scaling())
    for value, reached in ((21.0, 23), (22.0, 23), (23.0, 23), (19.0, 20), (math.nan, 20)):
        metrics = metric_numbers([Metric(np.array([value]), 1.0, landed=True)])

        assert sync(metrics, 0, 0.0, 20, 20, hpa, memory_of(hpa, 15.0)) == reached
