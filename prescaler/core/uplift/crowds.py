"""One occurrence of a planned event as learning sees it, and the grid it is laid on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from prescaler.core.arrays import FloatArray, IntArray
from prescaler.core.calendar import is_day_off
from prescaler.core.instants import to_epoch
from prescaler.core.planned import Effect, Occurrence

AROUND: Final = timedelta(hours=2)
"""How long before the start and after the end a crowd shows: people arrive and leave; on the
World Cup of 1998 the ratio to an ordinary day rises from two hours before kick-off on."""

_MIXED: Final = 1.5
"""Most an example may be stretched or squeezed in its middle part; beyond that, an occurrence is
another thing of the same name."""


@dataclass(frozen=True)
class Crowd:
    """An occurrence on one workload. hour: local start; day_off: weekend or public holiday."""

    name: str
    kind: str
    start: datetime
    end: datetime
    hour: float
    day_off: bool
    labels: Mapping[str, str] = field(default_factory=dict)
    effect: Effect = field(default_factory=Effect)

    @classmethod
    def of(cls, occurrence: Occurrence, zone: ZoneInfo, country: str | None) -> "Crowd":
        """Lay an occurrence into the workload's civil time."""
        event, local = occurrence.event, occurrence.start.astimezone(zone)
        return cls(
            name=event.name,
            kind=event.kind,
            start=occurrence.start,
            end=occurrence.end,
            hour=local.hour + local.minute / 60,
            day_off=is_day_off(local.date(), country),
            labels=dict(event.labels),
            effect=event.effect,
        )

    @property
    def shows_from(self) -> datetime:
        """When people begin to come."""
        return self.start - max(AROUND, self.effect.ramp_before)

    @property
    def shows_until(self) -> datetime:
        """When the last have gone."""
        return self.end + max(AROUND, self.effect.ramp_after)

    @property
    def declares(self) -> bool:
        """Whether a factor on demand is declared; a demand of nothing has no logarithm."""
        return self.effect.factor is not None and self.effect.factor > 0

    def declared(self, frame: "Frame") -> FloatArray:
        """[K] log of the declared factor, ramps included; 0 where none is declared."""
        factor = self.effect.factor if self.declares and self.effect.factor else 1.0
        stamps = frame.offsets()
        rising = _ramp(stamps, self.effect.ramp_before)
        falling = _ramp(frame.during * frame.seconds - 1 - stamps, self.effect.ramp_after)
        return np.log1p((factor - 1.0) * np.minimum(rising, falling))


def fingerprint(crowds: Iterable[Crowd]) -> int:
    """A number that tells sets of crowds apart by all that taking them out depends on; 0 of none.

    56 bits: it survives JSON, and two sets meet by chance once in 10^16.
    """
    told = sorted(
        (c.name, c.kind, to_epoch(c.start), to_epoch(c.end), repr(c.effect)) for c in crowds
    )
    if not told:
        return 0
    return int.from_bytes(blake2b(repr(told).encode(), digest_size=7).digest(), "big")


def _ramp(inside: IntArray, length: timedelta) -> FloatArray:
    seconds = max(1.0, length.total_seconds())
    return np.clip(1.0 + inside / seconds, 0.0, 1.0)


@dataclass(frozen=True)
class Frame:
    """Steps before the start, while it lasts, and after the end: K = before + during + after."""

    step: timedelta
    before: int
    during: int
    after: int

    @classmethod
    def around(cls, crowd: Crowd, step: timedelta) -> "Frame":
        """The frame of an occurrence on the grid of `step`."""
        during = max(1, -(-(crowd.end - crowd.start) // step))
        margin = max(1, AROUND // step)
        return cls(step, margin, during, margin)

    @property
    def length(self) -> int:
        """K."""
        return self.before + self.during + self.after

    @property
    def seconds(self) -> int:
        """Seconds of a step."""
        return int(self.step.total_seconds())

    def offsets(self) -> IntArray:
        """[K] seconds from the start."""
        return (np.arange(self.length, dtype=np.int64) - self.before) * self.seconds

    def rows(self, stamps: IntArray, start: datetime) -> IntArray:
        """[...] place in the frame of instants (epoch seconds); -1 outside."""
        row = (stamps - to_epoch(start)) // self.seconds + self.before
        return np.where((row >= 0) & (row < self.length), row, -1)

    def stretches_to(self, other: "Frame") -> bool:
        """Whether what happened in this frame says something about the other."""
        longer = max(self.during, other.during)
        return self.step == other.step and longer <= _MIXED * min(self.during, other.during) + 1

    def stretched(self, values: FloatArray, other: "Frame") -> FloatArray:
        """[K] of this frame -> [K'] of another: the middle part is stretched, the ends are kept."""
        middle = np.arange(other.during) + 0.5
        source = np.clip((middle * self.during / other.during).astype(int), 0, self.during - 1)
        first, last = self.before, self.before + self.during
        return np.concatenate([values[:first], values[first:last][source], values[last:]])
