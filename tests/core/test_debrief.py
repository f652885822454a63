from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest

from prescaler.core.debrief import debrief
from prescaler.core.events import EventEffect
from prescaler.core.forecast import Forecast
from prescaler.core.records import LoggedDecision
from prescaler.core.series import Series
from tests.support.builders import DAY, MINUTE, MONDAY, STEP, forecast, policy

START = MONDAY + timedelta(hours=20)
MATCH = EventEffect("match", START, START + timedelta(minutes=30), 5.0)
TARGET = policy().target


def actual(crowd: float = 5.0, ago: float = 1.0) -> Series:
    """80 load units from eight days before; the match multiplies them."""
    points = int(9 * DAY / MINUTE)
    values = np.full(points, 80.0)
    first = int((START - (MONDAY - 8 * DAY)) / MINUTE)
    values[first : first + 30] *= crowd
    values[first - 1440 : first - 1410] *= ago
    return Series(MONDAY - 8 * DAY, MINUTE, values, values)


def said(level: float = 80.0) -> Forecast:
    return forecast(np.full(600, level))


def answers(*given: tuple[datetime, int]) -> list[LoggedDecision]:
    return [
        LoggedDecision(at, pods * TARGET, pods, "active", None, "active", 0.0, None, ())
        for at, pods in given
    ]


def test_a_well_foretold_evening() -> None:
    needed = int(np.ceil(400.0 / TARGET))
    found = debrief(MATCH, said(), actual(), answers((START - DAY, needed)), policy())

    assert found.came == (START, 400.0)
    assert found.said is not None
    assert found.said.issued_at == said().issued_at
    assert found.said.peak_median == pytest.approx(400.0, rel=1e-3)
    assert found.said.peak_high > found.said.peak_median
    assert found.said.error == pytest.approx(0.0, abs=1.0)
    assert found.said.error_without == pytest.approx(320.0, rel=0.01)
    assert found.said.naive_error == 320.0
    assert found.ready is not None
    assert (found.ready.in_time, found.ready.needed) == (needed, needed)
    assert (found.ready.readiness, found.ready.minutes_late) == (1.0, 0.0)
    assert found.ready.excess_pod_hours == 0.0


def test_the_better_copy_is_the_naive_one() -> None:
    found = debrief(MATCH, said(), actual(ago=4.0), [], policy())

    assert found.said is not None
    assert found.said.naive_error == 80.0
    assert found.ready is None


def test_pods_that_were_asked_for_too_late_are_late() -> None:
    needed = int(np.ceil(400.0 / TARGET))
    log = answers((START - DAY, 1), (START + 10 * MINUTE, needed + 2))

    found = debrief(MATCH, said(), actual(), log, policy()).ready

    assert found is not None
    assert found.in_time == 1
    assert found.readiness == pytest.approx(1 / needed)
    late = policy().lead_time.pod_start.p95 + policy().lead_time.sync
    assert found.minutes_late == pytest.approx(10 + np.ceil(late / MINUTE))
    assert found.excess_pod_hours == pytest.approx(2 * (30 - found.minutes_late) / 60)


def test_a_start_before_the_first_answer_is_not_judged() -> None:
    for first in (START + DAY, START):
        assert debrief(MATCH, said(), actual(), answers((first, 50)), policy()).ready is None


def test_pods_that_were_counted_count_whatever_was_asked_for() -> None:
    needed = int(np.ceil(400.0 / TARGET))
    ready = np.full(40, float(needed))
    ready[5:15] = needed - 1.0  # from the start on, ten minutes
    ready[20] = np.nan
    counted = Series(START - 5 * MINUTE, MINUTE, ready, ready)
    log = answers((START - DAY, needed + 5))

    found = debrief(MATCH, said(), actual(), log, policy(), counted=counted).ready

    assert found is not None
    assert (found.counted, found.in_time, found.minutes_late) == (True, needed - 1, 10.0)
    # The one minute that nobody counted is judged by what was asked for.
    assert found.excess_pod_hours == pytest.approx(5 / 60)
    alone = debrief(MATCH, said(), actual(), [], policy(), counted=counted).ready
    assert alone is not None
    assert alone.excess_pod_hours == 0.0
    later = Series(START + 10 * MINUTE, MINUTE, ready, ready)
    assert debrief(MATCH, said(), actual(), [], policy(), counted=later).ready is None
    mixed = debrief(MATCH, said(), actual(), log, policy(), counted=later).ready
    assert mixed is not None
    assert (mixed.counted, mixed.in_time) == (False, needed + 5)


def test_an_event_without_demand_needs_nobody() -> None:
    found = debrief(MATCH, said(), actual(crowd=0.0), answers((START - DAY, 3)), policy()).ready

    assert found is not None
    assert (found.needed, found.readiness) == (0, 1.0)
    assert found.excess_pod_hours == pytest.approx(1.5)


def test_what_is_not_known_is_not_told() -> None:
    short = replace(actual(), mean=np.full(9 * 1440, np.nan), peak=np.full(9 * 1440, np.nan))
    early = forecast(np.full(12, 80.0))

    blind = debrief(MATCH, None, short, answers((START - DAY, 3)), policy())
    assert (blind.came, blind.said, blind.ready) == (None, None, None)
    assert debrief(MATCH, early, actual(), [], policy()).said is None
    fresh = actual().between(START - timedelta(hours=1), START + timedelta(hours=1))
    some = debrief(MATCH, said(), fresh, [], policy()).said
    assert some is not None
    assert some.naive_error is None
    holed = debrief(MATCH, said(), short, [], policy()).said
    assert holed is not None
    assert (holed.error, holed.naive_error) == (None, None)
    behind = actual().between(START - 2 * STEP, START - STEP)
    assert debrief(MATCH, said(), behind, [], policy()).said is None
