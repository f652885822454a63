"""Calendars and tables become events, entry by entry; what cannot be used is named."""

import csv
import io
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescaler.adapters.events.entries import MOST_EVENTS
from prescaler.adapters.events.ical import read_ical
from prescaler.adapters.events.source import FORMATS, CalendarSource
from prescaler.adapters.events.table import read_table
from prescaler.adapters.events.yaml_list import read_list
from prescaler.core.errors import FeedError, FeedNotUnderstood, FeedTooLarge, FeedUnreachable
from prescaler.core.event_book import occurrences
from prescaler.core.event_records import FeedRules, FoundEvents
from prescaler.core.planned import EventState, PlannedEvent
from tests.support.builders import DAY, MONDAY, PARIS

RULES = FeedRules("cup", PARIS, {"workloads": "all", "factor": 1.5, "kind": "football"})
OBEYED = FeedRules("cup", PARIS, RULES.defaults, obey=True)
NOW = MONDAY


def calendar(*entries: str) -> bytes:
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//cup//EN"]
    return "\r\n".join([*head, *entries, "END:VCALENDAR", ""]).encode()


def entry(*lines: str, uid: str = "a@cup", times: bool = True) -> str:
    when = ("DTSTART:20261124T200000Z", "DTEND:20261124T220000Z") if times else ()
    return "\r\n".join(
        ["BEGIN:VEVENT", f"UID:{uid}", "SUMMARY:Semi-final", *when, *lines, "END:VEVENT"]
    )


def only(found: FoundEvents) -> PlannedEvent:
    assert found.complaints == ()
    (one,) = found.events
    return one.event


def table(*rows: str, head: str = "name,kind,start,end") -> bytes:
    return "\n".join([head, *rows, ""]).encode()


def test_a_table_gives_events_with_its_other_columns_as_labels() -> None:
    content = table(
        "France - Brazil,football,1998-07-12T19:00Z,1998-07-12T21:00Z,final,1998-07-01T00:00Z",
        head="name,kind,start,end,stage,known_at",
    )
    event = only(read_table(content, RULES, NOW))

    assert (event.name, event.kind, event.labels) == (
        "France - Brazil",
        "football",
        {"stage": "final"},
    )
    assert event.start == datetime(1998, 7, 12, 19, tzinfo=UTC)
    assert event.known_from == datetime(1998, 7, 1, tzinfo=UTC)
    assert event.selection.everything
    assert event.effect.factor == 1.5
    assert event.source == "feed:cup"


def test_a_table_says_what_its_columns_say() -> None:
    content = table(
        "derby,2026-11-24 21:00,2026-11-24 23:00,web; api,2,40",
        head="Name,Start,End,workloads,factor,min_pods",
    )
    event = only(read_table(content, RULES, NOW))

    assert event.start == datetime(2026, 11, 24, 20, tzinfo=UTC)  # Paris, the feed's own zone
    assert event.selection.names == {"web", "api"}
    assert (event.effect.factor, event.effect.min_pods) == (2.0, 40)


def test_wrong_rows_are_named_and_the_others_stay() -> None:
    content = table(
        "good,football,2026-11-24T20:00:00Z,2026-11-24T22:00:00Z",
        "late,football,2026-11-24T20:00:00Z,2026-11-24T19:00:00Z",
        "",
        "bad kind,Foot Ball,2026-11-24T20:00:00Z,2026-11-24T22:00:00Z",
        "good,football,2026-11-24T20:00:00Z,2026-11-24T23:00:00Z",
    )
    found = read_table(content, RULES, NOW)

    assert [one.event.name for one in found.events] == ["good"]
    assert [complaint.text for complaint in found.complaints] == [
        "line 3: end: must lie behind the start",
        "line 5: kind: write a tag of a-z, 0-9, dot, dash, underscore, such as football",
        "line 6: stands twice; the first one counts",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the column name is missing"),
        (b"name,kind,start\n", "the column end is missing"),
        (b"name,start,end,start\n", "a column stands twice"),
        (table("a,b"), "line 2 has 2 columns instead of 4"),
        (b"\xff\xfe\x00", "is no UTF-8 text \\(byte 0\\)"),
        (b"name,start,end\n\0", "contains a NUL byte"),
        (b'name,start,end\n"a,b,c\n', "is no CSV"),
        (b"<html><body>gone</body></html>", "the column name is missing"),
    ],
)
def test_what_is_no_table_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(FeedNotUnderstood, match=message):
        read_table(content, RULES, NOW)


