"""What a calendar says is taken over; what it no longer says is cancelled, unless it is broken."""

from datetime import timedelta
from typing import Any

import pytest

from prescaler.adapters.memory_events import MemoryEvents, MemoryFeeds
from prescaler.core.errors import (
    ChangedMeanwhile,
    FeedError,
    FeedNotUnderstood,
    FeedTooSlow,
    StoreUnreachable,
)
from prescaler.core.event_records import Complaint, FeedKey, FoundEvent, FoundEvents
from prescaler.core.planned import EventState, PlannedEvent, Selection
from prescaler.core.records import AuditEntry
from prescaler.usecases.change_events import EventPorts, Planner, cancel_event
from prescaler.usecases.sync_events import Feed, SyncPorts, SyncRecord, check_feed, sync_feed
from tests.support.builders import DAY, MONDAY, event
from tests.support.fakes import SetClock

HOUR = timedelta(hours=1)


class Calendar:
    """A source that says what it is told to say."""

    def __init__(self) -> None:
        self.found = FoundEvents(())
        self.failure: FeedError | None = None

    def fetch(self, now: object) -> FoundEvents:
        if self.failure is not None:
            raise self.failure
        return self.found


def entry(uid: str, recurrence: str = "", **changes: Any) -> FoundEvent:
    values: dict[str, Any] = {"name": uid, "source": "feed:cup", **changes}
    return FoundEvent(FeedKey("cup", uid, recurrence), event(**values))


class Setting:
    """A calendar, a store, and what is known by now."""

    def __init__(self) -> None:
        self.calendar = Calendar()
        self.audit: list[AuditEntry] = []
        self.ports = SyncPorts(MemoryEvents(self.audit), MemoryFeeds(), {"web", "api"})
        self.feed = Feed("cup", self.calendar)

    def says(self, *found: FoundEvent, complaints: tuple[Complaint, ...] = ()) -> None:
        self.calendar.failure = None
        self.calendar.found = FoundEvents(found, complaints)

    def sync(self, at: timedelta = timedelta(0), feed: Feed | None = None) -> SyncRecord:
        return sync_feed(feed or self.feed, self.ports, MONDAY + at)

    @property
    def known(self) -> dict[str, PlannedEvent]:
        return {k.uid + k.recurrence: e for k, e in self.ports.events.of_feed("cup").items()}


@pytest.fixture
def setting() -> Setting:
    return Setting()


def test_what_is_new_is_planned_and_a_second_fetch_changes_nothing(setting: Setting) -> None:
    setting.says(entry("a"), entry("b"))

    first, second = setting.sync(), setting.sync(HOUR)

    assert (first.events, first.created, first.changed, first.cancelled) == (2, 2, 0, 0)
    assert (second.events, second.created, second.changed, second.cancelled) == (2, 0, 0, 0)
    assert {e.revision for e in setting.known.values()} == {1}
    assert [e.author for e in setting.audit] == ["feed cup"] * 2
    status = setting.ports.feeds.all()["cup"]
    assert (status.at, status.good_at, status.error) == (MONDAY + HOUR, MONDAY + HOUR, None)


def test_a_match_that_moves_moves_here(setting: Setting) -> None:
    setting.says(entry("a"))
    setting.sync()
    before = setting.known["a"]
    later = before.start + HOUR
    setting.says(entry("a", start=later, end=before.end + HOUR))

    assert setting.sync().changed == 1
    assert (setting.known["a"].start, setting.known["a"].id) == (later, before.id)


def test_a_match_that_disappears_is_cancelled_and_may_come_back(setting: Setting) -> None:
    setting.says(entry("a"), entry("b"))
    setting.sync()
    setting.says(entry("a"))

    assert setting.sync().cancelled == 1
    assert setting.known["b"].state.value == "cancelled"
    assert setting.audit[-1].reason == "gone from the calendar"
    assert setting.sync().cancelled == 0
    setting.says(entry("a"), entry("b"))
    assert setting.sync().changed == 1
    assert setting.known["b"].state.value == "confirmed"


def test_what_has_begun_is_not_cancelled_by_a_calendar_that_drops_it(setting: Setting) -> None:
    on, over = entry("on"), entry("over", start=MONDAY, end=MONDAY + HOUR)
    for_ever = entry("weekly", rule="FREQ=WEEKLY", start=MONDAY, end=MONDAY + HOUR)
    ended = entry("ended", rule="FREQ=DAILY;COUNT=2", start=MONDAY, end=MONDAY + HOUR)
    setting.says(on, over, for_ever, ended, entry("other"))
    setting.sync()
    setting.says(entry("other"), ended)

    setting.sync(45 * HOUR)

    states = {uid: e.state.value for uid, e in setting.known.items()}
    assert states["on"] == states["over"] == "confirmed"
    assert states["weekly"] == "cancelled"
    setting.says(entry("other"))
    setting.sync(30 * DAY)
    assert setting.known["ended"].state is EventState.CONFIRMED


