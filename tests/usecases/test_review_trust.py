"""Guards and ladder on stored demand, forecasts and scores."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from prescaler.adapters.memory import (
    MemoryControl,
    MemoryForecasts,
    MemoryScores,
    MemoryWorkloads,
)
from prescaler.adapters.memory_demand import MemoryDemand
from prescaler.adapters.memory_events import MemoryEvents
from prescaler.core.control import Authored, Control, ModeChange
from prescaler.core.event_records import EventWrite
from prescaler.core.forecast import Origin
from prescaler.core.planned import Effect, PlannedEvent, Selection
from prescaler.core.policy import Mode, TrustSettings
from prescaler.core.records import AuditEntry, Outcome, RunStatus
from prescaler.core.score_days import day_of
from prescaler.core.trust import LADDER_AUTHOR
from prescaler.usecases.review_trust import TrustPorts, TrustRecord, review_trust, trust_evidence
from tests.core.test_trust import sums
from tests.support.builders import (
    DAY,
    MINUTE,
    MONDAY,
    PARIS,
    STEP,
    WORKLOAD_ID,
    forecast,
    policy,
    series,
    workload,
)

HOUR = timedelta(hours=1)


class World:
    """A workload in mode shadow (ladder on) with two days of steady demand of 1000."""

    def __init__(self, mode: Mode = Mode.SHADOW, **settings: object) -> None:
        trust = replace(TrustSettings(auto=True), **settings)  # type: ignore[arg-type]
        self.web = workload(policy=policy(mode=mode), trust=trust)
        self.forecasts, self.control = MemoryForecasts(), MemoryControl()
        self.ports = TrustPorts(
            MemoryDemand(),
            self.forecasts,
            MemoryScores(self.forecasts),
            self.control,
            MemoryEvents(),
        )
        self.version = MemoryWorkloads().ensure(self.web, MONDAY)
        self.demand(1000.0, MONDAY - 2 * DAY, 48 * 60)
        self.said(1000.0, MONDAY - 2 * HOUR)
        self.now = MONDAY + 2 * MINUTE

    def demand(self, value: float, start: object, minutes: int) -> None:
        piece = series(np.full(minutes, value), start, MINUTE)  # type: ignore[arg-type]
        self.ports.demand.append(self.version, piece)

    def said(self, value: float, cutoff: object, **changes: object) -> None:
        made = forecast(
            np.full(600, value), workload=self.version.workload, cutoff=cutoff, issued_at=cutoff,
            **changes,
        )  # fmt: skip
        self.forecasts.save(self.version, RunStatus(MONDAY, Outcome.STORED), made)

    def good_days(self, days: int = 14) -> None:
        today = day_of(MONDAY)
        rows = {(today - n * DAY, "1h"): sums() for n in range(1, days + 1)}
        self.ports.scores.add(self.version, Origin.BACKFILL, rows, {})

    def review(self) -> TrustRecord:
        return review_trust(self.web, self.version, self.ports, self.now)

    @property
    def stored(self) -> Control:
        return self.control.get(self.version.workload)


def test_backfilled_days_take_a_workload_up_a_rung_a_day() -> None:
    world = World()
    world.good_days()

    assert world.review() == TrustRecord(mode=Mode.CAPPED)
    assert world.review() == TrustRecord()
    world.now += DAY
    world.demand(1000.0, MONDAY, 24 * 60)
    world.ports.scores.add(world.version, Origin.LIVE, {(day_of(MONDAY), "1h"): sums()}, {})
    assert world.review() == TrustRecord(mode=Mode.ACTIVE)

    assert world.stored.mode is not None
    assert world.stored.mode.by.author == LADDER_AUTHOR
    newest = world.control.recent(1)[0]
    assert (newest.action, newest.author) == ("mode", LADDER_AUTHOR)
    assert "14 days" in newest.reason


def test_nothing_moves_without_the_ladder_or_without_evidence() -> None:
    without, off = World(), World(auto=False)
    off.good_days()

    assert without.review() == off.review() == TrustRecord()
    found = trust_evidence(
        without.web, without.version, without.ports.scores, Control(), without.now
    )
    assert found.missing


def test_missing_actuals_suspend_promotion_and_never_demote() -> None:
    world = World(Mode.ACTIVE)
    world.good_days()
    world.now = MONDAY + 3 * HOUR

    assert world.review() == TrustRecord()
    climbing = World()
    climbing.good_days()
    climbing.now = MONDAY + 3 * HOUR
    assert climbing.review() == TrustRecord()
    assert climbing.stored == Control()


def test_residuals_far_outside_for_an_hour_trip_and_take_the_mode_down() -> None:
    world = World(Mode.ACTIVE)
    world.demand(9000.0, MONDAY - HOUR, 60)

    assert world.review() == TrustRecord(tripped="residuals", mode=Mode.SHADOW)
    assert world.stored.guard is not None
    assert "60 minutes" in world.stored.guard.detail
    assert world.review() == TrustRecord()
    assert world.control.recent(1)[0].action == "guard tripped"


def test_a_trip_leaves_a_persons_mode_alone() -> None:
    world = World(Mode.SHADOW)
    by = Authored("ada", "match night", MONDAY - DAY, None)
    world.control.put(world.version.workload, Control(mode=ModeChange(by, Mode.ACTIVE)), None)
    world.demand(9000.0, MONDAY - HOUR, 60)

    assert world.review() == TrustRecord(tripped="residuals")
    assert world.stored.mode is not None
    assert world.stored.mode.mode is Mode.ACTIVE


def test_half_an_hour_or_a_planned_event_does_not_trip() -> None:
    world = World(Mode.ACTIVE)
    world.demand(9000.0, MONDAY - 30 * MINUTE, 30)
    assert world.review() == TrustRecord()

    world.demand(9000.0, MONDAY - HOUR, 60)
    match = PlannedEvent(
        WORKLOAD_ID, "final", "football", MONDAY - HOUR, MONDAY + HOUR, PARIS,
        Selection(everything=True), Effect(factor=9.0),
    )  # fmt: skip
    entry = AuditEntry(MONDAY, "ada", "add", "final", "why", None, None)
    world.ports.events.write([EventWrite(match, entry)])
    assert world.review() == TrustRecord()


def test_a_guard_is_cleared_after_an_hour_of_calm_and_the_days_are_counted_anew() -> None:
    world = World(Mode.ACTIVE)
    world.good_days()
    world.demand(9000.0, MONDAY - HOUR, 60)
    world.review()
    world.demand(1000.0, MONDAY, 3 * 60)

    world.now = MONDAY + 50 * MINUTE
    assert world.review() == TrustRecord()
    world.now = MONDAY + 90 * MINUTE
    assert world.review() == TrustRecord(cleared="residuals")
    assert world.stored.guard is None
    assert world.review() == TrustRecord()
    assert world.stored.mode is not None
    assert world.stored.mode.mode is Mode.SHADOW


def test_a_forecast_beyond_anything_seen_trips_at_once() -> None:
    world = World(Mode.CAPPED)
    world.said(9000.0, MONDAY, historic_max=1500.0)

    record = world.review()

    assert record == TrustRecord(tripped="beyond_seen", mode=Mode.SHADOW)
    world.said(1000.0, MONDAY + HOUR, historic_max=1500.0)
    world.demand(1000.0, MONDAY, 90)
    world.now = MONDAY + 80 * MINUTE
    assert world.review() == TrustRecord(cleared="beyond_seen")


@pytest.mark.parametrize("mode", [Mode.OFF])
def test_what_is_off_is_not_guarded(mode: Mode) -> None:
    world = World(mode)
    world.said(9000.0, MONDAY, historic_max=1500.0)

    assert world.review() == TrustRecord()


def test_guards_can_be_switched_off() -> None:
    world = World(Mode.ACTIVE, residuals_for=None, beyond_seen=None)
    world.said(9000.0, MONDAY, historic_max=1500.0)
    world.demand(90_000.0, MONDAY - HOUR, 60)

    assert world.review() == TrustRecord()


def test_a_guard_of_another_hand_is_left_to_it() -> None:
    from prescaler.core.control import GuardTrip

    world = World(Mode.ACTIVE)
    trip = GuardTrip("by_hand", "x", MONDAY - DAY)
    world.control.put(world.version.workload, Control(guard=trip), None)

    assert world.review() == TrustRecord()
    assert world.stored.guard == trip


def test_somebody_faster_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(Mode.ACTIVE)
    world.said(9000.0, MONDAY, historic_max=1500.0)
    stale = world.control.get(world.version.workload)
    world.control.put(world.version.workload, stale, None)
    monkeypatch.setattr(world.control, "get", lambda _: stale)

    assert world.review() == TrustRecord()
    assert world.control.all()[world.version.workload].guard is None


def test_the_step_of_the_forecast_is_kept_to() -> None:
    assert World().web.forecast.step == STEP
