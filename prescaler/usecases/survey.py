"""See at a glance how every workload is doing: what is told now, what comes, what needs a look.

Cheap facts are gathered for all workloads; what costs more only for those that are shown.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum
from threading import Lock
from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray, IntArray
from prescaler.core.decision import Decision, Reason, Status
from prescaler.core.hpa import pods_for
from prescaler.core.instants import floor_to, from_epoch, to_epoch
from prescaler.core.quantiles import QUANTILES
from prescaler.core.series import coarsen
from prescaler.ports import DemandStore
from prescaler.usecases.foresee import beyond_max
from prescaler.usecases.look_back import median_at
from prescaler.usecases.serve_metric import Served

FRESH: Final = timedelta(seconds=15)
"""How old a glance may be that only counts or sorts. What is shown is looked at anew."""

_PEAKS_FRESH: Final = timedelta(minutes=1)
_SPARK_STEP: Final = timedelta(minutes=30)
_DAY: Final = timedelta(days=1)
_WORSE: Final = 1.0
_LATE_RUNS: Final = 3
_BAND: Final = [QUANTILES.index(quantile) for quantile in (0.05, 0.5, 0.95)]
_BUCKET: Final = "1h"
_CARRIED: Final = "0.95"
_COVERAGE_SLACK: Final = 0.1
_RECENT: Final = timedelta(minutes=15)
_AFTERWARDS: Final = timedelta(hours=1)


class Urgency(IntEnum):
    """How soon somebody should look. The order is the order of the list."""

    FINE = 0
    NOTE = 1
    LOOK = 2
    ACT = 3


@dataclass(frozen=True)
class Finding:
    """Why a workload needs a look, and what to do next."""

    urgency: Urgency
    what: str
    next_step: str


@dataclass(frozen=True)
class Peak:
    """The highest load the plan asks for in the next day.

    at: when the demand is expected; load: load units, pods: what carries it; safe_start: until then
    the decision must be in KEDA's hands. Where growth acts, the load is the median's, and growth
    begins to ask for it at safe_start.
    """

    at: datetime
    load: float
    pods: int
    safe_start: datetime


@dataclass(frozen=True)
class Glance:
    """One workload in the list.

    expected: the median about now (load units); error_ratio, coverage: how the forecasts of an hour
    ahead turned out, None before twelve of them have; behind: since the newest run.
    """

    served: Served
    decision: Decision
    finding: Finding
    expected: float | None
    error_ratio: float | None
    coverage: float | None
    behind: timedelta | None

    @property
    def asked(self) -> int:
        """Pods that are asked for now; with growth those of live demand times it."""
        return self.served.asked(self.decision)


@dataclass(frozen=True, eq=False)
class Spark:
    """Actual demand of the last day, median and 90 % interval of the next; [N] on one grid."""

    stamps: IntArray
    actual: FloatArray
    low: FloatArray
    median: FloatArray
    high: FloatArray


@dataclass(frozen=True)
class Rise:
    """A workload that will need more pods than it is told now; more: how many."""

    glance: Glance
    peak: Peak

    @property
    def more(self) -> int:
        """Pods on top of those that are asked for now."""
        return self.peak.pods - self.glance.asked


class Survey:
    """Glances at all workloads, each kept for a while as long as nothing of it changes.

    Twenty people who look at once wait for one survey instead of making twenty.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: dict[str, tuple[datetime, Glance]] = {}
        self._peaks: dict[str, tuple[datetime, Served, Peak | None]] = {}

    def of(self, served: Iterable[Served], now: datetime) -> list[Glance]:
        """One glance each, in the order given; up to `FRESH` old."""
        with self._lock:
            return [self._one(one, now) for one in served]

    def now(self, served: Served, now: datetime) -> Glance:
        """A glance of this moment."""
        return _glance(served, now)

    def rises(self, glances: Iterable[Glance], now: datetime) -> list[Rise]:
        """Workloads that will need more pods within a day, the largest increase first."""
        found = []
        for glance in glances:
            peak = self._peak(glance.served, now)
            if peak is not None and peak.at > now and peak.pods > glance.asked:
                found.append(Rise(glance, peak))
        found.sort(key=lambda rise: -rise.more)
        return found

    def warm(self, served: Iterable[Served], now: datetime) -> None:
        """Work out what the first to look would wait for."""
        self.rises(self.of(served, now), now)

    def _peak(self, served: Served, now: datetime) -> Peak | None:
        name = served.workload.name
        kept = self._peaks.get(name)
        if kept is not None and kept[1] is served and now - kept[0] < _PEAKS_FRESH:
            return kept[2]
        peak = next_peak(served, now)
        self._peaks[name] = (now, served, peak)
        return peak

    def _one(self, served: Served, now: datetime) -> Glance:
        name = served.workload.name
        kept = self._kept.get(name)
        fresh = kept is not None and timedelta(0) <= now - kept[0] < FRESH
        if kept is not None and fresh and kept[1].served is served:
            return kept[1]
        glance = _glance(served, now)
        self._kept[name] = (now, glance)
        return glance


