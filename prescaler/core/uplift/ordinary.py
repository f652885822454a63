"""What demand would have been without the crowds: seen afterwards, from both sides of them."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from prescaler.core.arrays import BoolArray, FloatArray
from prescaler.core.averages import weighted_median
from prescaler.core.calendar import DAY
from prescaler.core.day_table import cells_of, smoothed
from prescaler.core.history import History
from prescaler.core.scales import DemandScale
from prescaler.core.uplift.crowds import Crowd

_PROFILE_HALF_LIFE: Final = 14.0
"""Days after which a day counts half for the shape of an ordinary day."""

_LEVEL_HOURS: Final = 4.0
"""The level beside a crowd is a mean of quiet residuals that fades by e in four hours: long enough
to bridge an evening of two matches, short enough to know a busy Tuesday from a quiet one."""

_SMOOTH: Final = 2
_LITTLE: Final = 1e-6


def busy_points(history: History, crowds: Sequence[Crowd]) -> BoolArray:
    """[N] true where a crowd comes, is there, or leaves."""
    busy = np.zeros(len(history), dtype=bool)
    for crowd in crowds:
        first, last = (
            history.series.index_of(instant) for instant in (crowd.shows_from, crowd.shows_until)
        )
        busy[max(0, first) : max(0, last)] = True
    return busy


def ordinary_logs(history: History, scale: DemandScale, busy: BoolArray) -> FloatArray:
    """[N] log of ordinary demand: the shape of a quiet day, at the level of the quiet hours near.

    Masking alone fails where crowds come at the same hour for weeks (two matches a day for 16 days
    leave nothing of 15:30): an hour that was never quiet takes its shape from the hours beside it.
    """
    logs = scale.forward(history.demand, "log")
    quiet = np.where(busy, np.nan, logs)
    shape = _quiet_day(history, quiet)[history.calendar.slot[: len(history)]]
    reach = _LEVEL_HOURS * 3600 / history.step.total_seconds()
    return np.asarray(shape + _local_level(quiet - shape, reach))


def _quiet_day(history: History, quiet: FloatArray) -> FloatArray:
    """[S] weighted median over days of quiet log demand; hours never quiet are bridged."""
    points, slots = len(history), history.calendar.slots
    cells = cells_of(history, points)
    days = int(cells[-1]) // slots + 1
    table = np.full(days * slots, np.nan)
    table[cells] = quiet
    age = np.arange(days)[::-1]
    middle = weighted_median(table.reshape(days, slots), 0.5 ** (age / _PROFILE_HALF_LIFE))
    around = np.concatenate([middle, middle, middle])
    around = smoothed(around, min(_SMOOTH, slots // 8)) if slots > 1 else around
    return _bridged(around)[slots : 2 * slots]


def _bridged(values: FloatArray) -> FloatArray:
    known = np.flatnonzero(np.isfinite(values))
    if not len(known):
        return np.zeros(len(values))
    return np.interp(np.arange(len(values)), known, values[known])


def _local_level(residual: FloatArray, reach: float) -> FloatArray:
    """[N] mean of known residuals [N], fading by e every `reach` points in both directions.

    Where nothing is known within six times that, 0.
    """
    size = int(6 * reach)
    kernel = np.exp(-np.abs(np.arange(-size, size + 1)) / reach)
    known = np.isfinite(residual)
    length = 1 << (len(residual) + 2 * size).bit_length()
    spectrum = np.fft.rfft(kernel, length)
    both = np.stack([np.where(known, residual, 0.0), known.astype(np.float64)])
    folded = np.fft.irfft(np.fft.rfft(both, length) * spectrum, length)
    total, mass = folded[:, size : size + len(residual)]
    return np.asarray(np.divide(total, mass, out=np.zeros(len(mass)), where=mass > _LITTLE))


def naive_logs(logs: FloatArray, per_day: int, days: int) -> FloatArray:
    """[N] the same series `days` days earlier; NaN before."""
    lag = days * per_day
    return np.concatenate([np.full(min(lag, len(logs)), np.nan), logs[: max(0, len(logs) - lag)]])


def points_a_day(history: History) -> int:
    """Grid points in 24 hours."""
    return int(DAY // history.step)
