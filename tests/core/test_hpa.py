"""The HPA's rules, against the observed values of KEDA 2.20.2 and Kubernetes 1.36.2."""

import math
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescaler.core.hpa import (
    desired_pods,
    lead_seconds,
    longest_lead,
    pods_for,
    pods_for_all,
    policy_steps,
    ramp_seconds,
    ramp_steps,
    smallest_reachable,
)
from prescaler.core.policy import PolicyType, ScalingPolicy, Tolerance
from tests.support.builders import lead_time

pods = st.integers(1, 2000)
tolerances = st.builds(Tolerance, st.sampled_from([0.0, 0.05, 0.1, 0.2]), st.just(0.1))


@pytest.mark.parametrize(
    ("value", "running", "wanted"),
    [
        (22.0, 20, 20),
        (22.01, 20, 23),
        (11.01, 1, 12),
        (18.0, 20, 20),
        (17.99, 20, 18),
        (20.0, 20, 20),
        (5.0, 0, 0),
    ],
)
def test_desired_pods_as_observed(value: float, running: int, wanted: int) -> None:
    assert wanted == desired_pods(value, 1.0, running, Tolerance())


def test_without_tolerance_every_fraction_counts() -> None:
    assert desired_pods(20.5, 1.0, 20, Tolerance(up=0.0)) == 21


@given(st.floats(0, 1e6), st.integers(1, 1000))
def test_pods_carry_their_load_and_none_too_many(load: float, target: int) -> None:
    found = pods_for(load, target)

    assert found * target >= load * (1 - 1e-8) - 1e-6
    assert (found - 1) * target < load or found == 0


@given(st.integers(0, 5000), st.integers(1, 997))
def test_a_whole_number_of_pods_is_not_rounded_up(count: int, target: int) -> None:
    assert count == pods_for(count * float(target), target)
    assert count == pods_for_all(np.array([count * float(target)]), target)[0]


def test_unknown_load_needs_no_pods() -> None:
    assert list(pods_for_all(np.array([np.nan, 80.0]), 80)) == [0, 1]


@given(pods, pods, tolerances)
def test_the_smallest_reachable_size_is_reached_and_nothing_below_it(
    wanted: int, running: int, tolerance: Tolerance
) -> None:
    found = smallest_reachable(wanted, running, tolerance)

    reachable = {desired_pods(float(n), 1.0, running, tolerance) for n in range(5000)}
    if wanted > running:
        assert found == min(n for n in reachable if n >= wanted)
    else:
        assert found == wanted


@given(pods, pods)
def test_the_surplus_is_at_most_a_tenth_and_one_pod(wanted: int, running: int) -> None:
    found = smallest_reachable(wanted, running, Tolerance())

    assert found <= wanted * 1.1 + 1


def test_a_floor_of_forty_on_thirty_seven_pods_is_not_swallowed() -> None:
    found = smallest_reachable(40, 37, Tolerance())

    assert found == 41
    assert desired_pods(41 * 80.0, 80.0, 37, Tolerance()) == 41
    assert desired_pods(40 * 80.0, 80.0, 37, Tolerance()) == 37


@pytest.mark.parametrize(
    ("before", "wanted", "steps"), [(1, 30, 4), (4, 30, 3), (12, 120, 4), (25, 26, 1)]
)
def test_ramp_steps_as_observed(before: int, wanted: int, steps: int) -> None:
    assert [steps] == list(ramp_steps(np.array([before]), np.array([wanted])))


@given(pods, pods)
def test_ramp_steps_are_those_of_the_loop(before: int, wanted: int) -> None:
    steps, running = 0, before
    while running < wanted or steps == 0:
        running, steps = max(2 * running, 4), steps + 1

    assert [steps] == list(ramp_steps(np.array([before]), np.array([wanted])))


@given(
    pods,
    pods,
    st.lists(
        st.builds(
            ScalingPolicy,
            st.sampled_from(PolicyType),
            st.integers(1, 300),
            st.sampled_from([timedelta(seconds=10), timedelta(seconds=15)]),
        ),
        min_size=1,
        max_size=3,
    ),
)
def test_policy_steps_are_those_of_the_loop(
    before: int, wanted: int, policies: list[ScalingPolicy]
) -> None:
    steps, running = 0, before
    while running < wanted or steps == 0:
        grown = [
            running + p.value
            if p.type is PolicyType.PODS
            else math.ceil(running * (1 + p.value / 100) - 1e-9)
            for p in policies
        ]
        running, steps = max(grown), steps + 1
        if steps >= 1000:
            return

    found = policy_steps(np.array([before]), np.array([wanted]), tuple(policies))
    assert [steps] == list(found)


def test_a_policy_that_cannot_grow_ends_the_loop() -> None:
    still = (ScalingPolicy(PolicyType.PERCENT, 0, timedelta(seconds=15)),)

    assert list(policy_steps(np.array([4]), np.array([9]), still)) == [1]


def test_a_way_of_more_than_a_thousand_steps_is_counted_as_a_thousand() -> None:
    slow = (ScalingPolicy(PolicyType.PODS, 1, timedelta(seconds=15)),)

    assert list(policy_steps(np.array([1]), np.array([5000]), slow)) == [1001]


@pytest.mark.parametrize(("period", "seconds"), [(15, 120.0), (10, 60.0)])
def test_a_policy_of_fifteen_seconds_costs_every_second_sync(period: int, seconds: float) -> None:
    policies = (
        ScalingPolicy(PolicyType.PERCENT, 100, timedelta(seconds=period)),
        ScalingPolicy(PolicyType.PODS, 4, timedelta(seconds=period)),
    )
    found = ramp_seconds(np.array([12]), np.array([120]), lead_time(behavior=policies))

    assert [seconds] == list(found)


def test_a_node_start_counts_only_beyond_the_spare_room() -> None:
    before = np.array([100, 100])
    found = lead_seconds(before, np.array([115, 116]), lead_time(), from_zero=False)

    assert list(found) == [15 + 60, 15 + 60 + 240]


def test_polling_counts_only_from_zero_pods() -> None:
    one = np.array([1])
    awake = lead_seconds(one, one, lead_time(), from_zero=False)
    asleep = lead_seconds(one, one, lead_time(), from_zero=True)

    assert asleep[0] - awake[0] == 30


@given(pods, pods)
def test_no_lead_is_longer_than_the_longest(before: int, wanted: int) -> None:
    found = lead_seconds(np.array([before]), np.array([wanted]), lead_time(), from_zero=False)

    assert timedelta(seconds=float(found[0])) <= longest_lead(
        max(wanted, before), lead_time(), from_zero=False
    )


@pytest.mark.parametrize("load", [1e19, 1e30, 3e38])
def test_absurd_loads_stay_whole_numbers_that_an_answer_can_carry(load: float) -> None:
    assert pods_for(load, 0.5) == pods_for_all(np.array([load]), 0.5)[0] == 10**12
