"""As actuals arrive, note how good the stored forecasts were; look at it day by day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final

import numpy as np

from prescaler.core.errors import BadParameter
from prescaler.core.forecast import BUCKETS, Origin
from prescaler.core.instants import floor_to
from prescaler.core.records import HistoryVersion, UnscoredRun
from prescaler.core.score_days import (
    REACH_BACK,
    DayScores,
    ScoreDay,
    ScoreSums,
    added,
    score_days,
)
from prescaler.core.series import Series
from prescaler.core.uplift import UpliftModel
from prescaler.core.workload import Workload
from prescaler.ports import DemandStore, ScoreStore
from prescaler.usecases.crowd_lore import Lore, LorePorts, busy_spans, lore_of

MOST_RUNS: Final = 100
"""Runs read per call: at one live run kept an hour and 50 h of horizon, all that are under way."""

AT_LEAST: Final = timedelta(hours=1)
"""A run is taken up again once this much new demand has come: a hundred runs need not be unpacked
for one point each."""

SCORED_ORIGINS: Final = (Origin.LIVE, Origin.BACKFILL)
_LONGEST_LOOK: Final = timedelta(days=800)


@dataclass(frozen=True)
class ScorePorts:
    """What scoring needs of the world."""

    demand: DemandStore
    scores: ScoreStore
    lore: LorePorts


@dataclass(frozen=True)
class Scored:
    """What a call did. more: whether runs were left for the next one."""

    runs: int
    more: bool


def score_forecasts(
    workload: Workload,
    version: HistoryVersion,
    ports: ScorePorts,
    now: datetime,
    *,
    origins: Sequence[Origin] = SCORED_ORIGINS,
    uplift: UpliftModel | None = None,
) -> Scored:
    """Score what has come since the last call, for at most a hundred runs of each origin.

    A forecast is about ordinary demand: instants at which a planned crowd shows are left out here,
    and looked at event by event. uplift: what crowds have taught, where that is more than what is
    stored.

    Each pair of forecast and actual is counted once, however often and by however many this is
    called. Demand that is still missing at the newest end is waited for; a hole behind it is not.

    Raises:
        StoreError: nothing was counted; the next call does it.
    """
    end = _final_until(workload, version, ports, now)
    if end is None:
        return Scored(0, more=False)
    scoring = _Scoring(workload, version, ports, end, uplift)
    done = [_score_origin(scoring, origin) for origin in origins]
    return Scored(sum(one.runs for one in done), any(one.more for one in done))


def accuracy(
    version: HistoryVersion,
    scores: ScoreStore,
    start: date,
    end: date,
    *,
    origins: Sequence[Origin] = SCORED_ORIGINS,
) -> "Accuracy":
    """Scores of the UTC days in [start, end), by bucket and by day and bucket.

    Raises:
        BadParameter: the days do not ascend, or are too many.
    """
    if not start < end <= start + _LONGEST_LOOK:
        raise BadParameter(f"`to` must lie behind `from`, by at most {_LONGEST_LOOK.days} days")
    days = [row for row in scores.between(version, start, end) if row.origin in origins]
    return Accuracy(tuple(days))


@dataclass(frozen=True)
class Accuracy:
    """Scored days of one workload, ascending."""

    rows: tuple[ScoreDay, ...]

    @property
    def days(self) -> tuple[date, ...]:
        """The days on which anything was scored."""
        return tuple(sorted({row.day for row in self.rows}))

    def buckets(self) -> Mapping[str, ScoreSums]:
        """All days together."""
        seen = {row.bucket for row in self.rows}
        return {
            name: added(row.sums for row in self.rows if row.bucket == name)
            for name in BUCKETS
            if name in seen
        }

    def on(self, day: date) -> Mapping[str, ScoreSums]:
        """One day."""
        return Accuracy(tuple(row for row in self.rows if row.day == day)).buckets()


def _final_until(
    workload: Workload, version: HistoryVersion, ports: ScorePorts, now: datetime
) -> datetime | None:
    """End of the newest whole step with an observation; None where there is none of late."""
    known, step = ports.demand.known_until(version), workload.forecast.step
    if known is None:
        return None
    end = floor_to(min(known, now), step)
    start = floor_to(end - timedelta(days=1), step)
    recent = ports.demand.on_grid(version, start, end, step)
    newest = recent.last_observation()
    return newest[0] + step if newest else None


@dataclass(frozen=True, eq=False)
class _Scoring:
    """One call. end: of the newest whole step that was observed."""

    workload: Workload
    version: HistoryVersion
    ports: ScorePorts
    end: datetime
    uplift: UpliftModel | None

    def actual(self, runs: Sequence[UnscoredRun]) -> Series:
        """Demand on the forecast's step, with what the naive forecasts of these runs rest on."""
        step = self.workload.forecast.step
        first = min(run.forecast.cutoff for run in runs)
        last = min(self.end, max(run.forecast.valid_until for run in runs))
        start = floor_to(first - REACH_BACK, step)
        last = max(start, floor_to(last, step))
        found = self.ports.demand.on_grid(self.version, start, last, step)
        mean = found.mean.copy()
        for begins, ends in busy_spans(self._lore(start), self.workload, start, found.end):
            mean[max(0, found.index_of(begins)) : max(0, found.index_of(ends))] = np.nan
        return replace(found, mean=mean)

    def _lore(self, start: datetime) -> Lore:
        stored = lore_of(self.workload, self.version, self.ports.lore, start)
        return stored if self.uplift is None else replace(stored, uplift=self.uplift)


def _score_origin(scoring: _Scoring, origin: Origin) -> Scored:
    step, end, scores = scoring.workload.forecast.step, scoring.end, scoring.ports.scores
    waiting = scores.unscored(scoring.version, origin, end - AT_LEAST + step, MOST_RUNS)
    if not waiting:
        return Scored(0, more=False)
    actual = scoring.actual(waiting)
    total: dict[tuple[date, str], ScoreSums] = {}
    progress: dict[datetime, tuple[datetime, datetime | None]] = {}
    for run in waiting:
        # Runs of a step that is no longer configured have no actuals on their grid.
        usable = run.forecast.step == step
        if usable:
            _add_up(total, score_days(actual, run.forecast, run.unscored_from, end))
        over = end >= run.forecast.valid_until or not usable
        progress[run.forecast.cutoff] = (run.unscored_from, None if over else end)
    counted = scores.add(scoring.version, origin, total, progress)
    return Scored(len(waiting) if counted else 0, more=len(waiting) == MOST_RUNS)


def _add_up(total: dict[tuple[date, str], ScoreSums], more: DayScores) -> None:
    for key, sums in more.items():
        total[key] = total.get(key, ScoreSums.none()) + sums
