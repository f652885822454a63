"""Rolling origin: what each expert would have said at past cutoffs, beside what came."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray, IntArray
from prescaler.core.calendar import DAY
from prescaler.core.correction import (
    Lesson,
    Residuals,
    RunningSums,
    learn,
    newest_means,
    pooled_prior,
    windows_in_steps,
)
from prescaler.core.correction_prior import PRIOR, CorrectionPrior
from prescaler.core.curves import draw, fit_pool, on_scale
from prescaler.core.day_table import day_table
from prescaler.core.days_off import days_off
from prescaler.core.errors import ForecasterFailed
from prescaler.core.forecasters import Forecaster, Parameters
from prescaler.core.history import History
from prescaler.core.lasting import Lasting
from prescaler.core.leads import Reach
from prescaler.core.scales import DemandScale

_SPAN_DAYS: Final = 14
_FIRST_HOUR_DAYS: Final = 7
"""Two weeks of past cutoffs measure errors and spread; four change nothing that can be seen. For
the first hour alone one is enough (WQL 0.3 % lower with it, but 1 % higher a day ahead)."""

_SHORT_DAYS: Final = 10
_KEPT_APART: Final = (0.75, 0.6)
"""Share of the past cutoffs that may be scored, in a history of under ten days and in a longer
one: the first ones only teach."""

_HOUR: Final = timedelta(hours=1)
_LEAST_MEMORY: Final = DAY / 4
_REACH_BACK: Final = 3 * DAY
"""The longest window of the correction: so far back a roll draws the curves."""

_LATELY: Final = DAY / 8
"""So far back a roll says again what would have been said: what the spread and the echo ask for."""


@dataclass(frozen=True)
class Expert:
    """A forecaster's curve, corrected on a scale or (kind "plain") as it is."""

    forecaster: str
    kind: str


@dataclass(frozen=True, eq=False)
class Trial:
    """E experts at M past cutoffs, at the L leads of a reach.

    actual: [M, L], NaN where unknown; peak: [M, L] the maxima inside those steps; predicted:
    [E, M, L]; age_days: [M] before the present cutoff; hour: [M, L] local time of the targets in
    hours; spacing: between two cutoffs, in steps and in days.
    """

    experts: tuple[Expert, ...]
    leads: IntArray
    actual: FloatArray
    peak: FloatArray
    predicted: FloatArray
    age_days: FloatArray
    hour: FloatArray
    spacing: int
    spacing_days: float


@dataclass(frozen=True, eq=False)
class Learnt:
    """What the experts of a reach know: coefficients [C, P, L] and residual spread [C]."""

    pool: tuple[str, ...]
    parameters: Mapping[str, Parameters]
    coefficients: FloatArray
    spread: FloatArray


@dataclass(frozen=True, eq=False)
class Said:
    """What E experts say now, and what they would have said at the last K cutoffs.

    ahead: [E, covers]; lately: [E, K, S] at the S learnt leads up to one spacing of cutoffs, newest
    last; came: [K, S] what came there, NaN where unknown; load units.
    """

    ahead: FloatArray
    lately: FloatArray
    came: FloatArray


@dataclass(frozen=True, eq=False)
class Drawn:
    """Curves around the cutoff and ahead of it, and how demand has lain around them.

    first: grid point of the first column; logs: [F, n + ahead] log curves of F forecasters; bases:
    [C, n + ahead] the same on every scale; residuals: [C, n] around them.
    """

    able: Sequence[Forecaster]
    first: int
    logs: FloatArray
    bases: FloatArray
    residuals: Residuals

    def lately(self, history: History) -> "Drawn":
        """Of the whole past what a roll draws: `redraw` gives the same."""
        first = _reach_back(history)
        return Drawn(
            self.able,
            first,
            self.logs[:, first:],
            self.bases[:, first:],
            self.residuals.since(first),
        )

    def plain(self, index: IntArray) -> FloatArray:
        """[G, ...] log curves of the plain forecasters at columns [...]."""
        rows = np.array([row for row, f in enumerate(self.able) if f.plain], dtype=np.int64)
        return np.take(self.logs[rows], index, axis=1)


@dataclass(frozen=True, eq=False)
class Prepared:
    """Curves of the whole past, what they were drawn by, and what there is to learn from them."""

    drawn: Drawn
    parameters: Mapping[str, Parameters]
    sums: RunningSums
    lesson: Lesson


