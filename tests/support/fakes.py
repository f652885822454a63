"""Small fakes: a clock that is set, and a source that plays an array or fails as told."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import numpy as np

from prescaler.core.arrays import FloatArray, IntArray
from prescaler.core.errors import SourceError
from prescaler.core.instants import from_epoch
from prescaler.core.lead_time import MeasuredStarts
from prescaler.core.policy import StartTime
from prescaler.core.records import PodCount, PodHistory
from prescaler.core.series import Series, missing_series, overlay
from prescaler.core.workload import PodQuery
from tests.support.builders import MINUTE


class SetClock:
    """A clock that stands until it is moved."""

    def __init__(self, now: datetime) -> None:
        self.present = now

    def now(self) -> datetime:
        """What it was set to."""
        return self.present

    def elapsed(self) -> float:
        """Moves with it."""
        return (self.present - datetime(2000, 1, 1, tzinfo=UTC)).total_seconds()

    def move(self, duration: timedelta) -> None:
        """Forward."""
        self.present += duration


class PlayedSource:
    """Plays demand by the minute from `start` on; remembers what it was asked."""

    def __init__(self, start: datetime, values: FloatArray) -> None:
        self.series = Series(start, MINUTE, values, values)
        self.asked: list[tuple[datetime, datetime]] = []
        self.failure: SourceError | None = None

    def fetch(self, query: str, start: datetime, end: datetime, step: timedelta) -> Series:
        """The played demand, holes around it."""
        self.asked.append((start, end))
        if self.failure is not None:
            raise self.failure
        asked = missing_series(start, step, (end - start) // step)
        return overlay(asked, self.series.between(start, end)).between(start, end)


def flat(value: float, points: int) -> FloatArray:
    """The same all the time."""
    return np.full(points, value)


class Counted:
    """`PodSource` that says what it is told."""

    def __init__(self, found: Mapping[str, PodCount]) -> None:
        self.found = found
        self.failure: SourceError | None = None
        self.asked: list[datetime] = []

    def running(self, asked: Mapping[str, PodQuery], at: datetime) -> Mapping[str, PodCount]:
        """What it was given."""
        if self.failure is not None:
            raise self.failure
        return {name: self.found[name] for name in asked if name in self.found}

    def starts(self, asked: PodQuery, at: datetime) -> MeasuredStarts:
        """Always a minute, two at most."""
        self.asked.append(at)
        if self.failure is not None:
            raise self.failure
        return MeasuredStarts(StartTime(MINUTE, 2 * MINUTE), None, 30, 0)

    def history(self, asked: PodQuery, instants: IntArray) -> PodHistory:
        """Seven pods always, six of them ready."""
        self.asked.append(from_epoch(int(instants[0])))
        if self.failure is not None:
            raise self.failure
        return PodHistory(np.full(len(instants), 7.0), np.full(len(instants), 6.0))
