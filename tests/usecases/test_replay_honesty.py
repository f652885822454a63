"""What a replay decides at an instant does not depend on anything that came after it.

Arms that are said to know everything (the peak, the oracles, the multiplier of today's windows) are
left out; the capacity is given, since a guessed one is of the whole trace.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from prescaler.core.arrays import BoolArray
from prescaler.core.instants import to_epoch
from prescaler.core.planned import Effect, PlannedEvent
from prescaler.core.replay.arms import Played
from prescaler.core.replay.ground import Arm
from prescaler.core.series import Series
from prescaler.usecases.replay_period import Crew, Replay, Subject, Wish, replay_period
from prescaler.usecases.replay_subject import TraceFacts, of_trace
from tests.support import builders as make
from tests.support.replayed import Here

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
END = make.MONDAY + 9 * DAY
THEN = END - 3 * HOUR
"""What is planted becomes known here, in the middle of the period."""
ARMS = (Arm.REACTIVE, Arm.CRON, Arm.WEEK_AGO, Arm.PLAIN, Arm.CALENDAR)
LINE = timedelta(minutes=1)
"""Demand between the middles of two points is a line: half a minute of it sees the next point."""

CROWDS = [
    make.event(start=END - n * DAY - 4 * HOUR, end=END - n * DAY - 3 * HOUR, effect=Effect())
    for n in (4, 3, 2, 1)
]
NEXT = make.event(start=THEN + 2 * HOUR, end=THEN + 3 * HOUR, effect=Effect())
"""Planned all along; what it will draw is learnt from the crowds before it."""
MATCH = make.event(start=THEN - 2 * HOUR, end=THEN - HOUR, effect=Effect(factor=3.0))
SOON = make.event(start=THEN + HOUR, end=THEN + 2 * HOUR, effect=Effect(factor=6.0))
TOLD = replace(SOON, known_from=THEN)
CORRECTED = replace(
    make.event(start=THEN - HOUR, end=THEN + HOUR, effect=Effect(factor=8.0)), known_from=THEN
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
    values[-180:] *= factor
    return make.series(values, step=make.MINUTE)


def subject(series: Series, *more: PlannedEvent) -> Subject:
    facts = TraceFacts("web", ZoneInfo("UTC"), capacity=float(trace().mean.max()) / 30)
    found = of_trace(series, facts, [*CROWDS, MATCH, NEXT, *more])
    seldom = replace(found.workload.forecast, every=timedelta(minutes=15), refit=HOUR)
    return replace(found, workload=replace(found.workload, forecast=seldom))


def played(of: Subject) -> Replay:
    wish = Wish(since=6 * HOUR, arms=ARMS, seeds=(1,), sweep=False)
    with ThreadPoolExecutor(1) as threads:
        return replay_period(of, wish, Crew(Here(), threads), lambda *_: True)


FORECASTS = {Arm.PLAIN, Arm.CALENDAR}
PLANTS: Mapping[str, tuple[Subject, set[Arm]]] = {
    "five times the demand": (subject(trace(5.0)), {Arm.REACTIVE, *FORECASTS}),
    "a hole": (subject(trace(np.nan)), {Arm.REACTIVE, *FORECASTS}),
    "an event told later": (subject(trace(), TOLD), {Arm.CALENDAR}),
    "a later entry of what had begun": (subject(trace(), CORRECTED), {Arm.CALENDAR}),
    "a later lesson of yesterday": (subject(trace(), LATE_LESSON), {Arm.CALENDAR}),
    "all of it": (subject(trace(5.0), TOLD, CORRECTED, LATE_LESSON), {Arm.REACTIVE, *FORECASTS}),
}
"""What is planted, and the arms that must see it from then on, or nothing would be proved."""


@pytest.fixture(scope="module")
def undisturbed() -> Replay:
    return played(subject(trace()))


def before(found: Replay) -> BoolArray:
    return np.asarray(found.ground.load.ticks < to_epoch(THEN - LINE))


def by_arm(found: Replay) -> dict[Arm, Played]:
    return {one.setting.arm: one for one in found.arms}


@pytest.mark.parametrize("plant", PLANTS)
def test_nothing_decided_before_depends_on_what_came_after(undisturbed: Replay, plant: str) -> None:
    planted, seeing = PLANTS[plant]
    found = played(planted)
    past, now = before(undisturbed), by_arm(found)

    assert 0.4 < past.mean() < 0.6
    for arm, one in by_arm(undisturbed).items():
        np.testing.assert_array_equal(now[arm].ready[past], one.ready[past], err_msg=arm)
        if arm in seeing:
            assert not np.array_equal(now[arm].ready[~past], one.ready[~past]), arm
    for arm in FORECASTS:
        assert found.ground.tracks[arm].covered[past].mean() > 0.9, (
            "without forecasts it is no proof"
        )
        ours, theirs = (
            one.ground.tracks[arm].served(one.subject.workload.policy)[past]
            for one in (undisturbed, found)
        )
        np.testing.assert_array_equal(theirs, ours, err_msg=arm)


def test_the_same_event_told_in_time_is_seen_before(undisturbed: Replay) -> None:
    """That the proof could fail: one that is known all along raises the pods before it starts."""
    early = replace(CORRECTED, known_from=None)
    found, past = by_arm(played(subject(trace(), early))), before(undisturbed)

    mine, ours = (one[Arm.CALENDAR].ready[past] for one in (by_arm(undisturbed), found))
    assert (ours > mine).any()
