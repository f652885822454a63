"""A calendar as a source of events: a place, and a format."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from prescaler.adapters.events.download import Place, download, read_place
from prescaler.adapters.events.ical import read_ical
from prescaler.adapters.events.table import read_table
from prescaler.adapters.events.yaml_list import read_list
from prescaler.core.event_records import FeedRules, FoundEvents

Reader = Callable[[bytes, FeedRules, datetime], FoundEvents]

FORMATS: Final[dict[str, Reader]] = {"csv": read_table, "ical": read_ical, "yaml": read_list}


@dataclass(frozen=True)
class CalendarSource:
    """`EventSource` on a file or on the net."""

    rules: FeedRules
    format: str
    place: Place | None = None
    file: Path | None = None
    max_bytes: int = 5 * 2**20

    def fetch(self, now: datetime) -> FoundEvents:
        """What the calendar says now."""
        return FORMATS[self.format](self._content(), self.rules, now)

    def _content(self) -> bytes:
        if self.place is not None:
            return download(self.place)
        return read_place(self.rules.name, self.file or Path(), self.max_bytes)
