"""What a workload's past crowds teach: examples, likeness, curves, and history without them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from statistics import NormalDist
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np

from prescaler.core.arrays import BoolArray, FloatArray, IntArray, frozen
from prescaler.core.history import History
from prescaler.core.instants import to_epoch
from prescaler.core.planned import Occurrence, Stack
from prescaler.core.quantiles import weighted_quantiles
from prescaler.core.scales import DemandScale
from prescaler.core.series import Series
from prescaler.core.uplift.crowds import Crowd, Frame
from prescaler.core.uplift.curve import DRAWS, Evidence, UpliftCurve
from prescaler.core.uplift.ordinary import busy_points, naive_logs, ordinary_logs, points_a_day
from prescaler.core.uplift.similarity import Similarity, learn_similarity, pooled, residuals

MOST_EXAMPLES: Final = 120
"""Per kind, the newest: twice a World Cup."""

_LEAST_SEEN: Final = 0.5
"""Share of its points that must have been observed, or an occurrence teaches nothing."""

_DECLARED_COUNTS: Final = 1.0
"""The declared factor weighs as much as one example that agrees in everything."""

_NEAR_ROWS: Final = 2
_SPREAD_HALF_LIFE: Final = 20.0
_SPREAD_LIKENESS: Final = 0.25
"""Deviations of all past crowds count for the spread, like ones a little more (weight^1/4)."""

_FEW: Final = 0.7
"""A spread measured on n examples is widened by (1 + 0.7 / n), as for the engine's residuals."""

_LEAST_MEASURED: Final = 4
_UNMEASURED: Final = 0.4
"""Standard deviation of a log uplift while fewer than four could be checked: that of the first
matches of the World Cup of 1998 foretold from one another."""

_MOST_CURVES: Final = 200

_SMALL_SHARE: Final = 0.02
_HARM: Final = 1.25
_HARM_NEEDS: Final = 4
_ALIGNED: Final = timedelta(minutes=75)
"""A crowd a week or a day before at the same time, clock changes forgiven."""


@dataclass(frozen=True, eq=False)
class Example:
    """One past crowd. ratio: [K] log of demand over ordinary demand on `frame`, NaN unknown.

    censored: [K] true where pods were saturated: the ratio is a lower bound.
    naive: [K, 2] the same log ratio as the day and the week before had it.
    """

    crowd: Crowd
    frame: Frame
    ratio: FloatArray
    naive: FloatArray
    censored: BoolArray


@dataclass(frozen=True, eq=False)
class Ordinary:
    """A history without its crowds.

    calm: every crowd gives way to what the quiet hours around it say. live: the same, but of a
    crowd that is under way only what was expected of it is taken away, so that one larger than
    expected shows as a raised level; None where none is under way.
    """

    calm: History
    live: History | None


@dataclass(frozen=True, eq=False)
class KindModel:
    """The past crowds of one kind, in order of time, and what makes them alike.

    harmful: naive copies came clearly nearer to these than the curve from those before.
    """

    examples: tuple[Example, ...]
    similarity: Similarity
    harmful: bool

    def repeats(self, crowd: Crowd) -> bool:
        """Whether there was one a day or a week before, so that a copy knows of it as well."""
        before = [crowd.start - timedelta(days=days) for days in (1, 7)]
        starts = [one.crowd.start for one in self.examples]
        return any(abs(start - at) <= _ALIGNED for start in starts for at in before)

    def of_others(self, example: Example) -> FloatArray:
        """[K] 1 where another crowd of the kind lasts, outside of this one's own time; else 0.

        What is seen there is the other's. Left in, the next match would be foretold twice: by its
        own curve, and a little by that of the one before.
        """
        frame = example.frame
        stamps = to_epoch(example.crowd.start) + frame.offsets()
        starts, ends = self._times
        near = (starts < int(stamps[-1]) + frame.seconds) & (ends > int(stamps[0]))
        inside = (stamps >= starts[near, None]) & (stamps < ends[near, None])
        taken = inside.any(axis=0).astype(np.float64)
        taken[frame.before : frame.before + frame.during] = 0.0
        return np.asarray(taken)

    @cached_property
    def _times(self) -> IntArray:
        """[2, E] epoch seconds: starts and ends of the examples."""
        crowds = [one.crowd for one in self.examples]
        return np.array([[to_epoch(c.start) for c in crowds], [to_epoch(c.end) for c in crowds]])


