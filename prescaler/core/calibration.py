"""Quantiles from the residuals of the mix at past cutoffs.

A residual is divided by what is known about its size beforehand: the level, how far the experts are
apart, and how large the last residuals were. What remains is an empirical distribution, band by
band of leads, in which cutoffs at a similar local hour count more.

Pods must carry the highest minute of a step, not its mean. What a quantile is multiplied by for
that is read off the past too, by band and hour: off peak / quantile, so that the ratio knows how
much of the peak the quantile carries already.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray, IntArray
from prescaler.core.leads import band_of, bands_in
from prescaler.core.quantiles import MEDIAN, QUANTILES, weighted_quantiles, widening
from prescaler.core.trial import Trial

_POWER: Final = 0.65
"""Residuals grow with the level, but slower than in proportion (between Poisson's 0.5 and 1)."""

_HALF_LIFE_DAYS: Final = 6.0
_CASES_A_DAY: Final = ((timedelta(hours=1), 7.0), (timedelta(hours=6), 3.0))
_CASES_A_DAY_LATER: Final = 1.0
"""Independent cases that a day of past cutoffs shows, by the longest lead of a band: what misses at
nine for a lead of a day misses at ten too. Few cases show too few of the rare misses, so quantiles
are widened for them (`widening`)."""

_GROUPS: Final = 12
_KERNEL_HOURS: Final = 2.0
_EVERYWHERE: Final = 0.3
"""Twelve parts of the day; a residual h hours away counts 0.3 + exp(-(h / 2)**2 / 2)."""

_RECENT_HOURS: Final = (3.0, 1.0)
"""Restless hours cluster: over 12 h instead of 3, WQL of the first hour is 0.7 % higher; the last
hour beside them gains 0.2 %. A roll knows both to the minute."""

_FIRST_HOUR: Final = timedelta(hours=1)
_LATER_SIGNS: Final = 2
"""Beyond the first hour only disagreement and the last three hours are asked: the last hour and the
steepness are noise there (WQL a day ahead 0.764 instead of 0.762)."""

_FLOORS: Final = np.array([0.5, 0.3, 0.3, 0.5])
"""Times the median of a sign, added before its logarithm: near zero a sign says little more."""

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
class Signs:
    """What announces the size of a residual, [...] load units; recent: [..., 2], scaled residuals.

    apart: how far the experts are from each other; recent: size of the residuals of the last three
    hours and of the last one; steep: change of the mix within a step (a ramp that comes five
    minutes early misses by as much).
    """

    apart: FloatArray
    recent: FloatArray
    steep: FloatArray

    def scaled(self, size: FloatArray) -> FloatArray:
        """[..., 4] in units of the size that the level gives."""
        recent = np.broadcast_to(self.recent, (*size.shape, len(_RECENT_HOURS)))
        sides = (self.apart / size)[..., None], (self.steep / size)[..., None]
        return np.concatenate([sides[0], recent, sides[1]], axis=-1)


@dataclass(frozen=True, eq=False)
class Spread:
    """What a roll needs to put quantiles around a median.

    edges: [B] bands; table: [B, 12, Q] quantiles of scaled residuals by local part of the day;
    slope, centre, floor: [B, 4] how a residual's size follows its signs, in logarithms; recent: [2]
    size of the last residuals at the refit; usual: size of all; offset: load units, see
    `residual_size`; peak: [B, 24] >= 1, by hour, what a quantile is multiplied by to cover the
    maximum inside the step.
    """

    edges: tuple[int, ...]
    table: FloatArray
    slope: FloatArray
    centre: FloatArray
    floor: FloatArray
    recent: FloatArray
    usual: float
    offset: float
    peak: FloatArray

    def begun_by(self, first: "Spread") -> "Spread":
        """With the first bands of another one, whose edges are the same there."""
        rest = len(first.edges)
        return replace(
            self,
            table=np.concatenate([first.table, self.table[rest:]]),
            slope=np.concatenate([first.slope, self.slope[rest:]]),
            centre=np.concatenate([first.centre, self.centre[rest:]]),
            floor=np.concatenate([first.floor, self.floor[rest:]]),
            recent=first.recent,
            usual=first.usual,
            peak=np.concatenate([first.peak, self.peak[rest:]]),
        )

    def peak_ratio(self, leads: IntArray, hour: FloatArray) -> FloatArray:
        """[H] >= 1, the maximum inside the step over its mean, for quantiles."""
        return np.asarray(self.peak[band_of(leads, self.edges), hour.astype(np.int64)])

    def around(
        self, median: FloatArray, signs: Signs, leads: IntArray, hour: FloatArray
    ) -> FloatArray:
        """[H, Q] deviations from a median [H], load units, not yet ordered or cut at zero."""
        bands = band_of(leads, self.edges)
        size = residual_size(median, self.offset)
        expected = self.expected(signs.scaled(size), bands)
        return np.asarray(self.table[bands, _part(hour)] * (size * expected)[:, None])

    def expected(self, signs: FloatArray, bands: IntArray) -> FloatArray:
        """[...] what scaled signs [..., 4] announce; bands: [...], or as it broadcasts to that."""
        logs = np.log(signs + self.floor[bands]) - self.centre[bands]
        return np.asarray(np.exp((self.slope[bands] * logs).sum(axis=-1)))

    def newest(self, residual: FloatArray, spacing_days: float) -> FloatArray:
        """[2] recent sizes by scaled residuals [K, S] of the last cutoffs of a roll."""
        return np.asarray(_trailing_sizes(residual, self.usual, spacing_days, 0)[-1])


def measure(
    trial: Trial,
    mixed: FloatArray,
    apart: FloatArray,
    edges: Sequence[int],
    step: timedelta,
    offset: float,
) -> Spread:
    """Measure the spread of a mix [M, L] around what came; the median stays the mix itself."""
    size = residual_size(mixed, offset)
    residual = (trial.actual - mixed) / size
    recent, usual = _recent_sizes(trial, residual)
    signs = Signs(apart, recent[:-1, None], steepness(mixed, trial.leads, step)).scaled(size)
    age = np.broadcast_to((0.5 ** (trial.age_days / _HALF_LIFE_DAYS))[:, None], residual.shape)
    scored_days = max(1.0, len(residual) * trial.spacing_days)
    wider = np.stack([widening(_cases_a_day(edge * step) * scored_days) for edge in edges])
    minutes: FloatArray = np.arange(24 * 60) / 60.0
    near = _nearness(minutes, _GROUPS, _KERNEL_HOURS, _EVERYWHERE)
    rows, counts = [], []
    for band, here in bands_in(trial.leads, edges):
        told = np.isfinite(residual[:, here])
        number = len(_FLOORS) if edges[band] * step <= _FIRST_HOUR else _LATER_SIGNS
        hour = trial.hour[:, here][told]
        counted = near[:, _minute(hour)] * age[:, here][told]
        asked = signs[:, here, :number][told]
        rows.append(_measure_band(residual[:, here][told], age[:, here][told], asked, counted))
        counts.append(int(told.sum()))
    rows = [rows[band] for band in _measured(counts)]
    table = _centred(np.stack([row[0] for row in rows])) * wider[:, None, :]
    slope, centre, floor = (np.stack([row[i] for row in rows]) for i in (1, 2, 3))
    peak = np.ones((len(edges), 24))
    spread = Spread(tuple(edges), table, slope, centre, floor, recent[-1], usual, offset, peak)
    known = np.isfinite(trial.peak)
    if np.array_equal(trial.peak[known], trial.actual[known]):
        return spread  # nothing finer than the step was observed
    bands = band_of(trial.leads, edges)
    width = table[bands, _part(trial.hour), QUANTILES.index(_PEAK_LEVEL)]
    upper = mixed + width * size * spread.expected(signs, bands)
    return replace(spread, peak=_peaks(trial, upper + offset, age, edges, offset))


def _peaks(
    trial: Trial, upper: FloatArray, weight: FloatArray, edges: Sequence[int], offset: float
) -> FloatArray:
    """[B, 24] what the 0.95 quantile is multiplied by so that 95 % of the peaks lie below it.

    upper: [M, L] the quantiles at past cutoffs; like the peaks, raised by the offset, so that the
    last requests of a closed night do not make a ratio of thousands.
    """
    found = np.ones((len(edges), 24))
    hours: FloatArray = np.arange(24, dtype=np.float64) + 0.5
    near = _nearness(hours, 24, _PEAK_HOURS, _PEAK_EVERYWHERE)
    for band, here in bands_in(trial.leads, edges):
        told = np.isfinite(trial.peak[:, here])
        if told.sum() >= _LEAST:
            ratio = (trial.peak[:, here][told] + offset) / upper[:, here][told]
            hour = trial.hour[:, here][told].astype(np.int64)
            found[band] = _exceeded(ratio, weight[:, here][told], hour, near)
    return np.maximum(found, 1.0)


def _exceeded(
    ratio: FloatArray, weight: FloatArray, hour: IntArray, near: FloatArray
) -> FloatArray:
    """[24] the weighted 0.95 quantile of ratios [N] for each hour; near: [24, 24] weights.

    As `weighted_quantiles`, from the top down and no further than a quarter of the way: that is
    where it lies, unless an hour has the lowest ratios of all and next to no weight on others.
    """
    order, tail = np.argsort(-ratio, kind="stable"), 1.0 - _PEAK_LEVEL
    total = near @ np.bincount(hour, weight, 24)
    kept = order[: len(order) // 4 + 1]
    place = _mass_above(near[:, hour[kept]] * weight[kept]) / total[:, None]
    if (place[:, -1] < tail).any():
        kept = order
        place = _mass_above(near[:, hour[kept]] * weight[kept]) / total[:, None]
    return np.array([np.interp(tail, row, ratio[kept]) for row in place])


def _mass_above(weight: FloatArray) -> FloatArray:
    """[24, N] weight before each place and half of its own."""
    return np.asarray(np.cumsum(weight, axis=1) - 0.5 * weight)


def _part(hour: FloatArray) -> IntArray:
    """[...] which of the twelve parts of the day an hour lies in."""
    return np.asarray((hour * (_GROUPS / 24)).astype(np.int64))


def _minute(hour: FloatArray) -> IntArray:
    """[...] which minute of the day an hour < 24 lies in; a hair makes up for rounded thirds."""
    return np.asarray((60.0 * hour + 1e-6).astype(np.int64))


def _measured(counts: Sequence[int]) -> list[int]:
    """Each band, or the nearest one with outcomes in its place.

    A source that answers at every second step leaves whole bands without any, and a band without
    width would promise certainty.
    """
    known = [band for band, count in enumerate(counts) if count >= _LEAST] or range(len(counts))
    away = [[abs(near - band) for near in known] for band in range(len(counts))]
    return [known[distances.index(min(distances))] for distances in away]


def _cases_a_day(lead: timedelta) -> float:
    return next((n for longest, n in _CASES_A_DAY if lead <= longest), _CASES_A_DAY_LATER)


def _measure_band(
    residual: FloatArray, weight: FloatArray, signs: FloatArray, counted: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Table [12, Q], slope [4], centre [4] and floor [4] of one band; 0, 0, 1 for missing signs.

    residual, weight: [N]; signs: [N, 2 or 4]; counted: [12, N] weights for each part of the day.
    """
    number = signs.shape[1]
    slopes, centres, floors = np.zeros(len(_FLOORS)), np.zeros(len(_FLOORS)), np.ones(len(_FLOORS))
    if len(residual) < _LEAST:
        return np.zeros((_GROUPS, len(QUANTILES))), slopes, centres, floors
    floor = _FLOORS[:number] * np.median(signs, axis=0) + 1e-9
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
    slopes[:number], centres[:number], floors[:number] = slope, centre, floor
    return weighted_quantiles(even, counted, np.array(QUANTILES)), slopes, centres, floors


def _nearness(hour: FloatArray, parts: int, kernel: float, everywhere: float) -> FloatArray:
    """[parts, N] how much local hours [N] count for each part of the day."""
    middle = (np.arange(parts) + 0.5) * (24 / parts)
    away = np.abs(hour[None, :] - middle[:, None])
    away = np.minimum(away, 24.0 - away) / kernel
    return np.asarray(everywhere + np.exp(-0.5 * np.square(away)))


def _recent_sizes(trial: Trial, residual: FloatArray) -> tuple[FloatArray, float]:
    """[M + 1, 2] recent sizes before each cutoff and at present, and the size of all residuals.

    Only leads up to one spacing of cutoffs take part (or the shortest one), and only cutoffs whose
    targets had come.
    """
    short = trial.leads <= max(trial.spacing, int(trial.leads[0]))
    waiting = (int(trial.leads[short].max()) - 1) // trial.spacing
    size = np.abs(residual[:, short])
    known = np.isfinite(size)
    usual = float(size[known].sum()) / max(float(known.sum()), 1.0)
    return _trailing_sizes(residual[:, short], usual, trial.spacing_days, waiting), usual


def _trailing_sizes(
    residual: FloatArray, usual: float, spacing_days: float, waiting: int
) -> FloatArray:
    """[M + 1, 2] mean sizes of residuals [M, S] over the last hours before each cutoff and now.

    waiting: cutoffs until an outcome has come. Two residuals' worth of the usual size keep the
    figure sane after a gap.
    """
    known = np.isfinite(residual)
    size = np.where(known, np.abs(residual), 0.0)
    total = np.pad(np.cumsum(size.sum(axis=1)), (1, 0))
    count = np.pad(np.cumsum(known.sum(axis=1)), (1, 0))
    last = np.maximum(np.arange(len(residual) + 1) - waiting, 0)
    found = np.empty((len(last), len(_RECENT_HOURS)))
    for column, hours in enumerate(_RECENT_HOURS):
        first = np.maximum(last - max(1, round(hours / 24 / spacing_days)), 0)
        heard = total[last] - total[first] + 2.0 * usual
        found[:, column] = heard / (count[last] - count[first] + 2.0)
    return found


def steepness(mixed: FloatArray, leads: IntArray, step: timedelta) -> FloatArray:
    """[M, L] change of a mix per step, towards the neighbour in the first hour where it is larger.

    Zero beyond that, and for steps of an hour: what an hour changes is no ramp (WQL of the hourly
    bu_lab_http is 4 % higher with it).
    """
    found = np.zeros_like(mixed)
    near = int((leads <= _FIRST_HOUR // step).sum())
    change = np.abs(np.diff(mixed[:, :near], axis=1)) / np.diff(leads[:near])
    if change.size:
        found[:, : near - 1] = change
        found[:, 1:near] = np.maximum(found[:, 1:near], change)
    return found


def _centred(table: FloatArray) -> FloatArray:
    """The median of the mix is kept; lower quantiles lie below it, upper ones above."""
    table[..., :MEDIAN] = np.minimum(table[..., :MEDIAN], 0.0)
    table[..., MEDIAN] = 0.0
    table[..., MEDIAN + 1 :] = np.maximum(table[..., MEDIAN + 1 :], 0.0)
    return table


def residual_size(level: FloatArray, offset: float) -> FloatArray:
    """What the level alone says about the size of a residual."""
    return np.asarray((np.maximum(level, 0.0) + offset) ** _POWER)