def prepare(
    history: History, scale: DemandScale, reach: Reach, pool: Sequence[Forecaster]
) -> Prepared:
    """Draw the curves, and lay out features and targets of every past cutoff.

    Raises:
        TooLittleHistory, ForecasterFailed: no forecaster could be fitted.
    """
    ahead = max(reach.furthest, reach.covers.stop)
    days = days_off(day_table(history, scale, ahead, reach.gap), history)
    able, parameters = fit_pool(pool, days.calm)
    logs = draw(able, parameters, days, history, slice(0, len(history) + ahead))
    bases = _bases(logs, scale, reach)
    residuals = _residuals(bases, history.demand, scale, reach, None)
    drawn = Drawn(able, 0, logs, bases, residuals)
    sums = RunningSums.of(residuals)
    return Prepared(drawn, parameters, sums, _lesson(history, drawn, sums, reach, 0))


def at_later_cutoffs(ready: Prepared, history: History, reach: Reach, later: int) -> Prepared:
    """The same curves at past cutoffs that lie `later` steps after those, for leads of theirs.

    Raises:
        ForecasterFailed: the history is shorter than a day of past cutoffs.
    """
    return replace(ready, lesson=_lesson(history, ready.drawn, ready.sums, reach, later))


def _lesson(history: History, drawn: Drawn, sums: RunningSums, reach: Reach, later: int) -> Lesson:
    origins, values = _origins(history, reach, later), drawn.residuals.values
    features = sums.means(origins.ravel(), windows_in_steps(history.step))
    index = _targets(origins, reach)
    targets = np.take(values, index, axis=1, mode="clip")  # in order, unlike values[:, index]
    targets[:, index >= len(history)] = 0.0
    shape = (len(values), *origins.shape, -1)
    return Lesson(
        features=features.reshape(shape),
        targets=targets.reshape(shape),
        origins=origins,
        first=_first_origins(history, drawn.able, reach),
        points=len(history),
        spacing=reach.spacing,
    )


def run_trial(
    ready: Prepared,
    history: History,
    scale: DemandScale,
    reach: Reach,
    prior: CorrectionPrior = PRIOR,
) -> tuple[Trial, Learnt]:
    """Learn, and say what would have been said at past cutoffs with what was learnt by then."""
    drawn, lesson, origins = ready.drawn, ready.lesson, ready.lesson.origins
    windows = windows_in_steps(history.step)
    pull = pooled_prior(prior, history.step, reach.leads, windows)
    coefficients = learn(lesson, reach.leads, drawn.residuals.spread, pull)
    corrections = lesson.features @ coefficients[:, :-1]
    corrections = corrections.reshape(len(drawn.bases), origins.size, -1)
    scored = _scored(history, origins.size, origins.shape[1], reach)
    index = _targets(origins, reach)[scored]
    corrections = corrections[:, scored]
    lasting = Lasting.of(drawn.residuals, origins.ravel()[scored], history.step)
    lasting.correct(corrections, reach.leads)
    corrections += np.take(drawn.bases, index, axis=1)
    trial = Trial(
        experts=_experts(drawn.able, reach),
        leads=reach.leads,
        actual=history.demand_at(index),
        peak=history.peak_at(index),
        predicted=_in_load(corrections, drawn.plain(index), scale, reach),
        age_days=np.asarray(
            (len(history) - 1 - origins.ravel()[scored]) * (history.step / DAY), dtype=np.float64
        ),
        hour=history.local_hour(index),
        spacing=reach.spacing,
        spacing_days=reach.spacing * (history.step / DAY),
    )
    names = tuple(f.name for f in drawn.able)
    return trial, Learnt(names, ready.parameters, coefficients[:, -1], drawn.residuals.spread)


def redraw(
    history: History,
    scale: DemandScale,
    reach: Reach,
    learnt: Learnt,
    pool: Sequence[Forecaster],
) -> Drawn:
    """The curves of the last days and those ahead, as the last refit would draw them now.

    Raises:
        ForecasterFailed: what was learnt does not suit this history or this pool.
    """
    points = len(history)
    able = [f for f in pool if f.name in learnt.pool]
    if len(able) != len(learnt.pool):
        raise ForecasterFailed("a stored fit names forecasters that this release does not have")
    first = _reach_back(history)
    days = days_off(day_table(history, scale, reach.covers.stop, reach.gap), history)
    near = slice(first, points + reach.covers.stop)
    logs = draw(able, learnt.parameters, days, history, near)
    bases = _bases(logs, scale, reach)
    residuals = _residuals(bases, history.demand[first:], scale, reach, learnt.spread)
    return Drawn(able, first, logs, bases, residuals)


