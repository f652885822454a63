"""The leader fetches calendars of events, each in its own rhythm; a slow one holds nobody up."""

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog

from prescaler.adapters.telemetry.metrics import Telemetry
from prescaler.config import Settings
from prescaler.config.feeds import FeedSection
from prescaler.ports import Clock
from prescaler.usecases.sync_events import SyncRecord, sync_feed
from prescaler.wiring import Stores, open_feed, sync_ports

_AT_ONCE: Final = 4
_RETRY: Final = timedelta(minutes=5)
"""A calendar that failed is asked again this soon, however rarely it is fetched."""

_SHOWN: Final = 3
_LOG: Final = structlog.get_logger()


@dataclass
class _State:
    """One feed as it stands in the file. complaints: those that were logged last.

    ended: whether the newest fetch came to its end, good or bad.
    """

    section: FeedSection
    due: datetime
    running: threading.Thread | None = None
    ended: bool = True
    complaints: tuple[str, ...] = field(default=())


class FeedWatch:
    """Fetches what is due while this process leads."""

    def __init__(self, stores: Stores, telemetry: Telemetry, clock: Clock) -> None:
        self._stores = stores
        self._telemetry = telemetry
        self._clock = clock
        self._states: dict[str, _State] = {}
        self._turns = threading.Semaphore(_AT_ONCE)

    def round(self, settings: Settings) -> None:
        """Begin the fetches that are due; a feed that is new or was changed is due at once."""
        now = self._clock.now().replace(microsecond=0)
        self._states = {section.name: self._state(section, now) for section in settings.feeds}
        for name, state in self._states.items():
            if state.running is not None and state.running.is_alive():
                self._overdue(state, now)
                continue
            if not state.ended:
                self._defect(state, now)
            if state.due <= now:
                self._telemetry.feed_errors.labels(name)  # it is there, at 0, before it fails
                self._begin(state, settings, now)

    def wait(self) -> None:
        """Until every fetch that has begun is over."""
        for state in self._states.values():
            if state.running is not None:
                state.running.join()

    def _begin(self, state: _State, settings: Settings, now: datetime) -> None:
        """A thread that dies with the process: a slow calendar must not hold up its end."""
        state.due, state.ended = now + state.section.every, False
        state.running = threading.Thread(
            target=self._fetch, args=(state, settings), name=state.section.name, daemon=True
        )
        state.running.start()

    def _overdue(self, state: _State, now: datetime) -> None:
        """A fetch that outlasts its rhythm: a name nobody resolves, a file server that hangs."""
        if state.due <= now:
            self._failed(state, now)
            _LOG.warning("feed_hangs", feed=state.section.name, kept="the events known before")

    def _defect(self, state: _State, now: datetime) -> None:
        """A defect of ours ended the thread, which has printed it; tried again like a failure."""
        state.ended = True
        self._failed(state, now)
        _LOG.error("feed_defect", feed=state.section.name)

    def _state(self, section: FeedSection, now: datetime) -> _State:
        known = self._states.get(section.name)
        return known if known is not None and known.section == section else _State(section, now)

    def _fetch(self, state: _State, settings: Settings) -> None:
        with self._turns:
            now = self._clock.now().replace(microsecond=0)
            feed, ports = open_feed(state.section), sync_ports(settings, self._stores)
            self._note(sync_feed(feed, ports, now), state, now)
        state.ended = True

    def _note(self, record: SyncRecord, state: _State, now: datetime) -> None:
        if record.failure is not None:
            self._failed(state, now)
            _LOG.warning(
                "feed_failed",
                feed=record.feed,
                kind=record.failure.kind,
                error=str(record.failure),
                kept="the events known before",
            )
            return
        if record.complaints and record.complaints != state.complaints:
            _LOG.warning(
                "feed_entries_unusable",
                feed=record.feed,
                count=len(record.complaints),
                first=record.complaints[:_SHOWN],
            )
        state.complaints = record.complaints
        if record.created or record.changed or record.cancelled:
            numbers = {"created": record.created, "changed": record.changed}
            _LOG.info("feed_taken_over", feed=record.feed, **numbers, cancelled=record.cancelled)

    def _failed(self, state: _State, now: datetime) -> None:
        self._telemetry.feed_errors.labels(state.section.name).inc()
        state.due = now + min(_RETRY, state.section.every)
