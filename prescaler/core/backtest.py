"""The past played again: what would have been forecast at each cutoff, from what was known then.

A `Fold` hands out history up to a cutoff and nothing else; the truth is put beside a forecast
afterwards, by `scores.cases_of`. A segment is a run of cutoffs in which state is carried along, as
in production.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfo

import numpy as np

from prescaler.core.arrays import Float32Array, FloatArray
from prescaler.core.calendar import DAY
from prescaler.core.correction_prior import PRIOR, CorrectionPrior
from prescaler.core.engine import LEAST_HISTORY, ModelState, refit, roll
from prescaler.core.errors import TooLittleHistory
from prescaler.core.history import History
from prescaler.core.series import Series

_LEAST_LEARNT: Final = timedelta(days=28)
_LEAST_SHARE: Final = 0.6
_SPAN: Final = timedelta(days=56)
_SEGMENTS: Final = 4
_WARM_UP: Final = timedelta(days=2)
"""A segment starts two days before its first cutoff, so that the online calibration is under way;
the number of segments is fixed, so that the result does not depend on the number of processes."""

SHORT: Final = timedelta(hours=1)
"""Longest lead that the roll grid keeps."""


@dataclass(frozen=True)
class BacktestPlan:
    """Which cutoffs, how far, how often. history: how far back the forecaster looks."""

    horizon: timedelta = DAY
    cutoffs: int = 24
    roll_every: timedelta = timedelta(minutes=15)
    refit_every: timedelta = timedelta(hours=1)
    history: timedelta = timedelta(days=56)


class Model(Protocol):
    """What is played: production's engine, or an oracle in a test."""

    def refit(self, history: History, horizon: int, previous: object | None) -> object:
        """Learn; `previous` is what the last refit of the segment gave."""
        ...

    def roll(self, state: object, history: History, horizon: int) -> FloatArray:
        """[H, Q] values for the steps after the history."""
        ...


@dataclass(frozen=True)
class EngineModel:
    """Production's engine, by default with production's prior."""

    prior: CorrectionPrior = PRIOR

    def refit(self, history: History, horizon: int, previous: object | None) -> object:
        """As `engine.refit`."""
        known = previous if isinstance(previous, ModelState) else None
        return refit(history, horizon, known, prior=self.prior)

    def roll(self, state: object, history: History, horizon: int) -> FloatArray:
        """As `engine.roll`."""
        if not isinstance(state, ModelState):
            raise TypeError(f"{type(state).__name__} is no state of the engine")
        return roll(state, history, horizon).values


@dataclass(frozen=True, eq=False)
class Fold:
    """A series that can only be seen up to a cutoff."""

    series: Series
    zone: ZoneInfo
    country: str | None
    reach: timedelta

    def known_at(self, cutoff: datetime, ahead: int) -> History:
        """What was observed by cutoff + step, at most `reach` of it."""
        end = cutoff + self.series.step
        seen = self.series.between(end - self.reach, end)
        return History.of(seen, self.zone, ahead, self.country)


@dataclass(frozen=True, eq=False)
class Issue:
    """One forecast of the past: values [H, Q] after a cutoff, on the day or the roll grid."""

    cutoff: datetime
    whole: bool
    values: Float32Array


@dataclass(frozen=True)
class Segment:
    """Cutoffs that are played one after the other. True marks one of the day grid."""

    warm_from: datetime
    stops: tuple[tuple[datetime, bool], ...]


def segments(series: Series, plan: BacktestPlan) -> list[Segment]:
    """The cutoffs of both grids, in runs of equal length.

    Both grids leave 28 days (of a shorter trace 60 %) of history before the first cutoff and span
    at most the last eight weeks.

    Raises:
        TooLittleHistory: less than 36 hours before the first cutoff.
    """
    step = series.step
    least = min(_LEAST_LEARNT // step, int(_LEAST_SHARE * len(series)))
    if least * step < LEAST_HISTORY:
        hours = least * step / timedelta(hours=1)
        raise TooLittleHistory(f"60 % of the trace are {hours:.1f} h of history; 36 h are needed")
    first = max(least, len(series) - _SPAN // step) - 1
    last = len(series) - 2
    whole = np.unique(np.linspace(first, last, plan.cutoffs).astype(np.int64))
    every = max(1, plan.roll_every // step)
    stops = [(int(i), True) for i in whole] + [(i, False) for i in range(first, last + 1, every)]
    cut = [list(part) for part in np.array_split(np.arange(len(stops)), _SEGMENTS) if len(part)]
    ordered = sorted(stops)
    return [_segment(series, [ordered[i] for i in part]) for part in cut]


def _segment(series: Series, stops: Sequence[tuple[int, bool]]) -> Segment:
    at = [(series.start + index * series.step, whole) for index, whole in stops]
    earliest = series.start + LEAST_HISTORY
    return Segment(max(earliest, at[0][0] - _WARM_UP), tuple(at))


def play(fold: Fold, segment: Segment, plan: BacktestPlan, model: Model) -> Iterator[Issue]:
    """Refit at the cadence of production, roll at every cutoff; a refit at each of the day grid."""
    horizon = max(1, plan.horizon // fold.series.step)
    short = min(horizon, max(1, SHORT // fold.series.step))
    state, fitted_at = _warmed(fold, segment, plan, model, horizon)
    for cutoff, whole in segment.stops:
        history = fold.known_at(cutoff, horizon)
        if whole:
            fresh = model.refit(history, horizon, state)
            values = model.roll(fresh, history, horizon)
        else:
            if state is None or cutoff - fitted_at >= plan.refit_every:
                state, fitted_at = model.refit(history, horizon, state), cutoff
            values = model.roll(state, history, horizon)[:short]
        yield Issue(cutoff, whole, values.astype(np.float32))


def _warmed(
    fold: Fold, segment: Segment, plan: BacktestPlan, model: Model, horizon: int
) -> tuple[object | None, datetime]:
    """State as production would have it at the first cutoff of a segment."""
    every = max(plan.refit_every, fold.series.step)
    state, at = None, segment.warm_from
    while at < segment.stops[0][0]:
        state = model.refit(fold.known_at(at, horizon), horizon, state)
        at += every
    return state, at - every
