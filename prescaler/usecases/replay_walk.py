"""The forecasts of a replay: what would have been issued, at the cadence of production.

The same `issue` that production runs, with what was known then. A forecast reaches two hours here
instead of days: a plan looks ahead by lead time and hold, and that is minutes. A stretch of a week
is walked after two days of refits, so that stretches can be walked side by side and the result does
not depend on how many are.
"""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, as_completed
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

from prescaler.core.engine import ModelState
from prescaler.core.errors import ForecastError
from prescaler.core.event_book import EventBook
from prescaler.core.forecast import Origin
from prescaler.core.hpa import longest_lead
from prescaler.core.instants import floor_to
from prescaler.core.records import HistoryVersion
from prescaler.core.replay.track import Said, said
from prescaler.core.series import Series
from prescaler.core.uplift import UpliftModel
from prescaler.core.workload import Workload
from prescaler.usecases.crowd_lore import Lore
from prescaler.usecases.issue_forecast import Known, issue

_REACH: Final = timedelta(hours=2)
_STRETCH: Final = timedelta(days=7)
_WARM_UP: Final = timedelta(days=2)
_STEPS_AHEAD: Final = 3
"""The step that runs, the one that the next forecast comes late for, and one to look ahead into."""

_MANY_PODS: Final = 1_000_000
_SOMEBODY: Final = UUID(int=0)


@dataclass(frozen=True, eq=False)
class Stretch:
    """Forecasts that become known in [start, end). series: on the forecast's step."""

    workload: Workload
    series: Series
    book: EventBook
    start: datetime
    end: datetime


def stretches(
    workload: Workload, series: Series, book: EventBook, start: datetime, end: datetime
) -> list[Stretch]:
    """Cut a walk over [start, end) into pieces that do not need one another.

    Forecasts have the series' step; a coarse one is forecast no more often than it changes.
    """
    step = series.step
    settings = replace(
        workload.forecast,
        step=step,
        horizon=max(_REACH, 2 * (workload.policy.hold + _longest(workload)), _STEPS_AHEAD * step),
        every=max(workload.forecast.every, step),
        refit=max(workload.forecast.refit, step),
    )
    own = replace(workload, forecast=settings)
    first, found = floor_to(start, settings.every), []
    while first < end:
        last = min(end, first + _STRETCH)
        found.append(Stretch(own, series, book, first, last))
        first = last
    return found


def _longest(workload: Workload) -> timedelta:
    policy = workload.policy
    return longest_lead(_MANY_PODS, policy.lead_time, from_zero=policy.scale_min == 0)


class KeptWalks(Protocol):
    """Stretches that are walked already, for a worker that comes after this one."""

    def find(self, mark: str) -> Sequence[Said] | None:
        """What was said in the stretch of a mark; None: it is to be walked."""
        ...

    def keep(self, mark: str, found: Sequence[Said]) -> None:
        """Keep it, if there is room."""
        ...


class NothingKept:
    """`KeptWalks` of work that nobody takes over."""

    def find(self, mark: str) -> Sequence[Said] | None:  # noqa: ARG002 - as the protocol has it
        """Nothing."""
        return None

    def keep(self, mark: str, found: Sequence[Said]) -> None:
        """Nowhere."""


def mark(stretch: Stretch) -> str:
    """A name for exactly this work: another one as soon as anything that it depends on differs."""
    history = stretch.workload.forecast.history
    known = stretch.series.between(stretch.start - _WARM_UP - history, stretch.end)
    told = repr((stretch.workload, stretch.book.events, stretch.start, stretch.end, known.start))
    found = hashlib.sha256(told.encode())
    found.update(known.mean.tobytes())
    found.update(known.peak.tobytes())
    return found.hexdigest()


def walk_all(
    parts: Sequence[Stretch], workers: Executor, kept: KeptWalks, tell: Callable[[float], None]
) -> list[list[Said]]:
    """Walk stretches side by side, in their order; those that are kept are not walked again.

    tell: hears the share that is done; what it raises ends the work.
    """
    marks = [mark(part) for part in parts]
    found = [kept.find(one) for one in marks]
    jobs: dict[Future[list[Said]], int] = {
        workers.submit(walk, part): n for n, part in enumerate(parts) if found[n] is None
    }
    if parts:
        tell(1 - len(jobs) / len(parts))
    try:
        for left, job in enumerate(as_completed(jobs), 1 - len(jobs)):
            found[jobs[job]] = job.result()
            kept.keep(marks[jobs[job]], job.result())
            tell((len(parts) + left) / len(parts))
    finally:
        for job in jobs:
            job.cancel()
    return [list(one or ()) for one in found]


def walk(stretch: Stretch) -> list[Said]:
    """The forecasts of a stretch, ascending; none where history was too little for one."""
    steps, found = _Steps(stretch), []
    settings = stretch.workload.forecast
    at = stretch.start - _WARM_UP
    while at < stretch.start:
        steps.one(at)
        at += settings.refit
    at = stretch.start
    while at < stretch.end:
        one = steps.one(at)
        found += [one] if one is not None else []
        at += settings.every
    return found


class _Steps:
    """A walk under way: what the last refit left."""

    def __init__(self, stretch: Stretch) -> None:
        self._stretch = stretch
        self._known = Known(None, Lore(stretch.book))
        self._version = HistoryVersion(0, _SOMEBODY, stretch.workload.name, 1, "")

    def one(self, end: datetime) -> Said | None:
        """What a run says once everything before `end` is final."""
        stretch, workload = self._stretch, self._stretch.workload
        end = floor_to(end, workload.forecast.step)
        known = stretch.series.between(end - workload.forecast.history, end)
        at = end + workload.demand.delay
        try:
            found = issue(
                workload,
                self._version,
                known.from_first_observation(),
                self._known,
                at,
                Origin.BACKTEST,
            )
        except ForecastError:
            return None
        self._keep(found.refitted, found.learnt)
        forecast, lore = found.forecast, self._known.lore
        effects = stretch.book.effects(
            workload.policy, forecast.first_valid_at, forecast.valid_until, at, lore.uplift
        )
        return said(forecast, effects, workload.policy)

    def _keep(self, state: ModelState | None, learnt: UpliftModel | None) -> None:
        lore = self._known.lore
        self._known = Known(
            state or self._known.state, Lore(lore.book, learnt) if learnt is not None else lore
        )
