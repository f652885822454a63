"""Rolling origin: what each forecaster would have said at past cutoffs, beside what came."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray, IntArray
from prescaler.core.errors import ForecastError
from prescaler.core.forecast import BUCKETS
from prescaler.core.forecasters import Forecaster, Parameters
from prescaler.core.history import History

ORIGINS: Final = 40
SPAN: Final = timedelta(days=14)
"""40 cutoffs over two weeks are 8.4 h apart, so that they wander through the hours of the day."""


@dataclass(frozen=True, eq=False)
class Trial:
    """Forecasts at K past cutoffs.

    origins: [K] points known at each; actual: [K, H], NaN where unknown or still to come;
    predicted: [E, K, H]; experts: their names [E]; age_days: [K] before the present cutoff.
    """

    experts: tuple[str, ...]
    origins: IntArray
    actual: FloatArray
    predicted: FloatArray
    age_days: FloatArray


def run_trial(history: History, horizon: int, pool: Sequence[Forecaster]) -> Trial:
    """Let each forecaster learn before the first past cutoff, and predict at all of them.

    One that needs more history than there was is left out; so is one that fails once.
    """
    origins = _origins(history)
    first = history.until(int(origins[0]))
    names, rows = [], []
    for forecaster in pool:
        try:
            parameters = forecaster.fit(first)
            rows.append(_predictions(forecaster, parameters, history, origins, horizon))
        except ForecastError:
            continue
        names.append(forecaster.name)
    day = history.points_in(timedelta(days=1))
    return Trial(
        experts=tuple(names),
        origins=origins,
        actual=history.demand_at(origins[:, None] + np.arange(horizon)[None, :]),
        predicted=np.stack(rows) if rows else np.empty((0, len(origins), horizon)),
        age_days=(len(history) - origins) / day,
    )


def _predictions(
    forecaster: Forecaster,
    parameters: Parameters,
    history: History,
    origins: IntArray,
    horizon: int,
) -> FloatArray:
    """[K, H]; the forecaster is handed only what was known at each cutoff."""
    return np.stack(
        [forecaster.predict(parameters, history.until(int(o)), horizon) for o in origins]
    )


def _origins(history: History) -> IntArray:
    """Past cutoffs: the last two weeks, but never the first 60 % of a short history."""
    span = min(history.points_in(SPAN), int(0.4 * len(history)))
    return np.unique(np.linspace(len(history) - span, len(history) - 1, ORIGINS).astype(np.int64))


def bands(history: History, horizon: int) -> list[tuple[str, slice]]:
    """Disjoint ranges of leads between the edges of the buckets, as slices of the horizon axis."""
    edges, found = 0, []
    for name, longest in BUCKETS.items():
        end = min(horizon, max(1, longest // history.step))
        if end > edges:
            found.append((name, slice(edges, end)))
            edges = end
    if edges < horizon:
        name, last = found[-1]
        found[-1] = (name, slice(last.start, horizon))
    return found