def next_peak(served: Served, now: datetime) -> Peak | None:
    """The highest load of the next day, its pods, and the latest safe start for them."""
    cells = served.asking(now)
    if cells is None:
        return None
    begin, end = to_epoch(now), to_epoch(now + _DAY)
    ahead = np.flatnonzero((cells.ends > begin) & (cells.starts < end))
    if not len(ahead):
        return None
    top = int(ahead[np.argmax(cells.parts[ahead, -1])])
    load, at = float(cells.parts[top, -1]), int(cells.starts[top])
    pods = pods_for(load, served.policy.target)
    return Peak(from_epoch(at), load, pods, from_epoch(at - int(np.ceil(cells.lead[top]))))


def spark(served: Served, demand: DemandStore, now: datetime) -> Spark:
    """The last and the next day in half hours."""
    start = floor_to(now - _DAY, _SPARK_STEP)
    stamps = to_epoch(start) + int(_SPARK_STEP.total_seconds()) * np.arange(97, dtype=np.int64)
    actual = np.full(len(stamps), np.nan)
    resolution, version = served.workload.demand.resolution, served.state.version
    if version is not None and not _SPARK_STEP % resolution:
        fine = demand.read(version, start, floor_to(now, resolution), resolution)
        found = coarsen(fine, _SPARK_STEP).mean[: len(stamps)]
        actual[: len(found)] = found
    said = np.full((len(stamps), 3), np.nan)
    forecast = served.state.forecast
    if forecast is not None:
        row = (stamps - to_epoch(forecast.first_valid_at)) // int(forecast.step.total_seconds())
        inside = (row >= 0) & (row < len(forecast.values))
        said[inside] = forecast.values[row[inside]][:, _BAND]
    return Spark(stamps, actual, said[:, 0], said[:, 1], said[:, 2])


def _glance(served: Served, now: datetime) -> Glance:
    decision, forecast, status = served.decide(now), served.state.forecast, served.state.status
    record = forecast.track_record.get(_BUCKET, {}) if forecast is not None else {}
    return Glance(
        served=served,
        decision=decision,
        finding=_finding(served, decision, record, now),
        expected=median_at(forecast, now) if forecast is not None else None,
        error_ratio=record.get("error_ratio"),
        coverage=record.get(_CARRIED),
        behind=now - status.at if status is not None else None,
    )


_TWO_MINUTES: Final = 120
_LOOK, _NOTE, _ACT = Urgency.LOOK, Urgency.NOTE, Urgency.ACT

_SILENT: Final[Mapping[str, Finding]] = {
    Reason.WARMING_UP: Finding(_NOTE, "no forecast yet", "wait for the first run"),
    Reason.TOO_LITTLE_HISTORY: Finding(
        _NOTE, "too little history", "it starts by itself once there is enough"
    ),
    Reason.NO_FORECAST: Finding(_ACT, "no forecast", "read how the last run ended"),
    Reason.FORECAST_ENDED: Finding(_ACT, "the last forecast has ended", "see why runs fail"),
    Reason.WORSE_THAN_NAIVE: Finding(
        _LOOK, "worse than naive", "check that the query is one signal"
    ),
}

