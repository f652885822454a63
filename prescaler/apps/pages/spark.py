"""A sparkline as the points of three SVG shapes; what a browser needs no script for."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray
from prescaler.usecases.survey import Spark

WIDTH: Final = 168
HEIGHT: Final = 36
_MARGIN: Final = 2.0


@dataclass(frozen=True)
class SparkLines:
    """Points in a box of WIDTH x HEIGHT. band: a polygon; now: where the present lies."""

    actual: tuple[str, ...]
    median: tuple[str, ...]
    band: str
    now: float
    top: float


def lines(spark: Spark, now: float) -> SparkLines | None:
    """Draw a spark; None where nothing is known. now: epoch seconds."""
    known = np.concatenate([spark.actual, spark.high, spark.median])
    known = known[np.isfinite(known)]
    if not len(known):
        return None
    top = float(known.max()) or 1.0
    span = float(spark.stamps[-1] - spark.stamps[0])
    x = (spark.stamps - spark.stamps[0]) / span * WIDTH
    low, high = _y(spark.low, top), _y(spark.high, top)
    said = np.isfinite(spark.low) & np.isfinite(spark.high)
    outline = [*zip(x[said], high[said], strict=True)]
    outline += [*zip(x[said][::-1], low[said][::-1], strict=True)]
    return SparkLines(
        actual=_runs(x, _y(spark.actual, top)),
        median=_runs(x, _y(spark.median, top)),
        band=_points(outline),
        now=round((now - float(spark.stamps[0])) / span * WIDTH, 1),
        top=top,
    )


def _y(values: FloatArray, top: float) -> FloatArray:
    return np.asarray(HEIGHT - _MARGIN - values / top * (HEIGHT - 2 * _MARGIN))


def _runs(x: FloatArray, y: FloatArray) -> tuple[str, ...]:
    """One line for each stretch without a hole."""
    runs: list[list[tuple[float, float]]] = [[]]
    for point in zip(x.tolist(), y.tolist(), strict=True):
        if math.isfinite(point[1]):
            runs[-1].append(point)
        elif runs[-1]:
            runs.append([])
    return tuple(_points(run) for run in runs if run)


def _points(points: list[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
