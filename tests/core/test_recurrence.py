"""Rules are walked in civil time, within bounds, and say what they cannot follow."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given
from hypothesis import strategies as st

from prescaler.core.errors import BadEvent
from prescaler.core.recurrence import (
    Civil,
    check_rule,
    civil_of,
    latest_start,
    moments,
    to_utc,
    to_utc_end,
)
from tests.support.builders import MONDAY, PARIS

START = datetime(2026, 11, 24, 21)
CIVIL = Civil(START, PARIS)

RULES = [
    "FREQ=DAILY",
    "FREQ=DAILY;INTERVAL=3",
    "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR",
    "FREQ=DAILY;BYHOUR=9,21",
    "FREQ=WEEKLY",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU",
    "FREQ=WEEKLY;INTERVAL=3;BYDAY=MO,FR;BYSETPOS=-1",
    "FREQ=WEEKLY;COUNT=40",
    "FREQ=DAILY;COUNT=10;BYMONTH=12",
    "FREQ=MONTHLY;BYDAY=-1FR",
    "FREQ=MONTHLY;BYMONTHDAY=31",
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
    "FREQ=WEEKLY;UNTIL=20270601T200000Z",
    "FREQ=DAILY;UNTIL=20261231",
]


@given(st.sampled_from(RULES), st.integers(-30, 1500), st.integers(0, 120))
def test_a_span_gives_what_a_walk_from_the_first_start_gives(
    rule: str, first: int, days: int
) -> None:
    low = START + timedelta(days=first)
    high = low + timedelta(days=days)
    naive = rule.replace("T200000Z", "T220000").replace("20261231", "20261231T235959")
    everything = rrulestr(naive, dtstart=START)

    assert list(moments(rule, CIVIL, low, high)) == [
        at for at in everything.between(low, high, inc=True) if at < high
    ]


@given(st.sampled_from(RULES))
def test_moments_ascend_and_the_first_span_has_one(rule: str) -> None:
    found = list(islice(moments(rule, CIVIL, START, START + timedelta(days=4000)), 50))

    assert found
    assert all(a < b for a, b in pairwise(found))
    check_rule(rule, CIVIL)


def test_the_wall_clock_is_kept_over_both_clock_changes() -> None:
    civil = civil_of(MONDAY + timedelta(hours=44), PARIS)
    year = moments("FREQ=WEEKLY", civil, civil.start, civil.start + timedelta(days=364))
    starts = [to_utc(at, PARIS) for at in year]

    assert {at.astimezone(PARIS).hour for at in starts} == {21}
    assert {at.hour for at in starts} == {19, 20}


@pytest.mark.parametrize(
    ("civil", "start", "end"),
    [
        # the spring clock skips 02:00 to 03:00 on 28 March 2027
        (datetime(2027, 3, 28, 2, 30), "01:30", "01:30"),
        # the autumn clock shows 02:00 to 03:00 twice on 31 October 2027
        (datetime(2027, 10, 31, 2, 30), "00:30", "01:30"),
    ],
)
def test_hours_that_the_clock_skips_or_repeats(civil: datetime, start: str, end: str) -> None:
    assert f"{to_utc(civil, PARIS):%H:%M}" == start
    assert f"{to_utc_end(civil, PARIS):%H:%M}" == end


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("FREQ=HOURLY", "too frequent or unknown"),
        ("FREQ=MINUTELY;INTERVAL=5", "too frequent or unknown"),
        ("FREQ=DAILY;BYHOUR=1,2,3,4,5;BYMINUTE=0,10,20,30,40", "25 times a day, at most 24"),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "never matches"),
        ("FREQ=WEEKLY;UNTIL=20200101T000000Z", "never matches"),
        ("FREQ=DAILY;COUNT=0", "COUNT=0 in the rule must lie between 1 and 1000"),
        ("FREQ=DAILY;COUNT=1001", "between 1 and 1000"),
        ("FREQ=DAILY;COUNT=²", "between 1 and 1000"),
        ("FREQ=DAILY;INTERVAL=-1", "between 1 and 1000"),
        ("FREQ=DAILY;COUNT=3;UNTIL=20270101", "either COUNT or UNTIL"),
        ("FREQ=DAILY;UNTIL=tomorrow", "UNTIL=TOMORROW in the rule is no instant"),
        ("FREQ=DAILY;UNTIL=20261399", "is no instant"),
        ("FREQ=DAILY;UNTIL=00010101T000000Z", "never matches|is no instant"),
        ("FREQ=DAILY;BYHOUR=25", "cannot be followed: hour must be in"),
        ("FREQ=WEEKLY;BYDAY=XX", "cannot be followed"),
        ("FREQ=YEARLY;BYEASTER=0", "BYEASTER is no part"),
        ("FREQ=DAILY\nRRULE:FREQ=DAILY", "cannot be followed|too frequent or unknown|no part"),
        ("FREQ=DAILY;BYDAY=MO\nEXRULE:FREQ=DAILY", "is not one single RRULE"),
        ("BYDAY=TU", "write it as in FREQ=WEEKLY;BYDAY=TU"),
        ("FREQ=DAILY;FREQ=DAILY", "is none"),
        ("FREQ=DAILY;BYDAY=", "is none"),
        ("", "is none"),
        ("FREQ=DAILY;BYDAY=" + ",".join(["MO"] * 300), "at most 500 characters"),
    ],
)
def test_a_rule_that_cannot_be_followed_says_why(rule: str, said: str) -> None:
    with pytest.raises(BadEvent, match=said):
        check_rule(rule, CIVIL)


@given(st.text(st.sampled_from("FREQ=DAILYWKO;BYSETP10-,MU"), max_size=40))
def test_hostile_rules_are_followed_or_refused(text: str) -> None:
    try:
        check_rule("FREQ=YEARLY;" + text, CIVIL)
    except BadEvent:
        return
    assert list(islice(moments("FREQ=YEARLY;" + text, CIVIL, START, datetime(9000, 1, 1)), 1))


def test_the_last_start_is_known_where_there_is_one() -> None:
    assert latest_start("FREQ=DAILY;COUNT=3", CIVIL) == START + timedelta(days=2)
    assert latest_start("FREQ=DAILY;UNTIL=20261231", CIVIL) == datetime(2026, 12, 31, 23, 59, 59)
    assert latest_start("FREQ=DAILY", CIVIL) is None
    assert latest_start("FREQ=DAILY;UNTIL=20200101", CIVIL) == START


def test_a_rule_from_1970_costs_no_more_than_one_from_today() -> None:
    old = Civil(datetime(1970, 1, 1, 21), PARIS)
    found = list(moments("FREQ=DAILY", old, START, START + timedelta(days=2)))

    assert found == [START, START + timedelta(days=1)]


def test_an_until_beyond_every_calendar_is_no_end() -> None:
    found = moments("FREQ=DAILY;UNTIL=99991231T000000", CIVIL, START, START + timedelta(days=3))

    assert len(list(found)) == 3
    assert MONDAY.tzinfo is UTC
