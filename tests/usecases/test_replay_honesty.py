"""What a replay decides at an instant does not depend on anything that came after it.

Arms that are said to know everything (the peak, the oracles, the multiplier of today's windows) are
left out; the capacity is given, since a guessed one is of the whole trace. Whole forecasts are
compared and not what is served of them alone: one that is of the future only serves nothing.

Below, the walk is made to leak on purpose, in every way that we could think of, and each time the
same comparison must see it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from prescaler.core import event_book
from prescaler.core.arrays import BoolArray, FloatArray, IntArray
from prescaler.core.event_book import EMPTY_BOOK, EventBook
from prescaler.core.event_history import Revision, as_known
from prescaler.core.history import History
from prescaler.core.instants import from_epoch, to_epoch
from prescaler.core.planned import Effect, PlannedEvent
from prescaler.core.replay import load
from prescaler.core.replay.arms import Played
from prescaler.core.replay.ground import Arm
from prescaler.core.replay.track import Said, declared_floors, said
from prescaler.core.series import Series, coarsen
from prescaler.usecases import replay_period, replay_walk
from prescaler.usecases.issue_forecast import Issued, Known, issue
from prescaler.usecases.replay_period import Crew, Replay, Subject, Wish, ground_of, with_tracks
from prescaler.usecases.replay_subject import TraceFacts, of_trace
from prescaler.usecases.replay_walk import stretches, walk
from tests.support import builders as make
from tests.support.replayed import Here

# They share a replay that takes seconds.
pytestmark = pytest.mark.xdist_group("replay-honesty")

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
END = make.MONDAY + 9 * DAY
ISSUED = END - 3 * HOUR
"""A forecast is made in the middle of the period, of all that was final by here."""
THEN = ISSUED + 4 * MINUTE
"""What is planted becomes known here: inside the first step that the forecast must not know, so
that reading a single step too far shows, and after the forecast has begun to be served."""
ARMS = (Arm.REACTIVE, Arm.CRON, Arm.WEEK_AGO, Arm.PLAIN, Arm.CALENDAR)
LINE = MINUTE
"""Demand between the middles of two points is a line: half a minute of it sees the next point."""

CROWDS = [
    make.event(start=END - n * DAY - 4 * HOUR, end=END - n * DAY - 3 * HOUR, effect=Effect())
    for n in (4, 3, 2, 1)
]
NEXT = make.event(start=ISSUED + 2 * HOUR, end=ISSUED + 3 * HOUR, effect=Effect())
"""Planned all along; what it will draw is learnt from the crowds before it."""
MATCH = make.event(start=ISSUED - 2 * HOUR, end=ISSUED - HOUR, effect=Effect(factor=3.0))
SOON = make.event(
    start=ISSUED + HOUR, end=ISSUED + 2 * HOUR, effect=Effect(factor=6.0, min_pods=50)
)
TOLD = replace(SOON, known_from=THEN)
CORRECTED = replace(
    make.event(start=ISSUED - HOUR, end=ISSUED + HOUR, effect=Effect(factor=8.0, min_pods=80)),
    known_from=THEN,
)
"""A crowd that somebody enters afterwards, for a time that had begun."""
LATE_LESSON = replace(
    make.event(start=END - DAY - 6 * HOUR, end=END - DAY - 5 * HOUR, effect=Effect()),
    known_from=THEN,
)
"""A crowd of yesterday of which nobody knew until now: what it teaches comes from now on."""


def trace(factor: float = 1.0) -> Series:
    """Nine days of minutes with crowds; after `THEN` so many times as much."""
    values = np.repeat(make.daily_demand(9, seed=3), 5)
    for one in (*CROWDS, MATCH):
        first = int((one.start - make.MONDAY) / make.MINUTE)
        values[first : first + 60] *= 3
    values[int((THEN - make.MONDAY) / make.MINUTE) :] *= factor
    return make.series(values, step=make.MINUTE)


def subject(series: Series, *more: PlannedEvent) -> Subject:
    facts = TraceFacts("web", ZoneInfo("UTC"), capacity=float(trace().mean.max()) / 30)
    found = of_trace(series, facts, [*CROWDS, MATCH, NEXT, *more])
    seldom = replace(found.workload.forecast, every=timedelta(minutes=15), refit=HOUR)
    return replace(found, workload=replace(found.workload, forecast=seldom))


class Noting(Here):
    """Keeps all the forecasts of a walk to look at, arm by arm."""

    def __init__(self) -> None:
        self.walks: list[Said] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """The finished work, noted."""
        done = super().submit(fn, *args, **kwargs)
        self.walks += done.result()
        return done


def played(of: Subject) -> tuple[Replay, list[Said]]:
    wish, here = Wish(since=6 * HOUR, arms=ARMS, seeds=(1,), sweep=False), Noting()
    with ThreadPoolExecutor(1) as threads:
        found = replay_period.replay_period(of, wish, Crew(here, threads), lambda *_: True)
    return found, here.walks


FORECASTS = {Arm.PLAIN, Arm.CALENDAR}
DEMAND, EVENT, CORRECTION, LESSON = (
    "five times the demand",
    "an event told later",
    "a later entry of what had begun",
    "a later lesson of yesterday",
)
PLAIN = subject(trace())
PLANTS: Mapping[str, tuple[Subject, set[Arm]]] = {
    DEMAND: (subject(trace(5.0)), {Arm.REACTIVE, *FORECASTS}),
    "a hole": (subject(trace(np.nan)), {Arm.REACTIVE, *FORECASTS}),
    EVENT: (subject(trace(), TOLD), {Arm.CALENDAR}),
    CORRECTION: (subject(trace(), CORRECTED), {Arm.CALENDAR}),
    LESSON: (subject(trace(), LATE_LESSON), {Arm.CALENDAR}),
    "all of it": (subject(trace(5.0), TOLD, CORRECTED, LATE_LESSON), {Arm.REACTIVE, *FORECASTS}),
}
"""What is planted, and the arms that must see it from then on, or nothing would be proved."""


@pytest.fixture(scope="module", autouse=True)
def _short_warm_up() -> Iterator[None]:
    """How long a walk warms up is not what is asked, and is most of the time that it takes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay_walk, "_WARM_UP", 4 * HOUR)
        yield


