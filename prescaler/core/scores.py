"""Scores of forecasts, from the forecasts and the trace alone.

Built from the bottom: a statistic of each instant [T, H], its mean over the instants of a bucket,
a ratio to the better of two naive forecasts on the same instants.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np

from prescaler.core.arrays import BoolArray, FloatArray, IntArray
from prescaler.core.forecast import BUCKETS
from prescaler.core.quantiles import MEDIAN, QUANTILES
from prescaler.core.series import Series

PERIODS: Final[Mapping[str, timedelta]] = {
    "naive_day": timedelta(days=1),
    "naive_week": timedelta(weeks=1),
}
SCORED: Final = tuple(QUANTILES.index(q) for q in (0.5, 0.75, 0.9, 0.95, 0.99))
COVERED: Final = tuple(QUANTILES.index(q) for q in (0.9, 0.95, 0.99))
_RESIDUAL_REACH: Final = timedelta(days=28)
_LEAST_RESIDUALS: Final = 10
_LEAST_SHARE: Final = 0.5
_RAMP, _RAMP_SHARE = 1.5, 0.1
"""A ramp: the next half hour is 1.5 times the last quarter of an hour, and the rise is a tenth of
the trace's 0.99 quantile."""


@dataclass(frozen=True, eq=False)
class Cases:
    """T forecasts of H steps beside what came.

    index: [T] place of each first step in the series; actual: [T, H]; values: [T, H, Q].
    """

    index: IntArray
    actual: FloatArray
    values: FloatArray


@dataclass(frozen=True)
class BucketScore:
    """Scores of one bucket of leads; NaN where a naive forecast is missing.

    error, wql: mean absolute error and weighted quantile loss; the ratios are to the better naive
    on the same instants; below, reached: quantile -> share of actuals < and <= the forecast; gap:
    quantile -> distance of the quantile from [below, reached], percentage points.
    """

    instants: int
    error: float
    error_ratio: float
    wql: float
    wql_ratio: float
    better_naive: str
    below: Mapping[str, float]
    reached: Mapping[str, float]
    gap: Mapping[str, float]


def cases_of(series: Series, index: Sequence[int], values: FloatArray) -> Cases:
    """Put the truth beside forecasts [T, H, Q] whose first step has these places in the series."""
    first = np.asarray(index, dtype=np.int64)
    steps = values.shape[1]
    padded = np.pad(series.mean, (0, steps), constant_values=np.nan)
    return Cases(first, padded[first[:, None] + np.arange(steps)], values)


def pinball(actual: FloatArray, forecast: FloatArray, quantile: float) -> FloatArray:
    """[...] q (y - f) above the forecast, (1 - q)(f - y) below; twice it at 0.5 is |y - f|."""
    missed = actual - forecast
    return np.asarray(np.maximum(quantile * missed, (quantile - 1.0) * missed))


def naive_cases(series: Series, cases: Cases, period: timedelta) -> FloatArray:
    """[T, H, Q] the value a whole period ago with its empirical residual quantiles.

    Residuals are those of the same naive forecast in the 28 days before the cutoff.
    """
    steps, points = cases.values.shape[1], period // series.step
    lead = np.arange(steps)
    back = np.ceil((lead + 1) / points).astype(np.int64) * points
    source = cases.index[:, None] + lead - back
    point = np.where(source >= 0, series.mean[np.maximum(source, 0)], np.nan)
    reach = _RESIDUAL_REACH // series.step
    spread = np.stack([_residuals(series.mean[max(0, i - reach) : i], points) for i in cases.index])
    return np.maximum(point[:, :, None] + spread[:, None, :], 0.0)


def _residuals(known: FloatArray, points: int) -> FloatArray:
    """[Q] quantiles of what the naive forecast missed; NaN where there is too little to tell."""
    missed = known[points:] - known[:-points] if len(known) > points else np.empty(0)
    missed = missed[np.isfinite(missed)]
    if len(missed) < _LEAST_RESIDUALS:
        spread = np.full(len(QUANTILES), np.nan)
    else:
        spread = np.quantile(missed, QUANTILES)
    spread[MEDIAN] = 0.0
    return spread


