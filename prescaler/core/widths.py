"""Corrections of width by lead and quantile: what deviations from the median are multiplied by."""

from dataclasses import dataclass

import numpy as np

from prescaler.core.arrays import FloatArray, IntArray
from prescaler.core.quantiles import MEDIAN, uncrossed


@dataclass(frozen=True)
class Widths:
    """leads: J in steps, ascending; logs: J rows of Q logarithms of factors. Empty: none."""

    leads: tuple[int, ...] = ()
    logs: tuple[tuple[float, ...], ...] = ()

    @classmethod
    def of(cls, leads: IntArray, logs: FloatArray) -> "Widths":
        """From leads [J] and logarithms [J, Q]; four decimals are kept."""
        rows = logs.round(4).tolist()
        return cls(tuple(leads.tolist()), tuple(tuple(row) for row in rows))

    def applied(self, values: FloatArray) -> FloatArray:
        """Values [H, Q] of leads 1 ... H, wider or narrower around their median, in order, >= 0."""
        if not self.leads:
            return values
        median = values[:, MEDIAN, None]
        ahead = np.arange(1, len(values) + 1)
        factors = factors_at(np.array(self.leads), np.array(self.logs), ahead)
        return uncrossed(np.maximum(median + (values - median) * factors, 0.0))


def factors_at(leads: IntArray, logs: FloatArray, ahead: IntArray) -> FloatArray:
    """[H, Q] factors at leads [H], interpolated in the logarithm of the lead."""
    at, known = np.log(ahead.astype(np.float64)), np.log(leads.astype(np.float64))
    return np.asarray(np.exp(np.stack([np.interp(at, known, row) for row in logs.T], axis=-1)))
