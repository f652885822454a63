"""When events take place, and what they do to a workload."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import icalendar
import numpy as np
import pytest
import recurring_ical_events
from hypothesis import given
from hypothesis import strategies as st

from prescaler.core.calendar import Window
from prescaler.core.errors import BadEvent
from prescaler.core.event_book import (
    EventBook,
    EventIndex,
    begins,
    check_times,
    effects_of,
    last_end,
    occurrences,
    window_minimum,
)
from prescaler.core.instants import from_epoch
from prescaler.core.plan import floors_at
from prescaler.core.planned import Effect, EventState, PlannedEvent, Selection, Stack
from tests.support.builders import DAY, MONDAY, PARIS, event, policy

HOUR = timedelta(hours=1)
EVENING = Window(frozenset(range(7)), time(19, 30), time(23, 30), 40)

hours = st.integers(-500, 500).map(lambda h: MONDAY + h * HOUR)
spans = st.tuples(hours, st.integers(1, 400)).map(lambda s: (s[0], s[0] + s[1] * HOUR))
events = st.builds(
    lambda start, length, rule, number: event(
        id=UUID(int=number), start=start, end=start + length * HOUR, rule=rule
    ),
    hours,
    st.integers(1, 50),
    st.sampled_from([None, "FREQ=DAILY;INTERVAL=2", "FREQ=WEEKLY;COUNT=5", "FREQ=MONTHLY"]),
    st.integers(0, 1000),
)


@given(events, spans)
def test_exactly_what_touches_the_span_is_found(
    one: PlannedEvent, span: tuple[datetime, datetime]
) -> None:
    wide = occurrences(one, MONDAY - 60 * DAY, MONDAY + 60 * DAY)
    start, end = span

    assert occurrences(one, start, end) == [o for o in wide if o.start < end and o.end > start]


@given(st.lists(events, max_size=6, unique_by=lambda e: e.id), spans, st.randoms())
def test_a_book_is_the_sum_of_its_events_in_any_order(
    many: list[PlannedEvent], span: tuple[datetime, datetime], random: st.DataObject
) -> None:
    found = EventBook(tuple(many)).occurrences(*span)
    alone = [o for one in many for o in EventBook((one,)).occurrences(*span)]
    shuffled = EventBook(tuple(reversed(many))).occurrences(*span)

    assert found == shuffled
    assert sorted(alone, key=lambda o: (o.start, o.end, o.event.id.int)) == found


@given(events)
def test_every_occurrence_ends_behind_its_start_and_before_the_last_end(one: PlannedEvent) -> None:
    found = occurrences(one, MONDAY - 60 * DAY, MONDAY + 400 * DAY)
    over = last_end(one)

    assert all(o.start < o.end for o in found)
    assert over is None or all(o.end <= over for o in found)
    assert all(o.start >= begins(one) for o in found)


def test_an_event_goes_on_past_midnight() -> None:
    night = event(start=MONDAY + 22 * HOUR, end=MONDAY + 26 * HOUR, rule="FREQ=DAILY")

    assert [o.start for o in occurrences(night, MONDAY + 25 * HOUR, MONDAY + 25.5 * HOUR)] == [
        MONDAY + 22 * HOUR
    ]


def test_a_weekly_evening_keeps_its_wall_clock_and_a_night_its_end() -> None:
    """On 28 March 2027 the clock skips an hour, on 31 October 2027 it shows one twice."""
    start = datetime(2027, 3, 26, 22, tzinfo=PARIS).astimezone(UTC)
    night = event(start=start, end=start + 8 * HOUR, rule="FREQ=DAILY")
    lengths = {}
    for day in (date(2027, 3, 26), date(2027, 3, 27), date(2027, 10, 30)):
        at = datetime.combine(day, time(23), PARIS)
        (one,) = occurrences(night, at, at + timedelta(seconds=1))
        assert one.start.astimezone(PARIS).hour == 22
        assert one.end.astimezone(PARIS).hour == 6
        lengths[day.isoformat()] = (one.end - one.start) / HOUR

    assert lengths == {"2027-03-26": 8.0, "2027-03-27": 7.0, "2027-10-30": 9.0}


def test_an_occurrence_inside_the_hour_that_is_skipped_keeps_its_length() -> None:
    start = datetime(2027, 3, 27, 2, 10, tzinfo=PARIS).astimezone(UTC)
    short = event(start=start, end=start + timedelta(minutes=55), rule="FREQ=DAILY")

    found = occurrences(short, start + 12 * HOUR, start + 36 * HOUR)

    assert [o.end - o.start for o in found] == [timedelta(minutes=55)]


def test_exceptions_do_not_take_place_not_even_the_first_one() -> None:
    weekly = event(rule="FREQ=WEEKLY;COUNT=4")
    free = frozenset({weekly.start, weekly.start + 14 * DAY})

    found = occurrences(replace(weekly, exceptions=free), MONDAY, MONDAY + 60 * DAY)

    assert [o.start - weekly.start for o in found] == [7 * DAY, 21 * DAY]


@pytest.mark.parametrize(
    "rule", ["FREQ=WEEKLY;BYDAY=TU,FR", "FREQ=MONTHLY;BYDAY=-1TU", "FREQ=DAILY;INTERVAL=5"]
)
def test_a_second_opinion_agrees(rule: str) -> None:
    one = event(rule=rule)
    text = (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\n"
        "DTSTART;TZID=Europe/Paris:20261124T210000\r\nDTEND;TZID=Europe/Paris:20261124T230000\r\n"
        f"RRULE:{rule}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    asked = recurring_ical_events.of(icalendar.Calendar.from_ical(text))
    first, last = MONDAY + 3 * DAY, MONDAY + 500 * DAY

    ours = [(o.start, o.end) for o in occurrences(one, first, last)]

    assert ours == sorted(
        (e["DTSTART"].dt.astimezone(UTC), e["DTEND"].dt.astimezone(UTC))
        for e in asked.between(first, last)
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"end": MONDAY}, "end: must lie behind the start"),
        ({"end": MONDAY + 44 * HOUR}, "end: must lie behind the start"),
        ({"end": MONDAY + 400 * DAY}, "an event lasts at most 366 days"),
        ({"end": MONDAY + 40 * DAY, "rule": "FREQ=WEEKLY"}, "recurring event lasts at most 31"),
        ({"rule": "FREQ=SECONDLY"}, "too frequent"),
    ],
)
def test_times_that_cannot_be_are_refused(changes: Mapping[str, object], said: str) -> None:
    with pytest.raises(BadEvent, match=said):
        check_times(event(**changes))


@pytest.mark.parametrize(
    ("rule", "over"),
    [(None, 46 * HOUR + timedelta(minutes=20)), ("FREQ=DAILY", None)],
)
def test_when_an_event_is_over_for_good(rule: str | None, over: timedelta | None) -> None:
    one = event(rule=rule, effect=Effect(ramp_after=timedelta(minutes=20)))

    assert last_end(one) == (MONDAY + over if over else None)
    assert last_end(event(rule="FREQ=DAILY;UNTIL=25000101T000000")) is None


def test_ramps_belong_to_the_span_that_an_event_acts_in() -> None:
    ramped = event(effect=Effect(2.0, ramp_before=HOUR, ramp_after=HOUR))
    book = EventBook((ramped,))

    assert book.occurrences(ramped.end + timedelta(minutes=59), ramped.end + 2 * HOUR)
    assert not book.occurrences(ramped.end + HOUR, ramped.end + 2 * HOUR)
    assert book.occurrences(ramped.start - 2 * HOUR, ramped.start - timedelta(minutes=59))
    assert not book.occurrences(ramped.start - 2 * HOUR, ramped.start - HOUR)


def test_only_confirmed_events_act_and_none_before_it_is_known() -> None:
    quiet = event(state=EventState.DRAFT), event(state=EventState.CANCELLED)
    late = event(known_from=MONDAY + HOUR)
    book = EventBook((*quiet, late))
    span = late.start, late.end

    assert book.effects(policy(), *span, MONDAY) == ()
    assert len(book.effects(policy(), *span, MONDAY + HOUR)) == 1
    assert len(book.effects(policy(), *span)) == 1
    assert [book.known(at) for at in (MONDAY, MONDAY + HOUR)] == [0, 1]


def test_an_effect_carries_what_was_declared() -> None:
    declared = Effect(1.5, 30.0, 7, None, HOUR, 2 * HOUR, Stack.MULTIPLY)
    one = event(effect=declared)

    (found,) = effects_of(occurrences(one, one.start, one.end), policy())

    assert (found.factor, found.added, found.min_pods) == (1.5, 30.0, 7)
    assert (found.ramp_before, found.ramp_after, found.stack) == (HOUR, 2 * HOUR, Stack.MULTIPLY)
    assert not found.replaces_windows


@pytest.mark.parametrize(
    ("factor", "windows", "min_pods", "pods"),
    [
        (3.0, (EVENING,), 5, 120),
        (1.01, (EVENING,), 0, 41),
        (1.5, (), 5, 8),
        (0.5, (EVENING,), 0, 20),
    ],
)
def test_a_factor_on_minimum_pods_takes_the_window_minimum_and_rounds_up(
    factor: float, windows: tuple[Window, ...], min_pods: int, pods: int
) -> None:
    one = event(effect=Effect(min_pods_factor=factor))
    asked = policy(windows=windows, min_pods=min_pods)

    (found,) = effects_of(occurrences(one, one.start, one.end), asked)

    assert found.min_pods == pods
    assert found.factor == 1.0
    assert window_minimum(asked) == max((w.min_pods for w in windows), default=min_pods)


@given(st.lists(st.floats(0.1, 5.0), min_size=1, max_size=4), st.randoms())
def test_overlapping_events_replace_the_windows_and_the_larger_wins(
    factors: list[float], random: st.DataObject
) -> None:
    """Not the first of the list, as elsewhere."""
    tuesday = [event(effect=Effect(min_pods_factor=factor)) for factor in factors]
    asked = policy(windows=(EVENING,), min_pods=3)
    book = EventBook(tuple(tuesday))
    start, end = tuesday[0].start, tuesday[0].end
    instants = [
        int(at.timestamp()) for at in (start - HOUR, start, end - timedelta(seconds=1), end)
    ]
    effects = book.effects(asked, MONDAY, MONDAY + 3 * DAY)

    before, first, last, after = floors_at(effects, asked, np.array(instants)) / asked.target

    wanted = max([3, *(found.min_pods for found in effects)])
    assert (before, after) == (40, 3 if from_epoch(instants[3]) >= end + HOUR / 2 else 40)
    assert first == last == wanted


def test_the_index_gives_each_workload_its_own_events() -> None:
    everyone, named = event(), event(selection=Selection(names=frozenset({"web", "api"})))
    team = event(selection=Selection(labels={"team": "player"}))
    both = event(selection=Selection(names=frozenset({"db"}), labels={"team": "player"}))
    index = EventIndex([everyone, named, team, both])

    def ids(name: str, labels: dict[str, str]) -> set[UUID]:
        return {e.id for e in index.book(name, labels).events}

    assert ids("web", {}) == {everyone.id, named.id}
    assert ids("db", {"team": "core"}) == {everyone.id, both.id}
    assert ids("x", {"team": "player", "a": "b"}) == {everyone.id, team.id, both.id}


def test_workloads_with_the_same_events_share_a_book() -> None:
    """Ten thousand events and a thousand workloads: what one has looked up, all have."""
    everyone, team = event(), event(selection=Selection(labels={"team": "player"}))
    old = event(selection=Selection(names=frozenset({"shop"})))
    index = EventIndex([everyone, team, old])

    assert index.book("web", {}) is index.book("api", {"team": "core"})
    assert index.book("web", {"team": "player"}) is not index.book("api", {})
    assert index.book("web", {}, ["shop"]) is index.book("shop", {})
    assert {e.id for e in index.whole.events} == {everyone.id, team.id, old.id}


def test_another_revision_is_another_book() -> None:
    one = event()

    assert EventBook((one,)).key == EventBook((replace(one, description="x"),)).key
    assert EventBook((one,)).key != EventBook((replace(one, revision=1),)).key


def test_spans_without_end_are_bounded() -> None:
    book = EventBook((event(rule="FREQ=YEARLY", timezone=ZoneInfo("Asia/Tokyo")),))
    first = datetime(1, 1, 1, tzinfo=UTC)
    ages = occurrences(book.events[0], first, datetime.max.replace(tzinfo=UTC))

    assert 200 < len(ages) < 400


def test_what_was_looked_up_is_forgotten_after_some_spans() -> None:
    book = EventBook((event(rule="FREQ=DAILY"),))

    found = [len(book.occurrences(MONDAY + n * DAY, MONDAY + (n + 1) * DAY)) for n in range(90)]

    assert found[0] == 0
    assert set(found[2:]) == {1}
    assert len(book._seen) <= 64