@dataclass(frozen=True, eq=False)
class UpliftModel:
    """All that is known of crowds on one workload.

    zone, country: its civil time. offset: load units added before logarithms.
    """

    step: timedelta
    zone: ZoneInfo
    country: str | None
    offset: float
    kinds: Mapping[str, KindModel]

    @classmethod
    def empty(cls, step: timedelta, zone: ZoneInfo, country: str | None = None) -> "UpliftModel":
        """Nothing is known yet."""
        return cls(step, zone, country, 0.0, {})

    def suits(self, step: timedelta, zone: ZoneInfo, country: str | None) -> bool:
        """Whether it was learnt on this grid and in this civil time."""
        return (self.step, self.zone, self.country) == (step, zone, country)

    def crowds(self, occurrences: Iterable[Occurrence]) -> list[Crowd]:
        """Occurrences in the workload's civil time."""
        return [Crowd.of(occurrence, self.zone, self.country) for occurrence in occurrences]

    @property
    def seen(self) -> frozenset[tuple[str, datetime]]:
        """Which occurrences it has learnt from."""
        every = [one.crowd for kind in self.kinds.values() for one in kind.examples]
        return frozenset((crowd.name, crowd.start) for crowd in every)

    def learned(
        self, history: History, crowds: Sequence[Crowd], saturated: BoolArray | None = None
    ) -> "UpliftModel":
        """With the crowds that are over by the end of a history.

        crowds: all that touch the history. saturated: [N] true where pods were at their limit.
        Examples of crowds that lie before the history are kept.
        """
        over = [crowd for crowd in crowds if crowd.kind and crowd.shows_until <= history.series.end]
        if not over and not self.kinds:
            return self
        scale = DemandScale.of(history.demand)
        fresh = _examples(history, scale, crowds, over, saturated)
        kinds = {}
        for kind in sorted({*self.kinds, *(one.crowd.kind for one in fresh)}):
            newer = [one for one in fresh if one.crowd.kind == kind]
            examples = [*self._older(kind, history), *newer]
            if examples:
                kinds[kind] = _kind(examples)
        return replace(self, offset=scale.offset, kinds=kinds)

    def censored(self, history: History) -> BoolArray:
        """[N] points of a history that are known to be lower bounds only."""
        found = np.zeros(len(history), dtype=bool)
        for example in (one for kind in self.kinds.values() for one in kind.examples):
            first = history.series.index_of(example.crowd.start) - example.frame.before
            rows = first + np.flatnonzero(example.censored)
            found[rows[(rows >= 0) & (rows < len(found))]] = True
        return found

    def as_of(self, instant: datetime) -> "UpliftModel":
        """What was known by an instant: only crowds that were over by then."""
        kinds = {}
        for name, kind in self.kinds.items():
            over = [one for one in kind.examples if one.crowd.shows_until <= instant]
            if over:
                kinds[name] = _kind(over)
        return replace(self, kinds=kinds)

    def typical(self, kind: str) -> UpliftCurve | None:
        """The uplift to expect of another crowd like the newest of a kind."""
        known = self.kinds.get(kind)
        return self.curve(known.examples[-1].crowd) if known is not None else None

    def _older(self, kind: str, history: History) -> list[Example]:
        """Examples that the history cannot show again.

        The others are seen anew, or forgotten with an occurrence that was struck off the calendar.
        """
        known = self.kinds.get(kind)
        if known is None:
            return []
        start = history.series.start
        return [one for one in known.examples if one.crowd.shows_from < start]

    def applies(self, crowd: Crowd) -> bool:
        """Whether there is a learnt curve for a crowd, and it has not shown to hurt."""
        known = self.kinds.get(crowd.kind)
        if known is None or crowd.effect.min_pods_factor is not None:
            return False
        if known.harmful and known.repeats(crowd):
            return False
        frame = Frame.around(crowd, self.step)
        return any(example.frame.stretches_to(frame) for example in known.examples)

    def acts(self, crowd: Crowd) -> bool:
        """Whether a crowd changes the forecast of demand, by what was learnt or declared."""
        return self.applies(crowd) or crowd.declares

    def curve(self, crowd: Crowd) -> UpliftCurve | None:
        """The uplift to expect of a crowd; None where nothing is learnt or it would hurt."""
        if not self.applies(crowd):
            return None
        kind, frame = self.kinds[crowd.kind], Frame.around(crowd, self.step)
        told = tuple(one for one in kind.examples if one.frame.stretches_to(frame))
        weights = kind.similarity.weights(crowd, [one.crowd for one in told])
        ratios = np.stack([one.frame.stretched(one.ratio, frame) for one in told])
        censored = np.stack(
            [one.frame.stretched(one.censored.astype(np.float64), frame) > 0 for one in told]
        )
        others = np.stack([one.frame.stretched(kind.of_others(one), frame) for one in told])
        bounded = _raised(np.where(others > 0, np.nan, ratios), censored, weights)
        declared = crowd.declared(frame) if crowd.declares else None
        middle, shrunk = _middle(bounded, weights, declared)
        return UpliftCurve(
            frame=frame,
            middle=middle,
            spread=_spread(told, ratios, kind.similarity, weights),
            offset=self.offset,
            evidence=_evidence(told, weights),
            shrunk=shrunk,
        )

    def curve_of(self, occurrence: Occurrence) -> UpliftCurve | None:
        """As `curve`, for an occurrence; worked out once."""
        key = (occurrence.event.id, occurrence.event.revision, occurrence.start)
        known = self._curves.get(key)  # others may clear it at any moment
        if known is None:
            known = (self.curve(Crowd.of(occurrence, self.zone, self.country)),)
            if len(self._curves) >= _MOST_CURVES:
                self._curves.clear()
            self._curves[key] = known
        return known[0]

    @cached_property
    def _curves(self) -> dict[tuple[UUID, int, datetime], tuple[UpliftCurve | None]]:
        return {}

    def ordinary(self, history: History, crowds: Sequence[Crowd]) -> "Ordinary":
        """History as it would have been without the crowds; holes stay holes."""
        acting = [crowd for crowd in crowds if self.acts(crowd)]
        busy = busy_points(history, acting)
        if not busy.any():
            return Ordinary(history, None)
        scale = DemandScale.of(history.demand)
        quiet = scale.backward(ordinary_logs(history, scale, busy), "log")
        calm = np.where(busy & np.isfinite(history.demand), quiet, history.demand)
        end = history.series.end
        present = [crowd for crowd in acting if crowd.shows_from < end < crowd.shows_until]
        live = np.where(busy_points(history, present), history.demand, calm)
        live = self._without(history, present, live)
        return Ordinary(
            replace(history, series=_with_mean(history.series, calm)),
            replace(history, series=_with_mean(history.series, live)) if present else None,
        )

    def _without(self, history: History, crowds: Sequence[Crowd], demand: FloatArray) -> FloatArray:
        """[N] demand without what was expected of crowds: `events.with_events`, undone.

        Where crowds overlap the plan takes the largest, so only the largest is taken away; those
        that stack are taken away one by one.
        """
        stacked = [crowd for crowd in crowds if crowd.effect.stack is Stack.MULTIPLY]
        for crowd in stacked:
            demand = self._lowered(history, crowd, demand)
        apart = [self._lowered(history, c, demand) for c in crowds if c not in stacked]
        least = np.min([demand, *apart], axis=0)
        most = np.max([demand, *apart], axis=0)
        return np.asarray(np.where(least < demand, least, most))

    def _lowered(self, history: History, crowd: Crowd, demand: FloatArray) -> FloatArray:
        curve = self.curve(crowd)
        stamps = history.series.stamps
        if curve is not None:
            return curve.lowered(stamps, crowd.start, demand)
        frame = Frame.around(crowd, history.step)
        declared, rows = crowd.declared(frame), frame.rows(stamps, crowd.start)
        return np.where(rows >= 0, demand / np.exp(declared[rows]), demand)


