"""Eight faults of hand-made pre-scaling, each as a test that such a system fails."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from uuid import uuid4

import numpy as np
import pytest

from prescaler.adapters.memory import (
    MemoryControl,
    MemoryForecasts,
    MemorySnapshot,
    MemoryWorkloads,
)
from prescaler.adapters.memory_events import MemoryEvents
from prescaler.adapters.memory_uplifts import MemoryUplifts
from prescaler.core.calendar import Window
from prescaler.core.engine import refit, roll
from prescaler.core.errors import StoreUnreachable
from prescaler.core.event_book import EventIndex
from prescaler.core.forecast import Forecast
from prescaler.core.history import History
from prescaler.core.hpa import desired_pods
from prescaler.core.lead_time import next_raise
from prescaler.core.planned import Effect, PlannedEvent, Selection
from prescaler.core.policy import Policy, Tolerance
from prescaler.core.records import HistoryVersion, PodCount, ServingState
from prescaler.core.replay.scaling import Delays, Kind, Metric, Outcome, Scaling
from prescaler.core.replay.simulate import simulate
from prescaler.core.scaledobject import ReactiveSource, Variant, scaled_object
from prescaler.usecases.refresh_serving import ServingPorts, refresh_serving
from prescaler.usecases.serve_metric import Served, ServingTable
from tests.support.builders import DAY, MONDAY, PARIS, STEP, daily_demand, forecast, policy, series
from tests.support.builders import workload as declared

EVENING = frozenset(range(7))
HOUR = timedelta(hours=1)
AT_ONCE = Delays(
    pod_median=timedelta(seconds=1), pod_sigma=0.0, pods_per_node=0, node_least=timedelta(0)
)


def paris(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=PARIS).astimezone(UTC)


def match(start: datetime, end: datetime, factor: float, *names: str) -> PlannedEvent:
    chosen = Selection(names=frozenset(names)) if names else Selection(everything=True)
    effect = Effect(min_pods_factor=factor)
    return PlannedEvent(uuid4(), "match", "football", start, end, PARIS, chosen, effect)


def served(
    own: Policy,
    events: Sequence[PlannedEvent] = (),
    made: Forecast | None = None,
    name: str = "web",
) -> Served:
    one = declared(name=name, policy=own)
    book = EventIndex(events).book(name, one.labels)
    return Served(one, ServingState(forecast=made), book=book)


def evening(pods: int = 40, start: time = time(19, 30), end: time = time(23, 30)) -> Policy:
    return policy(windows=(Window(EVENING, start, end, pods),))


def code(before: int, wanted: int, minutes: int = 40) -> Outcome:
    """What 0, 9, 10 and 11 over `Value: 10` make of a step from some pods to others."""
    asked = np.full(minutes * 4, float(wanted))
    asked[:4] = before
    scaling = Scaling(least=before, most=1000)
    return simulate([Metric(asked, 10.0, kind=Kind.CODE)], scaling, AT_ONCE, seed=1)


def test_1_a_floor_is_not_lost_in_the_tolerance() -> None:
    one = served(evening())
    now = paris(24, 20)
    for running in range(25, 41):
        one.sighting.pods = PodCount(running, running, now)
        reached = desired_pods(one.decide(now).value, one.policy.target, running, Tolerance())
        assert reached >= 40

    assert code(25, 40).asked[-1] == 25


def test_2_ten_times_the_pods_take_syncs_and_not_a_quarter_of_an_hour() -> None:
    load = np.full(160, 12 * 80.0)
    load[4:] = 120 * 80.0
    scaling = Scaling(least=12, most=1000)
    ours = simulate([Metric(load, 80.0, landed=True)], scaling, AT_ONCE, seed=1)
    before = replace(scaling, distance_rule=True)
    asked = np.where(np.arange(160) < 4, 12.0, 120.0)
    theirs = simulate([Metric(asked, 10.0, kind=Kind.CODE)], before, AT_ONCE, seed=1)

    seconds = 15 * (int(np.argmax(ours.asked >= 120)) - 4 + 1)
    assert seconds <= 75
    assert 15 * (int(np.argmax(theirs.asked >= 120)) - 4 + 1) > 300


@pytest.mark.parametrize(("hour", "day", "on"), [(21, 24, False), (23, 24, True), (1, 25, True)])
def test_3_midnight_ends_neither_a_window_nor_an_event(hour: int, day: int, on: bool) -> None:
    window = served(evening(40, time(22), time(2)))
    final = served(evening(), [match(paris(24, 22), paris(25, 2), 3.0)])
    now = paris(day, hour, 30)

    assert (window.decide(now).pods == 40) is on
    assert (final.decide(now).pods == 120) is on


def test_4_of_overlapping_events_the_larger_wins_in_whatever_order() -> None:
    small = match(paris(24, 20), paris(24, 23), 2.0)
    large = match(paris(24, 21), paris(24, 22), 3.0)

    for events in ([small, large], [large, small]):
        one = served(evening(), events)
        assert [one.decide(paris(24, h, 30)).pods for h in (20, 21, 22)] == [80, 120, 80]


def test_5_a_multiplier_may_be_one_and_a_half_and_for_one_team() -> None:
    events = [match(paris(24, 20), paris(24, 23), 1.5, "web")]
    now = paris(24, 21)

    assert served(evening(), events).decide(now).pods == 60
    assert served(evening(), events, name="api").decide(now).pods == 40


def test_6_nobody_guesses_how_long_the_ramp_takes() -> None:
    path = np.full(600, 12 * 80.0)
    kick_off = MONDAY + 100 * STEP
    path[100:] = 120 * 80.0
    values = np.repeat(path[:, None], 8, axis=1).astype(np.float32)
    flat = np.ones(600, dtype=np.float32)
    one = served(policy(), made=forecast(path, values=values, peak_ratio=flat))
    cells = one.requirement(MONDAY)
    assert cells is not None
    coming = next_raise(cells, one.policy, MONDAY, 12)

    assert coming is not None
    # Four syncs, 60 s for a pod and 240 s for a node.
    assert coming.latest_start == kick_off - timedelta(seconds=360)
    assert one.decide(coming.latest_start).pods == 120
    assert one.decide(coming.latest_start - one.policy.hold - STEP).pods == 12


def test_6_nor_when_a_match_must_be_entered_for_its_pods_to_be_ready() -> None:
    final = match(paris(24, 21), paris(24, 23), 3.0)
    one = served(evening(), [final])
    kick_off = paris(24, 21)

    # From the window's 40: two syncs, 60 s for a pod and 240 s for a node.
    asked = kick_off - timedelta(seconds=330)
    assert one.decide(asked).pods == 120
    assert one.decide(asked - timedelta(seconds=1)).pods == 40


class _Failing(MemoryWorkloads):
    """A store whose list fails."""

    def current(self) -> Sequence[HistoryVersion]:
        raise StoreUnreachable("refused")


def test_7_a_list_that_fails_stops_nobody_and_scaledobjects_are_printed() -> None:
    table, now = ServingTable(), paris(24, 20)
    table.replace({"web": served(evening())})
    ports = ServingPorts(
        _Failing(),
        MemoryForecasts(),
        MemoryControl(),
        MemorySnapshot(),
        MemoryEvents(),
        MemoryUplifts(),
    )

    record = refresh_serving(table, ports, now)

    assert record.failure is not None
    assert table.get("web").decide(now).pods == 40
    sources = [ReactiveSource("main", "http://prom:9090")]
    found = scaled_object(declared(), Variant.FORMULA, public_url="http://p", sources=sources)
    assert found["kind"] == "ScaledObject"


def test_8_a_peak_nobody_declared_is_learnt() -> None:
    history = History.of(series(daily_demand(28), MONDAY - 28 * DAY), PARIS, 300)
    outlook = roll(refit(history, 300), history, 300)
    made = forecast(
        outlook.values[:, 3],
        cutoff=history.cutoff,
        values=outlook.values.astype(np.float32),
        peak_ratio=outlook.peak_ratio.astype(np.float32),
        naive=outlook.naive.astype(np.float32),
    )
    one = served(policy(), made=made)
    actual = daily_demand(29)[-288:]
    top = MONDAY + int(actual.argmax()) * STEP
    low = MONDAY + int(actual.argmin()) * STEP

    assert one.decide(top).value >= 0.9 * actual.max()
    assert one.decide(low).value < 0.5 * one.decide(top).value