def test_a_suddenly_empty_calendar_is_not_believed_unless_it_may_be_empty(
    setting: Setting,
) -> None:
    setting.says(entry("a"))
    setting.sync()
    setting.says()

    record = setting.sync(HOUR)

    assert isinstance(record.failure, FeedNotUnderstood)
    assert "allow_empty" in str(record.failure)
    assert setting.known["a"].state is EventState.CONFIRMED
    emptied = Feed("cup", setting.calendar, allow_empty=True)
    assert setting.sync(HOUR, emptied).cancelled == 1


def test_a_calendar_whose_events_are_all_over_may_be_empty(setting: Setting) -> None:
    setting.says(entry("a"))
    setting.sync()
    setting.says()

    assert setting.sync(60 * DAY).failure is None


def test_a_broken_calendar_keeps_everything_and_is_told(setting: Setting) -> None:
    setting.says(entry("a"))
    setting.sync()
    setting.calendar.failure = FeedTooSlow("cup: had not ended after 30 s")

    record = setting.sync(HOUR)

    assert record.failure is setting.calendar.failure
    assert setting.known["a"].state is EventState.CONFIRMED
    status = setting.ports.feeds.all()["cup"]
    assert (status.at, status.good_at, status.events) == (MONDAY + HOUR, MONDAY, 1)
    assert status.error == "cup: had not ended after 30 s"


def test_a_calendar_that_was_never_good_has_no_good_day(setting: Setting) -> None:
    setting.calendar.failure = FeedTooSlow("slow")
    setting.sync()

    status = setting.ports.feeds.all()["cup"]
    assert (status.good_at, status.events) == (None, 0)


def test_what_a_person_changed_is_theirs(setting: Setting) -> None:
    setting.says(entry("a"), entry("b"))
    setting.sync()
    ports = EventPorts(SetClock(MONDAY), setting.ports.events, {"web"})
    cancel_event(setting.known["a"].id, Planner("ada"), ports)

    record = setting.sync()

    assert (record.changed, setting.known["a"].state) == (0, EventState.CANCELLED)
    setting.says(entry("b"))
    assert setting.sync().cancelled == 0


def test_an_entry_that_cannot_be_read_keeps_what_was_known_of_it(setting: Setting) -> None:
    setting.says(entry("a"), entry("b"))
    setting.sync()
    setting.says(entry("b"), complaints=(Complaint(FeedKey("cup", "a"), "a: no end"),))

    record = setting.sync()

    assert (record.complaints, record.cancelled) == (("a: no end",), 0)
    assert setting.ports.feeds.all()["cup"].warnings == ("a: no end",)
    setting.says(entry("b"), complaints=(Complaint(None, "something cannot be read"),))
    assert setting.sync().cancelled == 0


def test_an_entry_for_an_unknown_workload_is_complained_about(setting: Setting) -> None:
    setting.says(entry("a", selection=Selection(names=frozenset({"wbe"}))), entry("b"))

    record = setting.sync()

    assert (record.created, len(record.complaints)) == (1, 1)
    assert "did you mean 'web'" in record.complaints[0]


class _Busy(MemoryEvents):
    """Somebody is always faster, or the store is away."""

    failure: Exception = ChangedMeanwhile("somebody else was faster")

    def write(self, writes: object) -> list[PlannedEvent]:
        raise self.failure


@pytest.mark.parametrize("failure", [ChangedMeanwhile("faster"), StoreUnreachable("gone")])
def test_a_store_that_does_not_take_it_is_a_failure_of_the_fetch(
    setting: Setting, failure: Exception
) -> None:
    busy = _Busy()
    busy.failure = failure
    setting.says(entry("a"))
    ports = SyncPorts(busy, setting.ports.feeds, {"web"})

    assert sync_feed(setting.feed, ports, MONDAY).failure is failure


class _Unnoted(MemoryFeeds):
    """Nothing can be noted."""

    def note(self, status: object) -> None:
        raise StoreUnreachable("gone")


def test_a_fetch_that_cannot_be_noted_is_a_failure(setting: Setting) -> None:
    setting.says(entry("a"))
    ports = SyncPorts(setting.ports.events, _Unnoted(), {"web"})

    record = sync_feed(setting.feed, ports, MONDAY)

    assert (record.created, type(record.failure)) == (1, StoreUnreachable)


def test_a_check_stores_nothing(setting: Setting) -> None:
    setting.says(entry("a"), entry("b", selection=Selection(names=frozenset({"wbe"}))))

    found = check_feed(setting.feed, {"web"}, MONDAY)

    assert (found.events, len(found.complaints), found.problem) == (1, 1, None)
    assert setting.known == {}
    setting.calendar.failure = FeedTooSlow("slow")
    assert check_feed(setting.feed, {"web"}, MONDAY).kind == "feed_too_slow"
