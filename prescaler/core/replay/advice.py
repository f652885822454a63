"""Which configuration is the cheapest that keeps a promise, and whether prediction pays at all.

Chosen on the first two thirds of the days, verified on the last third; both are told. What kept a
promise by a hair on some days breaks it on the next ones: chosen is what keeps it up to an upper
bound of what may come (`core.replay.bound`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from prescaler.core.replay.arms import Played
from prescaler.core.replay.ground import FORECAST_ARMS, Arm, Setting
from prescaler.core.replay.measures import Measures, Prices
from prescaler.core.replay.promise import Promise

LEAST_DAYS: Final = 6
"""Four days to choose on and two to verify on; less says nothing about a promise."""

WORTH: Final = 0.02
"""Pod-hours that a forecast must save against the best reactive setting to be worth its keep."""

_MONTH: Final = timedelta(days=30)
_HOUR: Final = timedelta(hours=1)


class Verdict(StrEnum):
    """What the advice comes to."""

    PREDICTION_PAYS = "prediction_pays"
    REACTIVE_IS_ENOUGH = "reactive_is_enough"
    PROMISE_OUT_OF_REACH = "promise_out_of_reach"
    TOO_LITTLE_HISTORY = "too_little_history"


@dataclass(frozen=True)
class Judged:
    """A setting on both parts of the period. dead: reactive alone at its own target, over all.

    bound: up to where the promise's own measure may lie, by the days it was chosen on.
    """

    setting: Setting
    chosen_on: Measures
    verified_on: Measures
    dead: Measures | None
    bound: float

    def margin(self, promise: Promise) -> tuple[float, float]:
        """What is left of the promise on both parts; below 0 where it was broken."""
        first, last = promise.of(self.chosen_on), promise.of(self.verified_on)
        return promise.limit - first, promise.limit - last

    @property
    def quiet(self) -> bool:
        """Whether nothing at all went wrong on the days it was chosen on."""
        return self.bound <= 0.0

    def sure(self, promise: Promise) -> bool:
        """Whether it keeps the promise up to its bound."""
        return self.bound <= promise.limit


@dataclass(frozen=True)
class Saving:
    """Against the present configuration in 30 days of the verified part; below 0 costs more."""

    pod_hours: float
    cost: float
    kwh: float
    share: float


@dataclass(frozen=True)
class Advice:
    """best: what is advised. present, reactive: to compare with; reactive None: none keeps it.

    careful: where the last third broke the promise, the cheapest setting with no higher bound that
    kept it on all days.
    """

    verdict: Verdict
    promise: Promise
    best: Judged | None = None
    present: Judged | None = None
    reactive: Judged | None = None
    forecast: Judged | None = None
    saving: Saving | None = None
    careful: Judged | None = None

    @property
    def sure(self) -> bool:
        """Whether the choice keeps the promise up to its bound, not only on the days it saw."""
        return self.best is not None and self.best.sure(self.promise)

    @property
    def kept(self) -> bool:
        """Whether the last third bears the choice out."""
        return self.best is not None and self.promise.kept(self.best.verified_on)


def split(days: int) -> tuple[slice, slice]:
    """The first two thirds of the days, and the rest."""
    cut = 2 * days // 3
    return slice(0, cut), slice(cut, days)


def advise(
    promise: Promise, runs: Sequence[Played], present: Played, prices: Prices, covered: int
) -> Advice:
    """Choose among runs of reactive scaling and of prescaler.

    covered: days on which forecasts were there to be judged.
    """
    days = present.tally.sums.shape[1]
    if min(days, covered) < LEAST_DAYS:
        return Advice(Verdict.TOO_LITTLE_HISTORY, promise)
    judged = [_judged(run, runs, promise, prices) for run in runs]
    now = _judged(present, runs, promise, prices)
    reactive, ours = _candidates(promise, judged)
    verdict, best = _chosen(reactive, ours)
    if best is None:
        best = min(judged, key=lambda j: (promise.of(j.chosen_on), j.chosen_on.pod_hours))
    careful = None if promise.kept(best.verified_on) else _next(promise, judged, best)
    return Advice(verdict, promise, best, now, reactive, ours, _saving(best, now), careful)


def _candidates(promise: Promise, judged: Sequence[Judged]) -> tuple[Judged | None, Judged | None]:
    """The cheapest reactive and forecast settings that keep the promise up to their bound.

    Where days are so few that none does: the most careful ones of those that kept it.
    """
    sure = [one for one in judged if one.sure(promise)]
    kept = sure or [one for one in judged if promise.kept(one.chosen_on)]
    order = _spent if sure else _may_come
    return (
        min((j for j in kept if j.setting.arm is Arm.REACTIVE), key=order, default=None),
        min((j for j in kept if j.setting.arm in FORECAST_ARMS), key=order, default=None),
    )


def _spent(one: Judged) -> tuple[float, float]:
    return one.chosen_on.pod_hours, one.bound


def _may_come(one: Judged) -> tuple[float, float]:
    return one.bound, one.chosen_on.pod_hours


def _next(promise: Promise, judged: Sequence[Judged], best: Judged) -> Judged | None:
    """The cheapest of those that are no less careful and kept the promise on all days."""
    found = (
        one
        for one in judged
        if one.bound <= best.bound and promise.kept(one.chosen_on) and promise.kept(one.verified_on)
    )
    return min(found, key=_spent, default=None)


def _chosen(reactive: Judged | None, ours: Judged | None) -> tuple[Verdict, Judged | None]:
    if ours is None:
        verdict = Verdict.REACTIVE_IS_ENOUGH if reactive else Verdict.PROMISE_OUT_OF_REACH
        return verdict, reactive
    if reactive is None:
        return Verdict.PREDICTION_PAYS, ours
    spent, alone = ours.chosen_on.pod_hours, reactive.chosen_on.pod_hours
    if spent < (1 - WORTH) * alone:
        return Verdict.PREDICTION_PAYS, ours
    return Verdict.REACTIVE_IS_ENOUGH, reactive


def _judged(run: Played, runs: Sequence[Played], promise: Promise, prices: Prices) -> Judged:
    first, last = split(run.tally.sums.shape[1])
    alone = next((one for one in runs if one.setting == run.setting.alone), None)
    return Judged(
        run.setting,
        run.tally.measures(prices, days=first),
        run.tally.measures(prices, days=last),
        alone.tally.measures(prices) if alone is not None else None,
        promise.bound(run.tally, first),
    )


def _saving(best: Judged, present: Judged) -> Saving:
    before, after = present.verified_on, best.verified_on
    month = (_MONTH / _HOUR) / before.hours if before.hours else 0.0
    return Saving(
        pod_hours=(before.pod_hours - after.pod_hours) * month,
        cost=(before.cost - after.cost) * month,
        kwh=(before.kwh - after.kwh) * month,
        share=1.0 - after.pod_hours / before.pod_hours if before.pod_hours else 0.0,
    )


def frontier(runs: Sequence[Played], prices: Prices, part: int | None = None) -> list[int]:
    """Which runs no other one beats in both pod-hours and dropped demand, by pod-hours."""
    found = [run.tally.measures(prices, part) for run in runs]
    order = sorted(range(len(runs)), key=lambda n: (found[n].pod_hours, found[n].dropped))
    kept: list[int] = []
    for number in order:
        if not kept or found[number].dropped < found[kept[-1]].dropped:
            kept.append(number)
    return kept
