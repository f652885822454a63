"""How experts are put together: by their own recent errors, lead band by lead band."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray, IntArray
from prescaler.core.averages import weighted_median
from prescaler.core.calendar import DAY
from prescaler.core.forecasters import NAIVE
from prescaler.core.leads import band_of, bands_in
from prescaler.core.trial import Expert, Trial

_HOUR: Final = timedelta(hours=1)
_HALF_LIVES: Final = (
    *((_HOUR / 4, 0.125), (_HOUR, 0.25), (6 * _HOUR, 0.5)),
    *((12 * _HOUR, 1.0), (DAY, 1.5)),
)
_LATER_HALF_LIFE: Final = 3.0
"""Days after which an error counts half, by the longest lead of a band: what leads now leads for
about as long as it took to see that (slower: 1 to 2.5 points of error)."""

_SAME_HOUR: Final = 0.3
_NEAR_HOURS: Final = 1.0
_SAME_HOUR_HALF_LIFE: Final = 4.0
"""Share of the weight of errors that goes to cutoffs at about the present hour of the last days,
whose shares halve every four. What leads by night need not lead at nine; and where the last hours
were closed, every recent error is near zero and says nothing. It gains 0.5 to 0.8 points from an
hour on (0.6 instead of 0.3: 0 to 0.5)."""

_SHARP, _SHARP_FIRST_HOUR = 6.0, 4.0
"""Shares start as error**-6 (error**-4 in the first hour, where experts are alike); 3 to 12 differ
by under half a point."""

_HOPELESS: Final = 10.0
"""Times the least error from which on an expert gets nothing: a step of the descent along the
slope of one that explodes would overshoot (it had up to 4 % of the weight)."""

_ROUNDS: Final = 10
_RATE: Final = 1.0
_BLEND: Final = 0.7
"""Exponentiated gradient on the absolute error of the weighted mean (Kivinen and Warmuth 1997):
its average iterate is within O(sqrt(ln E / rounds)) of the best convex mix of these cutoffs."""

_KEPT_MASS: Final = 0.97
_SPOKESMEN: Final = 12
"""Experts behind 97 % of the weight make the median, the first twelve the disagreement."""

_NAIVE_HALF_LIFE: Final = 0.5
_NAIVE_POWER: Final = 30.0
_NAIVE_MARGIN: Final = 1.04
"""The mix gives way once its recent error is 4 % above the better naive curve's; the power makes
that a switch with a soft edge (at 10 % above, naive has 84 %)."""

_FORGOTTEN: Final = 1e-3


@dataclass(frozen=True, eq=False)
class Combination:
    """How much of each expert, per band.

    edges: upper edges of the bands in steps; shares: [B, E], rows sum to 1; naive: [B] index of the
    better plain naive curve, -1 where there is none; naive_share: [B] how far it replaces the mix.
    """

    edges: tuple[int, ...]
    shares: FloatArray
    naive: IntArray
    naive_share: FloatArray

    def mix(self, predicted: FloatArray, leads: IntArray) -> tuple[FloatArray, FloatArray]:
        """[M, L] the mix of predictions [E, M, L], and how far apart they are, load units."""
        mixed, apart = _mixed(self.shares, self.edges, predicted, leads)
        return self.with_naive(mixed, predicted, leads), apart

    def begun_by(self, first: "Combination") -> "Combination":
        """With the first bands of another one, whose edges are the same there."""
        rest = len(first.edges)
        return Combination(
            self.edges,
            np.concatenate([first.shares, self.shares[rest:]]),
            np.concatenate([first.naive, self.naive[rest:]]),
            np.concatenate([first.naive_share, self.naive_share[rest:]]),
        )

    def with_naive(self, mixed: FloatArray, predicted: FloatArray, leads: IntArray) -> FloatArray:
        """[M, L] a mix in which naive has its share."""
        bands = band_of(leads, self.edges)
        share = np.where(self.naive >= 0, self.naive_share, 0.0)[bands]
        return np.asarray((1.0 - share) * mixed + share * _chosen(predicted, self.naive[bands]))


def _chosen(predicted: FloatArray, expert: IntArray) -> FloatArray:
    """[M, L] of predictions [E, M, L], for each lead one expert [L]."""
    return predicted[np.maximum(expert, 0), :, np.arange(len(expert))].T


def _mixed(
    shares: FloatArray, edges: Sequence[int], predicted: FloatArray, leads: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Half weighted mean, half weighted median: the mean of those two beats both by a point."""
    mixed, apart = np.empty(predicted.shape[1:]), np.empty(predicted.shape[1:])
    for band, here in bands_in(leads, edges):
        order = np.argsort(-shares[band], kind="stable")
        mass = np.cumsum(shares[band][order])
        kept = order[: int(np.searchsorted(mass, _KEPT_MASS)) + 1]
        chosen = predicted[kept, :, here]
        weight = shares[band][kept] / shares[band][kept].sum()
        middle = 0.5 * np.einsum("e,eml->ml", weight, chosen)
        middle += 0.5 * weighted_median(chosen, weight)
        top, share = chosen[:_SPOKESMEN], weight[:_SPOKESMEN]
        mixed[:, here] = middle
        apart[:, here] = np.einsum("e,eml->ml", share / share.sum(), np.abs(top - middle))
    return mixed, apart


