"""Where planned events come from that others keep."""

from datetime import datetime
from typing import Protocol

from prescaler.core.event_records import FoundEvents


class EventSource(Protocol):
    """Somewhere planned events are kept by somebody else."""

    def fetch(self, now: datetime) -> FoundEvents:
        """Everything it says, with a stable key for every entry, and what could not be used.

        Raises:
            FeedError: by its subclass, which says what to do. Nothing that was known is touched.
        """
        ...
