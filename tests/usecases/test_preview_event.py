"""A preview is the plan that will be, not another calculation."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescaler.core.event_book import EventIndex
from prescaler.core.hpa import pods_for_all
from prescaler.core.planned import Effect, EventState, PlannedEvent
from prescaler.core.records import PodCount, ServingState
from prescaler.usecases.preview_event import Preview, next_occurrence, preview
from prescaler.usecases.serve_metric import Served
from tests.support.builders import MONDAY, event, forecast, policy, workload

HOUR = timedelta(hours=1)
NOW = MONDAY + HOUR


def served(*events: PlannedEvent, most: int | None = None) -> Served:
    one = workload(policy=policy(max_pods=most))
    book = EventIndex(events).book(one.name, one.labels)
    return Served(one, ServingState(forecast=forecast(np.full(600, 800.0))), book=book)


def look(one: PlannedEvent, at: Served) -> Preview:
    occurrence = next_occurrence(one, NOW)
    assert occurrence is not None
    (found,) = preview(one, occurrence, [at], NOW)
    return found


effects = st.builds(
    Effect,
    factor=st.sampled_from([None, 0.5, 1.5, 5.0]),
    added=st.sampled_from([0.0, 500.0]),
    min_pods=st.sampled_from([0, 60]),
    ramp_before=st.sampled_from([timedelta(0), timedelta(minutes=20)]),
)
starts = st.integers(-2, 60).map(lambda hours: NOW + hours * HOUR)


@given(effects, starts, st.sampled_from([20, 180, 1500]), effects, starts)
def test_what_is_previewed_is_what_is_planned_once_it_is_saved(
    effect: Effect, start: object, minutes: int, other: Effect, beside: object
) -> None:
    length = timedelta(minutes=minutes)
    one = event(start=start, end=start + length, effect=effect)  # type: ignore[operator]
    rival = event(start=beside, end=beside + HOUR, effect=other)  # type: ignore[operator]
    if next_occurrence(one, NOW) is None:
        return

    found = look(one, served(rival))

    saved, target = served(rival, one), 80.0
    np.testing.assert_array_equal(
        found.pods_with, pods_for_all(saved.plan(found.stamps, NOW).load, target)
    )
    np.testing.assert_array_equal(
        found.pods_without, pods_for_all(served(rival).plan(found.stamps, NOW).load, target)
    )
    assert 1 <= len(found.stamps) <= 300


def test_a_draft_that_nobody_knows_of_is_shown_as_if_it_acted() -> None:
    one = event(effect=Effect(factor=3.0), start=NOW + 5 * HOUR, end=NOW + 7 * HOUR)
    hidden = replace(one, state=EventState.DRAFT, known_from=NOW + 4 * HOUR)

    assert look(hidden, served()).pods == look(one, served()).pods > look(one, served()).without


def test_our_own_ceiling_is_in_force() -> None:
    one = event(effect=Effect(min_pods=60), start=NOW + 5 * HOUR, end=NOW + 7 * HOUR)

    assert look(one, served(most=25)).pods == 25


def test_an_event_entered_too_late_says_by_how_much() -> None:
    minute = timedelta(minutes=1)
    one = event(effect=Effect(factor=5.0), start=NOW + minute, end=NOW + 2 * HOUR)
    late = served()
    late.sighting.pods = PodCount(15, 15, NOW)

    found = look(one, late)

    assert found.late is not None
    assert found.late.at >= one.start
    assert found.coming is not None
    assert found.coming.latest_start < NOW
    early = replace(one, start=NOW + 9 * HOUR, end=NOW + 11 * HOUR)
    assert look(early, late).late is None


@pytest.mark.parametrize(("factor", "at"), [(2.0, 9), (None, 9)])
def test_what_it_costs_is_the_difference_of_the_plans(factor: float | None, at: int) -> None:
    effect = Effect(factor=factor, min_pods=0 if factor else 50)
    one = event(effect=effect, start=NOW + at * HOUR, end=NOW + (at + 2) * HOUR)

    found = look(one, served())

    assert found.pods > found.without
    # Two hours, and the lead before them.
    extra = (found.pods - found.without) * 2
    assert extra <= found.extra_pod_hours <= 1.2 * extra
