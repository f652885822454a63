"""Drift: since the last refit demand has left what was said, on one side and for a while."""

from datetime import timedelta
from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray
from prescaler.core.history import History
from prescaler.core.quantiles import QUANTILES

LOOKS: Final = timedelta(hours=1)
"""As far ahead as the bounds of a refit are kept: by then the next one is due anyhow."""

_LASTING: Final = timedelta(minutes=15)
_LEAST_POINTS: Final = 3
"""A quarter of an hour and three points in a row on the same side of the inner 90 % are no
accident: of independent ones that happens once in 4,000 times; a false alarm costs one refit."""

_LOW, _HIGH = QUANTILES.index(0.05), QUANTILES.index(0.95)


def bounds_of(values: FloatArray, step: timedelta) -> FloatArray:
    """[K, 2] the 0.05 and the 0.95 quantile of the first hour of values [H, Q]."""
    return np.asarray(values[: max(1, LOOKS // step)][:, [_LOW, _HIGH]])


def drifted(bounds: FloatArray, since: int, history: History) -> bool:
    """Whether the newest points lie on one side of bounds [K, 2] whose first is about `since`.

    since: index of a grid point. Holes are passed over.
    """
    came = history.demand[since : since + len(bounds)]
    said = bounds[: len(came)]
    known = np.isfinite(came)
    newest = max(_LEAST_POINTS, _LASTING // history.step)
    side = np.where(came > said[:, 1], 1, np.where(came < said[:, 0], -1, 0))[known][-newest:]
    return len(side) == newest and abs(int(side.sum())) == newest
