"""Values that are stored beside series and forecasts: identities, runs, audit, answers."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from prescaler.core.arrays import FloatArray
from prescaler.core.control import Control, Observed
from prescaler.core.decision import Reason
from prescaler.core.engine import ModelState
from prescaler.core.forecast import Forecast
from prescaler.core.uplift import UpliftModel


@dataclass(frozen=True)
class HistoryVersion:
    """One meaning of a workload's history. Another fingerprint opens the next number."""

    id: int
    workload: UUID
    name: str
    number: int
    fingerprint: str


@dataclass(frozen=True)
class VersionInfo:
    """A version of a history, what it means, and since when."""

    version: HistoryVersion
    query: str
    opened_at: datetime


@dataclass(frozen=True)
class StoredPart:
    """Stored demand of one resolution: UTC days [first_day, last_day], how many, their bytes."""

    resolution: timedelta
    first_day: datetime
    last_day: datetime
    days: int
    bytes: int


@dataclass(frozen=True, eq=False)
class Walk:
    """Forecasts of the past that are stored: cutoffs in [start, until), one each `every`.

    state: the engine's after the last of them, with which the walk goes on.
    """

    start: datetime
    until: datetime
    every: timedelta
    state: ModelState | None


class Outcome(StrEnum):
    """How a run ended."""

    STORED = "stored"
    UNCHANGED = "unchanged"
    TOO_LITTLE_HISTORY = "too_little_history"
    FORECAST_FAILED = "forecast_failed"


@dataclass(frozen=True)
class SourceFailure:
    """A failure of the demand source that a run survived: its kind, and what to do about it."""

    kind: str
    text: str


@dataclass(frozen=True)
class RunStatus:
    """How the newest run of a workload ended, and the newest observation it saw."""

    at: datetime
    outcome: Outcome
    detail: str | None = None
    source_failure: SourceFailure | None = None
    last_actual: float | None = None
    last_actual_at: datetime | None = None

    @property
    def absence(self) -> Reason:
        """Why there is no forecast, where there is none."""
        if self.outcome is Outcome.TOO_LITTLE_HISTORY:
            return Reason.TOO_LITTLE_HISTORY
        return Reason.NO_FORECAST


@dataclass(frozen=True)
class PodCount:
    """Pods of a workload as they were counted at an instant; ready None: not counted."""

    running: int
    ready: int | None
    at: datetime


@dataclass(frozen=True, eq=False)
class PodHistory:
    """Pods of a workload at even instants [N]; NaN where they were not counted."""

    running: FloatArray
    ready: FloatArray


@dataclass(frozen=True)
class UnscoredRun:
    """A stored forecast with its instants from `unscored_from` on not scored yet."""

    unscored_from: datetime
    forecast: Forecast


@dataclass(frozen=True)
class StoredUplift:
    """What past crowds taught, and when that was stored."""

    learned_at: datetime
    model: UpliftModel = field(compare=False)


@dataclass(frozen=True)
class ServingState:
    """What a replica must know of one workload to answer: it fits into a snapshot."""

    version: HistoryVersion | None = None
    forecast: Forecast | None = None
    control: Control = field(default_factory=Control)
    status: RunStatus | None = None
    uplift: StoredUplift | None = None

    @property
    def observed(self) -> Observed:
        """What was last seen of the workload."""
        if self.status is None:
            return Observed()
        return Observed(
            last_actual=self.status.last_actual, last_actual_at=self.status.last_actual_at
        )

    @property
    def absence(self) -> Reason:
        """Why there is no forecast, where there is none."""
        return self.status.absence if self.status else Reason.WARMING_UP

    @property
    def absence_detail(self) -> str | None:
        """What to do about it; a source that fails comes before what follows from it."""
        if self.status is None:
            return None
        failure = self.status.source_failure
        return failure.text if failure is not None else self.status.detail


@dataclass(frozen=True)
class AuditEntry:
    """Who changed what, when and why. Appended, never changed.

    number: of the stored entry, ascending; 0 = not stored yet.
    """

    at: datetime
    author: str
    action: str
    subject: str
    reason: str
    before: str | None
    after: str | None
    number: int = field(default=0, compare=False)


@dataclass(frozen=True)
class AuditQuery:
    """Which entries of the audit: those in [start, end), by exactly this author, of this subject.

    text: in author, action, subject or reason, A to Z in any case. mark: instant and number of the
    last entry of the page before.
    """

    start: datetime | None = None
    end: datetime | None = None
    author: str | None = None
    subject: str | None = None
    text: str = ""
    mark: tuple[datetime, int] | None = None


def storable_text(text: str) -> bool:
    """Whether every database can hold it: no zero byte, and no half of a surrogate pair."""
    return not any(c == "\x00" or "\ud800" <= c <= "\udfff" for c in text)


ALL_ENTRIES: Final = AuditQuery()


@dataclass(frozen=True)
class LoggedDecision:
    """A decision as it is kept: valid from `since` until the next one of the workload.

    target, detail: load units per pod, and what the reason was about; None in old entries.
    """

    since: datetime
    value: float
    pods: int
    status: str
    reason: str | None
    mode: str
    would_serve: float
    cutoff: datetime | None
    stages: tuple[tuple[str, float | None, str], ...]
    target: float | None = None
    detail: str | None = None

    def same_as(self, other: "LoggedDecision | None") -> bool:
        """Whether nothing but the moment differs, and what caused a stage (`core.causes`)."""
        return other is not None and _but_since(self) == _but_since(other)


CAUSED: Final = ("event", "maximum", "floor")
"""Stages whose notes name a cause: a cause alone makes no other decision."""


def _but_since(entry: LoggedDecision) -> tuple[object, ...]:
    return (
        entry.value,
        entry.pods,
        entry.status,
        entry.reason,
        entry.mode,
        entry.would_serve,
        entry.cutoff,
        tuple((n, load, "" if n in CAUSED else note) for n, load, note in entry.stages),
    )
