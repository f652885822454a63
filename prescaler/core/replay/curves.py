"""A run made thin enough to be drawn."""

from datetime import timedelta
from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray, IntArray
from prescaler.core.replay.load import Load
from prescaler.core.replay.scaling import TICK

_MOST_POINTS: Final = 2000
_STEPS: Final = tuple(timedelta(minutes=m) for m in (1, 5, 15, 30, 60, 180, 360))


def drawing_step(load: Load) -> timedelta:
    """The finest step that gives at most 2,000 points."""
    length = len(load) * TICK
    return next((step for step in _STEPS if length / step <= _MOST_POINTS), _STEPS[-1])


def thinned(values: FloatArray | IntArray, step: timedelta) -> FloatArray:
    """[N] mean of what is known in each step, NaN where nothing is; a last part counts too."""
    ratio = step // TICK
    points = -(-len(values) // ratio)
    padded = np.full(points * ratio, np.nan)
    padded[: len(values)] = values
    rows = padded.reshape(points, ratio)
    known = np.isfinite(rows)
    count = known.sum(axis=1)
    total = np.where(known, rows, 0.0).sum(axis=1)
    return np.asarray(np.divide(total, count, out=np.full(points, np.nan), where=count > 0))


def stamps_of(load: Load, step: timedelta) -> IntArray:
    """[N] epoch seconds of the thinned points."""
    return np.asarray(load.ticks[:: step // TICK])


def dropped_at(load: Load, ready: IntArray, capacity: float) -> FloatArray:
    """[T] demand beyond what ready pods carry, NaN where demand is unknown."""
    return np.asarray(np.maximum(load.demand - capacity * ready, 0.0))