def test_more_than_ten_thousand_rows_are_refused() -> None:
    row = "m{},football,2026-11-24T20:00:00Z,2026-11-24T22:00:00Z"
    with pytest.raises(FeedTooLarge, match="more than 10000 events; split it"):
        read_table(table(*(row.format(n) for n in range(MOST_EVENTS + 1))), RULES, NOW)


def test_a_table_of_nothing_but_faults_is_none_of_ours() -> None:
    with pytest.raises(FeedNotUnderstood, match="more than 100 entries are wrong; the first: line"):
        read_table(table(*(f"m{n},football,today,tomorrow" for n in range(200))), RULES, NOW)


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]))
        .map(str.strip)
        .filter(lambda name: 0 < len(name) < 100),
        max_size=5,
        unique=True,
    )
)
def test_any_name_survives_a_table_and_keeps_its_identity(names: list[str]) -> None:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["name", "start", "end"])
    writer.writerows([n, "2026-11-24T20:00:00Z", "2026-11-24T22:00:00Z"] for n in names)
    content = out.getvalue().encode()
    found = read_table(content, RULES, NOW)

    assert {one.event.name for one in found.events} == set(names)
    assert found == read_table(content, RULES, NOW + DAY)
    assert len({one.event.id for one in found.events}) == len(names)


def test_a_yaml_list_gives_events() -> None:
    content = b"""
events:
- name: Final
  start: 2026-11-24 21:00
  end: 2026-11-25 01:00
  timezone: Europe/London
  workloads: {labels: {team: player}}
  min_pods: 40
  labels: {stage: final}
"""
    event = only(read_list(content, RULES, NOW))

    assert event.start == datetime(2026, 11, 24, 21, tzinfo=UTC)
    assert event.timezone == ZoneInfo("Europe/London")
    assert (event.effect.min_pods, event.effect.factor) == (40, 1.5)
    assert (event.selection.labels, event.labels) == ({"team": "player"}, {"stage": "final"})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no list of events"),
        (b"events: 3", "holds no list of events"),
        (b"a: [", "is no YAML"),
        (b"- {name: a, name: b}", "stands twice"),
        (b"[" * 5000, "nested deeper than 12"),
        (b"\xff\xfe\xfa", "is no YAML"),
    ],
)
def test_what_is_no_yaml_list_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(FeedNotUnderstood, match=message):
        read_list(content, RULES, NOW)


def test_wrong_yaml_entries_are_named() -> None:
    found = read_list(b"- 3\n- {name: a, start: x, end: y, colour: red}\n", RULES, NOW)

    assert found.events == ()
    assert "event 1: start: is missing" in found.complaints[0].text
    assert "event 2 (a): colour: no such field; start: 'x'" in found.complaints[1].text


def test_a_tag_makes_nothing_happen() -> None:
    found = read_list(b"- !!python/object/apply:os.system [id]", RULES, NOW)

    assert "name: is missing" in found.complaints[0].text


