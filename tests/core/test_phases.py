"""Past cutoffs lie as far from the full hour as the cutoff that is served."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescaler.core.arrays import FloatArray
from prescaler.core.clockwork import minutes_apart
from prescaler.core.engine import ModelState, refit, roll
from prescaler.core.forecasters import POOL
from prescaler.core.history import History
from prescaler.core.leads import first_hour, reaches
from prescaler.core.quantiles import MEDIAN
from prescaler.core.scales import DemandScale
from prescaler.core.trial import at_later_cutoffs, prepare, run_trial
from tests.support.builders import MONDAY, PARIS, STEP, daily_demand, series

DAY = 288
HOUR = 12


def hourly_jobs(days: int) -> FloatArray:
    """Every hour at five past a job begins whose size nobody knows, and lasts twenty minutes."""
    random = np.random.default_rng(5)
    demand = np.full(days * DAY, 100.0) * random.normal(1.0, 0.01, days * DAY)
    for start in range(1, len(demand) - 4, HOUR):
        demand[start : start + 4] += random.choice([0.0, 400.0])
    return demand


def known(demand: FloatArray, until: int) -> History:
    return History.of(series(demand[: until + 1], MONDAY, STEP), PARIS, DAY)


@pytest.fixture(scope="module")
def demand() -> FloatArray:
    return hourly_jobs(16)


@pytest.fixture(scope="module")
def state(demand: FloatArray) -> ModelState:
    """Fitted with the point of the full hour as the newest."""
    return refit(known(demand, 15 * DAY), DAY)


def served(state: ModelState, steps: int) -> int:
    """Which minute of the half hour serves a roll so many steps after the refit."""
    share = state.parts(state.fitted_at + steps * STEP, 6)[0].mix.shares[0]
    known = [state.reaches[0], *state.between]
    return next(i for i, part in enumerate(known) if np.array_equal(part.mix.shares[0], share))


def test_a_roll_is_served_by_its_minute_of_the_half_hour(state: ModelState) -> None:
    assert len(state.between) == 5
    assert [served(state, steps) for steps in range(-1, 8)] == [5, 0, 1, 2, 3, 4, 5, 0, 1]


@pytest.mark.parametrize(("since", "minute"), [(0, 0), (1, 0), (2, 1), (4, 1), (8, 3), (11, 4)])
def test_between_two_minutes_the_nearest_serves(state: ModelState, since: int, minute: int) -> None:
    """On steps of a minute only every fifth has something of its own."""
    finer = replace(state, step=STEP / 5)
    parts = finer.parts(state.fitted_at + since * STEP / 5, 30)

    known = [state.reaches[0], *state.between]
    wanted = known[(since + 2) // 5]
    np.testing.assert_array_equal(parts[0].mix.shares[0], wanted.mix.shares[0])


def test_only_the_first_hour_differs_between(demand: FloatArray, state: ModelState) -> None:
    found = [
        roll(one, known(demand, 15 * DAY + 3), DAY).values
        for one in (state, replace(state, between=()))
    ]

    assert not np.allclose(found[0][:3], found[1][:3])
    np.testing.assert_allclose(found[0][HOUR * 2 :, MEDIAN], found[1][HOUR * 2 :, MEDIAN])


def test_the_explanation_is_of_what_served(demand: FloatArray, state: ModelState) -> None:
    """A forecast from ten past is explained by the weights of ten past."""
    told = [roll(state, known(demand, 15 * DAY + steps), DAY).weights for steps in (0, 2)]

    assert told[0]["15m"] != told[1]["15m"]
    assert told[0]["24h"] == told[1]["24h"]


@pytest.mark.parametrize("minute", [5, 10, 15])
def test_a_job_that_runs_goes_on_and_one_that_does_not_stays_away(
    demand: FloatArray, state: ModelState, minute: int
) -> None:
    """The refit was at a full hour, from where nobody can see whether a job comes."""
    steps = minute // 5
    begun = [15 * DAY + hour * HOUR + steps for hour in range(12)]
    running = demand[begun] > 300.0
    said = np.array([roll(state, known(demand, at), DAY).values[0, MEDIAN] for at in begun])

    assert 0 < running.sum() < len(running)
    assert said[running].min() > 1.5 * said[~running].max()


def test_the_newest_past_cutoff_lies_one_spacing_back_and_others_by_it() -> None:
    past = known(daily_demand(6), 5 * DAY)
    scale, reach = DemandScale.of(past.demand), reaches(STEP, DAY)[0]
    ready = prepare(past, scale, reach, POOL)
    near = first_hour(reach, STEP)

    later = at_later_cutoffs(ready, past, near, 3).lesson.origins

    present = len(past) - 1
    np.testing.assert_array_equal((present - ready.lesson.origins) % 6, 0)
    assert ready.lesson.origins.max() == present - 6
    np.testing.assert_array_equal((present - later) % 6, 3)
    assert later.max() == present - 3
    trial, _ = run_trial(at_later_cutoffs(ready, past, near, 3), past, scale, near)
    assert trial.leads.max() == HOUR
    assert trial.age_days.min() == pytest.approx(3 / DAY)


@pytest.mark.parametrize("hole", [DAY + 2, DAY + 6])
def test_behind_a_long_hole_past_cutoffs_still_lie_where_the_present_does(
    demand: FloatArray, hole: int
) -> None:
    """It was cut off where it began, and each minute was then served by what another had learnt."""
    gone = demand.copy()
    gone[15 * DAY + 1 - hole :] = np.nan

    state = refit(known(gone, 15 * DAY), DAY)
    short = refit(known(gone, 15 * DAY - hole // 6 * 6), DAY)

    for ours, theirs in zip(
        (state.reaches[0], *state.between), (short.reaches[0], *short.between), strict=True
    ):
        np.testing.assert_array_equal(ours.learnt.coefficients, theirs.learnt.coefficients)


@given(st.sampled_from([1, 5, 10, 15, 20, 30, 60]))
def test_the_first_hour_of_a_reach_keeps_at_least_a_lead(minutes: int) -> None:
    step = timedelta(minutes=minutes)
    reach = reaches(step, timedelta(days=1) // step)[0]

    near = first_hour(reach, step)

    assert len(near.leads)
    assert near.furthest * step <= timedelta(hours=1)
    np.testing.assert_array_equal(near.leads, reach.leads[: len(near.leads)])


@pytest.mark.parametrize("minutes", [1, 5, 10, 15, 30, 60])
def test_even_changes_and_coarse_steps_have_nothing_between(minutes: int) -> None:
    step = timedelta(minutes=minutes)
    past = History.of(series(daily_demand(6, step=step), MONDAY, step), PARIS, 10)

    assert minutes_apart(past, timedelta(minutes=30) // step or 1) == [0]


@pytest.mark.parametrize(
    ("minutes", "found"), [(1, [*range(0, 30, 5)]), (5, [*range(6)]), (10, [0, 1, 2]), (15, [0, 1])]
)
def test_changes_by_the_clock_are_seen_on_steps_of_any_length(
    minutes: int, found: list[int]
) -> None:
    step = timedelta(minutes=minutes)
    per_day = timedelta(days=1) // step
    half_hour = np.arange(6 * per_day) // (30 // minutes)
    values = np.where(half_hour % 2, 300.0, 100.0) + daily_demand(6, step=step) / 100
    past = History.of(series(values, MONDAY, step), PARIS, 10)

    assert minutes_apart(past, 30 // minutes) == found


def test_a_history_that_was_never_two_steps_on_has_nothing_between() -> None:
    values = np.where(np.arange(600) % 2, 40.0, np.nan)
    past = History.of(series(values, MONDAY, STEP), PARIS, 10)

    assert minutes_apart(past, 6) == [0]


@pytest.mark.parametrize("demand", [np.zeros(600), np.full(600, 40.0), np.arange(600) == 100.0])
def test_where_hardly_anything_changes_no_minute_stands_out(demand: FloatArray) -> None:
    past = History.of(series(demand.astype(np.float64), MONDAY, STEP), PARIS, 10)

    assert minutes_apart(past, 6) == [0]