def predict(
    drawn: Drawn, history: History, scale: DemandScale, reach: Reach, learnt: Learnt
) -> Said:
    """What each expert says now, load units."""
    residuals, known = drawn.residuals, len(history) - drawn.first
    ends = known - 1 - np.arange(_cutoffs_lately(history, reach), -1, -1) * reach.spacing
    features = newest_means(residuals, ends, windows_in_steps(history.step))
    correction = features @ learnt.coefficients
    Lasting.of(residuals, ends, history.step).correct(correction, reach.leads)
    ahead = known - 1 + reach.horizon
    carried = np.stack([np.interp(reach.horizon, reach.leads, row) for row in correction[:, -1]])
    short = reach.leads[reach.leads <= reach.spacing]
    index = ends[:-1, None] + short
    past = np.take(drawn.bases, index, axis=1) + correction[:, :-1, : len(short)]
    carried += drawn.bases[:, ahead[0] : ahead[-1] + 1]
    return Said(
        ahead=_in_load(carried, drawn.plain(ahead), scale, reach),
        lately=_in_load(past, drawn.plain(index), scale, reach),
        came=history.demand_at(drawn.first + index),
    )


def _reach_back(history: History) -> int:
    """The grid point from which on a roll needs the curves."""
    return max(0, len(history) - 1 - _REACH_BACK // history.step)


def _cutoffs_lately(history: History, reach: Reach) -> int:
    """K: enough for the last three hours and one before; none where no lead is short enough."""
    short = int(reach.leads[0]) <= reach.spacing
    return (_LATELY // history.step) // reach.spacing + 1 if short else 0


def _origins(history: History, reach: Reach, later: int) -> IntArray:
    """[B, O] indices of the last known point at past cutoffs, in blocks of a day, newest last.

    The newest lies one spacing back, so that all of them are as far from the full hour as the
    present is (or `later` steps further): what runs each hour at five past shows to a cutoff at
    ten past and hides from one at five. Against cutoffs a step off, that takes 1 to 9 % from the
    WQL of the first quarter of an hour on four of five one-minute traces.
    """
    day = history.points_in(DAY)
    per_day = day // reach.spacing
    last = len(history) - 1 - reach.spacing + later
    blocks = (last - max(2, history.points_in(_LEAST_MEMORY))) // reach.spacing // per_day
    if _is_first_hour(reach, history):
        blocks = min(blocks, 2 * _FIRST_HOUR_DAYS)
    if blocks < 1:
        raise ForecasterFailed("the history is shorter than a day of past cutoffs")
    back = np.arange(blocks * per_day)[::-1] * reach.spacing
    return np.asarray((last - back).reshape(blocks, per_day), dtype=np.int64)


def _is_first_hour(reach: Reach, history: History) -> bool:
    return reach.furthest * history.step <= _HOUR


def _targets(origins: IntArray, reach: Reach) -> IntArray:
    """[B * O, L] grid points that the leads of past cutoffs point at."""
    return np.asarray(origins.ravel()[:, None] + reach.leads)


def _scored(history: History, cutoffs: int, per_day: int, reach: Reach) -> slice:
    """The newest past cutoffs, whose errors and spread are measured."""
    days = _FIRST_HOUR_DAYS if _is_first_hour(reach, history) else _SPAN_DAYS
    short = len(history) < _SHORT_DAYS * history.points_in(DAY)
    share = _KEPT_APART[0] if short else _KEPT_APART[1]
    return slice(cutoffs - max(4, min(days * per_day, int(cutoffs * share))), cutoffs)


def _bases(logs: FloatArray, scale: DemandScale, reach: Reach) -> FloatArray:
    """[C, points] curves on every scale, scale by scale."""
    return np.concatenate([on_scale(logs, scale, kind) for kind in reach.kinds])


def _residuals(
    bases: FloatArray,
    demand: FloatArray,
    scale: DemandScale,
    reach: Reach,
    spread: FloatArray | None,
) -> Residuals:
    """Of demand [n] around the first n points of curves on every scale."""
    number, known = len(bases) // len(reach.kinds), len(demand)
    on = [np.broadcast_to(scale.forward(demand, kind), (number, known)) for kind in reach.kinds]
    return Residuals.of(np.concatenate(on), bases[:, :known], spread)


def _first_origins(history: History, able: Sequence[Forecaster], reach: Reach) -> IntArray:
    """[C] where learning starts: behind the memory of a forecaster, if there is time for that."""
    day = history.points_in(DAY)
    patient = len(history) >= _SHORT_DAYS * day
    first = [day * (f.memory_days if patient else 1) for f in able]
    return np.array(first * len(reach.kinds), dtype=np.int64)


def _in_load(
    corrected: FloatArray, plain: FloatArray, scale: DemandScale, reach: Reach
) -> FloatArray:
    """[E, ...] load units: the corrected curves of each scale, then the plain log curves."""
    parts = np.split(corrected, len(reach.kinds))
    found = [scale.backward(part, kind) for part, kind in zip(parts, reach.kinds, strict=True)]
    return np.concatenate([*found, scale.backward(plain, "log")])


def _experts(able: Sequence[Forecaster], reach: Reach) -> tuple[Expert, ...]:
    corrected = [Expert(f.name, kind) for kind in reach.kinds for f in able]
    return (*corrected, *(Expert(f.name, "plain") for f in able if f.plain))
