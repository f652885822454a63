"""The arms of a replay: who scales, by what, and what came of it.

Every arm gets the same demand, the same HPA, the same delays and the same luck.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final
from uuid import UUID

import numpy as np

from prescaler.core.arrays import FloatArray, IntArray
from prescaler.core.errors import BadParameter
from prescaler.core.forecast import Forecast
from prescaler.core.instants import from_epoch
from prescaler.core.plan import plan
from prescaler.core.policy import ActsAs, Policy
from prescaler.core.quantiles import QUANTILES
from prescaler.core.replay.ground import FORECAST_ARMS, Arm, Ground, Setting
from prescaler.core.replay.load import known_at
from prescaler.core.replay.measures import (
    AtStart,
    Tally,
    at_starts,
    mean_starts,
    mean_tally,
    needed_pods,
    tally,
)
from prescaler.core.replay.rivals import cron_pods, today_pods
from prescaler.core.replay.scaling import TICK, Kind, Metric, Outcome
from prescaler.core.replay.simulate import simulate

_MINUTE: Final = timedelta(minutes=1)
_WEEK: Final = timedelta(weeks=1)
_CODE_TARGET: Final = 10.0
_MOST_TIMES: Final = 40
READY: Final = 0.99
"""Mean readiness over the events from which on an arm counts as ready."""

_NOBODY: Final = UUID(int=0)


@dataclass(frozen=True, eq=False)
class Played:
    """A setting and what came of it, as the mean of the seeds. ready: [T] of the first seed.

    swallowed: syncs at which the tolerance ate a raise. lost: pods that went with a spot node.
    asleep: share of the time at 0 pods. woken: how often KEDA took it from there.
    """

    setting: Setting
    tally: Tally
    starts: Sequence[AtStart]
    ready: IntArray
    swallowed: float
    lost: float = 0.0
    asleep: float = 0.0
    woken: float = 0.0

    @property
    def readiness(self) -> float | None:
        """Mean readiness over the events; None without events."""
        return _mean([one.readiness for one in self.starts])

    @property
    def late(self) -> float | None:
        """Mean minutes late over the events; None without events."""
        return _mean([one.late for one in self.starts])


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def play(setting: Setting, ground: Ground, seeds: Sequence[int]) -> Played:
    """Play one configuration with several lucks.

    Raises:
        BadParameter: no seed, or a forecast arm of which there is no track.
    """
    if not seeds:
        raise BadParameter("a replay needs at least one seed")
    runs = _outcomes(setting, ground, seeds)
    load, rest = ground.load, ground.scaling.rest
    tallies = [tally(load, run, ground.capacity, rest=rest) for run in runs]
    starts = [at_starts(load, run, ground.events, ground.capacity, rest=rest) for run in runs]
    return Played(
        setting,
        mean_tally(tallies),
        mean_starts(starts),
        runs[0].ready,
        math.fsum(run.swallowed for run in runs) / len(runs),
        math.fsum(run.lost for run in runs) / len(runs),
        math.fsum(float(np.mean(run.asked == 0)) for run in runs) / len(runs),
        math.fsum(run.woken for run in runs) / len(runs),
    )


def _outcomes(setting: Setting, ground: Ground, seeds: Sequence[int]) -> list[Outcome]:
    if setting.arm is Arm.BOUND:
        return [_without_delay(setting, ground)]
    scaling, metrics = ground.scaling, metrics_of(setting, ground)
    if setting.arm is Arm.PEAK:
        most = int(metrics[0].values[0])
        scaling = replace(scaling, least=most, most=most, sleep=None)
    return [simulate(metrics, scaling, ground.delays, seed=seed) for seed in seeds]


def _without_delay(setting: Setting, ground: Ground) -> Outcome:
    """The bound: at every tick exactly the pods that are needed."""
    target = ground.target(setting.utilisation)
    ready = needed_pods(ground.load.demand, target, rest=ground.scaling.rest)
    per_node = max(1, ground.delays.pods_per_node)
    changes = int(np.count_nonzero(np.diff(ready)))
    return Outcome(ready, ready, -(-ready // per_node), changes, 0, 0)


def metrics_of(setting: Setting, ground: Ground) -> list[Metric]:
    """What the HPA reads in this arm."""
    target = ground.target(setting.utilisation)
    if setting.arm is Arm.PEAK:
        need = needed_pods(ground.load.demand, target)
        return [Metric(np.full(len(need), float(need.max())), 1.0)]
    if setting.arm is Arm.ORACLE:
        return [_oracle(setting, ground)]
    own = ground.target(setting.reactive or setting.utilisation)
    return [*_beside(setting, ground, target), Metric(ground.load.signal, own)]


def _beside(setting: Setting, ground: Ground, target: float) -> list[Metric]:
    """What stands beside the reactive metric."""
    if setting.arm in FORECAST_ARMS:
        return [_predicted(setting, ground)]
    if setting.arm is Arm.WEEK_AGO:
        return [_week_ago(setting, ground)]
    if setting.arm is Arm.CRON:
        return [Metric(cron_pods(ground, target), 1.0)]
    if setting.arm is Arm.TODAY_FLOOR:
        return [Metric(today_pods(ground, target, setting.times), 1.0)]
    if setting.arm is Arm.TODAY_CODE:
        pods = today_pods(ground, target, setting.times)
        return [Metric(pods, _CODE_TARGET, kind=Kind.CODE)]
    return []


def configured(setting: Setting, ground: Ground) -> Policy:
    """The policy of a forecast arm."""
    base = ground.policy
    changed = replace(
        base,
        quantile=base.quantile if setting.quantile is None else setting.quantile,
        hold=base.hold if setting.hold is None else setting.hold,
        acts_as=ActsAs.GROWTH if setting.growth else ActsAs.PLAN,
    )
    return changed.with_target(ground.target(setting.utilisation))


def _predicted(setting: Setting, ground: Ground) -> Metric:
    """What prescaler answers. Dead, it fails for two triggers, as sleepers have; else it is 0."""
    if setting.arm not in ground.tracks:
        raise BadParameter(f"there are no forecasts for {setting.arm.value}")
    policy = configured(setting, ground)
    served = ground.tracks[setting.arm].served(policy)
    if setting.growth:
        served = _grown(served, setting, ground, policy)
    for first, last in ground.dead:
        served[first:last] = 0.0 if ground.scaling.sleep is None else math.nan
    if ground.formula or setting.growth:
        served = np.where(np.isnan(ground.load.signal), np.nan, served)
    sleep = ground.scaling.sleep
    activation = 0.0 if sleep is None else sleep.wake_at * policy.target
    return Metric(served, policy.target, landed=ground.counted, activation=activation)


def _grown(served: FloatArray, setting: Setting, ground: Ground, policy: Policy) -> FloatArray:
    """[T] the composite metric of live demand, its growth and the declared floors."""
    own = ground.target(setting.reactive or setting.utilisation)
    live = ground.load.signal * (policy.target / own)
    grown = live * ground.tracks[setting.arm].growth(policy)
    if policy.max_pods is not None:
        grown = np.maximum(live, np.minimum(grown, policy.max_pods * policy.target))
    return np.maximum(served, grown)


def _oracle(setting: Setting, ground: Ground) -> Metric:
    """The truth is the forecast; the delays stay."""
    policy = replace(configured(setting, ground), hold=timedelta(0))
    truth = np.nan_to_num(ground.load.demand)
    return Metric(_planned_copy(truth, ground.load.ticks, policy), policy.target)


def _week_ago(setting: Setting, ground: Ground) -> Metric:
    """The week before is the forecast."""
    policy, ticks = configured(setting, ground), ground.load.ticks
    copied = known_at(ground.series, ticks - int(_WEEK.total_seconds()))
    return Metric(_planned_copy(np.nan_to_num(copied), ticks, policy), policy.target)


def _planned_copy(demand: FloatArray, ticks: IntArray, policy: Policy) -> FloatArray:
    """[T] the plan for demand [T] that is known ahead, minute by minute."""
    per_minute = _MINUTE // TICK
    whole = -(-len(demand) // per_minute) * per_minute
    padded = np.concatenate([demand, np.zeros(whole - len(demand))])
    minutes = padded.reshape(-1, per_minute).max(axis=1).astype(np.float32)
    begin = from_epoch(int(ticks[0]))
    ones = np.ones(len(minutes), dtype=np.float32)
    told = Forecast(
        workload=_NOBODY,
        version=0,
        cutoff=begin - _MINUTE,
        issued_at=begin,
        step=_MINUTE,
        values=np.repeat(minutes[:, None], len(QUANTILES), axis=1),
        peak_ratio=ones,
        naive=minutes,
        historic_max=float(minutes.max()),
    )
    bare = replace(policy, windows=(), min_pods=0)
    return plan(told, (), bare, ticks).load


def multiplier(ground: Ground, utilisation: float, seeds: Sequence[int]) -> int:
    """Today's one global integer: the smallest that has 99 % of the pods ready at the starts.

    Found in hindsight, over the very events that it is scored on: kinder than life.
    """
    for times in range(1, _MOST_TIMES):
        found = play(Setting(Arm.TODAY_FLOOR, utilisation, times=times), ground, seeds)
        if found.readiness is None or found.readiness >= READY:
            return times
    return _MOST_TIMES
