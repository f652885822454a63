"""The scales on which demand is modelled: its logarithm and its square root."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from prescaler.core.arrays import FloatArray

Kind = Literal["log", "root"]
KINDS: Final[tuple[Kind, ...]] = ("log", "root")
"""Traffic is multiplicative (log), counts have the variance of Poisson's law (root); which of the
two fits better differs from workload to workload, so both take part."""

_OFFSET: Final = 0.05
"""Of the mean, added before the logarithm: keeps zeros finite and closed nights quiet."""

_CEILING: Final = 3.0
"""No forecast goes beyond three times the highest demand of the history: an expert that explodes
is cut off there, and planned events, not extrapolation, are for what nobody has seen."""


@dataclass(frozen=True)
class DemandScale:
    """typical: mean demand, load units; highest: the highest mean of a step."""

    typical: float
    highest: float

    @classmethod
    def of(cls, demand: FloatArray) -> "DemandScale":
        """Scale of a history [N] with at least one observation; 1 where all demand is zero."""
        known = demand[np.isfinite(demand)]
        mean = float(known.mean())
        return cls(mean if mean > 0 else 1.0, float(known.max()))

    def reaching(self, highest: float) -> "DemandScale":
        """The same with a ceiling that also leaves room for another highest demand, load units."""
        return DemandScale(self.typical, max(self.highest, highest))

    @property
    def offset(self) -> float:
        """What is added before a logarithm, load units."""
        return _OFFSET * self.typical

    @property
    def ceiling(self) -> float:
        """No forecast lies above this, load units."""
        return _CEILING * self.highest

    def forward(self, demand: FloatArray, kind: Kind) -> FloatArray:
        """Demand [...] to a scale; NaN stays NaN."""
        level = np.maximum(demand, 0.0) / self.typical
        return np.asarray(np.log(level + _OFFSET) if kind == "log" else np.sqrt(level))

    def backward(self, values: FloatArray, kind: Kind) -> FloatArray:
        """A scale [...] to demand in [0, 3 x highest]."""
        if kind == "log":
            level = np.exp(np.minimum(values, 50.0)) - _OFFSET
        else:
            level = np.square(np.maximum(values, 0.0))
        return np.asarray(np.clip(level * self.typical, 0.0, self.ceiling))
