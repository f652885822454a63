"""The engine: a refit (heavy, hourly) and a roll (every run) apart; both deterministic.

`refit` tries every forecaster at past cutoffs, weighs them, measures the spread of the mix, and
fits those that count on all there is. `roll` carries the newest observations into that state.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray
from prescaler.core.calibration import spread, spread_around
from prescaler.core.combination import Combination, combine
from prescaler.core.errors import ForecasterFailed, ForecastError, TooLittleHistory
from prescaler.core.forecast import Basis
from prescaler.core.forecasters import BY_NAME, POOL, LogScale, Parameters
from prescaler.core.history import History
from prescaler.core.trial import bands, run_trial

LEAST_HISTORY: Final = timedelta(days=2)
_LEAST_OBSERVED: Final = 0.25
_PEAK_REACH: Final = timedelta(days=14)
_SMALL_SHARE: Final = 0.01


@dataclass(frozen=True, eq=False)
class ModelState:
    """All that a roll needs of the last refit; it is stored.

    experts: names [E]; shares: [B, E]; table: [B, Q] scaled residual quantiles; naive: [B], true
    where naive won; naive_name: the better naive, "" where there is none;
    peak: [24] maximum over mean inside a step, by local hour; band_names: [B];
    parameters: forecaster -> arrays. horizon in steps.
    """

    fitted_at: datetime
    step: timedelta
    horizon: int
    experts: tuple[str, ...]
    band_names: tuple[str, ...]
    shares: FloatArray
    table: FloatArray
    naive: tuple[bool, ...]
    naive_name: str
    peak: FloatArray
    parameters: Mapping[str, Parameters]

    def fits(self, step: timedelta, horizon: int) -> bool:
        """Whether it was made for this grid."""
        return (self.step, self.horizon) == (step, horizon)


@dataclass(frozen=True, eq=False)
class Outlook:
    """What a roll gives: values [H, Q], peak_ratio [H], naive [H], all load units."""

    values: FloatArray
    peak_ratio: FloatArray
    naive: FloatArray
    historic_max: float
    basis: Basis
    weights: Mapping[str, Mapping[str, float]]


def refit(history: History, horizon: int) -> ModelState:
    """Learn from history.

    Raises:
        TooLittleHistory: fewer than two days, or fewer than a quarter of their points observed.
        ForecasterFailed: no forecaster could handle this history.
    """
    _enough(history)
    trial = run_trial(history, horizon, POOL)
    if not trial.experts:
        raise ForecasterFailed("no forecaster could be tried on this history; see its gaps")
    named = bands(history, horizon)
    slices = [band for _, band in named]
    mix = combine(trial, slices)
    kept = _prune(mix)
    mixed = _mixed(trial.predicted, kept.shares, slices)
    return ModelState(
        fitted_at=history.cutoff,
        step=history.step,
        horizon=horizon,
        experts=trial.experts,
        band_names=tuple(name for name, _ in named),
        shares=kept.shares,
        table=spread(trial.actual, mixed, trial.age_days, LogScale(history.demand).offset, slices),
        naive=kept.naive,
        naive_name=kept.naive_name,
        peak=_peak_by_hour(history),
        parameters=_fit_kept(history, trial.experts, kept),
    )


def roll(state: ModelState, history: History, horizon: int) -> Outlook:
    """Forecast the next `horizon` steps from the newest observations and the last refit.

    Raises:
        TooLittleHistory: as for `refit`.
        ForecasterFailed: no forecaster that the state relies on gives numbers any more.
    """
    _enough(history)
    slices = [band for _, band in bands(history, horizon)]
    predicted, shares = _predict_kept(state, history, horizon)
    median = _mixed(predicted[:, None, :], shares, slices)[0]
    offset = LogScale(history.demand).offset
    return Outlook(
        values=spread_around(median, state.table, offset, slices),
        peak_ratio=_peak_ahead(state.peak, history, horizon),
        naive=_naive_ahead(state.naive_name, history, horizon, median),
        historic_max=float(np.nanmax(history.series.peak)),
        basis=Basis.NAIVE if all(state.naive) else Basis.POOL,
        weights={
            name: {e: round(float(s), 4) for e, s in zip(state.experts, row, strict=True) if s > 0}
            for name, row in zip(state.band_names, shares, strict=True)
        },
    )


def _enough(history: History) -> None:
    needed = history.points_in(LEAST_HISTORY)
    span = len(history) * history.step
    if len(history) < needed:
        hours = span / timedelta(hours=1)
        raise TooLittleHistory(f"{hours:.1f} h of history, 48 h are needed")
    seen = int(np.isfinite(history.demand).sum())
    if seen < _LEAST_OBSERVED * needed:
        raise TooLittleHistory(f"{seen} observations in {span}, {needed // 4} are needed")


def _prune(mix: Combination) -> Combination:
    """Drop shares below 1 %: they cost a prediction and change nothing."""
    shares = np.where(mix.shares < _SMALL_SHARE, 0.0, mix.shares)
    return Combination(shares / shares.sum(axis=1, keepdims=True), mix.naive, mix.naive_name)


def _fit_kept(
    history: History, experts: tuple[str, ...], mix: Combination
) -> dict[str, Parameters]:
    """Fit what has a share, on all the history. One that fails now loses its share in the roll."""
    fitted = {}
    for column, name in enumerate(experts):
        if mix.shares[:, column].any():
            try:
                fitted[name] = BY_NAME[name].fit(history)
            except ForecastError:
                continue
    return fitted


def _predict_kept(
    state: ModelState, history: History, horizon: int
) -> tuple[FloatArray, FloatArray]:
    """[E, H] predictions and [B, E] shares, re-normalised over those that gave numbers."""
    predicted = np.zeros((len(state.experts), horizon))
    usable = np.zeros(len(state.experts), dtype=bool)
    for row, name in enumerate(state.experts):
        if name not in state.parameters:
            continue
        try:
            path = BY_NAME[name].predict(state.parameters[name], history, horizon)
        except ForecastError:
            continue
        usable[row] = bool(np.isfinite(path).all())
        predicted[row] = np.where(np.isfinite(path), path, 0.0)
    shares = np.where(usable[None, :], state.shares, 0.0)
    total = shares.sum(axis=1, keepdims=True)
    if not usable.any():
        raise ForecasterFailed("none of the forecasters gives numbers on this history any more")
    even = usable / usable.sum()
    return predicted, np.where(total > 0, shares / np.where(total > 0, total, 1.0), even[None, :])


def _mixed(predicted: FloatArray, shares: FloatArray, slices: list[slice]) -> FloatArray:
    """[K, H] from predictions [E, K, H] and shares [B, E]."""
    mixed = np.empty(predicted.shape[1:])
    for row, band in enumerate(slices):
        mixed[:, band] = np.einsum("e,ekh->kh", shares[row], predicted[:, :, band])
    return mixed


def _naive_ahead(name: str, history: History, horizon: int, median: FloatArray) -> FloatArray:
    """[H] the better naive forecast; the combination's median where there is none."""
    if name not in BY_NAME:
        return median
    try:
        return BY_NAME[name].predict({}, history, horizon)
    except ForecastError:
        return median


def _peak_by_hour(history: History) -> FloatArray:
    """[24] sum of the maxima over the sum of the means by local hour, last two weeks.

    A ratio of sums, not a mean of ratios: quiet minutes must not shout.
    """
    points = min(len(history), history.points_in(_PEAK_REACH))
    mean, peak = history.series.mean[-points:], history.series.peak[-points:]
    calendar = history.calendar
    slot = calendar.slot[len(history) - points : len(history)]
    hour = slot * 24 // calendar.slots
    known = np.isfinite(mean) & np.isfinite(peak)
    total = np.bincount(hour[known], mean[known], 24)
    highest = np.bincount(hour[known], peak[known], 24)
    ratio = np.divide(highest, total, out=np.ones(24), where=total > 0)
    return np.asarray(np.clip(ratio, 1.0, None), dtype=np.float64)


def _peak_ahead(peak: FloatArray, history: History, horizon: int) -> FloatArray:
    calendar = history.calendar
    slot = calendar.slot[len(history) : len(history) + horizon]
    return peak[slot * 24 // calendar.slots]