def score(series: Series, cases: Cases) -> dict[str, BucketScore]:
    """Every bucket that the forecasts reach, by name."""
    naive = {name: naive_cases(series, cases, period) for name, period in PERIODS.items()}
    found: dict[str, BucketScore] = {}
    horizon, reached = cases.values.shape[1], 0
    for name, longest in BUCKETS.items():
        if longest // series.step > horizon and reached == horizon:
            break
        reached = min(horizon, max(1, longest // series.step))
        near = {n: v[:, :reached] for n, v in naive.items()}
        found[name] = _score_bucket(cases.actual[:, :reached], cases.values[:, :reached], near)
    return found


def _score_bucket(
    actual: FloatArray, values: FloatArray, naive: Mapping[str, FloatArray]
) -> BucketScore:
    known = np.isfinite(actual)
    error, wql = _error(actual, values, known), _wql(actual, values, known)
    ratios = {n: _ratios(actual, values, v, known) for n, v in naive.items()}
    told = {n: r for n, r in ratios.items() if not np.isnan(r[0])}
    better = max(told, key=lambda n: told[n][0]) if told else ""
    wql_ratios = [r[1] for r in told.values() if not np.isnan(r[1])]
    below = {f"{QUANTILES[q]:g}": _share(actual < values[:, :, q], known) for q in COVERED}
    reached = {f"{QUANTILES[q]:g}": _share(actual <= values[:, :, q], known) for q in COVERED}
    return BucketScore(
        instants=int(known.sum()),
        error=error,
        error_ratio=told[better][0] if told else float("nan"),
        wql=wql,
        wql_ratio=max(wql_ratios, default=float("nan")),
        better_naive=better,
        below=below,
        reached=reached,
        gap={q: coverage_gap(float(q), below[q], reached[q]) for q in below},
    )


def _ratios(
    actual: FloatArray, values: FloatArray, naive: FloatArray, known: BoolArray
) -> tuple[float, float]:
    """Error and WQL as ratios to a naive forecast on the instants that it has.

    NaN where it has under half of them. A ratio of nothing to nothing is 0: both are perfect.
    """
    here = known & np.isfinite(naive[:, :, MEDIAN])
    spread = known & np.isfinite(naive).all(axis=2)
    least = _LEAST_SHARE * known.sum()
    error = wql = float("nan")
    if here.sum() > least:
        error = _quotient(_error(actual, values, here), _error(actual, naive, here))
    if spread.sum() > least:
        wql = _quotient(_wql(actual, values, spread), _wql(actual, naive, spread))
    return error, wql


def _quotient(ours: float, theirs: float) -> float:
    if theirs > 0:
        return ours / theirs
    return 0.0 if ours <= 0 else float("inf")


def _error(actual: FloatArray, values: FloatArray, here: BoolArray) -> float:
    if not here.any():
        return float("nan")
    return float(np.abs(actual - values[:, :, MEDIAN])[here].mean())


def _wql(actual: FloatArray, values: FloatArray, here: BoolArray) -> float:
    """2 x sum of pinball losses / sum |y|, mean over five quantiles; of zeros it is the sum."""
    losses = [pinball(actual, values[:, :, q], QUANTILES[q])[here].sum() for q in SCORED]
    total = float(np.abs(actual[here]).sum())
    return float(2.0 * np.mean(losses) / (total if total > 0 else 1.0))


def _share(true: BoolArray, known: BoolArray) -> float:
    return float(true[known].mean()) if known.any() else float("nan")


def coverage_gap(quantile: float, below: float, reached: float) -> float:
    """Percentage points by which the quantile lies outside of [P(y < f), P(y <= f)]."""
    return 100.0 * max(0.0, below - quantile, quantile - reached)


def false_calm(series: Series, cases: Cases, lead: int) -> tuple[int, int]:
    """How many ramps came, and how many of their points the 0.95 quantile did not carry.

    lead: steps before the ramp at which the forecast was made. A point is one of the half hour
    after the cutoff + lead; nothing is counted on grids coarser than five minutes.
    """
    half, quarter = timedelta(minutes=30) // series.step, timedelta(minutes=15) // series.step
    if quarter < 2 or lead + half > cases.values.shape[1] + 1:  # noqa: PLR2004 - of a mean
        return 0, 0
    high = float(np.nanquantile(series.mean, 0.99))
    upper = QUANTILES.index(0.95)
    ramps = missed = 0
    for row, first in enumerate(cases.index):
        at = int(first) + lead - 1
        before, after = series.mean[max(0, at - quarter) : at], series.mean[at : at + half]
        if len(after) < half or not (np.isfinite(before).all() and np.isfinite(after).all()):
            continue
        rise = after.mean() - before.mean()
        if after.mean() >= _RAMP * before.mean() and rise >= _RAMP_SHARE * high:
            ramps += 1
            said = cases.values[row, lead - 1 : lead - 1 + half, upper]
            missed += int((after[: len(said)] > said).mean() > 0.1)  # noqa: PLR2004 - 90 % carried
    return ramps, missed


def daily_maximum(series: Series, cases: Cases) -> tuple[float, float] | None:
    """Mean signed error of the maximum of the horizon, as a share, and median minutes it is off.

    None where no forecast has its whole horizon observed.
    """
    whole = np.isfinite(cases.actual).all(axis=1) & (cases.actual.max(axis=1, initial=0) > 0)
    if not whole.any():
        return None
    actual, median = cases.actual[whole], cases.values[whole][:, :, MEDIAN]
    share = median.max(axis=1) / actual.max(axis=1) - 1.0
    late = (median.argmax(axis=1) - actual.argmax(axis=1)) * (series.step / timedelta(minutes=1))
    return float(share.mean()), float(np.median(np.abs(late)))
