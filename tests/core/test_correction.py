"""The batched level correction against plain loops that solve one ridge at a time."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescaler.core.arrays import FloatArray
from prescaler.core.correction import (
    Lesson,
    Residuals,
    RunningSums,
    learn,
    newest_means,
    pooled_prior,
    windows_in_steps,
)
from prescaler.core.correction_prior import PRIOR, with_table
from prescaler.core.leads import Reach, reaches
from tests.support.builders import MINUTE, STEP

HOUR = 60 * MINUTE
both_reaches = pytest.mark.parametrize("reach", reaches(HOUR, 50), ids=["first", "later"])


def random_lesson(reach: Reach, blocks: int = 6) -> Lesson:
    """Two curves, days of a step of an hour, the second curve taught from the second day on."""
    random = np.random.default_rng(5)
    per_day = 24 // reach.spacing
    origins = 10 + np.arange(blocks * per_day).reshape(blocks, per_day) * reach.spacing
    return Lesson(
        features=random.normal(size=(2, blocks, per_day, 3)),
        targets=random.normal(size=(2, blocks, per_day, len(reach.leads))),
        origins=origins,
        first=np.array([0, 30]),
        points=int(origins[-1, -1]) + 5,
        spacing=reach.spacing,
    )


def plain_learn(
    lesson: Lesson, reach: Reach, spread: FloatArray, prior: FloatArray, place: tuple[int, ...]
) -> FloatArray:
    """[P] coefficients of one curve, day and lead; behind the last day those of the present."""
    curve, day, column = place
    is_short = reach.leads[column] <= lesson.spacing
    longest = lesson.spacing if is_short else reach.furthest
    evidence = 30.0 if is_short else 200.0
    taught = [
        b
        for b in range(len(lesson.origins))
        if day == len(lesson.origins) or lesson.origins[b, -1] + longest <= lesson.origins[day, 0]
    ]
    gram, moment, count = np.zeros((3, 3)), np.zeros(3), 0.0
    for block in taught:
        share = 0.5 ** ((taught[-1] - block) / 56.0)
        for origin, point in enumerate(lesson.origins[block]):
            if point + longest >= lesson.points:
                continue
            count += share
            if point >= lesson.first[curve]:
                feature = lesson.features[curve, block, origin]
                gram += share * np.outer(feature, feature)
                moment += share * feature * lesson.targets[curve, block, origin, column]
    variance = spread[curve] ** 2
    penalty = (0.02 * (count + 5.0) + evidence) * variance
    matrix = gram + (penalty + 1e-9) * np.eye(3)
    return np.asarray(np.linalg.solve(matrix, moment + evidence * variance * prior[:, column]))


@both_reaches
def test_the_batch_is_a_loop_over_single_regressions(reach: Reach) -> None:
    lesson, spread = random_lesson(reach), np.array([0.7, 1.3])
    prior = np.random.default_rng(6).normal(size=(3, len(reach.leads)))

    found = learn(lesson, reach.leads, spread, prior)

    assert found.shape == (2, 7, 3, len(reach.leads))
    for place in np.ndindex(2, 7, len(reach.leads)):
        curve, day, column = place
        wanted = plain_learn(lesson, reach, spread, prior, place)
        np.testing.assert_allclose(found[curve, day, :, column], wanted, rtol=1e-8, atol=1e-9)


@both_reaches
@pytest.mark.parametrize("day", [1, 3, 5])
def test_a_past_day_is_taught_nothing_that_came_after_it_began(reach: Reach, day: int) -> None:
    lesson = random_lesson(reach)
    prior = np.zeros((3, len(reach.leads)))
    unknown = lesson.origins[:, :, None] + reach.leads > lesson.origins[day, 0]
    tempted = replace(lesson, targets=np.where(unknown, 1e6, lesson.targets))

    one, two = (learn(told, reach.leads, np.ones(2), prior) for told in (lesson, tempted))

    np.testing.assert_array_equal(one[:, day], two[:, day])


def test_leads_within_one_spacing_have_no_second_part() -> None:
    reach = reaches(STEP, 3)[0]
    lesson = replace(random_lesson(reaches(HOUR, 24)[0]), spacing=reach.spacing)
    lesson = replace(lesson, targets=lesson.targets[..., : len(reach.leads)])

    found = learn(lesson, reach.leads, np.ones(2), np.zeros((3, len(reach.leads))))

    assert np.isfinite(found).all()


def test_without_evidence_the_pooled_coefficients_stand() -> None:
    reach = reaches(HOUR, 24)[0]
    prior = np.ones((3, len(reach.leads)))

    first_day = learn(random_lesson(reach), reach.leads, np.ones(2), prior)[:, 0]

    assert np.all(first_day > 0.99)
    assert np.all(first_day < 1.0)


@given(st.integers(0, 1000), st.lists(st.integers(0, 79), min_size=1, max_size=6))
def test_trailing_means_are_those_of_a_loop(seed: int, ends: list[int]) -> None:
    random = np.random.default_rng(seed)
    demand = np.where(random.random(80) < 0.3, np.nan, random.normal(size=80))
    residuals = Residuals.of(np.stack([demand, 2 * demand]), np.zeros((2, 80)), np.full(2, 1e9))
    windows = np.array([1, 3, 20])

    found = RunningSums.of(residuals).means(np.array(ends), windows)

    assert found.shape == (2, len(ends), 4)
    for row, end in enumerate(ends):
        for column, window in enumerate(windows):
            seen = demand[max(0, end + 1 - window) : end + 1]
            known = seen[np.isfinite(seen)]
            wanted = known.mean() if len(known) else 0.0
            np.testing.assert_allclose(
                found[:, row, column], [wanted, 2 * wanted], rtol=1e-9, atol=1e-12
            )
    assert np.all(found[:, :, -1] == 0.1)


def test_a_burst_is_cut_before_it_becomes_a_level() -> None:
    demand = np.random.default_rng(1).normal(size=(1, 500))
    demand[0, 250] = 1e6

    residuals = Residuals.of(demand, np.zeros((1, 500)), None)

    assert residuals.spread[0] == pytest.approx(1.0, abs=0.15)
    assert residuals.values.max() == pytest.approx(8 * residuals.spread[0])


def test_windows_of_a_coarse_step_are_not_counted_twice() -> None:
    assert list(windows_in_steps(STEP)) == [1, 3, 12, 36, 144, 288, 864]
    assert list(windows_in_steps(HOUR)) == [1, 3, 12, 24, 72]


def test_on_its_own_grid_the_pooled_table_is_itself() -> None:
    leads, windows = reaches(STEP, 288)[0].leads, windows_in_steps(STEP)

    found = pooled_prior(PRIOR, STEP, leads, windows)

    np.testing.assert_array_equal(leads * 5.0, PRIOR.leads)
    np.testing.assert_array_equal(windows * 5.0, PRIOR.windows)
    np.testing.assert_allclose(found[:-1], PRIOR.table, rtol=1e-12)
    np.testing.assert_array_equal(found[-1], 0.0)


@pytest.mark.parametrize("minutes", [1, 15, 30, 60])
def test_on_another_grid_no_weight_is_lost(minutes: int) -> None:
    step = minutes * MINUTE
    leads = np.array([m // minutes for m in (60, 120, 360, 1440)])

    found = pooled_prior(PRIOR, step, leads, windows_in_steps(step))

    columns = np.isin(PRIOR.leads, (60.0, 120.0, 360.0, 1440.0))
    np.testing.assert_allclose(found.sum(axis=0), PRIOR.table[:, columns].sum(axis=0))


def test_another_table_may_take_the_place_of_the_pooled_one() -> None:
    leads, windows = reaches(STEP, 288)[0].leads, windows_in_steps(STEP)

    found = pooled_prior(with_table(2 * PRIOR.table), STEP, leads, windows)

    np.testing.assert_allclose(found, 2 * pooled_prior(PRIOR, STEP, leads, windows))


@given(seed=st.integers(0, 10_000), points=st.integers(1, 60), number=st.integers(1, 5))
def test_the_newest_means_are_the_last_of_all(seed: int, points: int, number: int) -> None:
    generator = np.random.default_rng(seed)
    known = generator.random(points) < 0.7
    values = np.where(known, generator.standard_normal((3, points)), 0.0)
    residuals, windows = Residuals(values, known, np.ones(3), values), np.array([1, 3, 12, 50])
    ends = np.sort(generator.integers(0, points, number))

    found = newest_means(residuals, ends, windows)

    wanted = RunningSums.of(residuals).means(ends, windows)
    np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-12)
