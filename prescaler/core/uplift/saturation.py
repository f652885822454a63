"""When pods were at their limit: what was served then is less than what people wanted."""

from typing import Final

import numpy as np

from prescaler.core.arrays import BoolArray, FloatArray

_FULL: Final = 0.95
"""Of what the pods carry at their limit: a mean over minutes hides the fullest of them."""


def full_points(demand: FloatArray, pods: FloatArray, per_pod: float) -> BoolArray:
    """[N] true where pods were at their limit; false where demand or pods are not known (NaN).

    pods: [N] that were ready. per_pod: load one carries at its limit.
    """
    return np.asarray((pods > 0) & (demand >= _FULL * per_pod * pods))
