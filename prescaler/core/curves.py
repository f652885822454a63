"""The curves of the whole pool on the grid, without holes, on each scale."""

from collections.abc import Mapping, Sequence

import numpy as np

from prescaler.core.arrays import FloatArray
from prescaler.core.day_table import DayTable, cells_of
from prescaler.core.days_off import DaysOff
from prescaler.core.errors import ForecasterFailed, ForecastError
from prescaler.core.forecasters import FALLBACK, Forecaster, Parameters
from prescaler.core.history import History
from prescaler.core.scales import DemandScale, Kind


def fit_pool(
    pool: Sequence[Forecaster], table: DayTable
) -> tuple[list[Forecaster], dict[str, Parameters]]:
    """Those that can be fitted, and what they learnt; one that refuses is left out.

    Raises:
        ForecasterFailed: none of them can.
    """
    able, learnt = [], {}
    for forecaster in pool:
        try:
            learnt[forecaster.name] = forecaster.fit(table)
        except ForecastError:
            continue
        able.append(forecaster)
    if not able:
        raise ForecasterFailed("no forecaster could be fitted to this history; see its gaps")
    return able, learnt


def draw(
    pool: Sequence[Forecaster],
    learnt: Mapping[str, Parameters],
    days: DaysOff,
    history: History,
    points: slice,
) -> FloatArray:
    """[F, points] log curves on a range of grid points; holes are filled from the fallbacks.

    Raises:
        ForecasterFailed: a fit is of another table than this one.
    """
    slots = days.calm.slots
    cells = cells_of(history, points.stop)[points.start :]
    rows = np.arange(cells[0] // slots, cells[-1] // slots + 1)
    asked = days.calm.asked(rows)
    try:
        drawn = np.stack([f.curve(asked, learnt[f.name]) for f in pool])
    except (KeyError, ValueError, IndexError) as error:
        raise ForecasterFailed(
            f"a stored fit does not suit this history ({error}); it will be refitted"
        ) from error
    drawn = days.moved(drawn, rows)
    flat = drawn.reshape(len(pool), -1)[:, cells - rows[0] * slots]
    return _filled(flat, [f.name for f in pool])


def _filled(curves: FloatArray, names: list[str]) -> FloatArray:
    if np.isfinite(curves).all():
        return curves
    for row in [names.index(name) for name in FALLBACK if name in names]:
        curves = np.where(np.isfinite(curves), curves, curves[row])
    return np.where(np.isfinite(curves), curves, 0.0)


def on_scale(curves: FloatArray, scale: DemandScale, kind: Kind) -> FloatArray:
    """Log curves [...] on another scale."""
    return curves if kind == "log" else scale.forward(scale.backward(curves, "log"), kind)
