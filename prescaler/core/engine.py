"""The engine: a refit (heavy, hourly) and a roll (every run) apart; both deterministic.

`refit` lets every forecaster draw its curves over the past, learns how the level of the last hours
corrects them, weighs the experts that come of it, and measures the spread of their mix. `roll`
carries the newest observations into that state.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from prescaler.core import plan_watch
from prescaler.core.arrays import FloatArray
from prescaler.core.calendar import DAY
from prescaler.core.calibration import Signs, Spread, measure, residual_size, steepness
from prescaler.core.clockwork import minutes_apart
from prescaler.core.combination import Combination, combine
from prescaler.core.conformal import Watch
from prescaler.core.correction_prior import PRIOR, CorrectionPrior
from prescaler.core.days_off import remembered
from prescaler.core.drift import bounds_of, drifted
from prescaler.core.durations import format_duration
from prescaler.core.echo import Echo, listen
from prescaler.core.errors import ForecasterFailed, TooLittleHistory
from prescaler.core.forecast import BUCKETS, Basis
from prescaler.core.forecasters import POOL, Forecaster
from prescaler.core.history import DayOff, History
from prescaler.core.leads import (
    Reach,
    band_of,
    first_hour,
    reaches,
    spread_bands,
    weight_bands,
)
from prescaler.core.level_shift import LevelShift, level_shifts, levelled
from prescaler.core.naive import better_naive, seasonal_naive
from prescaler.core.quantiles import MEDIAN, QUANTILES, uncrossed
from prescaler.core.scales import DemandScale
from prescaler.core.trial import (
    Drawn,
    Expert,
    Learnt,
    Prepared,
    Said,
    at_later_cutoffs,
    predict,
    prepare,
    redraw,
    run_trial,
)
from prescaler.core.widths import Widths

LEAST_HISTORY: Final = timedelta(hours=36)
"""A day to copy, and half a day to see how well that goes."""

_LEAST_OBSERVED: Final = 0.25
_LATER_NEEDS: Final = timedelta(days=5)
_SMALL_SHARE: Final = 0.01
_MOSTLY: Final = 0.5


@dataclass(frozen=True, eq=False)
class ReachState:
    """What a roll needs for one range of leads."""

    experts: tuple[Expert, ...]
    learnt: Learnt
    mix: Combination
    echo: Echo
    spread: Spread

    def begun_by(self, first: "ReachState") -> "ReachState":
        """With the shorter leads of another one."""
        coefficients = self.learnt.coefficients.copy()
        columns = first.learnt.coefficients.shape[-1]
        coefficients[..., :columns] = first.learnt.coefficients
        return ReachState(
            self.experts,
            replace(self.learnt, coefficients=coefficients),
            self.mix.begun_by(first.mix),
            self.echo.begun_by(first.echo),
            self.spread.begun_by(first.spread),
        )


@dataclass(frozen=True, eq=False)
class ModelState:
    """All that a roll needs of the last refit; it is stored. horizon in steps.

    reaches: learnt at past cutoffs that are as far from the full hour as the refit's own; between:
    the leads of the first hour, learnt at the other minutes of the half hour in their order (where
    demand changes by the clock), without what the curves know. naive: period of the better naive;
    watch: what earlier forecasts promised, and how widths were corrected by what came; planned: the
    same of the maxima that a plan promised (`core/plan_watch.py`); near: [K, 2] between what the
    first hour was said to lie; without: `uplift.fingerprint` of the planned crowds that were known,
    and of those taken out of the history; shifts: what was laid on the present level before
    anything was learnt; holidays: what is remembered of past ones (`core/days_off.py`).
    """

    fitted_at: datetime
    step: timedelta
    horizon: int
    scale: DemandScale
    reaches: tuple[ReachState, ...]
    naive: timedelta
    watch: Watch
    planned: Watch
    near: FloatArray
    between: tuple[ReachState, ...] = ()
    without: int = 0
    shifts: tuple[LevelShift, ...] = ()
    holidays: tuple[DayOff, ...] = ()

    def fits(self, step: timedelta, horizon: int) -> bool:
        """Whether it was made for this grid."""
        return (self.step, self.horizon) == (step, horizon)

    @property
    def wanted(self) -> list[Reach]:
        """The ranges of leads, one for each of `reaches`."""
        return reaches(self.step, self.horizon, apart=len(self.reaches) > 1)

    def parts(self, cutoff: datetime, spacing: int) -> tuple[ReachState, ...]:
        """What serves a roll at this cutoff: learnt at the past cutoffs that are most like it."""
        since = (cutoff - self.fitted_at) // self.step % spacing
        minutes = len(self.between) + 1
        nearest = (2 * since * minutes + spacing) // (2 * spacing) % minutes
        if nearest == 0:
            return self.reaches
        return (self.reaches[0].begun_by(self.between[nearest - 1]), *self.reaches[1:])

    def drifted(self, history: History) -> bool:
        """Whether demand has left what was said, so that a refit must not wait its turn."""
        since = history.series.index_of(self.fitted_at) + 1
        return since >= 0 and drifted(self.near, since, history)


@dataclass(frozen=True, eq=False)
class Outlook:
    """What a roll gives: values [H, Q], peak_ratio [H], naive [H], all load units.

    track_record: bucket -> how earlier forecasts turned out (see `TrackRecord.told`); plan_record:
    the same of the maxima over a plan's window. plan_widths: what a plan corrects values by.
    """

    values: FloatArray
    peak_ratio: FloatArray
    naive: FloatArray
    historic_max: float
    basis: Basis
    weights: Mapping[str, Mapping[str, float]]
    track_record: Mapping[str, Mapping[str, float]]
    plan_record: Mapping[str, Mapping[str, float]]
    plan_widths: Widths


def refit(
    history: History,
    horizon: int,
    previous: ModelState | None = None,
    pool: Sequence[Forecaster] = POOL,
    prior: CorrectionPrior = PRIOR,
) -> ModelState:
    """Learn from history, and from how the forecasts of the previous state turned out.

    Raises:
        TooLittleHistory: fewer than 36 hours, or fewer than a quarter of their points observed.
        ForecasterFailed: no forecaster could handle this history.
    """
    (nearest, *_) = reaches(history.step, horizon)
    raw = _without_trailing_hole(history, nearest.spacing)
    _enough(raw)
    shifts = level_shifts(raw)
    told = levelled(raw, shifts)
    highest = DemandScale.of(raw.demand).highest
    scale = DemandScale.of(told.demand).reaching(highest)
    known = history.holidays if previous is None else previous.holidays
    told = replace(told, holidays=remembered(told, scale, known))
    watch = planned = Watch.new(history.step, horizon)
    if previous is not None and previous.fits(history.step, horizon):
        watch = previous.watch.learned(history)
        planned = plan_watch.learned(previous.planned, history)
    wanted = reaches(history.step, horizon, apart=_shows_later_leads(told))
    ready = [prepare(told, scale, reach, pool) for reach in wanted]
    learnt = [_weighed(*pair, told, scale, prior) for pair in zip(ready, wanted, strict=True)]
    state = ModelState(
        fitted_at=history.cutoff,
        step=history.step,
        horizon=horizon,
        scale=scale,
        reaches=tuple(learnt),
        naive=better_naive(raw),
        watch=watch,
        planned=planned,
        near=np.zeros((0, 2)),
        between=_between(ready[0], wanted[0], told, scale, prior),
        shifts=shifts,
        holidays=told.holidays,
    )
    if raw is history:
        said = _outlook(state, history, told, [part.drawn.lately(told) for part in ready])
    else:
        said = roll(state, history, horizon, pool)
    widened = said.plan_widths.applied(said.values)
    return replace(
        state,
        watch=watch.saying(history, said.values, said.naive),
        planned=plan_watch.saying(planned, history, widened, said.peak_ratio, said.naive),
        near=bounds_of(said.values, history.step),
    )


def _without_trailing_hole(history: History, spacing: int) -> History:
    """What there is to learn from: past cutoffs without any outcome would teach false certainty.

    Holes of up to a day stay, so that what is learnt belongs to the present. Of longer ones the
    first steps stay, so that past cutoffs lie as far from the full hour as the present does.
    """
    known = np.flatnonzero(np.isfinite(history.demand))
    end = int(known[-1]) + 1 if len(known) else len(history)
    hole = len(history) - end
    return history if hole <= history.points_in(DAY) else history.until(end + hole % spacing)


def _shows_later_leads(history: History) -> bool:
    """Whether there are past cutoffs enough whose second day has come."""
    return len(history) * history.step >= _LATER_NEEDS


def _between(
    ready: Prepared, reach: Reach, history: History, scale: DemandScale, prior: CorrectionPrior
) -> tuple[ReachState, ...]:
    """The first hour as it is learnt at the other minutes of the half hour."""
    near = first_hour(reach, history.step)
    between = []
    for later in minutes_apart(history, reach.spacing)[1:]:
        turned = at_later_cutoffs(ready, history, near, later)
        first = _weighed(turned, near, history, scale, prior)
        between.append(replace(first, learnt=replace(first.learnt, parameters={})))
    return tuple(between)


def _weighed(
    ready: Prepared, reach: Reach, history: History, scale: DemandScale, prior: CorrectionPrior
) -> ReachState:
    """What a roll needs."""
    trial, learnt = run_trial(ready, history, scale, reach, prior)
    bands = weight_bands(reach, history.step)
    mix, mixed, apart = combine(trial, bands, history.step, scale.typical)
    echo, mixed = listen(trial, mixed, history.step, scale.offset)
    edges = spread_bands(reach, history.step)
    spread = measure(trial, mixed, apart, edges, history.step, scale.offset)
    return ReachState(trial.experts, learnt, mix, echo, spread)


def roll(
    state: ModelState, history: History, horizon: int, pool: Sequence[Forecaster] = POOL
) -> Outlook:
    """Forecast the next `horizon` steps from the newest observations and the last refit.

    Raises:
        TooLittleHistory: as for `refit`.
        ForecasterFailed: the state does not suit this history or this release.
    """
    _enough(history)
    if not state.fits(history.step, horizon):
        raise ForecasterFailed("the stored fit is for another step or horizon; it will be refitted")
    told = replace(levelled(history, state.shifts), holidays=state.holidays)
    drawn = [
        redraw(told, state.scale, reach, part.learnt, pool)
        for reach, part in zip(state.wanted, state.reaches, strict=True)
    ]
    return _outlook(state, history, told, drawn)


def _outlook(state: ModelState, history: History, told: History, drawn: Sequence[Drawn]) -> Outlook:
    """What is said with curves that are drawn already; told: history on its present level.

    Raises:
        ForecasterFailed: the state gives no numbers.
    """
    horizon, wanted = state.horizon, state.wanted
    values, peak_ratio = np.full((horizon, len(QUANTILES)), np.nan), np.ones(horizon)
    parts = state.parts(history.cutoff, wanted[0].spacing)
    for reach, part, curves in zip(wanted, parts, drawn, strict=True):
        hour = history.local_hour(len(history) - 1 + reach.horizon)
        values[reach.covers] = _roll_reach(state, part, curves, told, reach, hour)
        peak_ratio[reach.covers] = part.spread.peak_ratio(reach.horizon, hour)
    if not np.isfinite(values).all():
        raise ForecasterFailed("the stored fit gives no numbers; it will be refitted")
    naive = seasonal_naive(history, state.naive, horizon)
    return Outlook(
        values=uncrossed(np.clip(values, 0.0, state.scale.ceiling)),
        peak_ratio=peak_ratio,
        naive=np.where(np.isfinite(naive), naive, values[:, MEDIAN]),
        historic_max=float(np.nanmax(history.series.peak)),
        basis=_basis(parts),
        weights=_explained(state, parts),
        track_record=state.watch.record.told(state.watch.leads, state.step),
        plan_record=state.planned.record.told(state.planned.leads, state.step),
        plan_widths=Widths.of(state.planned.leads, state.planned.width),
    )


def _roll_reach(
    state: ModelState,
    part: ReachState,
    drawn: Drawn,
    history: History,
    reach: Reach,
    hour: FloatArray,
) -> FloatArray:
    """[covers, Q] values of one range of leads, whose local hours are given [covers]."""
    said = predict(drawn, history, state.scale, reach, part.learnt)
    leads, offset = reach.horizon, state.scale.offset
    mixed, apart = part.mix.mix(said.ahead[:, None, :], leads)
    missed, recent = _lately(part, said, reach, history.step)
    share = np.interp(leads, reach.leads, part.echo.share)
    median = part.echo.corrected(mixed, missed, share, offset)
    learnt = median[:, reach.leads - 1 - reach.covers.start]
    steep = np.interp(leads, reach.leads, steepness(learnt, reach.leads, history.step)[0])
    signs = Signs(apart[0], recent, steep)
    deviation = part.spread.around(median[0], signs, leads, hour)
    return np.asarray(median[0][:, None] + deviation * state.watch.factors(leads))


def _lately(
    part: ReachState, said: Said, reach: Reach, step: timedelta
) -> tuple[FloatArray, FloatArray]:
    """[1] the last miss of the mix, and [2] recent sizes, from the newest observations."""
    if not said.came.size:
        return np.zeros(1), part.spread.recent
    short = reach.leads[: said.came.shape[1]]
    mixed, _ = part.mix.mix(said.lately, short)
    offset = part.spread.offset
    missed = part.echo.misses((said.came - mixed) / residual_size(mixed, offset))
    mixed = part.echo.corrected(mixed, missed[:-1], part.echo.share[: len(short)], offset)
    residual = (said.came - mixed) / residual_size(mixed, offset)
    return missed[-1:], part.spread.newest(residual, reach.spacing * (step / DAY))


def _enough(history: History) -> None:
    needed = history.points_in(LEAST_HISTORY)
    span = len(history) * history.step
    if len(history) < needed:
        hours = span / timedelta(hours=1)
        raise TooLittleHistory(f"{hours:.1f} h of history, 36 h are needed")
    seen = int(np.isfinite(history.demand).sum())
    if seen < _LEAST_OBSERVED * needed:
        raise TooLittleHistory(
            f"{seen} observations in {format_duration(span)}, {needed // 4} are needed"
        )


def _basis(parts: Sequence[ReachState]) -> Basis:
    """Naive where the naive curve has most of the say in every band."""
    shares = np.concatenate([part.mix.naive_share for part in parts])
    return Basis.NAIVE if bool(np.all(shares > _MOSTLY)) else Basis.POOL


def _explained(state: ModelState, parts: Sequence[ReachState]) -> dict[str, dict[str, float]]:
    """Bucket -> forecaster -> share; scales are added up, shares below 1 % are left out."""
    found: dict[str, dict[str, float]] = {}
    for name, longest in BUCKETS.items():
        steps = max(1, longest // state.step)
        if steps > state.horizon and found:
            break
        later = len(parts) > 1 and longest > timedelta(days=1)
        part = parts[1 if later else 0]
        band = int(band_of(np.array([steps]), part.mix.edges)[0])
        found[name] = _shares(part, band)
    return found


def _shares(part: ReachState, band: int) -> dict[str, float]:
    naive = float(part.mix.naive_share[band]) if part.mix.naive[band] >= 0 else 0.0
    shares = part.mix.shares[band] * (1.0 - naive)
    if naive:
        shares[part.mix.naive[band]] += naive
    added: dict[str, float] = {}
    for expert, share in zip(part.experts, shares, strict=True):
        added[expert.forecaster] = added.get(expert.forecaster, 0.0) + float(share)
    kept = {name: round(share, 3) for name, share in added.items() if share >= _SMALL_SHARE}
    return dict(sorted(kept.items(), key=lambda item: -item[1]))