def combine(
    trial: Trial, edges: Sequence[int], step: timedelta, typical: float
) -> tuple[Combination, FloatArray, FloatArray]:
    """Weigh the experts; also their mix at the past cutoffs [M, L] and how far apart they are.

    typical: load units; errors a thousand million times smaller are alike.
    """
    known = np.isfinite(trial.actual)
    missed = trial.predicted - np.where(known, trial.actual, 0.0)
    np.abs(missed, out=missed)
    shares = []
    for band, here in bands_in(trial.leads, edges):
        edge = edges[band]
        weight = _recency(trial, known[:, here], _half_life(edge * step))
        error = np.einsum("eml,ml->e", missed[:, :, here], weight) + 1e-9 * typical
        power = _SHARP_FIRST_HOUR if edge * step <= _HOUR else _SHARP
        start = np.where(error < _HOPELESS * error.min(), (error / error.min()) ** -power, 0.0)
        shares.append(_descended(trial, here, weight, start / start.sum(), typical))
    mixed, apart = _mixed(np.stack(shares), edges, trial.predicted, trial.leads)
    naive, replaced = _guard(trial, mixed, edges, step, typical)
    found = Combination(tuple(edges), np.stack(shares), naive, replaced)
    return found, found.with_naive(mixed, trial.predicted, trial.leads), apart


def _half_life(lead: timedelta) -> float:
    return next((days for most, days in _HALF_LIVES if lead <= most), _LATER_HALF_LIFE)


def _recency(trial: Trial, known: FloatArray, half_life: float) -> FloatArray:
    """[M, l] weights of known actuals that sum to 1; very old ones still decide between equals."""
    recent = 0.5 ** (trial.age_days / half_life)
    hours_away = 24.0 * (np.mod(trial.age_days + 0.5, 1.0) - 0.5)
    alike = np.exp(-0.5 * np.square(hours_away / _NEAR_HOURS))
    alike *= 0.5 ** (trial.age_days / _SAME_HOUR_HALF_LIFE)
    shared = (1.0 - _SAME_HOUR) * recent / recent.sum() + _SAME_HOUR * alike / alike.sum()
    weight = (shared[:, None] + 1e-9) * known
    return np.asarray(weight / max(float(weight.sum()), 1e-300))


def _descended(
    trial: Trial, here: slice, weight: FloatArray, start: FloatArray, typical: float
) -> FloatArray:
    """[E] shares after some rounds of exponentiated gradient from the given ones."""
    told = weight.ravel() > _FORGOTTEN * weight.max()
    predicted = trial.predicted[:, :, here].reshape(len(start), -1)[:, told]
    actual, mass = trial.actual[:, here].ravel()[told], weight.ravel()[told]
    error = (mass * np.abs(actual - start @ predicted)).sum() + 1e-9 * typical
    shares, total = start, np.zeros_like(start)
    for turn in range(_ROUNDS):
        slope = predicted @ (mass * np.sign(shares @ predicted - actual)) / error
        rate = _RATE / (1.0 + 0.2 * turn)
        raw = shares * np.exp(-rate * np.clip(slope - slope @ shares, -50.0, 50.0))
        shares = raw / raw.sum()
        total += shares
    return np.asarray(_BLEND * total / _ROUNDS + (1.0 - _BLEND) * start)


def _guard(
    trial: Trial, mixed: FloatArray, edges: Sequence[int], step: timedelta, typical: float
) -> tuple[IntArray, FloatArray]:
    """[B] the better naive expert, -1 where there is none, and [B] how far it replaces the mix."""
    rows = naive_rows(trial.experts)
    if not rows:
        return np.full(len(edges), -1), np.zeros(len(edges))
    known = np.isfinite(trial.actual)
    better, replaced = [], []
    for band, here in bands_in(trial.leads, edges):
        half_life = max(_NAIVE_HALF_LIFE, _half_life(edges[band] * step))
        weight = _recency(trial, known[:, here], half_life)
        error = [
            float((weight * np.abs(np.where(weight > 0, trial.actual[:, here] - path, 0.0))).sum())
            + 1e-9 * typical
            for path in (mixed[:, here], *trial.predicted[rows][:, :, here])
        ]
        best = int(np.argmin(error[1:]))
        better.append(rows[best])
        excess = np.log(_NAIVE_MARGIN * error[1 + best] / error[0]) * _NAIVE_POWER
        replaced.append(1.0 / (1.0 + float(np.exp(np.clip(excess, -50.0, 50.0)))))
    return np.array(better), np.array(replaced)


def naive_rows(experts: Sequence[Expert]) -> list[int]:
    """Which experts are plain copies of the day or the week before."""
    return [i for i, e in enumerate(experts) if e.kind == "plain" and e.forecaster in NAIVE]
