"""A promise to users: how much may go wrong. The advice is the cheapest way to keep it."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from prescaler.core.durations import format_duration, parse_duration
from prescaler.core.errors import BadParameter
from prescaler.core.replay.bound import most_spells, upper_bound
from prescaler.core.replay.measures import Measures, Tally
from prescaler.core.replay.scaling import TICK

_SHARE: Final = re.compile(r"(\d{1,3}(?:\.\d{1,9})?)%", re.ASCII)
_HOUR: Final = timedelta(hours=1)
_MINUTE: Final = timedelta(minutes=1)
_WRITTEN_OUT: Final = 999.5
_PERCENT: Final = 100.0


@dataclass(frozen=True)
class Promise:
    """At most `minutes` bad minutes in `per`, or at most `share` of demand dropped."""

    text: str
    minutes: timedelta | None = None
    per: timedelta = timedelta(days=30)
    share: float | None = None

    @classmethod
    def parse(cls, text: str) -> "Promise":
        """Read `10m/30d` or `0.01%`.

        Raises:
            BadParameter: neither, or more than all of it.
        """
        plain = text.strip()
        share = _SHARE.fullmatch(plain)
        if share is not None and float(share[1]) <= _PERCENT:
            return cls(plain, share=float(share[1]) / _PERCENT)
        minutes, slash, per = plain.partition("/")
        if not slash:
            raise BadParameter(
                f"{text[:40]!r} is no promise; write bad minutes in a time, as in 10m/30d, "
                "or the most demand that may be dropped, as in 0.01%"
            )
        found = cls(plain, minutes=parse_duration(minutes), per=parse_duration(per))
        if found.minutes is None or not found.per or found.minutes > found.per:
            raise BadParameter(f"{text[:40]!r} promises more bad minutes than there are")
        return found

    @property
    def limit(self) -> float:
        """Minutes in `per`, or the share of demand."""
        if self.minutes is None:
            return self.share or 0.0
        return self.minutes / _MINUTE

    def of(self, found: Measures) -> float:
        """What came, in the promise's own unit."""
        if self.minutes is None:
            return found.dropped
        return found.bad_minutes * (self.per / _HOUR) / found.hours if found.hours else 0.0

    def bound(self, tally: Tally, days: slice) -> float:
        """Up to where `of` may really lie, by what these days showed (`core.replay.bound`)."""
        if self.minutes is None:
            return upper_bound(tally.row("dropped")[days], float(tally.row("demand")[days].sum()))
        bad = tally.row("violated")[days] * (TICK / _MINUTE)
        return upper_bound(bad, float(tally.row("ticks")[days].sum()) * (TICK / self.per))

    def most_spells(self, hours: float) -> float:
        """Spells in `per` (a promise of a share: in 30 days) that may come after hours of none."""
        return most_spells(timedelta(hours=hours) / self.per)

    def kept(self, found: Measures) -> bool:
        """Whether it was kept."""
        return self.of(found) <= self.limit

    def short(self, value: float) -> str:
        """A value of its unit."""
        if self.minutes is None:
            return f"{_PERCENT * value:.4g} %"
        return f"{_minutes(value)} min"

    def told(self, value: float) -> str:
        """The same in words."""
        if self.minutes is None:
            return f"{self.short(value)} of demand dropped"
        return f"{_minutes(value)} bad minutes in {format_duration(self.per)}"


def _minutes(value: float) -> str:
    """Three digits, or whole minutes from a thousand on."""
    return f"{value:,.0f}" if abs(value) >= _WRITTEN_OUT else f"{value:.3g}"
