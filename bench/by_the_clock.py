"""A made-up service whose jobs begin at five past: the error of a roll, by its minute of the hour.

    python bench/by_the_clock.py

Every hour a job of 400 on top of 100 comes or does not, for twenty minutes; 15 days of history at
5 minutes, one refit at a full hour, a roll at each minute of the next twelve hours. Mean error of
the next quarter of an hour, load units: as it is, and with one hour learnt for all minutes.
"""

import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from prescaler.core.arrays import FloatArray
from prescaler.core.engine import ModelState, refit, roll
from prescaler.core.history import History
from prescaler.core.quantiles import MEDIAN
from prescaler.core.series import Series

DAY, HOUR, SEED = 288, 12, 5
START, STEP = datetime(2026, 10, 5, tzinfo=UTC), timedelta(minutes=5)


def hourly_jobs(days: int) -> FloatArray:
    """[N] demand."""
    random = np.random.default_rng(SEED)
    demand = np.full(days * DAY, 100.0) * random.normal(1.0, 0.01, days * DAY)
    for start in range(1, len(demand) - 4, HOUR):
        demand[start : start + 4] += random.choice([0.0, 400.0])
    return demand


def known(demand: FloatArray, until: int) -> History:
    """What is known once the point `until` has come."""
    seen = demand[: until + 1]
    return History.of(Series(START, STEP, seen, seen), ZoneInfo("UTC"), DAY)


def missed(state: ModelState, demand: FloatArray, minute: int) -> float:
    """Mean error over twelve hours."""
    found = []
    for hour in range(12):
        at = 15 * DAY + hour * HOUR + minute // 5
        said = roll(state, known(demand, at), DAY).values[:3, MEDIAN]
        found.append(float(np.abs(said - demand[at + 1 : at + 4]).mean()))
    return float(np.mean(found))


def main() -> None:
    """Print a row for each minute."""
    demand = hourly_jobs(16)
    state = refit(known(demand, 15 * DAY), DAY)
    sys.stdout.write("| minutes past | error | one hour for all minutes |\n|---|---|---|\n")
    for minute in range(0, 60, 5):
        both = [missed(s, demand, minute) for s in (state, replace(state, between=()))]
        sys.stdout.write(f"| {minute} | {both[0]:.0f} | {both[1]:.0f} |\n")


if __name__ == "__main__":
    main()
