"""Keeping the store small."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Protocol

from prescaler.core.retention import Amount, Kept


class UpkeepStore(Protocol):
    """What is old, and doing away with it a little at a time."""

    def old(self, kind: Kept, before: datetime) -> Amount:
        """What `drop` (for fine demand: `coarsen`) would do away with."""
        ...

    def drop(self, kind: Kept, before: datetime, limit: int) -> int:
        """Forget at most `limit` rows in one transaction; gives how many. Never fine demand."""
        ...

    def coarsen(self, before: datetime, step: timedelta, limit: int) -> int:
        """Keep days before an instant on a grid of `step`, mean and maximum; gives how many days.

        At most `limit` days, each in a transaction of its own; finer observations win over stored
        coarse ones of the same instant.
        """
        ...

    def sizes(self) -> Mapping[str, Amount]:
        """Everything that is stored, by kind."""
        ...
