"""Play a past period again under every arm, and say what pays."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from prescaler.core.errors import BadParameter
from prescaler.core.event_book import EMPTY_BOOK, EventBook, acts_at
from prescaler.core.instants import floor_to, format_instant
from prescaler.core.planned import Occurrence
from prescaler.core.policy import PolicyType, ScalingPolicy
from prescaler.core.replay.advice import Advice, advise
from prescaler.core.replay.arms import Played, multiplier, play
from prescaler.core.replay.ground import FORECAST_ARMS, Arm, Ground, Setting
from prescaler.core.replay.load import AFTER_EVENT, BEFORE_EVENT, lay_out
from prescaler.core.replay.measures import Prices
from prescaler.core.replay.paired import Interval, relative_change
from prescaler.core.replay.promise import Promise
from prescaler.core.replay.scaling import TICK, Behavior, Direction
from prescaler.core.replay.track import Said, declared_floors, track
from prescaler.core.replay.words import Otherwise
from prescaler.core.scaledobject import Variant, default_variant
from prescaler.core.series import Series, coarsen
from prescaler.core.workload import Workload
from prescaler.usecases.replay_cluster import delays_of, scaling_of
from prescaler.usecases.replay_walk import KeptWalks, NothingKept, stretches, walk_all

UTILISATIONS: Final = (0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
QUANTILES: Final = (0.5, 0.75, 0.9, 0.95, 0.99)
PRESENT_UTILISATION: Final = 0.7
LEAST: Final = timedelta(hours=6)
LONGEST: Final = timedelta(days=400)

_HOLDS: Final = (timedelta(0), timedelta(minutes=15))
"""Other lead times of the sweep, beside the policy's own hold."""

_GROWTH_QUANTILE: Final = 0.75
_GROWTH_HOLDS: Final = (timedelta(minutes=2), None)
"""Growth needs no safety of its own: live demand is certain, and only its rise is foreseen."""

_FASTER: Final = 2
_RAMP: Final = Behavior(
    up=Direction(
        timedelta(0),
        (
            ScalingPolicy(PolicyType.PERCENT, 100, timedelta(seconds=10)),
            ScalingPolicy(PolicyType.PODS, 4, timedelta(seconds=10)),
        ),
    )
)
"""The policies that a tolerance needs beside it: any `behavior` replaces the built-in ramp."""

_WALK_SHARE: Final = 0.75
_ARMS_SHARE: Final = 0.82
_MINUTE: Final = timedelta(minutes=1)
_DAY: Final = timedelta(days=1)

TODAY_ARMS: Final = (Arm.TODAY_CODE, Arm.TODAY_FLOOR)
EVENT_ARMS: Final = (*TODAY_ARMS, Arm.CALENDAR)
"""Arms that are nothing without planned events."""

ALL_OR_NOTHING: Final = (Arm.PEAK, Arm.BOUND)
"""Arms that fill pods to their limit: there is nothing to keep room for."""


class Stopped(Exception):
    """Somebody wanted it to stop."""