@pytest.fixture(scope="module")
def undisturbed(_short_warm_up: None) -> tuple[Replay, list[Said]]:
    return played(PLAIN)


def before(found: Replay) -> BoolArray:
    return np.asarray(found.ground.load.ticks < to_epoch(THEN - LINE))


def by_arm(found: Replay) -> dict[Arm, Played]:
    return {one.setting.arm: one for one in found.arms}


def known_before(walk: Sequence[Said]) -> list[Said]:
    """The forecasts that were served before `THEN`."""
    return [one for one in walk if one.issued < to_epoch(THEN)]


def differing(ours: Sequence[Said], theirs: Sequence[Said]) -> list[datetime]:
    """When forecasts were issued before `THEN` that are not the same in both walks."""
    mine, others = known_before(ours), known_before(theirs)
    assert mine, "without forecasts it is no proof"
    assert len(mine) == len(others)
    return [
        from_epoch(one.issued)
        for one, other in zip(mine, others, strict=True)
        if (one.issued, one.start) != (other.issued, other.start)
        or any(
            not np.array_equal(getattr(one, field), getattr(other, field), equal_nan=True)
            for field in ("values", "peak", "floors")
        )
    ]


@pytest.mark.parametrize("plant", PLANTS)
def test_nothing_decided_before_depends_on_what_came_after(
    undisturbed: tuple[Replay, list[Said]], plant: str
) -> None:
    planted, seeing = PLANTS[plant]
    (mine, my_walk), (found, their_walk) = undisturbed, played(planted)
    past, now = before(mine), by_arm(found)

    assert 0.4 < past.mean() < 0.6
    assert differing(my_walk, their_walk) == []
    for arm, one in by_arm(mine).items():
        np.testing.assert_array_equal(now[arm].ready[past], one.ready[past], err_msg=arm)
        if arm in seeing:
            assert not np.array_equal(now[arm].ready[~past], one.ready[~past]), arm
    for arm in FORECASTS:
        ours, theirs = (one.ground.tracks[arm] for one in (mine, found))
        policy = mine.subject.workload.policy
        assert np.isfinite(theirs.planned(policy)[past]).mean() > 0.9, "that plan nothing"
        np.testing.assert_array_equal(
            theirs.served(policy)[past], ours.served(policy)[past], err_msg=arm
        )
        np.testing.assert_array_equal(theirs.floors[past], ours.floors[past], err_msg=arm)


def test_the_same_event_told_in_time_is_seen_before(
    undisturbed: tuple[Replay, list[Said]],
) -> None:
    """That the proof could fail: one that is known all along raises the pods before it starts."""
    early = replace(CORRECTED, known_from=None)
    found, past = by_arm(played(subject(trace(), early))[0]), before(undisturbed[0])

    mine, ours = (one[Arm.CALENDAR].ready[past] for one in (by_arm(undisturbed[0]), found))
    assert (ours > mine).any()


