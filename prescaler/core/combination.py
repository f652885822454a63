"""How the forecasters are put together: by their own recent errors, lead band by lead band."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray
from prescaler.core.forecasters import NAIVE
from prescaler.core.trial import Trial

_HALF_LIFE_DAYS: Final = 4.0
_EXPONENT: Final = 4.0
"""Shares go with error**-4: sharp enough to drop what explodes, mild enough to be stable."""


@dataclass(frozen=True, eq=False)
class Combination:
    """How much of each forecaster, per lead band.

    shares: [B, E], rows sum to 1. naive: [B] true where naive won the band. naive_name: the better
    naive over all leads, "" where none could be tried.
    """

    shares: FloatArray
    naive: tuple[bool, ...]
    naive_name: str


def combine(trial: Trial, bands: list[slice]) -> Combination:
    """Weigh the forecasters; a band in which the mix does not beat the better naive *is* naive."""
    shares = np.zeros((len(bands), len(trial.experts)))
    naive = []
    recency = 0.5 ** (trial.age_days / _HALF_LIFE_DAYS)
    for row, band in enumerate(bands):
        error = _errors(trial, band, recency)
        shares[row] = _shares(error)
        best = _best_naive(trial, error)
        mixed = np.einsum("e,ekh->kh", shares[row], trial.predicted[:, :, band])
        lost = best is not None and _mean_error(trial, band, mixed, recency) >= error[best]
        if lost:
            shares[row] = np.eye(len(trial.experts))[best]
        naive.append(bool(lost))
    overall = _best_naive(trial, _errors(trial, slice(None), recency))
    name = trial.experts[overall] if overall is not None else ""
    return Combination(shares, tuple(naive), name)


def _errors(trial: Trial, band: slice, recency: FloatArray) -> FloatArray:
    """[E] recent mean absolute error of each forecaster in a band."""
    return np.array([_mean_error(trial, band, p[:, band], recency) for p in trial.predicted])


def _mean_error(trial: Trial, band: slice, predicted: FloatArray, recency: FloatArray) -> float:
    miss = np.abs(trial.actual[:, band] - predicted)
    known = np.isfinite(miss)
    weight = known * recency[:, None]
    total = float(weight.sum())
    return float((np.where(known, miss, 0.0) * weight).sum()) / total if total > 0 else 0.0


def _shares(error: FloatArray) -> FloatArray:
    """error**-4, normalised; where the best is perfect, the perfect ones share alike."""
    smallest = float(error.min())
    if smallest <= 0:
        perfect = (error <= 0).astype(np.float64)
        return np.asarray(perfect / perfect.sum(), dtype=np.float64)
    raw = (error / smallest) ** -_EXPONENT
    return np.asarray(raw / raw.sum(), dtype=np.float64)


def _best_naive(trial: Trial, error: FloatArray) -> int | None:
    here = [i for i, name in enumerate(trial.experts) if name in NAIVE]
    return min(here, key=lambda i: float(error[i])) if here else None