@dataclass(frozen=True)
class Wish:
    """What is asked of a replay.

    arms: empty = all that the subject allows. sweep: whether frontier and advice are wanted.
    spot_loss: chance that a node is lost in an hour.

    Raises:
        BadParameter: a chance that is none.
    """

    since: timedelta
    until: datetime | None = None
    arms: tuple[Arm, ...] = ()
    promise: Promise | None = None
    seeds: tuple[int, ...] = (1, 2, 3, 4, 5)
    sweep: bool = True
    utilisations: tuple[float, ...] = UTILISATIONS
    quantiles: tuple[float, ...] = QUANTILES
    prices: Prices = field(default_factory=Prices)
    spot_loss: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what the simulator would only refuse after all the forecasts."""
        if not 0 <= self.spot_loss < 1:
            raise BadParameter(
                f"spot loss {self.spot_loss:g}: the chance that a node is lost in an hour is 0 or "
                "more and below 1"
            )


@dataclass(frozen=True, eq=False)
class Subject:
    """What is played again. series: demand at its own resolution, history before the period too.

    book: planned events; present: how it is scaled today. capacity_guessed: nobody said what a
    pod carries. counted: whether the running pods are known to prescaler.
    """

    workload: Workload
    series: Series
    book: EventBook
    present: Setting
    capacity_guessed: bool = False
    counted: bool = True


@dataclass(frozen=True, eq=False)
class Compared:
    """An arm beside the present configuration, paired by day: dropped demand and pod-hours."""

    dropped: Interval
    pod_hours: Interval


@dataclass(frozen=True, eq=False)
class Replay:
    """Everything that a replay found."""

    subject: Subject
    wish: Wish
    ground: Ground
    start: datetime
    end: datetime
    covered_days: int
    present: Played
    arms: Sequence[Played]
    sweep: Sequence[Played]
    compared: Sequence[Compared]
    advice: Advice | None
    otherwise: Otherwise


Progress = Callable[[float, str], bool]
"""Told the share done and what is being done; False: stop."""


@dataclass(frozen=True)
class Crew:
    """Who does the work: processes for forecasts, threads for simulations."""

    processes: Executor
    threads: Executor


def replay_period(
    subject: Subject,
    wish: Wish,
    crew: Crew,
    progress: Progress,
    *,
    kept: KeptWalks | None = None,
) -> Replay:
    """Play it. kept: forecasts of a worker that did not come to the end.

    Raises:
        BadParameter: a period that cannot be, or arms that need what the subject lacks.
        TooLittleHistory: nothing was observed in the period.
        Stopped: progress said so.
    """
    start, end = period(subject, wish)
    wanted = arms_of(subject, wish, start, end)
    present = _as_scaled(subject, start, end).present.arm
    forecast = [arm for arm in FORECAST_ARMS if arm in (*wanted, present)]
    workers = (crew.processes, kept or NothingKept())
    walks = _walked(subject, forecast, (start, end), workers, _Report(progress))
    return replay_walked(subject, wish, walks, crew, progress)


def replay_walked(
    subject: Subject,
    wish: Wish,
    walks: Mapping[Arm, Sequence[Said]],
    crew: Crew,
    progress: Progress,
) -> Replay:
    """The same, with forecasts that are there already.

    Raises:
        BadParameter, TooLittleHistory, Stopped: as `replay_period`.
    """
    start, end = period(subject, wish)
    ground, wanted = ground_of(subject, start, end), arms_of(subject, wish, start, end)
    own = _as_scaled(subject, start, end)
    ground = with_tracks(ground, own, walks)
    ground = replace(ground, delays=replace(ground.delays, spot_loss=wish.spot_loss))
    return _Session(own, wish, ground, crew, _Report(progress)).replay(start, end, wanted)


def _as_scaled(subject: Subject, start: datetime, end: datetime) -> Subject:
    """Prescaler with a calendar is prescaler without one where nothing is planned."""
    if subject.present.arm is Arm.CALENDAR and not occurrences(subject.book, start, end):
        return replace(subject, present=replace(subject.present, arm=Arm.PLAIN))
    return subject


def period(subject: Subject, wish: Wish) -> tuple[datetime, datetime]:
    """[start, end) of what is played, on whole minutes.

    Raises:
        BadParameter: too short, too long, or outside of what is known.
    """
    series = subject.series
    end = floor_to(min(series.end, wish.until or series.end), _MINUTE)
    if end <= series.start:
        raise BadParameter(
            f"until {format_instant(end)}: nothing is known before {format_instant(series.start)}"
        )
    start = max(floor_to(series.start + _MINUTE, _MINUTE), floor_to(end - wish.since, _MINUTE))
    if not LEAST <= end - start <= LONGEST:
        days = (end - start) / _DAY
        raise BadParameter(
            f"{days:.2f} days of demand lie in the period; a replay needs 6 hours to 400 days"
        )
    return start, end


def arms_of(subject: Subject, wish: Wish, start: datetime, end: datetime) -> tuple[Arm, ...]:
    """The arms that are wanted and possible.

    Raises:
        BadParameter: one was asked for that needs planned events, and there are none.
    """
    possible = tuple(Arm)
    if not occurrences(subject.book, start, end):
        possible = tuple(arm for arm in Arm if arm not in EVENT_ARMS)
    missing = [arm.value for arm in wish.arms if arm not in possible]
    if missing:
        raise BadParameter(f"{', '.join(missing)}: no planned event lies in the period")
    return wish.arms or possible


def occurrences(book: EventBook, start: datetime, end: datetime) -> list[Occurrence]:
    """Confirmed occurrences whose event window touches [start, end)."""
    found = book.occurrences(start - AFTER_EVENT, end + BEFORE_EVENT)
    return [one for one in found if acts_at(one.event, None)]


def ground_of(
    subject: Subject, start: datetime, end: datetime, seen: Series | None = None
) -> Ground:
    """What all arms share, without forecasts."""
    workload, events = subject.workload, occurrences(subject.book, start, end)
    return Ground(
        load=lay_out(subject.series, start, end, events, seen),
        series=subject.series,
        capacity=workload.policy.capacity.per_pod,
        policy=workload.policy,
        scaling=scaling_of(workload),
        delays=delays_of(workload.policy.lead_time),
        zone=workload.forecast.timezone,
        events=events,
        counted=subject.counted,
        formula=default_variant(workload) is not Variant.TWO_TRIGGERS,
    )


def _walked(
    subject: Subject,
    arms: Sequence[Arm],
    span: tuple[datetime, datetime],
    workers: tuple[Executor, KeptWalks],
    report: "_Report",
) -> dict[Arm, list[Said]]:
    """The forecasts of each arm."""
    workload = subject.workload
    coarse = coarsen(subject.series, max(subject.series.step, workload.forecast.step))
    parts = [
        (arm, part)
        for arm in arms
        for part in stretches(
            workload, coarse, subject.book if arm is Arm.CALENDAR else EMPTY_BOOK, *span
        )
    ]
    found = walk_all(
        [part for _, part in parts],
        *workers,
        lambda share: report.tell(_WALK_SHARE * share, "forecasts"),
    )
    walks: dict[Arm, list[Said]] = {arm: [] for arm in arms}
    for (arm, _), said in zip(parts, found, strict=True):
        walks[arm] += said
    return walks


def with_tracks(ground: Ground, subject: Subject, walks: Mapping[Arm, Sequence[Said]]) -> Ground:
    """Put walks on the ground's ticks."""
    ticks, policy = ground.load.ticks, subject.workload.policy
    tracks = {}
    for arm, found in walks.items():
        book = subject.book if arm is Arm.CALENDAR else EMPTY_BOOK
        tracks[arm] = track(found, ticks, declared_floors(book, policy, ticks))
    return replace(ground, tracks=tracks)