def test_an_alias_bomb_ends_soon() -> None:
    rows = [b"a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    rows += [b"a%d: &a%d [%s]" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 9)) for n in range(1, 10)]
    with pytest.raises(FeedError):
        read_list(b"\n".join([*rows, b"events: {}"]), RULES, NOW)


def test_an_entry_of_a_calendar_becomes_an_event() -> None:
    content = calendar(
        entry("DESCRIPTION:two\\nlines", "CATEGORIES:Football,Cup", "STATUS:TENTATIVE")
    )
    event = only(read_ical(content, RULES, NOW))

    assert (event.name, event.description, event.state) == (
        "Semi-final",
        "two\nlines",
        EventState.DRAFT,
    )
    assert (event.start, event.end) == (
        datetime(2026, 11, 24, 20, tzinfo=UTC),
        datetime(2026, 11, 24, 22, tzinfo=UTC),
    )
    assert event.labels == {"categories": "Football, Cup"}
    assert (event.kind, event.effect.factor) == ("football", 1.5)


def test_whole_days_and_floating_times_are_on_the_feeds_wall_clock() -> None:
    content = calendar(
        entry("DTSTART;VALUE=DATE:20261124", uid="day", times=False),
        entry("DTSTART:20261124T210000", "DURATION:PT2H", uid="floating", times=False),
        entry(
            "DTSTART;TZID=Europe/London:20261124T210000",
            "DTEND;TZID=Europe/London:20261124T230000",
            uid="zoned",
            times=False,
        ),
    )
    day, floating, zoned = (one.event for one in read_ical(content, RULES, NOW).events)

    assert (day.start, day.end - day.start) == (datetime(2026, 11, 23, 23, tzinfo=UTC), DAY)
    assert floating.start == datetime(2026, 11, 24, 20, tzinfo=UTC)
    assert (zoned.start, zoned.timezone.key) == (
        datetime(2026, 11, 24, 21, tzinfo=UTC),
        "Europe/London",
    )


def test_an_entry_without_an_end_takes_the_feeds_length_or_is_named() -> None:
    content = calendar(entry("DTSTART:20261124T200000Z", times=False))
    measured = FeedRules("cup", PARIS, RULES.defaults, length=timedelta(hours=2))

    assert only(read_ical(content, measured, NOW)).end == datetime(2026, 11, 24, 22, tzinfo=UTC)
    found = read_ical(content, RULES, NOW)
    assert found.events == ()
    assert found.complaints[0].text == (
        "Semi-final: cannot be read: has no end; set `length` for this feed"
    )


def test_a_recurrence_keeps_its_exceptions_and_its_moved_occurrences() -> None:
    content = calendar(
        entry("RRULE:FREQ=DAILY;COUNT=5", "EXDATE:20261125T200000Z"),
        entry(
            "RECURRENCE-ID:20261126T200000Z",
            "DTSTART:20261126T210000Z",
            "DTEND:20261126T230000Z",
            times=False,
        ),
        entry("RECURRENCE-ID:20261127T200000Z", "STATUS:CANCELLED"),
    )
    found = read_ical(content, RULES, NOW)
    by_recurrence = {one.key.recurrence: one.event for one in found.events}
    series = by_recurrence[""]
    starts = [f"{o.start:%d %H}" for o in occurrences(series, NOW, NOW + 30 * DAY)]

    assert starts == ["24 20", "28 20"]
    assert by_recurrence["2026-11-26T20:00:00Z"].start.hour == 21
    assert by_recurrence["2026-11-27T20:00:00Z"].state is EventState.CANCELLED


def test_extra_dates_are_written_out() -> None:
    content = calendar(entry("RDATE:20261201T200000Z,20261203T200000Z"))
    found = read_ical(content, RULES, NOW)

    assert [f"{one.event.start:%m-%d}" for one in found.events] == ["11-24", "12-01", "12-03"]
    assert all(one.event.rule is None for one in found.events)


def test_the_newest_of_two_entries_counts() -> None:
    content = calendar(
        entry("SEQUENCE:2", "DESCRIPTION:newer"), entry("SEQUENCE:1", "DESCRIPTION:older")
    )
    assert only(read_ical(content, RULES, NOW)).description == "newer"


def test_a_calendar_sets_effects_only_where_it_may() -> None:
    content = calendar(entry("X-PRESCALER-FACTOR:3", "X-PRESCALER-WORKLOADS:web, api"))

    assert only(read_ical(content, RULES, NOW)).effect.factor == 1.5
    event = only(read_ical(content, OBEYED, NOW))
    assert event.effect.factor == 3.0
    assert event.selection.names == {"web", "api"}


def test_only_what_is_asked_for_is_taken() -> None:
    chosen = FeedRules("cup", PARIS, RULES.defaults, only=("final",))
    content = calendar(entry(), entry("CATEGORIES:Tennis", uid="b").replace("Semi-final", "Open"))

    assert only(read_ical(content, chosen, NOW)).name == "Semi-final"


def test_hostile_text_is_made_harmless() -> None:
    event = only(read_ical(calendar(entry("DESCRIPTION:a\x00b\x1b[31m\u202e")), RULES, NOW))

    assert not set(event.description) & {"\x00", "\x1b"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "does not begin with BEGIN:VCALENDAR, no calendar; is the address right"),
        (b"<!doctype html><html>", "is an HTML page, no calendar; is the address right"),
        (calendar(entry())[:-15], "is cut off: END:VCALENDAR is missing"),
        (
            b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nEND:VCALENDAR",
            "is damaged: 1 events begin, 0 can be read",
        ),
    ],
)
def test_what_is_no_calendar_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(FeedNotUnderstood, match=message):
        read_ical(content, RULES, NOW)


