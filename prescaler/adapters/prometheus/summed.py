"""Several sources as one: demand is their sum, and what one misses is missing."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from prescaler.core.series import Series, sum_series
from prescaler.ports import DemandSource


class SummedSources:
    """`DemandSource` over several others, for blue and green clusters that share the traffic."""

    def __init__(self, sources: Sequence[DemandSource]) -> None:
        self._sources = sources

    def fetch(self, query: str, start: datetime, end: datetime, step: timedelta) -> Series:
        """The sum; an error of one is an error of all, so that half is never taken for whole."""
        return sum_series([source.fetch(query, start, end, step) for source in self._sources])
