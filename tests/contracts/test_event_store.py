"""One suite for every store of events: all or nothing, audited, and nobody's change is lost."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from prescaler.core.errors import ChangedMeanwhile, StoreDamaged, UnknownEvent
from prescaler.core.event_history import Revision
from prescaler.core.event_records import EventQuery, EventWrite, FeedKey, FeedStatus
from prescaler.core.event_text import to_plain
from prescaler.core.planned import Effect, EventState, PlannedEvent, Selection
from prescaler.core.records import AuditEntry, AuditQuery
from prescaler.usecases.change_events import (
    EventPorts,
    Planner,
    cancel_event,
    change_event,
    plan_event,
)
from tests.contracts.conftest import AllStores
from tests.support.builders import DAY, MONDAY, event
from tests.support.fakes import SetClock

HOUR = timedelta(hours=1)
ENTRY = AuditEntry(MONDAY, "ada", "create event", "event x", "match night", None, "{}")
FULL = event(
    name="finale \u26bd \u202e",
    effect=Effect(1.5, 3.25, 7, 2.0, HOUR, 2 * HOUR),
    selection=Selection(names=frozenset({"web", "api"}), labels={"team": "player"}),
    known_from=MONDAY - DAY,
    rule="FREQ=WEEKLY;COUNT=3",
    exceptions=frozenset({MONDAY + 9 * DAY}),
    labels={"stage": "semi"},
    description="two\nlines",
    source="feed:matches",
)


def store(stores: AllStores, *events: PlannedEvent, feed: str | None = None) -> list[PlannedEvent]:
    return list(
        stores.events.write(
            [EventWrite(e, ENTRY, FeedKey(feed, e.name) if feed else None) for e in events]
        )
    )


def test_an_event_comes_back_whole(stores: AllStores) -> None:
    (stored,) = store(stores, FULL)

    assert stored == replace(FULL, revision=1)
    assert stores.events.get(FULL.id) == stored
    assert stores.events.find(EventQuery()) == [stored]


def test_a_change_moves_the_revisions_and_leaves_an_entry(stores: AllStores) -> None:
    before = stores.events.revision()
    (first,) = store(stores, event())
    (second,) = store(stores, replace(first, name="final"))

    assert (first.revision, second.revision) == (1, 2)
    assert stores.events.get(first.id).name == "final"
    assert stores.events.revision() == before + 2
    assert list(stores.audit.recent(10)) == [ENTRY, ENTRY]
    assert list(stores.audit.recent(1, AuditQuery(subject="event x"))) == [ENTRY]
    assert list(stores.audit.recent(10, AuditQuery(subject="event y"))) == []


def test_who_read_an_older_one_is_told_and_nothing_is_written(stores: AllStores) -> None:
    (first,) = store(stores, event())
    store(stores, replace(first, name="final"))
    revision, other = stores.events.revision(), event()

    with pytest.raises(ChangedMeanwhile, match="read it again"):
        store(stores, other, replace(first, name="mine"))

    assert stores.events.get(first.id).name == "final"
    assert stores.events.revision() == revision
    assert len(stores.audit.recent(10)) == 2
    with pytest.raises(UnknownEvent):
        stores.events.get(other.id)


def test_the_same_id_or_the_same_feed_entry_twice_is_refused(stores: AllStores) -> None:
    (first,) = store(stores, event(name="uid-1"), feed="matches")

    with pytest.raises(ChangedMeanwhile):
        store(stores, replace(first, revision=0))
    with pytest.raises(ChangedMeanwhile):
        store(stores, event(name="uid-1"), feed="matches")

    store(stores, event(name="uid-1"), feed="others")
    store(stores, event(name="uid-1"))


def test_what_is_not_stored_cannot_be_read_or_changed(stores: AllStores) -> None:
    with pytest.raises(UnknownEvent, match="no event"):
        stores.events.get(uuid4())
    with pytest.raises(UnknownEvent, match="no event"):
        store(stores, event(revision=3))


def test_nothing_to_write_changes_nothing(stores: AllStores) -> None:
    before = stores.events.revision()

    assert list(stores.events.write([])) == []
    assert stores.events.revision() == before


def test_events_are_found_by_span_kind_and_state_page_by_page(stores: AllStores) -> None:
    past = event(name="past", start=MONDAY - 9 * DAY, end=MONDAY - 8 * DAY)
    daily = event(
        name="daily", start=MONDAY - 9 * DAY, end=MONDAY - 9 * DAY + HOUR, rule="FREQ=DAILY"
    )
    talk = event(name="talk", kind="talk", state=EventState.DRAFT)
    ramped = event(
        name="ramped", start=MONDAY + 6 * DAY, end=MONDAY + 7 * DAY, effect=Effect(ramp_before=DAY)
    )
    store(stores, past, daily, talk, ramped)

    def names(**asked: object) -> set[str]:
        return {e.name for e in stores.events.find(EventQuery(**asked))}  # type: ignore[arg-type]

    assert names() == {"past", "daily", "talk", "ramped"}
    assert names(start=MONDAY) == {"daily", "talk", "ramped"}
    assert names(end=MONDAY) == {"past", "daily"}
    assert names(start=MONDAY + 5 * DAY, end=MONDAY + 5.5 * DAY) == {"daily", "ramped"}
    assert names(kind="talk") == {"talk"}
    assert names(state=EventState.DRAFT) == {"talk"}
    seen: list[PlannedEvent] = []
    while page := stores.events.find(
        EventQuery(
            limit=1,
            after=(seen[-1].start - seen[-1].effect.ramp_before, seen[-1].id) if seen else None,
        )
    ):
        seen += page
    assert len(seen) == 4
    assert len({e.id for e in seen}) == 4


def test_only_what_may_still_act_is_loaded(stores: AllStores) -> None:
    past = event(name="past", start=MONDAY - 9 * DAY, end=MONDAY - 8 * DAY)
    daily = event(name="daily", start=MONDAY - 9 * DAY, end=MONDAY - 8.5 * DAY, rule="FREQ=DAILY")
    fading = event(
        name="fading", start=MONDAY - DAY, end=MONDAY - HOUR, effect=Effect(ramp_after=2 * HOUR)
    )
    store(stores, past, daily, fading, event(state=EventState.CANCELLED), event(name="next"))

    assert [e.name for e in stores.events.acting_from(MONDAY)] == ["daily", "fading", "next"]


def test_a_feed_knows_its_own(stores: AllStores) -> None:
    cancelled = event(name="gone", state=EventState.CANCELLED)
    store(stores, cancelled, event(name="stays"), feed="matches")
    store(stores, event(name="other"), feed="others")
    store(stores, event(name="by hand"))

    found = stores.events.of_feed("matches")

    assert {key.uid: e.state for key, e in found.items()} == {
        "gone": EventState.CANCELLED,
        "stays": EventState.CONFIRMED,
    }


def test_what_is_over_for_good_can_be_forgotten(stores: AllStores) -> None:
    old = event(name="old", start=MONDAY - 9 * DAY, end=MONDAY - 8 * DAY)
    (daily,) = store(stores, event(start=old.start, end=old.end, rule="FREQ=DAILY"))
    store(stores, old, feed="matches")
    revision = stores.events.revision()

    assert stores.events.forget(MONDAY - 8 * DAY, ENTRY) == 1
    assert stores.events.forget(MONDAY - 8 * DAY, ENTRY) == 0
    assert stores.events.find(EventQuery()) == [daily]
    assert stores.events.of_feed("matches") == {}
    assert stores.events.revision() == revision + 1
    assert len(stores.audit.recent(10)) == 3


def test_many_writers_at_once_lose_nothing(stores: AllStores) -> None:
    if stores.kind == "memory":
        return
    before = stores.events.revision()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: store(stores, event(id=UUID(int=n + 1))), range(12)))

    assert len(stores.events.find(EventQuery())) == 12
    assert stores.events.revision() == before + 12


def test_of_two_who_read_the_same_one_wins(stores: AllStores) -> None:
    if stores.kind == "memory":
        return
    (first,) = store(stores, event())

    def change(name: str) -> str:
        try:
            return store(stores, replace(first, name=name))[0].name
        except ChangedMeanwhile:
            return "refused"

    with ThreadPoolExecutor(4) as pool:
        found = sorted(pool.map(change, ["a", "b", "c"]))

    assert found.count("refused") == 2
    assert stores.events.get(first.id).name == found[0]


def test_an_event_that_cannot_be_read_back_is_a_named_error(stores: AllStores) -> None:
    if stores.kind == "memory":
        return
    (first,) = store(stores, event())
    with stores.events._database.write() as connection:  # type: ignore[attr-defined]
        connection.execute(sa.text("UPDATE event SET body = '{\"name\": 1}'"))

    with pytest.raises(StoreDamaged, match=str(first.id)):
        stores.events.acting_from(MONDAY)


def test_the_newest_fetch_of_a_feed_is_kept(stores: AllStores) -> None:
    first = FeedStatus("matches", MONDAY, MONDAY, None, 12, ("line 3: no such field",))
    then = FeedStatus("matches", MONDAY + HOUR, MONDAY, "HTTP 503", 12)

    assert stores.feeds.all() == {}
    stores.feeds.note(first)
    assert stores.feeds.all() == {"matches": first}
    stores.feeds.note(then)
    stores.feeds.note(replace(first, name="others"))
    assert stores.feeds.all() == {"matches": then, "others": replace(first, name="others")}


def test_what_an_event_was_before_its_changes_is_read_back_oldest_first(
    stores: AllStores,
) -> None:
    clock = SetClock(MONDAY)
    ports = EventPorts(clock, stores.events, {"web"})
    plain = {k: v for k, v in to_plain(replace(FULL, rule=None)).items() if k != "workloads"}
    first = plan_event({**plain, "workloads": ["web"]}, Planner("ada"), ports)
    other = plan_event({**plain, "workloads": ["web"], "name": "other"}, Planner("ada"), ports)
    clock.move(HOUR)
    moved = change_event(
        first.id, {**to_plain(first), "start": "2026-11-24T21:30:00Z"}, Planner("ada"), ports
    )
    clock.move(HOUR)
    gone = cancel_event(first.id, Planner("ada"), ports)

    found = stores.events.revisions([first.id, uuid4()])

    assert found == {
        first.id: [
            Revision(first, MONDAY),
            Revision(moved, MONDAY + HOUR),
            Revision(gone, MONDAY + 2 * HOUR),
        ]
    }
    assert set(stores.events.revisions([first.id, other.id])) == {first.id, other.id}
    assert stores.events.revisions([]) == {}


def test_a_history_that_cannot_be_read_back_is_said_to_be_damaged(stores: AllStores) -> None:
    entry = replace(ENTRY, subject=f"event {FULL.id}")
    stores.events.write([EventWrite(FULL, entry)])

    with pytest.raises(StoreDamaged, match=str(FULL.id)):
        stores.events.revisions([FULL.id])
