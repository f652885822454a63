"""The leader's daily upkeep of the store, in a thread of its own: it must hold nobody up."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import structlog

from prescaler.config import Settings
from prescaler.core.errors import StoreError
from prescaler.ports import Clock
from prescaler.usecases.prune_history import prune_history
from prescaler.wiring import Stores

_EVERY: Final = timedelta(days=1)
_AFTER_START: Final = timedelta(minutes=10)
_LOG: Final = structlog.get_logger()


class Upkeep:
    """Prunes once a day while this process leads."""

    def __init__(self, stores: Stores, clock: Clock, leads: Callable[[], bool]) -> None:
        self._stores = stores
        self._clock = clock
        self._leads = leads
        self._due = clock.now() + _AFTER_START
        self._thread: threading.Thread | None = None

    def round(self, settings: Settings) -> None:
        """Begin where it is time and the last one has ended."""
        now = self._clock.now().replace(microsecond=0)
        if now < self._due or (self._thread is not None and self._thread.is_alive()):
            return
        self._due = now + _EVERY
        self._thread = threading.Thread(target=self.prune, args=(settings, now), daemon=True)
        self._thread.start()

    def prune(self, settings: Settings, now: datetime) -> None:
        """Enforce the ages; what fails is said, and done tomorrow."""
        try:
            found = prune_history(
                self._stores.upkeep, settings.retention, settings.workloads, now, going=self._leads
            )
        except StoreError as error:
            _LOG.warning("history_not_pruned", error=str(error))
            return
        _LOG.info("history_pruned", **{one.kind.value: one.amount.rows for one in found})
