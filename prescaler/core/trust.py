"""How far a forecast may act on its record: the ladder up, and the guards that take it down.

    off . shadow -> capped -> active        up on evidence, one rung at a time
                 <--------------            down at once when a guard trips

Guards look at the forecast part alone; declared floors are served whatever they say.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray
from prescaler.core.control import Control
from prescaler.core.forecast import Forecast
from prescaler.core.instants import to_epoch
from prescaler.core.policy import Mode, Policy, TrustSettings
from prescaler.core.quantiles import MEDIAN, QUANTILES, quantile_at
from prescaler.core.score_days import ScoreDay, ScoreSums, added
from prescaler.core.series import Series

LADDER_AUTHOR: Final = "trust ladder"
GUARD_AUTHOR: Final = "guard"
LADDER: Final = (Mode.SHADOW, Mode.CAPPED, Mode.ACTIVE)
CALM_FOR: Final = timedelta(hours=1)
"""A tripped guard stays at least this long: one good point proves nothing."""

_STAY: Final = timedelta(days=1)
"""On each rung at least a day, so that a peak is seen from it."""

_LOW, _HIGH = QUANTILES.index(0.05), QUANTILES.index(0.99)
_FAR: Final = 3.0
"""Far outside: three times as far from the median as the 0.05 or 0.99 quantile. With honest
quantiles a lasting run of such residuals means that the series is no longer the one learnt."""

_MOST_OUT: Final = 0.9
_LEAST_SEEN: Final = 0.8
_SOON: Final = timedelta(hours=2)


class Guard(StrEnum):
    """Why the forecast part may be kept neutral."""

    RESIDUALS = "residuals"
    BEYOND_SEEN = "beyond_seen"


@dataclass(frozen=True)
class Evidence:
    """What the record of the last days says. days: with scored forecasts, backfilled ones too.

    missing: what keeps the workload from the next rung, in words; empty = nothing.
    """

    days: int
    sums: ScoreSums
    missing: tuple[str, ...]

    @property
    def gap(self) -> float:
        """The largest coverage gap of the told quantiles, percentage points; NaN of no pairs."""
        return max(self.sums.gaps().values(), default=float("nan"))


@dataclass(frozen=True)
class Step:
    """A move on the ladder, and why."""

    mode: Mode
    reason: str


def evidence(
    rows: Iterable[ScoreDay], settings: TrustSettings, since: datetime | None, *, stale: bool
) -> Evidence:
    """Judge a record. since: of the last demotion; days up to its own do not count again."""
    mine = [row for row in rows if row.bucket == settings.bucket]
    counted = [row for row in mine if since is None or row.day > since.date()]
    days = len({row.day for row in counted if row.sums.instants})
    sums = added(row.sums for row in counted)
    found = Evidence(days, sums, ())
    return Evidence(days, sums, tuple(_missing(found, settings, stale=stale)))


def _missing(found: Evidence, settings: TrustSettings, *, stale: bool) -> Iterable[str]:
    if stale:
        yield "demand is not coming in"
    if found.days < settings.days:
        yield f"{found.days} of {settings.days} days have scored forecasts"
    ratio = found.sums.error_ratio
    if not ratio < settings.error_ratio:
        yield f"error is {ratio:.2f} of naive's, below {settings.error_ratio:g} is wanted"
    if not found.gap <= settings.coverage_gap:
        yield (
            f"coverage is {found.gap:.1f} points off, at most {settings.coverage_gap:g} are allowed"
        )


def promotion(
    control: Control, policy: Policy, settings: TrustSettings, found: Evidence, now: datetime
) -> Step | None:
    """The next rung, where the record carries it.

    None for a mode that a person has set, at the top of the ladder, while a guard is tripped, and
    on the first day of a rung.
    """
    change = control.mode
    mode = change.mode if change else policy.mode
    by_person = change is not None and change.by.author != LADDER_AUTHOR
    if not settings.auto or by_person or mode is Mode.OFF or control.guard or found.missing:
        return None
    if LADDER.index(mode) >= LADDER.index(settings.most) or mode is LADDER[-1]:
        return None
    if change is not None and now - change.by.since < _STAY:
        return None
    told = f"{found.days} days, error {found.sums.error_ratio:.2f} of naive's, "
    told += f"coverage {found.gap:.1f} points off"
    return Step(LADDER[LADDER.index(mode) + 1], told)


def demotion(control: Control, policy: Policy, settings: TrustSettings) -> Step | None:
    """Down to shadow, where the ladder is automatic and the mode is not a person's."""
    mode = control.mode.mode if control.mode else policy.mode
    by_person = control.mode is not None and control.mode.by.author != LADDER_AUTHOR
    if not settings.auto or by_person or mode not in LADDER[1:]:
        return None
    return Step(Mode.SHADOW, "a guard tripped")


def far_residuals(actual: Series, said: Forecast) -> bool | None:
    """Whether demand lay far outside of an earlier forecast nearly all the time.

    None where under four fifths of the span were observed: what is missing says nothing.
    """
    first = (to_epoch(actual.start) - to_epoch(said.first_valid_at)) // _seconds(said)
    index = first + np.arange(len(actual))
    known = actual.observed & (index >= 0) & (index < len(said.values))
    if not len(actual) or known.mean() < _LEAST_SEEN:
        return None
    rows = said.values[index[known]].astype(np.float64)
    return bool(_outside(actual.mean[known], rows).mean() >= _MOST_OUT)


def _outside(actual: FloatArray, rows: FloatArray) -> FloatArray:
    """[N] 1 where demand is far outside of quantiles [N, Q]."""
    median = rows[:, MEDIAN]
    high = median + _FAR * (rows[:, _HIGH] - median)
    low = median - _FAR * (median - rows[:, _LOW])
    return ((actual > high) | (actual < low)).astype(np.float64)


def beyond_seen(forecast: Forecast, policy: Policy, times: float, now: datetime) -> float | None:
    """How many times the highest demand ever seen the next two hours are said to need.

    Planned events are not in it: they may well need more than was ever seen. None where it is
    not more than `times`.
    """
    first = max(0, (to_epoch(now) - to_epoch(forecast.first_valid_at)) // _seconds(forecast))
    last = first + max(1, _SOON // forecast.step)
    value = quantile_at(forecast.values, policy.quantile) * forecast.peak_ratio
    soon = value[first:last]
    if not len(soon) or forecast.historic_max <= 0:
        return None
    share = float(soon.max()) / forecast.historic_max
    return share if share > times else None


def _seconds(forecast: Forecast) -> int:
    return int(forecast.step.total_seconds())