_REMARKED: Final[Mapping[str, Finding]] = {
    Reason.STALE_DEMAND: Finding(
        _LOOK, "no new demand", "see whether the query still finds a series"
    ),
    Reason.CEILING: Finding(_LOOK, "cut by the ceiling", "raise policy.max_pods, or accept it"),
    Reason.NAIVE: Finding(_LOOK, "no better than naive", "look at the errors by hour"),
    Reason.CAPPED: Finding(_NOTE, "capped", "more was planned than mode capped lets through"),
}


_OVERTAKEN: Final = Finding(
    _LOOK,
    "more came than was planned",
    "reactive scaling carries it; an override raises it at once, an event the next time",
)


def _finding(
    served: Served, decision: Decision, record: Mapping[str, float], now: datetime
) -> Finding:
    """The gravest thing to say about a workload."""
    status = served.state.status
    if status is not None and status.source_failure is not None:
        return Finding(Urgency.ACT, "demand cannot be read", status.source_failure.text)
    if decision.reason is not None and decision.reason.startswith("guard:"):
        return Finding(Urgency.ACT, "a guard has tripped", decision.detail or decision.reason)
    silent = _SILENT.get(decision.reason or "")
    if silent is not None:
        return replace(silent, next_step=decision.detail or silent.next_step)
    every = max(served.workload.forecast.every, served.workload.forecast.step)
    if status is not None and now - status.at > _LATE_RUNS * every:
        return Finding(Urgency.ACT, "runs are late", "see whether a scheduler leads")
    overtaken = decision.reason != Reason.CEILING and _overtaken(served, decision, now)
    return _foreseen(served, now) or (_OVERTAKEN if overtaken else _remark(decision, record))


def _foreseen(served: Served, now: datetime) -> Finding | None:
    """What the plan will run into, said before it does."""
    late, zone = served.sighting.late, served.policy.timezone
    if late is not None:
        what = f"pods for {late.at.astimezone(zone):%H:%M} come {_span(late.late_by)} too late"
        return Finding(_ACT, what, f"it would have taken {late.helps[-1]}")
    beyond = beyond_max(served, now)
    if beyond is None:
        return None
    when = f"{beyond.at.astimezone(zone):%a %H:%M}"
    return Finding(
        _LOOK,
        f"needs {beyond.pods} pods from {when}, the HPA stops at {beyond.most}",
        "raise maxReplicaCount and scale_target.max_pods, or accept it with policy.max_pods",
    )


def _span(length: timedelta) -> str:
    seconds = int(length.total_seconds())
    return f"{seconds} s" if seconds < _TWO_MINUTES else f"{seconds // 60} min"


def _overtaken(served: Served, decision: Decision, now: datetime) -> bool:
    """Whether more pods were needed a moment ago than we ask for now.

    Not where an event acts or has just ended: its crowd comes and goes faster than demand is seen.
    """
    seen = served.state.observed
    fresh = seen.last_actual_at is not None and now - seen.last_actual_at <= _RECENT
    if decision.status is not Status.ACTIVE or seen.last_actual is None or not fresh:
        return False
    if pods_for(seen.last_actual, decision.target) <= served.asked(decision):
        return False
    return not served.book.occurrences(now - _AFTERWARDS, now)


def _remark(decision: Decision, record: Mapping[str, float]) -> Finding:
    remarked = _REMARKED.get(decision.reason or "")
    if remarked is not None and remarked.urgency is _LOOK:
        return remarked
    if record.get("error_ratio", 0.0) > _WORSE:
        return _REMARKED[Reason.NAIVE]
    if record.get(_CARRIED, 1.0) < float(_CARRIED) - _COVERAGE_SLACK:
        return Finding(_LOOK, "too often above the forecast", "raise policy.quantile")
    if decision.status in (Status.OVERRIDE, Status.FROZEN):
        return Finding(_NOTE, "set by a person", decision.detail or "")
    return remarked or Finding(Urgency.FINE, "", "")
