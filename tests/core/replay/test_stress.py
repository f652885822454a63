"""Scenarios: what they change, and what they leave alone."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from prescaler.core.replay.stress import (
    across_clock_change,
    level_shift,
    moved,
    unseen,
    with_crowds,
)
from prescaler.core.series import Series
from tests.support.replays import BEGIN, HOUR, MATCH, MINUTE, series

PARIS = ZoneInfo("Europe/Paris")


def test_a_crowd_is_whole_after_two_minutes_and_fades() -> None:
    found = with_crowds(series(), [MATCH], 5.0).mean / series().mean
    start, end = 44 * 60, 46 * 60

    assert found[start - 1] == 1
    assert found[start : start + 3] == pytest.approx([2, 4, 5])
    assert found[end - 1] == pytest.approx(5)
    assert found[end] == pytest.approx(1 + 4 * (1 - 0.5 / 15))
    assert found[end + 15] == 1


def test_two_crowds_at_once_count_once() -> None:
    once, twice = (with_crowds(series(), [MATCH] * n, 5.0).mean for n in (1, 2))

    np.testing.assert_array_equal(once, twice)


def test_a_shift_stays() -> None:
    found = level_shift(series(), BEGIN + 24 * HOUR, 2.0)

    np.testing.assert_array_equal(found.mean[:1440], series().mean[:1440])
    np.testing.assert_array_equal(found.mean[1440:], 2 * series().mean[1440:])
    np.testing.assert_array_equal(found.peak, found.mean)


def test_what_prometheus_missed_is_a_hole() -> None:
    found = unseen(series(), [(BEGIN, BEGIN + HOUR), (BEGIN + 3 * HOUR, BEGIN + 4 * HOUR)])

    assert np.flatnonzero(~found.observed).tolist() == [*range(60), *range(180, 240)]


def test_a_calendar_that_is_wrong() -> None:
    (found,) = moved([MATCH.event], timedelta(minutes=-15))

    assert found.start == MATCH.start - 15 * MINUTE
    assert found.end - found.start == MATCH.end - MATCH.start


@pytest.mark.parametrize("year", [1998, 2024, 2026])
def test_people_live_by_the_wall_clock(year: int) -> None:
    middle = datetime(year, 6, 3, 7, tzinfo=UTC)
    values = series(10).mean
    old = Series(middle.replace(hour=0) - timedelta(days=5), MINUTE, values, values)
    found, change = across_clock_change(old, middle, PARIS)

    assert change.astimezone(PARIS).utcoffset() == HOUR
    assert (change - MINUTE).astimezone(PARIS).utcoffset() == 2 * HOUR
    assert found.start.weekday() == old.start.weekday()
    assert len(found) == len(old)
    before, after = change - 2 * HOUR, change + 22 * HOUR
    same = [found.mean[found.index_of(at)] for at in (before, after + HOUR)]
    assert same[0] == pytest.approx(same[1], rel=1e-6), "the same wall clock, the next day"


def test_a_zone_without_a_clock_change() -> None:
    with pytest.raises(ValueError, match="Asia/Tokyo has no clock change"):
        across_clock_change(series(), BEGIN, ZoneInfo("Asia/Tokyo"))