AHEAD = timedelta(minutes=30)
STEP = timedelta(minutes=5)
Leak = Callable[[pytest.MonkeyPatch, Series], None]
"""Makes the walk over a series (on the forecast's step) dishonest."""


def near(at: datetime) -> bool:
    """Whether a leak there could reach `THEN`; before, it would only cost time."""
    return at > THEN - HOUR


def through_issue(leak: Callable[..., Issued]) -> Leak:
    """A leak that puts something else into `issue`; it is given the whole series besides."""

    def patched(patch: pytest.MonkeyPatch, whole: Series) -> None:
        def dishonest(*args: Any) -> Issued:
            return leak(whole, *args) if near(args[4]) else issue(*args)

        patch.setattr(replay_walk, "issue", dishonest)

    return patched


def later_until(by: timedelta) -> Leak:
    """Demand is read too far: what is forecast is the time after that."""

    def leak(whole: Series, w: Any, v: Any, seen: Series, *rest: Any) -> Issued:
        return issue(w, v, whole.between(seen.start, seen.end + by), *rest)

    return through_issue(leak)


def later_values(whole: Series, w: Any, v: Any, seen: Series, known: Known, *rest: Any) -> Issued:
    """Demand of half an hour later under the stamps of now."""
    late = whole.between(seen.start + AHEAD, seen.end + AHEAD)
    return issue(w, v, replace(seen, mean=late.mean, peak=late.peak), known, *rest)


def newest_value(whole: Series, w: Any, v: Any, seen: Series, known: Known, *rest: Any) -> Issued:
    """The step that runs in place of the last one that is over."""
    mean, last = seen.mean.copy(), whole.between(seen.end, seen.end + STEP)
    mean[-1] = last.mean[0]
    return issue(w, v, replace(seen, mean=mean, peak=np.fmax(mean, seen.peak)), known, *rest)


def of_later(whole: Series, w: Any, v: Any, seen: Series, known: Known, *rest: Any) -> Issued:
    """What a refit half an hour later gives."""
    late, (at, origin) = whole.between(seen.start, seen.end + AHEAD), rest
    return issue(w, v, late, replace(known, state=None), at + AHEAD, origin)


def later_fit(whole: Series, w: Any, v: Any, seen: Series, known: Known, *rest: Any) -> Issued:
    """The fit of half an hour later is used again, as if it were of now."""
    fit = of_later(whole, w, v, seen, known, *rest).refitted
    assert fit is not None
    assert known.state is not None
    mine = replace(fit, fitted_at=known.state.fitted_at, without=known.state.without)
    return issue(w, v, seen, replace(known, state=mine), *rest)


def later_calibration(
    whole: Series, w: Any, v: Any, seen: Series, known: Known, *rest: Any
) -> Issued:
    """Widths are corrected by outcomes that had not come yet."""
    state, late = known.state, whole.between(seen.start, seen.end + AHEAD)
    assert state is not None
    settings = w.forecast
    history = History.of(late, settings.timezone, settings.horizon_steps, settings.country)
    told = replace(state, watch=state.watch.learned(history))
    return issue(w, v, seen, replace(known, state=told), *rest)


def later_lesson(whole: Series, w: Any, v: Any, seen: Series, known: Known, *rest: Any) -> Issued:
    """Crowds have taught already what they teach half an hour later."""
    learnt = of_later(whole, w, v, seen, known, *rest).learnt or known.lore.uplift
    return issue(w, v, seen, replace(known, lore=replace(known.lore, uplift=learnt)), *rest)


def known_early(patch: pytest.MonkeyPatch, _: Series) -> None:
    """Every event is known half an hour before anybody told it."""
    honest = event_book.known_by
    patch.setattr(
        event_book, "known_by", lambda e, at: honest(e, at + AHEAD if at is not None else None)
    )


def effects_in_hindsight(patch: pytest.MonkeyPatch, _: Series) -> None:
    """What acts on a forecast is asked without saying when."""
    honest = EventBook.effects

    def careless(self: EventBook, policy: Any, start: Any, end: Any, _: Any, *rest: Any) -> Any:
        return honest(self, policy, start, end, None, *rest)

    patch.setattr(EventBook, "effects", careless)


def served_early(patch: pytest.MonkeyPatch, _: Series) -> None:
    """A forecast is served a quarter of an hour before it was made."""
    honest = said
    patch.setattr(
        replay_walk,
        "said",
        lambda *args: replace(found := honest(*args), issued=found.issued - 15 * 60),
    )


