"""Planned events of the past, as they were known then."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest

from prescaler.adapters.memory import MemoryDecisions, MemoryForecasts, MemoryWorkloads
from prescaler.adapters.memory_demand import MemoryDemand
from prescaler.core.planned import EventState, PlannedEvent
from prescaler.core.records import Outcome, RunStatus, ServingState, StoredUplift
from prescaler.core.uplift import UpliftModel
from prescaler.core.workload import Workload
from prescaler.usecases.look_back import LookBackPorts, Question, acting, chart, medians, residuals
from prescaler.usecases.past_crowds import PastCrowds
from prescaler.usecases.read_calendar import CalendarReader
from prescaler.usecases.review import Span
from prescaler.usecases.serve_metric import Served
from tests.support.builders import MINUTE, MONDAY, event, flat_forecast, series, workload
from tests.support.crowds import FIRST_DAY, PARIS, STEP, Night, crowd, history, occurrence
from tests.support.lore import calendar

HOUR = timedelta(hours=1)
NIGHTS = [Night(day, 5.0) for day in (3, 6, 8, 12, 14, 18, 23)]
NOW = FIRST_DAY + timedelta(days=28)


def learnt() -> UpliftModel:
    found = UpliftModel.empty(STEP, PARIS)
    return found.learned(history(28, NIGHTS), [crowd(night) for night in NIGHTS])


def past(*events: PlannedEvent) -> PastCrowds:
    return PastCrowds(CalendarReader(calendar(events)))


def served(one: Workload, uplift: UpliftModel | None = None) -> Served:
    version = MemoryWorkloads().ensure(one, MONDAY)
    stored = StoredUplift(NOW, uplift) if uplift is not None else None
    return Served(one, ServingState(version, flat_forecast(1000.0), uplift=stored))


def test_an_event_is_shown_with_what_was_known_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    events = [occurrence(night).event for night in NIGHTS]
    crowds, one = past(*events), served(workload(), learnt())
    first, last = (FIRST_DAY + timedelta(days=day, hours=19) for day in (3, 23))

    def effects(start: datetime, known_at: datetime, *, ahead: bool = True) -> list[int | None]:
        found = crowds.effects(one, start, start + HOUR, known_at, ahead=ahead)
        return [len(e.curve.evidence) if e.curve else None for e in found]

    assert effects(first, NOW) == [None]
    assert effects(last, NOW) == [6]
    assert effects(last, NOW, ahead=False) == [7]
    monkeypatch.setattr(UpliftModel, "as_of", None)  # worked out once, then remembered
    assert effects(last, NOW) == [6]


def test_what_nobody_knew_of_or_was_cancelled_does_nothing() -> None:
    start = MONDAY + 5 * HOUR
    times = {"start": start, "end": start + HOUR}
    late = event(**times, known_from=start + 2 * HOUR)
    gone = event(**times, state=EventState.CANCELLED)
    told = event(**times, name="told")
    found = past(late, gone, told).effects(
        served(workload()), start, start + HOUR, MONDAY + 10 * HOUR, ahead=True
    )

    assert [effect.name for effect in found] == ["told"]
    assert past(told).effects(served(workload()), MONDAY, start, MONDAY, ahead=True) == ()
    assert PastCrowds().effects(served(workload()), start, start + HOUR, MONDAY, ahead=True) == ()


class Evening:
    """A flat forecast, an event that triples it, and what came."""

    def __init__(self, **fields: object) -> None:
        demand, forecasts = MemoryDemand(), MemoryForecasts()
        self.one = workload()
        version = MemoryWorkloads().ensure(self.one, MONDAY)
        self.start = MONDAY + 6 * HOUR
        plain = {"start": self.start, "end": self.start + HOUR, **fields}
        planned = event(**plain)
        planned = replace(planned, effect=replace(planned.effect, factor=3.0))
        self.made = flat_forecast(1000.0)
        forecasts.save(version, RunStatus(MONDAY, Outcome.STORED), self.made)
        demand.append(version, series(np.full(840, 1500.0), MONDAY, MINUTE))
        self.ports = LookBackPorts(demand, forecasts, MemoryDecisions(), past(planned))
        self.served = Served(self.one, ServingState(version, self.made))
        self.span = Span(MONDAY, MONDAY + 14 * HOUR, timedelta(minutes=5))
        self.now = MONDAY + 14 * HOUR


def test_the_chart_shows_events_in_the_forecast_and_the_median_without() -> None:
    world = Evening()
    found = chart(world.served, world.ports, Question(world.span), world.now).columns

    inside = slice(72, 84)
    assert set(found["q0.5"][inside].tolist()) == {3000.0}
    assert set(found["ordinary"][inside].tolist()) == {1000.0}
    assert np.isnan(found["ordinary"][90:]).all()
    assert set(found["q0.5"][90:].tolist()) == {1000.0}
    (effect,) = acting(world.served, world.ports, Question(world.span), world.now)
    assert (effect.start, effect.factor) == (world.start, 3.0)


def test_an_earlier_forecast_knows_only_the_events_of_its_time() -> None:
    world = Evening(known_from=MONDAY + HOUR)
    asked = Question(world.span, as_of=MONDAY + timedelta(minutes=30))

    assert acting(world.served, world.ports, asked, world.now) == ()
    found = chart(world.served, world.ports, asked, world.now).columns
    assert set(found["q0.5"].tolist()) == {1000.0}


def test_errors_by_hour_leave_planned_crowds_out() -> None:
    world = Evening()
    _, count = residuals(world.served, world.ports, world.span, timedelta(0), world.now)

    # 06:00 UTC is 07:00 in Paris.
    assert (count[0, 1], count[0, 7], count[0, 8], count[0, 14]) == (12, 0, 0, 12)


def test_medians_of_instants_include_events() -> None:
    world = Evening()
    stamps = np.array([t.timestamp() for t in (MONDAY + HOUR, world.start)], dtype=np.int64)

    assert medians(world.served, world.ports, stamps, world.now).tolist() == [1000.0, 3000.0]
    blind = Served(world.one, ServingState())
    assert np.isnan(medians(blind, world.ports, stamps, world.now)).all()
