"""Where planned events come from that others keep."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from prescaler.core.event_records import FeedStatus, FoundEvents


class EventSource(Protocol):
    """Somewhere planned events are kept by somebody else."""

    def fetch(self, now: datetime) -> FoundEvents:
        """Everything it says, with a stable key for every entry, and what could not be used.

        Raises:
            FeedError: by its subclass, which says what to do. Nothing that was known is touched.
        """
        ...


class FeedStore(Protocol):
    """How the feeds of events are doing."""

    def all(self) -> Mapping[str, FeedStatus]:
        """The newest fetch of every feed, by name."""
        ...

    def note(self, status: FeedStatus) -> None:
        """Replace what is known of a feed."""
        ...