def floors_early(patch: pytest.MonkeyPatch, _: Series) -> None:
    """Declared pods are there before they were declared."""
    honest = declared_floors
    patch.setattr(
        replay_period,
        "declared_floors",
        lambda book, *args: honest(
            EventBook(tuple(replace(e, known_from=None) for e in book.events)), *args
        ),
    )


def signal_early(patch: pytest.MonkeyPatch, _: Series) -> None:
    """Reactive scaling reads demand that has not come yet."""
    honest = load._signal
    patch.setattr(load, "_signal", lambda demand: np.roll(honest(demand), -12))


LEAKS: Mapping[str, tuple[Leak, str, Arm]] = {
    "demand of one step more": (later_until(STEP), DEMAND, Arm.PLAIN),
    "demand of half an hour more": (later_until(AHEAD), DEMAND, Arm.PLAIN),
    "later demand under old stamps": (through_issue(later_values), DEMAND, Arm.PLAIN),
    "the step that runs": (through_issue(newest_value), DEMAND, Arm.PLAIN),
    "a later fit": (through_issue(later_fit), DEMAND, Arm.PLAIN),
    "a later calibration": (through_issue(later_calibration), DEMAND, Arm.PLAIN),
    "a later lesson": (through_issue(later_lesson), LESSON, Arm.CALENDAR),
    "events half an hour early": (known_early, EVENT, Arm.CALENDAR),
    "effects in hindsight": (effects_in_hindsight, EVENT, Arm.CALENDAR),
    "forecasts before they are made": (served_early, DEMAND, Arm.PLAIN),
    "declared pods in hindsight": (floors_early, CORRECTION, Arm.CALENDAR),
    "live demand of three minutes later": (signal_early, DEMAND, Arm.REACTIVE),
}
"""How, what is planted, and the arm that must be found out."""


def decided_before(of: Subject, arm: Arm) -> tuple[list[Said], IntArray, FloatArray]:
    """Of one arm, the last forecasts before `THEN`, declared pods and live demand."""
    whole, start = coarsen(of.series, STEP), ISSUED - AHEAD
    book = of.book if arm is Arm.CALENDAR else EMPTY_BOOK
    parts = stretches(of.workload, whole, book, start, THEN + AHEAD) if arm in FORECASTS else []
    ground = with_tracks(ground_of(of, THEN - HOUR, THEN + HOUR), of, {arm: []})
    past = ground.load.ticks < to_epoch(THEN - LINE)
    walks = [one for part in parts for one in walk(part)]
    return walks, ground.tracks[arm].floors[past], ground.load.signal[past]


def found_out(
    planted: Subject, arm: Arm, leak: Leak | None = None, honest: Subject = PLAIN
) -> bool:
    """Whether anything before `THEN` differs for what was planted."""
    seen = []
    for of in (honest, planted):
        with pytest.MonkeyPatch.context() as patch:
            if leak is not None:
                leak(patch, coarsen(of.series, STEP))
            seen.append(decided_before(of, arm))
    (mine, my_floors, my_signal), (theirs, their_floors, their_signal) = seen
    return bool(
        (arm in FORECASTS and differing(mine, theirs))
        or not np.array_equal(my_floors, their_floors)
        or not np.array_equal(my_signal, their_signal)
    )


@pytest.mark.parametrize("leak", LEAKS)
def test_a_leak_of_this_kind_is_found_out(leak: str) -> None:
    """That the proof can fail, kind by kind."""
    dishonest, plant, arm = LEAKS[leak]

    assert found_out(PLANTS[plant][0], arm, dishonest)


@pytest.mark.parametrize("plant", [DEMAND, EVENT, CORRECTION, LESSON])
def test_without_a_leak_nothing_is_found(plant: str) -> None:
    assert not any(found_out(PLANTS[plant][0], arm) for arm in (Arm.REACTIVE, *FORECASTS))


def test_an_event_that_is_moved_is_known_at_its_old_time_until_then() -> None:
    was = replace(CORRECTED, known_from=None, revision=1)
    moved = replace(was, start=was.start + 2 * HOUR, end=was.end + 2 * HOUR, revision=2)
    forms = as_known(moved, [Revision(was, make.MONDAY), Revision(moved, THEN)])
    honest, told = subject(trace(), was), subject(trace(), *forms)

    assert not found_out(told, Arm.CALENDAR, honest=honest)
    assert found_out(subject(trace(), moved), Arm.CALENDAR, honest=honest), "or nothing is proved"
    later = by_arm(played(told)[0])[Arm.CALENDAR].ready
    assert not np.array_equal(later, by_arm(played(honest)[0])[Arm.CALENDAR].ready)
