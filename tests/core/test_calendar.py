from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescaler.core.calendar import (
    PodInterval,
    Window,
    civil_slots,
    cut_out,
    holiday_name,
    is_day_off,
    is_holiday,
    window_intervals,
)
from prescaler.core.errors import UnknownCountry
from tests.support.builders import DAY, MINUTE, PARIS

ZONES = ["Europe/Paris", "UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]
instants = st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)).map(
    lambda t: t.replace(second=0, microsecond=0)
)


@given(instants, st.sampled_from(ZONES))
def test_slots_follow_the_wall_clock(start: datetime, zone: str) -> None:
    place = ZoneInfo(zone)
    slots = civil_slots(start, MINUTE, 30, place)

    for index in range(30):
        wall = (start + index * MINUTE).astimezone(place)
        assert slots.slot[index] == wall.hour * 60 + wall.minute
        assert slots.weekday[index] == wall.weekday()
        assert slots.day[index] == (wall.date() - date(1970, 1, 1)).days


def test_a_clock_change_does_not_move_the_evening() -> None:
    start = datetime(2026, 10, 20, tzinfo=UTC)
    slots = civil_slots(start, MINUTE, 1440 * 12, PARIS)

    at_2055 = np.flatnonzero(slots.slot == 20 * 60 + 55)

    utc_hours = {(start + int(i) * MINUTE).hour for i in at_2055}
    assert utc_hours == {18, 19}
    assert len(at_2055) == 12


def test_the_long_night_shows_its_hour_twice() -> None:
    start = datetime(2026, 10, 24, 22, tzinfo=UTC)
    slots = civil_slots(start, timedelta(hours=1), 25, PARIS)

    assert list(slots.slot[:5]) == [0, 1, 2, 2, 3]
    assert set(slots.day) == {slots.day[0]}


windows = st.builds(
    Window,
    st.frozensets(st.integers(0, 6), min_size=1),
    st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    st.integers(1, 50),
)


@given(st.lists(windows, max_size=3), instants, st.sampled_from(ZONES))
def test_windows_are_where_the_wall_clock_says(
    declared: list[Window], start: datetime, zone: str
) -> None:
    place = ZoneInfo(zone)
    end = start + 2 * DAY
    found = window_intervals(declared, place, start, end)

    for moment in (start + n * timedelta(minutes=97) for n in range(30)):
        if _near_a_clock_change(moment, place):
            continue
        stamp = int(moment.timestamp())
        inside = {i.pods for i in found if i.start <= stamp < i.end}
        wanted = {w.min_pods for w in declared if _inside(w, moment.astimezone(place))}
        assert wanted == inside


def _inside(window: Window, wall: datetime) -> bool:
    now = wall.time()
    if window.start < window.end:
        return wall.weekday() in window.weekdays and window.start <= now < window.end
    yesterday = (wall.weekday() - 1) % 7
    return (wall.weekday() in window.weekdays and now >= window.start) or (
        yesterday in window.weekdays and now < window.end
    )


def _near_a_clock_change(moment: datetime, zone: ZoneInfo) -> bool:
    offsets = {(moment + n * DAY / 2).astimezone(zone).utcoffset() for n in (-4, -2, 0, 2)}
    return len(offsets) > 1


def test_a_window_past_midnight_is_still_on_at_half_past() -> None:
    window = Window(frozenset(range(7)), time(22), time(2), 40)
    start = datetime(2026, 11, 24, 23, 30, tzinfo=UTC)

    found = window_intervals([window], PARIS, start, start + MINUTE)

    assert [i.pods for i in found] == [40]


def test_a_window_over_the_autumn_change_lasts_its_wall_clock_hours_and_one_more() -> None:
    window = Window(frozenset({5}), time(22), time(2, 30), 10)

    opens, closes = window.on(date(2026, 10, 24), PARIS)

    assert closes - opens == timedelta(hours=5.5)


@pytest.mark.parametrize("clock", [time(2), time(2, 30)])
def test_a_window_in_the_hour_that_spring_skips_never_lasts_below_zero(clock: time) -> None:
    window = Window(frozenset({6}), clock, time(3), 10)

    found = window_intervals(
        [window], PARIS, datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 3, 30, tzinfo=UTC)
    )

    assert all(i.end > i.start for i in found)


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(1, 10)), max_size=4),
    st.integers(0, 30),
    st.integers(1, 10),
)
def test_cutting_out_leaves_every_instant_outside_as_it_was(
    lengths: list[tuple[int, int]], start: int, length: int
) -> None:
    intervals = [PodInterval(first, first + size, size) for first, size in lengths]
    left = cut_out(intervals, start, start + length)

    def at(instant: int, among: list[PodInterval]) -> list[int]:
        return sorted(i.pods for i in among if i.start <= instant < i.end)

    for instant in range(45):
        inside = start <= instant < start + length
        assert at(instant, left) == ([] if inside else at(instant, intervals))
    assert all(i.start < i.end for i in left)


@pytest.mark.parametrize(
    ("day", "country", "off"),
    [
        (date(2026, 7, 14), "FR", True),  # a Tuesday: Bastille Day
        (date(2026, 7, 14), "DE", False),
        (date(2026, 7, 14), None, False),
        (date(2026, 7, 18), "FR", True),  # a Saturday
        (date(2026, 1, 6), "DE-BY", True),  # a Tuesday: Epiphany, in Bavaria
        (date(2026, 1, 6), "DE", False),
        (date(2026, 7, 18), None, True),
        (date(2026, 7, 17), "AE", False),  # Fridays became working days there in 2022
        (date(2026, 7, 17), "EG", True),  # and are days off there
        (date(2026, 7, 19), "EG", False),  # a Sunday
    ],
)
def test_days_off_are_those_of_the_country(day: date, country: str | None, off: bool) -> None:
    assert is_day_off(day, country) is off


def test_a_weekend_is_no_holiday() -> None:
    assert is_holiday(date(2026, 12, 25), "US")
    assert not is_holiday(date(2026, 7, 18), "US")


@pytest.mark.parametrize("country", ["XX", "fr", "", "🇫🇷"])
def test_a_country_without_tables_is_refused(country: str) -> None:
    with pytest.raises(UnknownCountry, match="ISO 3166"):
        is_day_off(date(2026, 7, 14), country)
    with pytest.raises(UnknownCountry, match="ISO 3166"):
        is_holiday(date(2026, 7, 14), country)


def test_a_holiday_has_one_name_in_every_year_and_other_days_none() -> None:
    observed = date(2021, 12, 24)  # the 25th was a Saturday

    assert holiday_name(observed, "US") == holiday_name(date(2024, 12, 25), "US") == "Christmas Day"
    assert holiday_name(date(2024, 12, 24), "US") == ""
    with pytest.raises(UnknownCountry):
        holiday_name(observed, "XX")