class _Report:
    """Passes progress on, and stops where that is wanted."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def tell(self, share: float, stage: str) -> None:
        if not self._progress(share, stage):
            raise Stopped


class _Session:
    """The arms of one replay."""

    def __init__(
        self, subject: Subject, wish: Wish, ground: Ground, crew: Crew, report: _Report
    ) -> None:
        self._subject = subject
        self._wish = wish
        self._ground = ground
        self._crew = crew
        self._report = report

    def replay(self, start: datetime, end: datetime, arms: Sequence[Arm]) -> Replay:
        ground, wish = self._ground, self._wish
        self._report.tell(_WALK_SHARE, "arms")
        settings = self._arm_settings(arms)
        played = self._play(settings, (_WALK_SHARE, _ARMS_SHARE), "arms")
        present = self._one(self._subject.present, played)
        sweep = self._play(self._sweep(arms), (_ARMS_SHARE, 1.0), "sweep") if wish.sweep else []
        covered = _covered_days(ground)
        advice = None
        if wish.promise is not None and wish.sweep:
            advice = advise(wish.promise, sweep, present, wish.prices, covered)
        self._report.tell(1.0, "done")
        return Replay(
            subject=self._subject,
            wish=wish,
            ground=ground,
            start=start,
            end=end,
            covered_days=covered,
            present=present,
            arms=played,
            sweep=sweep,
            compared=[compare(one, present) for one in played],
            advice=advice,
            otherwise=self._otherwise(advice, present),
        )

    def _arm_settings(self, arms: Sequence[Arm]) -> list[Setting]:
        """Every arm at the present utilisation."""
        utilisation = self._subject.present.utilisation
        policy = self._subject.workload.policy
        found = [Setting(arm, utilisation) for arm in arms]
        if any(arm in TODAY_ARMS for arm in arms):
            times = multiplier(self._ground, utilisation, self._wish.seeds[:1])
            found = [replace(s, times=times) if s.arm in TODAY_ARMS else s for s in found]
        return [
            replace(s, quantile=policy.quantile) if s.arm in FORECAST_ARMS else s
            for s in [replace(s, utilisation=1.0) if s.arm in ALL_OR_NOTHING else s for s in found]
        ]

    def _sweep(self, arms: Sequence[Arm]) -> list[Setting]:
        return sweep_settings(self._subject, self._wish, arms)

    def _one(self, setting: Setting, played: Sequence[Played]) -> Played:
        known = next((one for one in played if one.setting == setting), None)
        return known or play(setting, self._ground, self._wish.seeds)

    def _play(
        self, settings: Sequence[Setting], shares: tuple[float, float], stage: str
    ) -> list[Played]:
        """In threads: the compiled loop lets go of the interpreter."""
        jobs = [
            self._crew.threads.submit(play, one, self._ground, self._wish.seeds) for one in settings
        ]
        try:
            for done, job in enumerate(as_completed(jobs), 1):
                job.result()
                low, high = shares
                self._report.tell(low + (high - low) * done / len(jobs), stage)
        finally:
            for job in jobs:
                job.cancel()
        return [job.result() for job in jobs]

    def _otherwise(self, advice: Advice | None, present: Played) -> Otherwise:
        """What the promise would cost with pods ready in half the time, or without a tolerance."""
        ground, delays, scaling = self._ground, self._ground.delays, self._ground.scaling
        if advice is None or advice.best is None:
            return Otherwise()
        quick = replace(ground, delays=replace(delays, pod_median=delays.pod_median / _FASTER))
        exact = replace(
            ground,
            scaling=replace(
                scaling,
                tolerance=replace(scaling.tolerance, up=0.0),
                behavior=scaling.behavior or _RAMP,
            ),
        )
        return Otherwise(
            self._reactive_on(quick, advice, present), self._reactive_on(exact, advice, present)
        )

    def _reactive_on(self, ground: Ground, advice: Advice, present: Played) -> Advice:
        wish = self._wish
        runs = [play(Setting(Arm.REACTIVE, u), ground, wish.seeds[:1]) for u in wish.utilisations]
        return advise(advice.promise, runs, present, wish.prices, _covered_days(self._ground))


def sweep_settings(subject: Subject, wish: Wish, arms: Sequence[Arm]) -> list[Setting]:
    """Reactive at every utilisation, and every forecast arm at every quantile too.

    Where there is a calendar, prescaler without it is swept at the policy's quantile only.
    """
    policy = subject.workload.policy
    found = [Setting(Arm.REACTIVE, u) for u in wish.utilisations]
    forecast = [arm for arm in FORECAST_ARMS if arm in arms]
    for arm in forecast:
        full = arm is forecast[-1]
        quantiles = wish.quantiles if full else (policy.quantile,)
        found += [Setting(arm, u, q) for q in quantiles for u in wish.utilisations]
    for arm in forecast[-1:]:
        found += [
            Setting(arm, u, policy.quantile, hold) for hold in _HOLDS for u in wish.utilisations
        ]
        if default_variant(subject.workload) is not Variant.TWO_TRIGGERS:
            found += [
                Setting(arm, u, _GROWTH_QUANTILE, hold, growth=True)
                for hold in _GROWTH_HOLDS
                for u in wish.utilisations
            ]
    return list(dict.fromkeys(found))


def compare(one: Played, present: Played) -> Compared:
    """Beside the present configuration, by the same days."""
    seen = present.tally.row("ticks") * (TICK / _DAY)
    return Compared(
        relative_change(one.tally.row("dropped"), present.tally.row("dropped"), seen),
        relative_change(one.tally.row("pods"), present.tally.row("pods"), seen),
    )


def _covered_days(ground: Ground) -> int:
    """Whole days for which a forecast arm had forecasts; all of them where none was wanted."""
    if not ground.tracks:
        return ground.load.days
    known = [t.covered for t in ground.tracks.values()]
    ticks = min(int(np.count_nonzero(one)) for one in known)
    return ticks * TICK // _DAY
