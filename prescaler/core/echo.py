"""What the mix missed in the last half hour comes back in the first hour ahead.

Each expert is corrected by the residuals of its own curve; what all of them share is left over in
their mix. Lead by lead, a ridge regression says how much of the last miss comes back, in units of
the size that the level alone gives a residual.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray
from prescaler.core.calibration import residual_size
from prescaler.core.trial import Trial

_FIRST_HOUR: Final = timedelta(hours=1)
"""Beyond it, as little comes back as noise would."""

_CLIP: Final = 3.0
"""Robust deviations at which a miss is cut: a burst says nothing about the half hour after it."""

_RIDGE: Final = 0.3
_RIDGE_CUTOFFS: Final = 5.0
"""Three tenths of the evidence, and five cutoffs more: twice of it gains a third less, a tenth of
it no more on average but more unevenly."""

_HALF_LIFE_DAYS: Final = 6.0
"""As for the spread around the mix."""


@dataclass(frozen=True, eq=False)
class Echo:
    """share: [L] of the last miss that comes back at each learnt lead; limit: where it is cut."""

    share: FloatArray
    limit: float

    @classmethod
    def silent(cls, leads: int) -> "Echo":
        """Nothing comes back."""
        return cls(np.zeros(leads), 0.0)

    def begun_by(self, first: "Echo") -> "Echo":
        """With the shorter leads of another one."""
        return Echo(np.concatenate([first.share, self.share[len(first.share) :]]), first.limit)

    def misses(self, residual: FloatArray) -> FloatArray:
        """[M + 1] what had been missed last before each cutoff, and before the present.

        residual: [M, S] scaled, of the leads up to one spacing of cutoffs, NaN where unknown.
        """
        known = np.isfinite(residual)
        cut = np.clip(np.where(known, residual, 0.0), -self.limit, self.limit)
        return np.pad(cut.sum(axis=1) / np.maximum(known.sum(axis=1), 1), (1, 0))

    def corrected(
        self, mixed: FloatArray, missed: FloatArray, share: FloatArray, offset: float
    ) -> FloatArray:
        """[M, l] a mix after misses [M]; share: [l] at its leads."""
        return np.asarray(mixed + missed[:, None] * share * residual_size(mixed, offset))


def listen(
    trial: Trial, mixed: FloatArray, step: timedelta, offset: float
) -> tuple[Echo, FloatArray]:
    """Learn how much of the last miss of a mix [M, L] came back; also the mix corrected by it."""
    near = trial.leads <= _FIRST_HOUR // step
    short = trial.leads <= trial.spacing
    residual = (trial.actual - mixed)[:, near] / residual_size(mixed[:, near], offset)
    known = np.isfinite(residual)
    if not short.any() or not known.any():
        return Echo.silent(len(trial.leads)), mixed
    deviation = 1.4826 * float(np.median(np.abs(residual[known])))
    echo = Echo(np.zeros(len(trial.leads)), _CLIP * deviation)
    last = echo.misses(residual[:, short[near]])[:-1]
    missed = last[:, None]
    came = np.clip(np.where(known, residual, 0.0), -echo.limit, echo.limit)
    weight = 0.5 ** (trial.age_days / _HALF_LIFE_DAYS)[:, None] * known
    penalty = (_RIDGE * weight.sum() / len(came[0]) + _RIDGE_CUTOFFS) * deviation**2 + 1e-12
    moment, gram = ((weight * missed * other).sum(axis=0) for other in (came, missed))
    echo.share[near] = moment / (gram + penalty)
    return echo, echo.corrected(mixed, last, echo.share, offset)
