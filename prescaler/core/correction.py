"""How the last minutes, hours and days correct a curve: one ridge regression for all leads.

On its scale, the residual of a curve is regressed, lead by lead, on the means of the last residuals
over windows from five minutes to three days. All curves and all past days are solved in one batch.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np

from prescaler.core.arrays import BoolArray, FloatArray, IntArray
from prescaler.core.correction_prior import CorrectionPrior

_WINDOWS: Final = tuple(timedelta(minutes=m) for m in (5, 15, 60, 180, 720, 1440, 4320))
_CONSTANT: Final = 0.1
"""The constant feature: small, so that the penalty holds it nearer to zero than the others."""

_CLIP: Final = 8.0
"""Robust deviations beyond which a residual is cut: a burst must not become a level. Letting pass
what lasts longer than three points gains half a point in the first hour and loses as much a day
ahead, and for a day after a jump it overshoots; what lasts has a way of its own (`lasting`)."""


_SAMPLED: Final = 3
"""Every third residual is enough for a robust spread; medians are what costs there."""

_HALF_LIFE_DAYS: Final = 56.0
"""Eight weeks, the default history: the coefficients hardly age (14 days cost half a point)."""

_RIDGE: Final = 0.02
_RIDGE_ORIGINS: Final = 5.0
_PRIOR_ORIGINS: Final = (30.0, 200.0)
"""How many origins' worth of evidence the pooled coefficients carry, for leads within one spacing
of origins and beyond: neighbouring long leads tell the same story twice, so own evidence is worth
less there. (30, 200) gains 0.5 to 1 point over 100 for both; 10 and 400 are as good."""


@dataclass(frozen=True, eq=False)
class Residuals:
    """Residuals of E curves, NaN replaced by zero weight.

    values: [E, N] clipped; known: [N]; spread: [E] robust deviation; raw: [E, N] not clipped.
    """

    values: FloatArray
    known: BoolArray
    spread: FloatArray
    raw: FloatArray

    @classmethod
    def of(cls, demand: FloatArray, curves: FloatArray, spread: FloatArray | None) -> "Residuals":
        """Residuals of demand [E, N] around curves [E, N], both on their scale.

        Without a spread, each curve's own is measured (1.4826 x median absolute residual).
        """
        known = np.isfinite(demand[0])
        raw = np.where(known, demand - curves, 0.0)
        if spread is None:
            some = np.flatnonzero(known)[::_SAMPLED]
            spread = 1.4826 * np.median(np.abs(raw[:, some]), axis=1) + 1e-6
        limit = _CLIP * spread[:, None]
        return cls(np.clip(raw, -limit, limit), known, spread, raw)

    def since(self, first: int) -> "Residuals":
        """Those from index `first` on."""
        return Residuals(
            self.values[:, first:], self.known[first:], self.spread, self.raw[:, first:]
        )

    def beyond(self, curve: IntArray, points: IntArray) -> IntArray:
        """1 above what is usual, -1 below it, else 0, for curves and points of one shape."""
        raw, limit = self.raw[curve, points], _CLIP * self.spread[curve]
        return np.asarray((raw > limit).astype(np.int64) - (raw < -limit))


def windows_in_steps(step: timedelta) -> IntArray:
    """[P - 1] distinct lengths of the windows."""
    return np.unique([max(1, round(window / step)) for window in _WINDOWS])


@dataclass(frozen=True, eq=False)
class RunningSums:
    """What residuals add up to before each point, and how many are known: [E, N + 1], [N + 1]."""

    total: FloatArray
    count: IntArray

    @classmethod
    def of(cls, residuals: Residuals) -> "RunningSums":
        """Made once for all past cutoffs."""
        curves, points = residuals.values.shape
        total, count = np.zeros((curves, points + 1)), np.zeros(points + 1, dtype=np.int64)
        np.cumsum(residuals.values, axis=1, out=total[:, 1:])
        np.cumsum(residuals.known, out=count[1:])
        return cls(total, count)

    def means(self, ends: IntArray, windows: IntArray) -> FloatArray:
        """[E, M, P] mean residual of each window that ends with index `ends` [M]; the constant."""
        starts = np.maximum(ends[:, None] + 1 - windows, 0)
        return _means(self.total, self.count, starts, ends[:, None] + 1)


def newest_means(residuals: Residuals, ends: IntArray, windows: IntArray) -> FloatArray:
    """[E, M, P] as `RunningSums.means` for few ends, without the sums at all other points."""
    starts = np.maximum(ends[:, None] + 1 - windows, 0)
    places, index = np.unique(np.append(starts, ends + 1), return_inverse=True)
    known = residuals.known[: places[-1]].astype(np.int64)
    parts = np.add.reduceat(residuals.values[:, : places[-1]], places[:-1], axis=1)
    counts = np.add.reduceat(known, places[:-1])
    total = np.pad(np.cumsum(parts, axis=1), ((0, 0), (1, 0)))
    count = np.pad(np.cumsum(counts), (1, 0))
    firsts, lasts = index[: starts.size].reshape(starts.shape), index[starts.size :, None]
    return _means(total, count, firsts, lasts)


def _means(total: FloatArray, count: IntArray, first: IntArray, last: IntArray) -> FloatArray:
    """[E, M, P] means between places of running sums, and the constant."""
    found = np.full((len(total), len(first), first.shape[1] + 1), _CONSTANT)
    sums = np.take(total, last, axis=1) - np.take(total, first, axis=1)
    found[:, :, :-1] = sums / np.maximum(count[last] - count[first], 1)
    return found


@dataclass(frozen=True, eq=False)
class Lesson:
    """What the coefficients are learnt from.

    features: [E, B, O, P], targets: [E, B, O, L] of B days with O origins each; origins: [B, O];
    first: [E] first origin that a curve may be learnt from; points: N known points.
    """

    features: FloatArray
    targets: FloatArray
    origins: IntArray
    first: IntArray
    points: int
    spacing: int


def learn(lesson: Lesson, leads: IntArray, spread: FloatArray, prior: FloatArray) -> FloatArray:
    """[E, B + 1, P, L] coefficients: those usable on each past day, and the present ones.

    Coefficients of a day come from days whose targets were all known when it began: the day before
    for leads within one spacing, two days before for those of a day, three for two. prior: [P, L].
    """
    experts, blocks, _, terms = lesson.features.shape
    found = np.empty((experts, blocks + 1, terms, len(leads)))
    short = int(np.searchsorted(leads, lesson.spacing, "right"))
    parts = ((slice(0, short), lesson.spacing), (slice(short, None), int(leads[-1])))
    for (part, reach), evidence in zip(parts, _PRIOR_ORIGINS, strict=True):
        if len(leads[part]):
            gram, moment, count = _evidence(lesson, part, reach)
            found[..., part] = _solved(gram, moment, count, evidence, spread, prior[:, part])
    return found


def _evidence(lesson: Lesson, part: slice, reach: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Gram [E, B + 1, P, P], moments [E, B + 1, P, l] and origins [B + 1] usable on each day."""
    complete = lesson.origins + reach < lesson.points
    warm = lesson.origins[None] >= lesson.first[:, None, None]
    features = np.where((complete[None] & warm)[..., None], lesson.features, 0.0)
    turned = np.swapaxes(features, 2, 3)
    told = _told(lesson, reach)
    gram, moment = (
        (told @ day.reshape(*day.shape[:2], -1)).reshape(len(day), len(told), *day.shape[2:])
        for day in (turned @ features, turned @ lesson.targets[..., part])
    )
    return gram, moment, told @ complete.sum(axis=1)


