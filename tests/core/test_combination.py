"""Experts put together by their own recent errors."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescaler.core.arrays import FloatArray
from prescaler.core.combination import Combination, combine, naive_rows
from prescaler.core.trial import Expert, Trial
from tests.support.builders import STEP

LEADS = np.array([1, 3, 6, 12, 36, 72])
EDGES = [3, 12, 72]
ACTUAL = np.random.default_rng(1).gamma(20, 5, (40, len(LEADS)))


def make_trial(predicted: Mapping[str, FloatArray], actual: FloatArray = ACTUAL) -> Trial:
    """Names ending in "!" are plain curves."""
    experts = [Expert(n.removesuffix("!"), "plain" if "!" in n else "log") for n in predicted]
    return Trial(
        experts=tuple(experts),
        leads=LEADS,
        actual=actual,
        peak=actual,
        predicted=np.stack(list(predicted.values())),
        age_days=np.linspace(14, 0, len(actual)),
        hour=np.zeros(actual.shape),
        spacing=6,
        spacing_days=6 / 288,
    )


def combined(predicted: Mapping[str, FloatArray], actual: FloatArray = ACTUAL) -> Combination:
    return combine(make_trial(predicted, actual), EDGES, STEP, 100.0)[0]


def noisy(size: float, seed: int) -> FloatArray:
    return ACTUAL + size * np.random.default_rng(seed).standard_normal(ACTUAL.shape)


@given(st.integers(0, 10_000), st.integers(1, 8))
def test_shares_sum_to_one_and_the_mix_stays_among_the_experts(seed: int, experts: int) -> None:
    random = np.random.default_rng(seed)
    sizes = 10.0 ** random.uniform(-3, 6, experts)
    predicted = {f"e{i}": np.abs(noisy(s, seed + i)) for i, s in enumerate(sizes)}
    holes = np.where(random.random(ACTUAL.shape) < 0.3, np.nan, ACTUAL)

    mix = combined({**predicted, "day_before!": noisy(10.0, seed)}, holes)

    np.testing.assert_allclose(mix.shares.sum(axis=1), 1.0)
    assert np.all(mix.shares >= 0)
    assert np.all((mix.naive_share >= 0) & (mix.naive_share <= 1))
    said = random.gamma(2, 50, (experts + 1, 3, len(LEADS)))
    mixed, apart = mix.mix(said, LEADS)
    assert np.all(mixed >= said.min(axis=0) - 1e-9)
    assert np.all(mixed <= said.max(axis=0) + 1e-9)
    assert np.all(apart >= 0)


def test_a_perfect_expert_gets_everything() -> None:
    mix = combined({"a": noisy(5, 1), "b": ACTUAL, "c": noisy(9, 2)})

    assert np.all(mix.shares[:, 1] > 0.999)


def test_the_better_of_two_has_the_bigger_share() -> None:
    mix = combined({"a": noisy(10, 1), "b": noisy(5, 2)})

    assert np.all(mix.shares[:, 1] > mix.shares[:, 0])


def test_one_that_explodes_gets_nothing_and_moves_nothing() -> None:
    calm = {"a": noisy(5, 1), "b": noisy(6, 2)}

    mix = combined({**calm, "burst": ACTUAL * 1e6, "ceiling": np.full(ACTUAL.shape, 600.0)})

    assert not mix.shares[:, 2:].any()
    said = np.full((4, 1, len(LEADS)), 100.0)
    said[2:] = 1e9
    np.testing.assert_allclose(mix.mix(said, LEADS)[0], 100.0)


def test_the_mix_of_the_past_is_given_along() -> None:
    trial = make_trial({"a": noisy(5, 1), "b": noisy(6, 2), "day_before!": noisy(5, 3)})

    mix, mixed, apart = combine(trial, EDGES, STEP, 100.0)

    wanted, wanted_apart = mix.mix(trial.predicted, LEADS)
    np.testing.assert_allclose(mixed, wanted)
    np.testing.assert_allclose(apart, wanted_apart)


def test_each_band_has_weights_of_its_own() -> None:
    near, far = noisy(1, 1), noisy(1, 2)
    near[:, 4:] += 30
    far[:, :4] += 30

    mix = combined({"near": near, "far": far})

    assert mix.edges == (3, 12, 72)
    assert np.all(mix.shares[:2, 0] > 0.99)
    assert mix.shares[2, 1] > 0.99


def test_what_leads_at_this_hour_of_earlier_days_has_a_say() -> None:
    half_hours = 4 * 48
    actual = np.random.default_rng(2).gamma(20, 5, (half_hours + 1, len(LEADS)))
    age = np.arange(half_hours + 1)[::-1] / 48
    by_hour, always = actual + 10, actual + 10
    same_hour = np.abs(24 * (np.mod(age + 0.5, 1.0) - 0.5)) < 1.1
    by_hour[same_hour & (age > 0.5)] -= 10
    trial = replace(make_trial({"hour": by_hour, "always": always}, actual), age_days=age)

    mix = combine(trial, EDGES, STEP, 100.0)[0]

    assert np.all(mix.shares[:, 0] > 0.6)


def test_recent_errors_count_more_than_old_ones() -> None:
    lately, once = ACTUAL.copy(), ACTUAL.copy()
    lately[:30] += 20
    once[30:] += 20

    mix = combined({"lately": lately, "once": once})

    assert np.all(mix.shares[:, 0] > 0.9)


def test_where_the_mix_does_not_beat_naive_it_gives_way() -> None:
    worse = {f"e{i}": ACTUAL + 1.12 for i in range(20)}

    mix = combined({**worse, "week_before!": ACTUAL + 3.0, "day_before!": ACTUAL + 1.0})

    assert list(mix.naive) == [21, 21, 21]
    assert np.all(mix.naive_share > 0.5)


def test_where_the_mix_is_far_better_naive_has_no_say() -> None:
    mix = combined({"a": noisy(1, 1), "day_before!": ACTUAL + 20, "week_before!": ACTUAL - 30})

    assert list(mix.naive) == [1, 1, 1]
    assert np.all(mix.naive_share < 1e-9)


def test_naive_replaces_as_much_of_the_mix_as_it_has_say() -> None:
    mix = Combination((72,), np.array([[1.0, 0.0]]), np.array([1]), np.array([0.25]))
    said = np.stack([np.full((1, len(LEADS)), 100.0), np.full((1, len(LEADS)), 20.0)])

    np.testing.assert_allclose(mix.mix(said, LEADS)[0], 80.0)


def test_without_a_naive_curve_there_is_none_to_give_way_to() -> None:
    mix = combined({"a": noisy(5, 1), "day_before": noisy(6, 2), "days!": noisy(7, 3)})

    assert list(mix.naive) == [-1, -1, -1]
    assert not mix.naive_share.any()


@pytest.mark.parametrize(
    ("experts", "rows"),
    [
        ([Expert("day_before", "log"), Expert("days", "plain")], []),
        ([Expert("days", "plain"), Expert("day_before", "plain")], [1]),
    ],
)
def test_only_plain_copies_are_naive(experts: Sequence[Expert], rows: list[int]) -> None:
    assert naive_rows(experts) == rows


def test_where_nothing_is_known_all_have_the_same_share() -> None:
    mix = combined({"a": noisy(5, 1), "b": noisy(50, 2)}, np.full(ACTUAL.shape, np.nan))

    np.testing.assert_allclose(mix.shares, 0.5)


def test_apart_says_how_far_the_experts_disagree() -> None:
    mix = Combination((72,), np.array([[0.5, 0.5]]), np.array([-1]), np.array([0.0]))
    said = np.stack([np.full((1, len(LEADS)), 90.0), np.full((1, len(LEADS)), 110.0)])

    mixed, apart = mix.mix(said, LEADS)

    np.testing.assert_allclose(mixed, 100.0)
    np.testing.assert_allclose(apart, 10.0)
