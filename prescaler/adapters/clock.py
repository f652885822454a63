"""The only place where the present is read."""

import time
from datetime import UTC, datetime


class SystemClock:
    """`Clock` of this machine."""

    def now(self) -> datetime:
        """The present instant, UTC."""
        return datetime.now(UTC)

    def elapsed(self) -> float:
        """Seconds on a clock that only goes forward."""
        return time.monotonic()