def test_too_many_entries_are_refused_before_they_are_read() -> None:
    with pytest.raises(FeedTooLarge, match="20000 events; at most 10000 are taken"):
        read_ical(calendar(*[entry()] * 20_000), RULES, NOW)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("RRULE:FREQ=SECONDLY",), "FREQ=SECONDLY is too frequent or unknown; use one of DAILY"),
        (("RRULE:",), "RRULE: is empty"),
        (("RRULE:FREQ=DAILY", "EXDATE:x"), "EXDATE: Expected datetime, date, or time. Got: 'x'"),
        (("RECURRENCE-ID:1",), "RECURRENCE-ID: Expected datetime"),
        (("SEQUENCE:x",), "SEQUENCE: Expected int"),
        (("RRULE:FREQ=DAILY", "EXDATE;TZID=Mars/Olympus:20261125T200000"), "TZID=Mars/Olympus is"),
        (
            ("DTSTART;TZID=Mars/Olympus:20261124T200000", "DTEND:20261124T220000Z"),
            "TZID=Mars/Olympus is no known time zone",
        ),
        (("DTSTART:20261124T200000Z", "DTEND:20261124T190000Z"), "end: must lie behind the start"),
        (("DESCRIPTION:no times at all",), "cannot be read"),
        (("X-PRESCALER-COLOUR:red",), "X-PRESCALER-COLOUR: no such field"),
    ],
)
def test_wrong_entries_are_named_and_the_others_stay(lines: tuple[str, ...], message: str) -> None:
    own_times = lines[0].startswith(("DTSTART", "DESCRIPTION"))
    bad = entry(*lines, uid="bad", times=not own_times)
    found = read_ical(calendar(bad, entry(uid="good")), OBEYED, NOW)

    assert {one.key.uid for one in found.events} == {"good"}
    (complaint,) = found.complaints
    assert complaint.key is not None
    assert complaint.key.uid == "bad"
    assert message in complaint.text


def test_an_endless_recurrence_is_an_event_like_any_other() -> None:
    event = only(read_ical(calendar(entry("RRULE:FREQ=DAILY")), RULES, NOW))

    assert len(occurrences(event, NOW, NOW + 7 * DAY)) == 6


@pytest.mark.parametrize("form", sorted(FORMATS))
@given(content=st.binary(max_size=300))
def test_whatever_bytes_come_the_answer_has_a_name(form: str, content: bytes) -> None:
    with suppress(FeedError):
        assert isinstance(FORMATS[form](content, RULES, NOW), FoundEvents)


@given(
    lines=st.lists(
        st.sampled_from(
            [
                "RRULE:FREQ=DAILY;COUNT=3",
                "RRULE:",
                "EXDATE:x",
                "DTEND:",
                "DTSTART;VALUE=DATE:20261301",
                "DURATION:-PT1H",
                "SEQUENCE:x",
                "RECURRENCE-ID:1",
                "RDATE:x",
                "CATEGORIES:",
                "STATUS:?",
                "BEGIN:VALARM",
                'TRANSP;X="',
            ]
        ),
        max_size=5,
    )
)
def test_damaged_calendars_never_break_the_reader(lines: list[str]) -> None:
    with suppress(FeedError):
        found = read_ical(calendar(entry(*lines), entry(uid="good")), OBEYED, NOW)
        told = [one.key for one in found.events] + [one.key for one in found.complaints]
        assert {key.uid for key in told if key} == {"a@cup", "good"}


def test_a_source_reads_its_file_in_its_format(tmp_path: Path) -> None:
    files: dict[str, Any] = {
        "csv": table("Semi-final,football,2026-11-24T20:00:00Z,2026-11-24T22:00:00Z"),
        "ical": calendar(entry()),
        "yaml": b"[{name: Semi-final, start: 2026-11-24T20:00:00Z, end: 2026-11-24T22:00:00Z}]",
    }
    for form, content in files.items():
        path = tmp_path / form
        path.write_bytes(content)
        event = only(CalendarSource(RULES, form, file=path).fetch(NOW))
        assert (event.name, event.start.hour) == ("Semi-final", 20)


def test_a_file_that_is_gone_or_too_large_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cup.ics"
    with pytest.raises(FeedUnreachable, match="cannot be read: No such file"):
        CalendarSource(RULES, "ical", file=path).fetch(NOW)
    path.write_bytes(calendar(entry()))
    with pytest.raises(FeedTooLarge, match="is larger than 10 bytes"):
        CalendarSource(RULES, "ical", file=path, max_bytes=10).fetch(NOW)
