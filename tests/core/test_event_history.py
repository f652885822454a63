"""Each form of an event counts while it was so, and never two of them at once."""

import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescaler.core.errors import BadEvent
from prescaler.core.event_book import EventIndex, acts_at, known_by
from prescaler.core.event_history import Revision, as_known, revisions_of
from prescaler.core.event_text import to_plain
from prescaler.core.planned import EventState, PlannedEvent
from prescaler.core.records import AuditEntry
from tests.support.builders import DAY, MONDAY, event, policy

HOUR = timedelta(hours=1)
FIRST = event(revision=1)
MOVED = replace(FIRST, start=FIRST.start + DAY, end=FIRST.end + DAY, revision=2)


def entry(before: PlannedEvent | None, after: PlannedEvent | None, at: datetime) -> AuditEntry:
    """As `change_events` writes it: what is written down is the revision that was read."""
    texts = [
        json.dumps({**to_plain(one), "revision": one.revision - later}) if one else None
        for one, later in ((before, 0), (after, 1))
    ]
    return AuditEntry(at, "ada", "change event", f"event {FIRST.id}", "", texts[0], texts[1])


def test_a_move_is_known_from_the_move_on() -> None:
    moved_at = MONDAY + 12 * HOUR
    past = revisions_of([entry(None, FIRST, MONDAY), entry(FIRST, MOVED, moved_at)])

    forms = as_known(MOVED, past)

    assert forms == [
        replace(FIRST, known_until=moved_at),
        replace(MOVED, known_from=moved_at),
    ]
    book = EventIndex(forms).book("web", {})
    assert book.revelations == (moved_at,)
    starts = [
        [e.start for e in book.effects(policy(), MONDAY, MONDAY + 7 * DAY, at)]
        for at in (MONDAY - 300 * DAY, moved_at - HOUR, moved_at, MONDAY + 7 * DAY, None)
    ]
    assert starts == [[FIRST.start], [FIRST.start], [MOVED.start], [MOVED.start], [MOVED.start]]


def test_what_was_cancelled_counted_until_then() -> None:
    gone = replace(FIRST, state=EventState.CANCELLED, revision=2)
    past = revisions_of([entry(None, FIRST, MONDAY), entry(FIRST, gone, MONDAY + HOUR)])

    forms = as_known(gone, past)

    def acting(at: datetime | None) -> list[PlannedEvent]:
        return [form for form in forms if acts_at(form, at)]

    assert [form.state for form in acting(MONDAY)] == [EventState.CONFIRMED]
    assert acting(MONDAY + HOUR) == []
    assert acting(None) == []


def test_where_the_beginning_of_the_audit_is_gone_what_it_says_was_before_counts() -> None:
    past = revisions_of([entry(FIRST, MOVED, MONDAY)])

    assert past == [Revision(FIRST, None), Revision(MOVED, MONDAY)]
    assert [form.start for form in as_known(MOVED, past)] == [FIRST.start, MOVED.start]


def test_an_entry_without_an_event_after_it_says_nothing_new() -> None:
    assert revisions_of([entry(FIRST, None, MONDAY)]) == [Revision(FIRST, None)]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"revision": null}', "{", '{"revision": 1}'])
def test_an_entry_that_holds_no_event_is_refused(text: str) -> None:
    damaged = replace(entry(None, FIRST, MONDAY), after=text)

    with pytest.raises(BadEvent):
        revisions_of([damaged])


def test_without_a_change_the_event_stays_as_it_is() -> None:
    assert as_known(FIRST, []) == [FIRST]
    assert as_known(FIRST, [Revision(FIRST, MONDAY)]) == [FIRST]


def test_of_what_was_entered_when_it_was_over_the_present_form_counts() -> None:
    late = FIRST.end + HOUR
    corrected = replace(FIRST, start=FIRST.start - HOUR, revision=2)

    assert as_known(corrected, [Revision(FIRST, late), Revision(corrected, late + HOUR)]) == [
        corrected
    ]
    for_ever = replace(FIRST, rule="FREQ=WEEKLY")
    past = [Revision(for_ever, late), Revision(corrected, late + HOUR)]
    assert len(as_known(corrected, past)) == 2


def test_a_form_that_nobody_could_have_known_of_is_left_out() -> None:
    """Announced for Thursday, changed on Tuesday: nobody has ever known its first form."""
    secret = replace(FIRST, known_from=MONDAY + 3 * DAY)
    open_now = replace(secret, known_from=None, revision=2)
    past = [Revision(secret, MONDAY), Revision(open_now, MONDAY + DAY)]

    assert as_known(open_now, past) == [replace(open_now, known_from=MONDAY + DAY)]


@given(
    st.lists(st.integers(1, 200), min_size=1, max_size=6, unique=True),
    st.lists(st.one_of(st.none(), st.integers(-50, 250)), min_size=7, max_size=7),
    st.integers(-100, 300),
)
def test_at_every_instant_at_most_one_form_counts_and_it_is_the_last_one_written(
    hours: list[int], known: list[int | None], now: int
) -> None:
    """hours: of the changes; known: of each form, from when on it may be used."""
    changes = [0, *sorted(hours)]
    forms = [
        replace(
            FIRST,
            name=f"form {number}",
            known_from=MONDAY + hour * HOUR if hour is not None else None,
            end=MONDAY + 400 * HOUR,
            revision=number + 1,
        )
        for number, hour in zip(range(len(changes)), known, strict=False)
    ]
    past = [Revision(f, MONDAY + h * HOUR) for f, h in zip(forms, changes, strict=True)]
    at = MONDAY + now * HOUR
    written = [r.event for r in past if r.since is not None and r.since <= at] or forms[:1]

    found = [form.name for form in as_known(forms[-1], past) if known_by(form, at)]

    assert found == ([written[-1].name] if known_by(written[-1], at) else [])