def _examples(
    history: History,
    scale: DemandScale,
    crowds: Sequence[Crowd],
    over: Sequence[Crowd],
    saturated: BoolArray | None,
) -> list[Example]:
    logs = scale.forward(history.demand, "log")
    base = ordinary_logs(history, scale, busy_points(history, crowds))
    per_day = points_a_day(history)
    full = np.zeros(len(history)) if saturated is None else saturated.astype(np.float64)
    columns = np.column_stack(
        [
            logs - base,
            naive_logs(logs, per_day, 1) - base,
            naive_logs(logs, per_day, 7) - base,
            full,
        ]
    )
    found = [_example(history, crowd, columns) for crowd in over]
    return [example for example in found if example is not None]


def _example(history: History, crowd: Crowd, columns: FloatArray) -> Example | None:
    """None where the history does not hold enough of the crowd."""
    frame = Frame.around(crowd, history.step)
    first = history.series.index_of(crowd.start) - frame.before
    rows = first + np.arange(frame.length)
    inside = (rows >= 0) & (rows < len(history))
    cut = np.where(inside[:, None], columns[np.clip(rows, 0, len(history) - 1)], np.nan)
    if np.isfinite(cut[:, 0]).mean() < _LEAST_SEEN:
        return None
    return Example(crowd, frame, frozen(cut[:, 0]), frozen(cut[:, 1:3]), cut[:, 3] > 0)


def _kind(examples: Sequence[Example]) -> KindModel:
    """The newest examples of a kind, one for each occurrence; the last one given counts."""
    single = {(one.crowd.name, one.crowd.start): one for one in examples}
    kept = tuple(sorted(single.values(), key=lambda one: one.crowd.start))[-MOST_EXAMPLES:]
    crowds, ratios = [one.crowd for one in kept], _common(kept, [one.ratio for one in kept])
    similarity = learn_similarity(crowds, ratios)
    return KindModel(kept, similarity, _harmful(kept, residuals(crowds, ratios, similarity)))


