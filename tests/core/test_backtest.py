"""The past played again: nothing leaks, an oracle scores exactly 0, state is carried along."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from prescaler.core.arrays import FloatArray
from prescaler.core.backtest import (
    BacktestPlan,
    EngineModel,
    Fold,
    Issue,
    Model,
    play,
    segments,
)
from prescaler.core.engine import ModelState
from prescaler.core.errors import TooLittleHistory
from prescaler.core.history import History
from prescaler.core.quantiles import QUANTILES
from prescaler.core.scores import cases_of, score
from prescaler.core.series import Series
from tests.support.builders import DAY, MONDAY, PARIS, daily_demand

HOURLY = timedelta(hours=1)
PLAN = BacktestPlan(cutoffs=6, roll_every=timedelta(hours=6), refit_every=timedelta(hours=6))


def trace(days: float = 40, **changes: Any) -> Series:
    values = daily_demand(days, step=HOURLY, **changes)
    return Series(MONDAY, HOURLY, values, values)


def fold(series: Series, plan: BacktestPlan = PLAN) -> Fold:
    return Fold(series, PARIS, None, plan.history)


def play_all(series: Series, model: Any, plan: BacktestPlan = PLAN) -> list[Issue]:
    parts = segments(series, plan)
    return [issue for part in parts for issue in play(fold(series, plan), part, plan, model)]


@dataclass
class Oracle:
    """Knows the trace by heart."""

    series: Series

    def refit(self, history: History, horizon: int, previous: object | None) -> object:
        return history.cutoff

    def roll(self, state: object, history: History, horizon: int) -> FloatArray:
        first = self.series.index_of(history.cutoff) + 1
        known = self.series.mean[first : first + horizon]
        padded = np.pad(known, (0, horizon - len(known)))
        return np.repeat(padded[:, None], len(QUANTILES), axis=1)


@dataclass
class Diary:
    """Notes what it was shown."""

    refits: list[tuple[datetime, object | None]] = field(default_factory=list)
    rolls: list[tuple[datetime, object]] = field(default_factory=list)

    def refit(self, history: History, horizon: int, previous: object | None) -> object:
        self.refits.append((history.cutoff, previous))
        return history.cutoff

    def roll(self, state: object, history: History, horizon: int) -> FloatArray:
        self.rolls.append((history.cutoff, state))
        return np.zeros((horizon, len(QUANTILES)))


def cases(series: Series, issues: list[Issue]) -> Any:
    index = [series.index_of(issue.cutoff) + 1 for issue in issues]
    return cases_of(series, index, np.stack([i.values for i in issues]).astype(float))


def test_an_oracle_scores_exactly_zero() -> None:
    series = trace()
    series = Series(series.start, series.step, series.mean.astype(np.float32), series.peak)

    issues = play_all(series, Oracle(series))

    for grid in (True, False):
        found = score(series, cases(series, [i for i in issues if i.whole is grid]))
        assert all(s.error == 0 and s.wql == 0 and s.error_ratio == 0 for s in found.values())
        assert all(gap == 0 for s in found.values() for gap in s.gap.values())


@dataclass(frozen=True)
class LateFit(EngineModel):
    """The engine, with a fit that has seen what came up to 18 hours later."""

    series: Series = field(default_factory=trace)

    def later(self, history: History) -> History:
        """What is known then."""
        return fold(self.series).known_at(history.cutoff + 18 * HOURLY, 24)

    def refit(self, history: History, horizon: int, previous: object | None) -> object:
        """A fit of later that says it is of now."""
        fit = super().refit(self.later(history), horizon, previous)
        assert isinstance(fit, ModelState)
        return replace(fit, fitted_at=history.cutoff)


class LateCalibration(LateFit):
    """The engine, with widths that were corrected by what came up to 18 hours later."""

    def refit(self, history: History, horizon: int, previous: object | None) -> object:
        """Only what earlier forecasts are judged by is of later."""
        fit = EngineModel.refit(self, history, horizon, previous)
        assert isinstance(fit, ModelState)
        return replace(fit, watch=fit.watch.learned(self.later(history)))


class LateHistory(LateFit):
    """The engine, rolled on from observations of six hours later."""

    def refit(self, history: History, horizon: int, previous: object | None) -> object:
        """An honest one."""
        return EngineModel.refit(self, history, horizon, previous)

    def roll(self, state: object, history: History, horizon: int) -> FloatArray:
        """Said of now, from what was observed later."""
        return super().roll(state, self.later(history), horizon)


def seen_early(model: Callable[[Series], Model]) -> list[datetime]:
    """Cutoffs before something new came whose forecasts know of it.

    It comes right after a forecast of a whole day, since a leak through the widths of later leads
    shows in no short one; the segment that leads there is played.
    """
    honest = trace(32)
    parts = segments(honest, PLAN)
    before = [cutoff for part in parts for cutoff, whole in part.stops if whole][2]
    part = next(one for one in parts if (before, True) in one.stops)
    planted = honest.mean.copy()
    planted[honest.index_of(before) + 1 :] *= 20
    tempted = Series(honest.start, honest.step, planted, planted)
    ours, theirs = (
        list(play(fold(series), part, PLAN, model(series))) for series in (honest, tempted)
    )
    pairs = [(a, b) for a, b in zip(ours, theirs, strict=True) if a.cutoff <= before]
    assert len(pairs) > 5
    assert pairs[-1][0].whole
    return [a.cutoff for a, b in pairs if not np.array_equal(a.values, b.values)]


def test_a_planted_future_changes_no_forecast() -> None:
    assert seen_early(lambda _: EngineModel()) == []


@pytest.mark.parametrize("leak", [LateFit, LateCalibration, LateHistory])
def test_a_leak_of_this_kind_is_found_out(leak: type[LateFit]) -> None:
    """That the proof can fail, kind by kind."""
    assert seen_early(lambda series: leak(series=series))


def test_a_fold_shows_nothing_behind_the_cutoff() -> None:
    series = trace()
    cutoff = series.start + 700 * HOURLY

    known = fold(series).known_at(cutoff, 24)

    assert known.cutoff == cutoff
    assert len(known) == 701


def test_a_fold_forgets_what_is_older_than_its_reach() -> None:
    plan = BacktestPlan(history=7 * DAY)

    known = fold(trace(), plan).known_at(MONDAY + 30 * DAY, 24)

    assert len(known) == 7 * 24


@pytest.mark.parametrize("days", [3, 10, 40, 200])
def test_both_grids_leave_history_and_span_eight_weeks(days: int) -> None:
    series = trace(days)
    parts = segments(series, PLAN)
    stops = [stop for part in parts for stop in part.stops]

    first, last = stops[0][0], stops[-1][0]

    assert first - series.start >= min(28 * DAY, 0.6 * (series.end - series.start)) - 2 * HOURLY
    assert last < series.end - HOURLY
    assert last - first <= 56 * DAY
    assert sum(whole for _, whole in stops) == PLAN.cutoffs
    assert stops == sorted(stops)


def test_a_trace_that_leaves_too_little_before_the_first_cutoff_is_refused() -> None:
    with pytest.raises(TooLittleHistory, match="36 h are needed"):
        segments(trace(2), PLAN)


def test_refits_keep_the_cadence_and_carry_the_state_on() -> None:
    plan = BacktestPlan(cutoffs=2, roll_every=HOURLY, refit_every=timedelta(hours=3))
    series, diary = trace(30), Diary()
    part = segments(series, plan)[1]

    list(play(fold(series, plan), part, plan, diary))

    first = part.stops[0][0]
    warm = [at for at, _ in diary.refits if at < first]
    assert warm[0] == part.warm_from == first - 2 * DAY
    assert {b - a for a, b in pairwise(warm)} == {timedelta(hours=3)}
    assert [known for _, known in diary.refits[1:]] == [at for at, _ in diary.refits[:-1]]
    assert all(at - state < timedelta(hours=3) for at, state in diary.rolls)  # type: ignore[operator]


def test_each_cutoff_of_the_day_grid_is_refitted() -> None:
    plan = BacktestPlan(cutoffs=5, roll_every=timedelta(hours=7))
    diary, series = Diary(), trace(31)

    issues = play_all(series, diary, plan)

    whole = [issue.cutoff for issue in issues if issue.whole]
    assert set(whole) <= {at for at, _ in diary.refits}
    assert {len(i.values) for i in issues if i.whole} == {24}
    assert {len(i.values) for i in issues if not i.whole} == {1}


def test_the_engine_refuses_a_state_that_is_not_its_own() -> None:
    with pytest.raises(TypeError, match="no state of the engine"):
        EngineModel().roll("nonsense", fold(trace()).known_at(MONDAY + 30 * DAY, 24), 24)
