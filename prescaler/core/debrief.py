"""After an event: what was planned, what came, who was ready, and what it cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray, IntArray
from prescaler.core.events import EventEffect, with_events
from prescaler.core.forecast import Forecast
from prescaler.core.hpa import pods_for_all
from prescaler.core.instants import to_epoch
from prescaler.core.policy import Policy
from prescaler.core.quantiles import MEDIAN, QUANTILES
from prescaler.core.records import LoggedDecision
from prescaler.core.series import Series

_READY_WITHIN: Final = timedelta(minutes=5)
"""Readiness is about the highest demand of the first five minutes."""

_HIGH: Final = QUANTILES.index(0.95)
_NAIVE: Final = (timedelta(days=1), timedelta(weeks=1))


@dataclass(frozen=True)
class Said:
    """What was forecast of an event (load units). issued_at: when.

    peak_median, peak_high: highest of the median and of the 0.95 quantile. error, error_without:
    mean absolute error of the median with and without the event's effect; naive_error: of the
    better of a day and a week ago (None: not known).
    """

    issued_at: datetime
    peak_median: float
    peak_high: float
    error: float | None
    error_without: float | None
    naive_error: float | None


@dataclass(frozen=True)
class Ready:
    """Whether pods were there: counted, else asked for early enough (pod start p95 and a sync).

    counted: whether ready pods were counted when it began. in_time: pods for the start; needed:
    for the first five minutes. minutes_late: of the event, in which fewer were there than needed.
    excess_pod_hours: there and not needed.
    """

    in_time: int
    needed: int
    minutes_late: float
    excess_pod_hours: float
    counted: bool = False

    @property
    def readiness(self) -> float:
        """Share of the pods that the first five minutes needed, at most 1."""
        return min(1.0, self.in_time / self.needed) if self.needed else 1.0


@dataclass(frozen=True)
class Debrief:
    """One occurrence on one workload, looked at afterwards; None where that is not known."""

    start: datetime
    end: datetime
    came: tuple[datetime, float] | None
    said: Said | None
    ready: Ready | None


def debrief(
    effect: EventEffect,
    forecast: Forecast | None,
    actual: Series,
    answers: Sequence[LoggedDecision],
    policy: Policy,
    *,
    counted: Series | None = None,
) -> Debrief:
    """Judge one occurrence.

    forecast: of ordinary demand, the one to be judged. actual: from at least a week before the
    start. answers: what was served from an hour before the start on, ascending. counted: ready
    pods on the grid of `actual`, NaN unknown.
    """
    during = actual.between(effect.start, effect.end)
    return Debrief(
        start=effect.start,
        end=effect.end,
        came=_highest(during),
        said=_said(effect, forecast, actual, during) if forecast is not None else None,
        ready=_ready(answers, during, policy, counted) if during.observed.any() else None,
    )


def _highest(during: Series) -> tuple[datetime, float] | None:
    if not during.observed.any():
        return None
    at = int(np.nanargmax(during.peak))
    return during.start + at * during.step, float(during.peak[at])


def _said(effect: EventEffect, forecast: Forecast, actual: Series, during: Series) -> Said | None:
    """None where the forecast does not cover the whole event."""
    rows = (during.stamps - to_epoch(forecast.first_valid_at)) // int(forecast.step.total_seconds())
    if not len(rows) or rows[0] < 0 or rows[-1] >= len(forecast.values):
        return None
    ordinary = forecast.values[rows].astype(np.float64)
    stamps, seconds = during.stamps, int(during.step.total_seconds())
    lifted = with_events([effect], stamps, stamps + seconds, ordinary, forecast.cutoff)
    return Said(
        issued_at=forecast.issued_at,
        peak_median=float(lifted[:, MEDIAN].max()),
        peak_high=float(lifted[:, _HIGH].max()),
        error=_error(lifted[:, MEDIAN], during.mean),
        error_without=_error(ordinary[:, MEDIAN], during.mean),
        naive_error=_naive_error(actual, during),
    )


def _error(said: FloatArray, came: FloatArray) -> float | None:
    apart = np.abs(said - came)
    known = np.isfinite(apart)
    return float(apart[known].mean()) if known.any() else None


def _naive_error(actual: Series, during: Series) -> float | None:
    """Of the better copy; None where neither knows the whole event."""
    errors = []
    for ago in _NAIVE:
        copy = actual.between(during.start - ago, during.end - ago).mean
        if len(copy) == len(during) and np.isfinite(copy).all():
            errors.append(_error(copy, during.mean))
    known = [error for error in errors if error is not None]
    return min(known) if known else None


def _ready(
    answers: Sequence[LoggedDecision], during: Series, policy: Policy, counted: Series | None
) -> Ready | None:
    """None where for the start neither a count nor an answer is known: that is not 0 pods."""
    seen = _counted(during, counted)
    there = np.where(np.isfinite(seen), seen, _asked_in_time(answers, during, policy))
    if not np.isfinite(there[0]):
        return None
    needed = pods_for_all(during.peak, policy.target)
    known, hours = during.observed & np.isfinite(there), during.step / timedelta(hours=1)
    first = during.stamps < during.stamps[0] + int(_READY_WITHIN.total_seconds())
    return Ready(
        in_time=int(there[0]),
        needed=int(needed[first].max()),
        minutes_late=float(((there < needed) & known).sum() * hours * 60.0),
        excess_pod_hours=float(np.maximum(there - needed, 0)[known].sum() * hours),
        counted=bool(np.isfinite(seen[0])),
    )


def _counted(during: Series, counted: Series | None) -> FloatArray:
    """[G] ready pods at the stamps of an event, NaN unknown."""
    found = np.full(len(during), np.nan)
    if counted is not None:
        rows = (during.stamps - to_epoch(counted.start)) // int(counted.step.total_seconds())
        inside = (rows >= 0) & (rows < len(counted))
        found[inside] = counted.mean[rows[inside]]
    return found


def _asked_in_time(answers: Sequence[LoggedDecision], during: Series, policy: Policy) -> FloatArray:
    """[G] pods that were asked for early enough; NaN where no answer for the start was logged."""
    times = policy.lead_time
    delay = int((times.pod_start.p95 + times.sync).total_seconds())
    if not answers or to_epoch(answers[0].since) > int(during.stamps[0]) - delay:
        return np.full(len(during), np.nan)
    return _asked(answers, during.stamps - delay).astype(np.float64)


def _asked(answers: Sequence[LoggedDecision], instants: IntArray) -> IntArray:
    """[G] pods that were asked for at instants, none before the first answer."""
    since = np.array([to_epoch(one.since) for one in answers], dtype=np.int64)
    pods = np.array([one.pods for one in answers], dtype=np.int64)
    return pods[np.searchsorted(since, instants, "right") - 1]
