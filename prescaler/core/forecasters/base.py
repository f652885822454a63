"""What every forecaster of the pool is: one file, one line in the registry, one docs section."""

from collections.abc import Mapping
from typing import Protocol, TypeAlias

import numpy as np

from prescaler.core.arrays import FloatArray
from prescaler.core.history import History

Parameters: TypeAlias = Mapping[str, FloatArray]
"""What a fit learnt, as named arrays: it is stored, so that a restart forgets nothing."""


class Forecaster(Protocol):
    """Gives the median of demand for the next steps.

    A refit (`fit`, heavy, hourly) and a roll (`predict`, milliseconds, every run) are apart.
    Both are deterministic, leave their input untouched and see nothing behind the cutoff.
    """

    @property
    def name(self) -> str:
        """Stable name; it is stored with weights and shown on pages."""
        ...

    def fit(self, history: History) -> Parameters:
        """Learn parameters from history.

        Raises:
            TooLittleHistory: the history is shorter than this forecaster needs.
            ForecasterFailed: this history cannot be fitted.
        """
        ...

    def predict(self, parameters: Parameters, history: History, horizon: int) -> FloatArray:
        """[H] load units, finite and >= 0, for the `horizon` steps after the history.

        Raises:
            TooLittleHistory: as for `fit`.
            ForecasterFailed: no number could be given.
        """
        ...


class LogScale:
    """log(demand + offset) with an offset that keeps zeros finite; traffic is multiplicative.

    The offset is 5 % of the mean of the positive demand (1 where there is none): small beside
    ordinary traffic, large beside noise around a closed night.
    """

    def __init__(self, demand: FloatArray) -> None:
        positive = demand[np.isfinite(demand) & (demand > 0)]
        self.typical = float(positive.mean()) if len(positive) else 1.0
        self.offset = 0.05 * self.typical

    def forward(self, demand: FloatArray) -> FloatArray:
        """Demand [...] to log scale; NaN stays NaN."""
        return np.log(np.maximum(demand, 0.0) + self.offset)

    def backward(self, logs: FloatArray) -> FloatArray:
        """Log scale [...] to demand >= 0."""
        return np.maximum(np.exp(np.minimum(logs, 700.0)) - self.offset, 0.0)
