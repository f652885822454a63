"""Forecasts that would have been made: the past walked through at the cadence of production."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from prescaler.core.engine import ModelState
from prescaler.core.errors import ForecastError
from prescaler.core.forecast import Forecast, Origin
from prescaler.core.instants import floor_to
from prescaler.core.records import HistoryVersion, Walk
from prescaler.core.series import Series
from prescaler.core.spans import Span
from prescaler.core.uplift import AROUND
from prescaler.core.workload import Workload
from prescaler.ports import Clock, DemandStore, ForecastStore, ScoreStore, WorkloadStore
from prescaler.usecases.crowd_lore import NO_LORE, Lore, LorePorts
from prescaler.usecases.issue_forecast import Known, issue
from prescaler.usecases.score_forecasts import ScorePorts, score_forecasts

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class WalkPorts:
    """What a walk needs of the world."""

    clock: Clock
    workloads: WorkloadStore
    demand: DemandStore
    forecasts: ForecastStore
    scores: ScoreStore
    lore: LorePorts


@dataclass(frozen=True)
class WalkPlan:
    """Cutoffs whose last point ends in (start, end], one each `every`.

    `every` divides a day; start and end lie on its grid.
    """

    span: Span
    every: timedelta


@dataclass(frozen=True)
class WalkRecord:
    """What a call did. until: how far the walk is; over: whether that is all of it.

    without: cutoffs at which no forecast could be made, such as the first 36 hours of history.
    seconds: by part of the work.
    """

    workload: str
    until: datetime
    over: bool
    forecasts: int = 0
    without: int = 0
    seconds: tuple[tuple[str, float], ...] = ()


def walk_forward(
    workload: Workload, ports: WalkPorts, plan: WalkPlan, most: timedelta = 7 * _DAY
) -> WalkRecord:
    """Go on for at most `most`, a day a transaction; what is stored is scored at once.

    At the end live runs get what the walk has learnt of its own errors and of crowds.

    A walk that began later, or at another cadence, is walked anew: its state rests on other runs.

    Raises:
        StoreError: whole days are stored or not; the next call goes on from there.
    """
    version = ports.workloads.ensure(workload, ports.clock.now().replace(microsecond=0))
    walk = _resumed(version, ports, plan)
    end = min(plan.span.end, floor_to(walk.until, _DAY) + most)
    steps = _Steps(workload, version, ports)
    series = steps.known(walk.until, end)
    while walk.until < end:
        walk = steps.day(walk, series, min(end, floor_to(walk.until, _DAY) + _DAY))
    over = walk.until >= plan.span.end
    if over:
        steps.adopt(walk.state)
    return WalkRecord(
        workload.name, walk.until, over, steps.made, steps.missed, tuple(steps.seconds.items())
    )


def forget_walk(version: HistoryVersion, ports: WalkPorts) -> None:
    """Forget forecasts of the past and their scores: the history they rest on was corrected."""
    ports.forecasts.forget_walk(version)
    ports.scores.forget(version, Origin.BACKFILL)


def _resumed(version: HistoryVersion, ports: WalkPorts, plan: WalkPlan) -> Walk:
    """Where the walk stands; one of another plan is forgotten."""
    found = ports.forecasts.walk(version)
    if found is not None and found.every == plan.every and found.start <= plan.span.start:
        return found
    if found is not None:
        forget_walk(version, ports)
    return Walk(plan.span.start, plan.span.start, plan.every, None)


def _seen(state: ModelState) -> float:
    return float(state.watch.record.seen.sum())


class _Steps:
    """The work of a walk, and the seconds in each part of it."""

    def __init__(self, workload: Workload, version: HistoryVersion, ports: WalkPorts) -> None:
        self.made = self.missed = 0
        self.seconds = {"read": 0.0, "forecast": 0.0, "store": 0.0, "score": 0.0}
        self._workload = workload
        self._version = version
        self._ports = ports
        self._since = ports.clock.elapsed()
        self._lore = NO_LORE

    def known(self, start: datetime, end: datetime) -> Series:
        """Everything that any of the cutoffs in the range may look at."""
        settings = self._workload.forecast
        first = floor_to(start - settings.history, settings.step)
        last = max(first, floor_to(end, settings.step))
        found = self._ports.demand.on_grid(self._version, first, last, settings.step)
        self._lore = Lore(self._ports.lore.calendar.book(self._workload, first - AROUND))
        self._lap("read")
        return found

    def day(self, walk: Walk, series: Series, end: datetime) -> Walk:
        """The cutoffs of a day: forecast, stored together, scored."""
        state, forecasts = self._due_for_refit(walk.state), []
        instant = walk.until
        while (instant := instant + walk.every) <= end:
            state, forecast = self._one(series, instant, state)
            forecasts += [forecast] if forecast is not None else []
        self._lap("forecast")
        reached = Walk(walk.start, end, walk.every, state)
        # What a live run said at that cutoff counts already, and is what was served.
        live = self._ports.forecasts.cutoffs(self._version, walk.until - series.step, end)
        new = [forecast for forecast in forecasts if forecast.cutoff not in live]
        self._ports.forecasts.save_walk(self._version, reached, new)
        self._lap("store")
        self._score()
        self._lap("score")
        return reached

    def _due_for_refit(self, state: ModelState | None) -> ModelState | None:
        """Each day begins with a refit: what a fit learns of crowds is not stored with the walk.

        So a walk that was interrupted goes on exactly as one that was not.
        """
        if state is None:
            return None
        return replace(state, fitted_at=state.fitted_at - self._workload.forecast.refit)

    def _one(
        self, series: Series, end: datetime, state: ModelState | None
    ) -> tuple[ModelState | None, Forecast | None]:
        """What a run would have said once everything before `end` was final."""
        workload = self._workload
        known = series.between(end - workload.forecast.history, end).from_first_observation()
        try:
            found = issue(
                workload,
                self._version,
                known,
                Known(state, self._lore),
                end + workload.demand.delay,
                Origin.BACKFILL,
            )
        except ForecastError:
            self.missed += 1
            return state, None
        self.made += 1
        if found.learnt is not None:
            self._lore = Lore(self._lore.book, found.learnt)
        return found.refitted or state, found.forecast

    def _score(self) -> None:
        ports = ScorePorts(self._ports.demand, self._ports.scores, self._ports.lore)
        now = self._ports.clock.now().replace(microsecond=0)
        more = True
        while more:
            more = score_forecasts(
                self._workload,
                self._version,
                ports,
                now,
                origins=(Origin.BACKFILL,),
                uplift=self._lore.uplift,
            ).more

    def adopt(self, state: ModelState | None) -> None:
        """Give live runs what the walk has learnt, where they have seen less."""
        forecasts, uplifts = self._ports.forecasts, self._ports.lore.uplifts
        live = forecasts.state(self._version)
        if state is not None and (live is None or _seen(live) < _seen(state)):
            forecasts.adopt(self._version, state)
        taught, known = self._lore.uplift, uplifts.get(self._version)
        if taught is not None and (known is None or len(known.seen) < len(taught.seen)):
            uplifts.put(self._version, taught, self._ports.clock.now().replace(microsecond=0))

    def _lap(self, part: str) -> None:
        now = self._ports.clock.elapsed()
        self.seconds[part] += now - self._since
        self._since = now
