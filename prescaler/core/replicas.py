"""The processes of prescaler: which of them are there, and which have gone silent."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

BEAT: Final = timedelta(seconds=10)
"""How often each one says that it is there."""

SILENT_AFTER: Final = timedelta(seconds=35)
"""Three beats may be missed, and one may be late."""

FORGOTTEN_AFTER: Final = timedelta(minutes=15)
"""One that ended without a word (a node that died) is no replica for ever."""


@dataclass(frozen=True)
class Replica:
    """One process. role: what it is for, such as `all`, `metric`, `pages` or `scheduler`."""

    id: UUID
    name: str
    role: str
    version: str
    started_at: datetime
    seen_at: datetime

    def silent(self, now: datetime) -> bool:
        """Whether it should have been heard of by now."""
        return now - self.seen_at > SILENT_AFTER


def present(replicas: Iterable[Replica], now: datetime) -> list[Replica]:
    """Those that are not forgotten yet, by name; silent ones among them."""
    known = [one for one in replicas if now - one.seen_at <= FORGOTTEN_AFTER]
    return sorted(known, key=lambda one: (one.name, one.started_at, one.id.int))
