"""Quantiles from the residuals of the mix at past cutoffs.

A residual is divided by what is known about its size beforehand: the level, how far the experts are
apart, and how large the last residuals were. What remains is an empirical distribution, band by
band of leads, in which cutoffs at a similar local hour count more.

Pods must carry the highest minute of a step, not its mean. What a quantile is multiplied by for
that is read off the past too, by band and hour: off peak / quantile, so that the ratio knows how
much of the peak the quantile carries already.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray, IntArray
from prescaler.core.leads import band_of
from prescaler.core.quantiles import MEDIAN, QUANTILES, weighted_quantiles
from prescaler.core.trial import Trial

_POWER: Final = 0.65
"""Residuals grow with the level, but slower than in proportion (between Poisson's 0.5 and 1)."""

_HALF_LIFE_DAYS: Final = 6.0
_FEW_DAYS: Final = ((timedelta(hours=1), 0.2), (timedelta(hours=6), 0.5))
_FEW_DAYS_LATER: Final = 1.5
"""Widening 1 + w / scored days, by the longest lead of a band: few past days show too few of the
rare misses. An hour ahead each day shows twenty independent ones, a day ahead hardly one."""

_GROUPS: Final = 12
_KERNEL_HOURS: Final = 2.0
_EVERYWHERE: Final = 0.3
"""Twelve parts of the day; a residual h hours away counts 0.3 + exp(-(h / 2)**2 / 2)."""

_RECENT_HOURS: Final = 3.0
"""Restless hours cluster: over 12 h instead of 3, WQL of the first hour is 0.7 % higher."""

_LEAST: Final = 5
_DAMPING: Final = 0.05

_PEAK_LEVEL: Final = 0.95
"""The quantile whose promise the ratio keeps exactly: the middle of 0.9, 0.95 and 0.99, at which
plans are made. A ratio for each of the three covers hardly better (mean gaps of 1.9, 1.6 and 1.3
points on six traces instead of 1.7, 1.6 and 1.5; the mean ratio by hour left 3.1, 3.2, 2.3)."""

_PEAK_HOURS: Final = 0.6
_PEAK_EVERYWHERE: Final = 0.05
"""Kick-off is one hour: with the twelve parts and the kernel of residuals its peaks are lost among
those of its neighbours. It costs little: gaps of 1.7, 2.0 and 1.5 points."""


@dataclass(frozen=True, eq=False)
class Spread:
    """What a roll needs to put quantiles around a median.

    edges: [B] bands; table: [B, 12, Q] quantiles of scaled residuals by local part of the day;
    slope, centre, floor: [B, 2] how a residual's size follows disagreement and recent size, in
    logarithms; recent: size of the last residuals; offset: load units, see `_size`; peak: [B, 24]
    >= 1, by hour, what a quantile is multiplied by to cover the maximum inside the step.
    """

    edges: tuple[int, ...]
    table: FloatArray
    slope: FloatArray
    centre: FloatArray
    floor: FloatArray
    recent: float
    offset: float
    peak: FloatArray

    def peak_ratio(self, leads: IntArray, hour: FloatArray) -> FloatArray:
        """[H] >= 1, the maximum inside the step over its mean, for quantiles."""
        return np.asarray(self.peak[band_of(leads, self.edges), hour.astype(np.int64)])

    def around(
        self, median: FloatArray, apart: FloatArray, leads: IntArray, hour: FloatArray
    ) -> FloatArray:
        """[H, Q] deviations from a median [H], load units, not yet ordered or cut at zero."""
        bands = band_of(leads, self.edges)
        size = _size(median, self.offset)
        signs = np.stack([apart / size, np.full(len(median), self.recent)], axis=-1)
        logs = np.log(signs + self.floor[bands]) - self.centre[bands]
        expected = np.exp((self.slope[bands] * logs).sum(axis=-1))
        return np.asarray(self.table[bands, _part(hour)] * (size * expected)[:, None])


def measure(
    trial: Trial,
    mixed: FloatArray,
    apart: FloatArray,
    edges: Sequence[int],
    step: timedelta,
    offset: float,
) -> Spread:
    """Measure the spread of a mix [M, L] around what came; the median stays the mix itself."""
    size = _size(mixed, offset)
    residual = (trial.actual - mixed) / size
    recent, now = _recent_sizes(trial, residual)
    signs = np.stack([apart / size, np.broadcast_to(recent[:, None], size.shape)], axis=-1)
    bands = band_of(trial.leads, edges)
    age = np.broadcast_to((0.5 ** (trial.age_days / _HALF_LIFE_DAYS))[:, None], residual.shape)
    scored_days = max(1.0, len(residual) * trial.spacing_days)
    widening = np.array([1.0 + _few_days(edge * step) / scored_days for edge in edges])
    rows, counts = [], []
    for band in range(len(edges)):
        told = np.isfinite(residual) & (bands == band)[None, :]
        rows.append(_measure_band(residual[told], age[told], signs[told], trial.hour[told]))
        counts.append(int(told.sum()))
    rows = [rows[band] for band in _measured(counts)]
    table = _centred(np.stack([row[0] for row in rows])) * widening[:, None, None]
    slope, centre, floor = (np.stack([row[i] for row in rows]) for i in (1, 2, 3))
    expected = np.exp((slope[bands] * (np.log(signs + floor[bands]) - centre[bands])).sum(axis=-1))
    column = QUANTILES.index(_PEAK_LEVEL)
    upper = mixed + table[bands, _part(trial.hour), column] * size * expected
    peak = _peaks(trial, upper + offset, age, bands, offset)
    return Spread(tuple(edges), table, slope, centre, floor, now, offset, peak)


def _peaks(
    trial: Trial, upper: FloatArray, weight: FloatArray, bands: IntArray, offset: float
) -> FloatArray:
    """[B, 24] what the 0.95 quantile is multiplied by so that 95 % of the peaks lie below it.

    upper: [M, L] the quantiles at past cutoffs; like the peaks, raised by the offset, so that the
    last requests of a closed night do not make a ratio of thousands. Where nothing finer than the
    step was observed there are no peaks, and the ratio is 1.
    """
    found = np.ones((int(bands.max()) + 1, 24))
    known = np.isfinite(trial.peak)
    if np.array_equal(trial.peak[known], trial.actual[known]):
        return found
    hours: FloatArray = np.arange(24, dtype=np.float64) + 0.5
    near = _nearness(hours, 24, _PEAK_HOURS, _PEAK_EVERYWHERE)
    for band in range(len(found)):
        told = known & (bands == band)[None, :]
        if told.sum() >= _LEAST:
            ratio = (trial.peak[told] + offset) / upper[told]
            counted = weight[told] * near[:, trial.hour[told].astype(np.int64)]
            levels = np.array([_PEAK_LEVEL])
            found[band] = weighted_quantiles(ratio, counted, levels)[:, 0]
    return np.maximum(found, 1.0)


def _part(hour: FloatArray) -> IntArray:
    """[...] which of the twelve parts of the day an hour lies in."""
    return np.asarray((hour * (_GROUPS / 24)).astype(np.int64))


def _measured(counts: Sequence[int]) -> list[int]:
    """Each band, or the nearest one with outcomes in its place.

    A source that answers at every second step leaves whole bands without any, and a band without
    width would promise certainty.
    """
    known = [band for band, count in enumerate(counts) if count >= _LEAST] or range(len(counts))
    away = [[abs(near - band) for near in known] for band in range(len(counts))]
    return [known[distances.index(min(distances))] for distances in away]


def _few_days(lead: timedelta) -> float:
    return next((w for longest, w in _FEW_DAYS if lead <= longest), _FEW_DAYS_LATER)


def _measure_band(
    residual: FloatArray, weight: FloatArray, signs: FloatArray, hour: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Table [12, Q], slope [2], centre [2] and floor [2] of one band."""
    if len(residual) < _LEAST:
        return np.zeros((_GROUPS, len(QUANTILES))), np.zeros(2), np.zeros(2), np.ones(2)
    floor = np.array([0.5, 0.3]) * np.median(signs, axis=0) + 1e-9
    logs = np.log(signs + floor)
    mass = weight / weight.sum()
    centre = mass @ logs
    deviation = logs - centre
    own = np.log(np.abs(residual) + 0.1 * np.median(np.abs(residual)) + 1e-12)
    gram = (deviation * mass[:, None]).T @ deviation
    damped = gram + np.diag(_DAMPING + _DAMPING * np.diag(gram))
    moment = (deviation * mass[:, None]).T @ (own - mass @ own)
    slope = np.clip(np.linalg.solve(damped, moment), 0.0, 1.0)
    even = residual * np.exp(-(deviation @ slope))
    counted = weight * _nearness(hour, _GROUPS, _KERNEL_HOURS, _EVERYWHERE)
    return weighted_quantiles(even, counted, np.array(QUANTILES)), slope, centre, floor


def _nearness(hour: FloatArray, parts: int, kernel: float, everywhere: float) -> FloatArray:
    """[parts, N] how much local hours [N] count for each part of the day."""
    middle = (np.arange(parts) + 0.5) * (24 / parts)
    away = np.abs(hour[None, :] - middle[:, None])
    away = np.minimum(away, 24.0 - away) / kernel
    return np.asarray(everywhere + np.exp(-0.5 * np.square(away)))


def _recent_sizes(trial: Trial, residual: FloatArray) -> tuple[FloatArray, float]:
    """[M] mean size of the residuals of the last hours before each cutoff, and the present one.

    Only leads up to one spacing of cutoffs take part (or the shortest one), and only cutoffs whose
    targets had come. Two residuals' worth of the overall mean keep the figure sane after a gap.
    """
    short = trial.leads <= max(trial.spacing, int(trial.leads[0]))
    known = np.isfinite(residual[:, short])
    size = np.where(known, np.abs(residual[:, short]), 0.0)
    total = np.pad(np.cumsum(size.sum(axis=1)), (1, 0))
    count = np.pad(np.cumsum(known.sum(axis=1)), (1, 0))
    window = max(1, round(_RECENT_HOURS / 24 / trial.spacing_days))
    waiting = (int(trial.leads[short].max()) - 1) // trial.spacing
    last = np.maximum(np.arange(len(residual) + 1) - waiting, 0)
    first = np.maximum(last - window, 0)
    overall = total[-1] / max(float(count[-1]), 1.0)
    recent = (total[last] - total[first] + 2.0 * overall) / (count[last] - count[first] + 2.0)
    return recent[:-1], float(recent[-1])


def _centred(table: FloatArray) -> FloatArray:
    """The median of the mix is kept; lower quantiles lie below it, upper ones above."""
    table[..., :MEDIAN] = np.minimum(table[..., :MEDIAN], 0.0)
    table[..., MEDIAN] = 0.0
    table[..., MEDIAN + 1 :] = np.maximum(table[..., MEDIAN + 1 :], 0.0)
    return table


def _size(level: FloatArray, offset: float) -> FloatArray:
    """What the level alone says about the size of a residual."""
    return np.asarray((np.maximum(level, 0.0) + offset) ** _POWER)