def _common(examples: Sequence[Example], values: Sequence[FloatArray]) -> FloatArray:
    """[E, K] laid on the frame of the newest example."""
    frame = examples[-1].frame
    return np.stack([e.frame.stretched(v, frame) for e, v in zip(examples, values, strict=True)])


def _harmful(examples: Sequence[Example], errors: FloatArray) -> bool:
    """Whether naive copies came nearer to the past crowds than the curve from those before.

    Level errors of the forecast underneath are left out on the curve's side, so a curve that loses
    even so is worth nothing.
    """
    tried = np.isfinite(errors).any(axis=1)
    if int(tried.sum()) < _HARM_NEEDS:
        return False
    frame = examples[-1].frame
    ratios = _common(examples, [one.ratio for one in examples])
    for column in (0, 1):
        naive = np.stack([e.frame.stretched(e.naive[:, column], frame) for e in examples])
        both = np.isfinite(errors) & np.isfinite(naive) & np.isfinite(ratios)
        copied = float(np.abs(ratios - naive)[both].sum())
        if both.any() and float(np.abs(errors)[both].sum()) > _HARM * copied:
            return True
    return False


def _raised(ratios: FloatArray, censored: BoolArray, weights: FloatArray) -> FloatArray:
    """Lower bounds [E, K] count only where they lie above what the uncensored examples say."""
    if not censored.any():
        return ratios
    total, mass = pooled(np.where(censored, np.nan, ratios), weights)
    told = np.divide(total, mass, out=np.full(len(total), -np.inf), where=mass > 0)
    return np.where(censored, np.maximum(ratios, told[None, :]), ratios)


def _middle(
    ratios: FloatArray, weights: FloatArray, declared: FloatArray | None
) -> tuple[FloatArray, float]:
    """[K] pooled log uplift, shrunk to the declared one, and the declared one's share."""
    total, mass = pooled(ratios, weights)
    if declared is None:
        hole = np.zeros(len(total))
        return np.divide(total, mass, out=hole, where=mass > 0), 0.0
    share = _DECLARED_COUNTS / (_DECLARED_COUNTS + float(weights.sum()))
    return (total + _DECLARED_COUNTS * declared) / (mass + _DECLARED_COUNTS), share


def _spread(
    told: Sequence[Example], ratios: FloatArray, similarity: Similarity, weights: FloatArray
) -> FloatArray:
    """[K, 24] equally likely deviations of the log uplift around its middle."""
    errors = residuals([one.crowd for one in told], ratios, similarity)
    at = (np.arange(DRAWS) + 0.5) / DRAWS
    if int(np.isfinite(errors).any(axis=1).sum()) < _LEAST_MEASURED:
        usual = _UNMEASURED * np.array([_normal(level) for level in at])
        return np.tile(usual, (ratios.shape[1], 1))
    age = np.arange(len(told))[::-1]
    alike = (weights / weights.max()) ** _SPREAD_LIKENESS * 0.5 ** (age / _SPREAD_HALF_LIFE)
    effective = float(weights.sum() ** 2 / np.square(weights).sum())
    rows = [_deviations(errors, alike, row, at) for row in range(ratios.shape[1])]
    return np.stack(rows) * (1.0 + _FEW / effective)


def _deviations(errors: FloatArray, alike: FloatArray, row: int, at: FloatArray) -> FloatArray:
    """[24] around their median, from the rows near one row; 0 where none is known."""
    near = errors[:, max(0, row - _NEAR_ROWS) : row + _NEAR_ROWS + 1]
    mass = np.broadcast_to(alike[:, None], near.shape)
    known = np.isfinite(near)
    if not known.any():
        return np.zeros(len(at))
    levels = np.append(at, 0.5)
    found = weighted_quantiles(near[known], mass[known], levels)
    return np.asarray(found[:-1] - found[-1])


def _normal(level: float) -> float:
    """Quantile of the standard normal distribution."""
    return NormalDist().inv_cdf(level)


def _evidence(told: Sequence[Example], weights: FloatArray) -> tuple[Evidence, ...]:
    shares = weights / weights.sum()
    named = [
        Evidence(one.crowd.name, one.crowd.start, round(float(share), 3))
        for one, share in zip(told, shares, strict=True)
        if share >= _SMALL_SHARE
    ]
    return tuple(sorted(named, key=lambda item: -item.share))


def _with_mean(series: Series, mean: FloatArray) -> Series:
    """The same series with other means; the maximum inside each step keeps its ratio."""
    ratio = np.divide(series.peak, series.mean, out=np.ones(len(series)), where=series.mean > 0)
    return replace(series, mean=mean, peak=mean * np.maximum(ratio, 1.0))
