"""A thread that says every ten seconds that this process is there, and knows of the others."""

import socket
import threading
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import uuid4

import structlog

import prescaler
from prescaler.apps.rounds import rounds
from prescaler.core.errors import StoreError
from prescaler.core.replicas import BEAT, FORGOTTEN_AFTER, Replica, present
from prescaler.ports import Clock
from prescaler.ports.replicas import ReplicaStore

_LOG: Final = structlog.get_logger()


class Heartbeat:
    """One round every ten seconds. While the store is away nobody is missed: nobody can tell."""

    def __init__(self, store: ReplicaStore, clock: Clock, role: str, listen: str) -> None:
        self._store = store
        self._clock = clock
        now = self._now()
        name = f"{socket.gethostname()}:{listen.rpartition(':')[2]}"
        self._own = Replica(uuid4(), name, role, prescaler.__version__, now, now)
        self._others: tuple[Replica, ...] = ()

    def run(self, stop: threading.Event) -> None:
        """Rounds until told to stop; then say so."""
        self._try()
        rounds(stop, BEAT.total_seconds(), self.round, "heartbeat")
        self.leave()

    def round(self) -> None:
        """Beat once, and see who else did."""
        now = self._now()
        self._own = replace(self._own, seen_at=now)
        self._others = ()
        self._store.beat(self._own, now - FORGOTTEN_AFTER)
        self._others = tuple(one for one in self._store.all() if one.id != self._own.id)

    def leave(self) -> None:
        """This process ends as it should."""
        try:
            self._store.leave(self._own.id)
        except StoreError as error:
            _LOG.info("left_unsaid", error=str(error))

    def replicas(self, now: datetime) -> list[Replica]:
        """This process and the others, by name."""
        return present([replace(self._own, seen_at=now), *self._others], now)

    def _try(self) -> None:
        try:
            self.round()
        except StoreError as error:
            _LOG.info("not_said_yet", error=str(error))

    def _now(self) -> datetime:
        return self._clock.now().replace(microsecond=0)