def _told(lesson: Lesson, reach: int) -> FloatArray:
    """[B + 1, B] how much each day tells on every later one, and at present; it fades."""
    days, per_day = lesson.origins.shape
    back = 1 - (lesson.spacing - reach) // (lesson.spacing * per_day)  # rounded up
    last = np.append(np.arange(days) - back, days - 1)
    age = last[:, None] - np.arange(days)
    return np.where(age >= 0, 0.5 ** (np.maximum(age, 0) / _HALF_LIFE_DAYS), 0.0)


def _solved(
    gram: FloatArray,
    moment: FloatArray,
    count: FloatArray,
    evidence: float,
    spread: FloatArray,
    prior: FloatArray,
) -> FloatArray:
    """[E, B + 1, P, l] ridge solutions, shrunk to the prior with the weight of its evidence."""
    variance = np.square(spread)[:, None]
    penalty = (_RIDGE * (count + _RIDGE_ORIGINS) + evidence)[None] * variance
    matrix = gram + (penalty + 1e-9)[..., None, None] * np.eye(gram.shape[-1])
    pull = (evidence * variance)[..., None, None] * prior
    return np.asarray(np.linalg.solve(matrix, moment + pull))


def pooled_prior(
    prior: CorrectionPrior, step: timedelta, leads: IntArray, windows: IntArray
) -> FloatArray:
    """[P, L] the pooled coefficients, carried over to a grid.

    A window that this grid does not have gives its weight to the nearest one (in its logarithm);
    between leads it is interpolated.
    """
    minutes = step / timedelta(minutes=1)
    found = np.zeros((len(windows) + 1, len(leads)))
    for window, row in zip(prior.windows, prior.table, strict=True):
        nearest = int(np.argmin(np.abs(np.log(windows * minutes / window))))
        found[nearest] += np.interp(leads * minutes, prior.leads, row)
    return found
