"""How long what is kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

COARSE: Final = timedelta(minutes=5)
"""Fine demand becomes mean and maximum of this much; every step of a forecast is a multiple of it,
or the finer history of its window is kept anyway (`forecast.history`)."""


class Kept(StrEnum):
    """What can grow old."""

    FINE_DEMAND = "fine_demand"
    COARSE_DEMAND = "coarse_demand"
    FORECAST_RUNS = "forecast_runs"
    SCORES = "scores"
    DECISIONS = "decisions"
    EVENTS = "events"
    AUDIT = "audit"
    JOBS = "jobs"


@dataclass(frozen=True)
class Retention:
    """Ages. fine_demand: from then on it is kept at five minutes; the others: then forgotten.

    forecast_runs: beyond 7 days one in 6 hours stays, beyond 56 days one a day, until this age.
    """

    fine_demand: timedelta = timedelta(days=400)
    coarse_demand: timedelta = timedelta(days=1830)
    forecast_runs: timedelta = timedelta(days=400)
    scores: timedelta = timedelta(days=1830)
    decisions: timedelta = timedelta(days=400)
    events: timedelta = timedelta(days=1830)
    audit: timedelta = timedelta(days=1830)
    jobs: timedelta = timedelta(days=90)

    def age(self, kind: Kept) -> timedelta:
        """From which age on a kind is forgotten (or made coarse)."""
        found: timedelta = getattr(self, kind.value)
        return found


@dataclass(frozen=True)
class Amount:
    """Rows and the bytes of their payloads."""

    rows: int = 0
    bytes: int = 0


def thinned(ascending: Sequence[datetime], most: int | None) -> list[datetime]:
    """At most so many instants, evenly chosen, the newest among them; None: all."""
    if most is None or len(ascending) <= most:
        return list(ascending)
    step = -(-len(ascending) // most)
    return list(ascending[::-1][::step][::-1])
