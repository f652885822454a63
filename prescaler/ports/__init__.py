"""What the use cases need of the world. Instants are UTC; series lie on even grids.

Every method may raise the errors of its kind (`SourceError`, `StoreError`) beside those named.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from prescaler.core.arrays import IntArray
from prescaler.core.engine import ModelState
from prescaler.core.event_history import Revision
from prescaler.core.event_records import EventQuery, EventWrite, FeedKey
from prescaler.core.forecast import Forecast, Origin
from prescaler.core.jobs import STALE_AFTER, Job, JobKind, JobState
from prescaler.core.lead_time import MeasuredStarts
from prescaler.core.merging import Keep, Merged
from prescaler.core.planned import PlannedEvent
from prescaler.core.records import (
    AuditEntry,
    HistoryVersion,
    LoggedDecision,
    PodCount,
    PodHistory,
    RunStatus,
    ServingState,
    StoredPart,
    UnscoredRun,
    VersionInfo,
    Walk,
)
from prescaler.core.score_days import DayScores, ScoreDay
from prescaler.core.series import Series
from prescaler.core.spans import Span
from prescaler.core.uplift import UpliftModel
from prescaler.core.workload import PodQuery, Workload


class Clock(Protocol):
    """The only way to the present."""

    def now(self) -> datetime:
        """The present instant, UTC."""
        ...

    def elapsed(self) -> float:
        """Seconds on a clock that only goes forward; differences mean something."""
        ...


class DemandSource(Protocol):
    """Somewhere demand can be read from."""

    def fetch(self, query: str, start: datetime, end: datetime, step: timedelta) -> Series:
        """Observations stamped in [start, end) on the grid of `step`; holes are NaN.

        start and end lie on the grid. Values are finite and >= 0. A range without any series is
        all holes.

        Raises:
            SourceError: by its subclass, which says what to do.
        """
        ...


class PodSource(Protocol):
    """Somewhere that knows the pods of workloads."""

    def running(self, asked: Mapping[str, PodQuery], at: datetime) -> Mapping[str, PodCount]:
        """Counts by workload, with their own instants; those not known are left out.

        Raises:
            SourceError: nothing was learnt of any of them.
        """
        ...

    def starts(self, asked: PodQuery, at: datetime) -> MeasuredStarts:
        """How long pods and nodes took to start over the day before `at`.

        Raises:
            SourceError: by its subclass.
        """
        ...

    def history(self, asked: PodQuery, instants: IntArray) -> PodHistory:
        """Counts at even instants [N] (epoch seconds); NaN where nothing was counted.

        Raises:
            SourceError: by its subclass.
        """
        ...


class WorkloadStore(Protocol):
    """Identities: a workload is a uuid; its name may change."""

    def ensure(self, workload: Workload, now: datetime) -> HistoryVersion:
        """The current version; created, renamed from an alias, or opened anew as needed."""
        ...

    def versions(self, name: str) -> Sequence[VersionInfo]:
        """All versions of the history of a workload by its present name, oldest first."""
        ...

    def current(self) -> Sequence[HistoryVersion]:
        """The newest version of every workload that was ever ensured."""
        ...


class DemandStore(Protocol):
    """Demand history at its own resolution."""

    def known_until(self, version: HistoryVersion) -> datetime | None:
        """End of what was asked of the source so far; None before the first time."""
        ...

    def asked(self, version: HistoryVersion) -> Sequence[Span]:
        """Where the source was asked already: sorted, apart. Its end is `known_until`."""
        ...

    def append(
        self,
        version: HistoryVersion,
        series: Series,
        keep: Keep = Keep.NEWEST,
        asked: Span | None = None,
    ) -> Merged:
        """Store a piece and remember its stretch as asked, both or neither.

        Holes never erase what is stored. `asked`: what to remember instead of the piece's own
        stretch; an empty one for what no source was asked for.
        """
        ...

    def read(
        self, version: HistoryVersion, start: datetime, end: datetime, step: timedelta
    ) -> Series:
        """What is stored at resolution `step` in [start, end); holes where nothing is."""
        ...

    def on_grid(
        self, version: HistoryVersion, start: datetime, end: datetime, step: timedelta
    ) -> Series:
        """Everything stored in [start, end) whose resolution divides `step`, made as coarse as it.

        Mean of the means, maximum of the peaks; where several resolutions know a point, the finest
        wins. start and end lie on the grid of `step`.
        """
        ...

    def parts(self, version: HistoryVersion) -> Sequence[StoredPart]:
        """What is stored, by resolution, finest first."""
        ...

    def days(self, version: HistoryVersion) -> Sequence[Span]:
        """UTC days of which anything is stored at any resolution: sorted, apart."""
        ...


class ForecastStore(Protocol):
    """Forecast runs, the state of the engine, and how the newest run ended."""

    def save(
        self,
        version: HistoryVersion,
        status: RunStatus,
        forecast: Forecast | None = None,
        state: ModelState | None = None,
    ) -> bool:
        """Store the end of a run as one transaction.

        False where a forecast of this version, cutoff and origin was already stored (by another
        replica); that one is kept.
        """
        ...

    def latest(self, version: HistoryVersion, origin: Origin = Origin.LIVE) -> Forecast | None:
        """The forecast with the newest cutoff."""
        ...

    def as_of(self, version: HistoryVersion, instant: datetime) -> Forecast | None:
        """The live forecast that was the newest at an instant."""
        ...

    def cutoffs(
        self, version: HistoryVersion, start: datetime, end: datetime
    ) -> Sequence[datetime]:
        """Cutoffs of stored live forecasts in [start, end), ascending."""
        ...

    def between(
        self,
        version: HistoryVersion,
        start: datetime,
        end: datetime,
        origin: Origin = Origin.LIVE,
        most: int | None = None,
    ) -> Sequence[Forecast]:
        """Stored forecasts with a cutoff in [start, end), and the last one before, ascending.

        most: where there are more, about so many of them, evenly chosen, the newest among them.
        """
        ...

    def newest_cutoffs(self) -> Mapping[int, datetime]:
        """Newest live cutoff by version id."""
        ...

    def statuses(self) -> Mapping[int, RunStatus]:
        """How the newest run ended, by version id."""
        ...

    def state(self, version: HistoryVersion) -> ModelState | None:
        """The engine's last refit; None where there is none that this release can read."""
        ...

    def adopt(self, version: HistoryVersion, state: ModelState) -> None:
        """Let live runs go on from this state."""
        ...

    def walk(self, version: HistoryVersion) -> Walk | None:
        """How far forecasts of the past have come; None where there is no walk to go on with."""
        ...

    def save_walk(self, version: HistoryVersion, walk: Walk, forecasts: Sequence[Forecast]) -> None:
        """Store forecasts of origin backfill and how far they have come, both or neither.

        Runs of earlier calls are thinned by age, as live ones are; a cutoff that is stored stays.
        """
        ...

    def forget_walk(self, version: HistoryVersion) -> None:
        """Remove all forecasts of origin backfill, and the walk."""
        ...


class ScoreStore(Protocol):
    """How good stored forecasts were, by day and bucket of leads; each pair is counted once."""

    def unscored(
        self, version: HistoryVersion, origin: Origin, before: datetime, limit: int
    ) -> Sequence[UnscoredRun]:
        """Kept runs with values for before an instant that were not scored, oldest cutoff first.

        A run that cannot be read back is not given, and never will be again.
        """
        ...

    def add(
        self,
        version: HistoryVersion,
        origin: Origin,
        scores: DayScores,
        progress: Mapping[datetime, tuple[datetime, datetime | None]],
    ) -> bool:
        """Add sums and move runs on, all or nothing.

        progress: cutoff -> where its scoring had got to, and where it is now (None: at its end).
        False, and nothing is added, where somebody else has moved one of them meanwhile.
        """
        ...

    def between(self, version: HistoryVersion, start: date, end: date) -> Sequence[ScoreDay]:
        """Scores of the UTC days in [start, end), ascending by day."""
        ...

    def forget(self, version: HistoryVersion, origin: Origin) -> None:
        """Drop the scores of an origin and score its runs anew: history was corrected."""
        ...


class DecisionStore(Protocol):
    """What was decided when; one entry per change."""

    def append(self, entries: Mapping[UUID, LoggedDecision]) -> None:
        """Add one entry each to some workloads' logs; an entry of the same instant is replaced."""
        ...

    def newest(self) -> Mapping[UUID, LoggedDecision]:
        """The last entry of every workload."""
        ...

    def between(self, workload: UUID, start: datetime, end: datetime) -> Sequence[LoggedDecision]:
        """Entries in force during [start, end), ascending; the first may begin before start."""
        ...

    def pack(self, before: datetime, keep_from: datetime) -> int:
        """Put entries of the hours before an instant together, in small transactions.

        Forgets whole days before `keep_from`. Gives how many entries were packed.
        """
        ...


class JobStore(Protocol):
    """Long work: what was asked for, how far it is, what came of it."""

    def create(self, job: Job, most: int | None = None) -> bool:
        """Store a new job; one with an id that is already there is left as it is.

        most: False, and nothing stored, where so many of its kind wait or run already; two at once
        cannot pass it together.
        """
        ...

    def get(self, job: UUID) -> Job | None:
        """The job of an id, with its result."""
        ...

    def find(
        self, kind: JobKind | None = None, *, subject: str | None = None, limit: int = 100
    ) -> Sequence[Job]:
        """Jobs, newest first, without their results."""
        ...

    def unfinished(self, kind: JobKind) -> Sequence[Job]:
        """All that wait or run, the oldest first: however many newer ones there are."""
        ...

    def claim(
        self, job: UUID, owner: str, now: datetime, stale_after: timedelta = STALE_AFTER
    ) -> Job | None:
        """Make it run under this owner; None where another one has it, or it has ended.

        A running job that was not heard of for `stale_after` may be taken over. An owner may claim
        again what it has.
        """
        ...

    def report(
        self,
        job: UUID,
        owner: str,
        now: datetime,
        *,
        progress: float,
        stage: str = "",
        checkpoint: Mapping[str, Any] | None = None,
    ) -> bool:
        """Say how far it is; False where it should stop, because somebody asked for that.

        Without a checkpoint the last one stays.

        Raises:
            ChangedMeanwhile: it has ended, or another owner has taken it over.
        """
        ...

    def keep_part(self, job: UUID, owner: str, name: str, payload: bytes) -> bool:
        """Keep a finished piece of the job until it ends, in the place of one of that name.

        False, and nothing kept, where the job would keep more than `core.jobs.MOST_KEPT`.

        Raises:
            ChangedMeanwhile: it has ended, or another owner has taken it over.
        """
        ...

    def part(self, job: UUID, name: str) -> bytes | None:
        """A piece that was kept; None: there is none, or the job has ended."""
        ...

    def finish(
        self,
        job: UUID,
        owner: str,
        now: datetime,
        state: JobState,
        *,
        result: Mapping[str, Any] | None = None,
        error: str | None = None,
    ) -> None:
        """End it: done with a result, failed with an error, or cancelled; its pieces go.

        Raises:
            ChangedMeanwhile: it has ended, or another owner has taken it over.
        """
        ...

    def cancel(self, job: UUID, now: datetime) -> Job | None:
        """Ask it to stop: one that waits ends at once, a running one at its next report.

        None where there is no such job; one that has ended stays as it is.
        """
        ...

    def forget(self, before: datetime, limit: int = 100) -> int:
        """Remove at most `limit` ended jobs last touched before an instant; gives how many."""
        ...


class EventStore(Protocol):
    """Planned events. Every change is written with its audit entry, both or neither."""

    def revision(self) -> int:
        """Moves whenever any event is changed or forgotten."""
        ...

    def get(self, identity: UUID) -> PlannedEvent:
        """One event.

        Raises:
            UnknownEvent: none of that id is stored.
        """
        ...

    def find(self, query: EventQuery) -> Sequence[PlannedEvent]:
        """Events by start and id; a recurring one where its whole life touches the span."""
        ...

    def acting_from(self, instant: datetime) -> Sequence[PlannedEvent]:
        """Confirmed events that are not over for good at an instant."""
        ...

    def revisions(self, identities: Collection[UUID]) -> Mapping[UUID, Sequence[Revision]]:
        """What these events were, oldest form first, as far back as the audit is kept.

        Raises:
            StoreDamaged: an entry of the audit cannot be read back.
        """
        ...

    def of_feed(self, feed: str) -> Mapping[FeedKey, PlannedEvent]:
        """What came from a feed, cancelled events included."""
        ...

    def write(self, writes: Sequence[EventWrite]) -> Sequence[PlannedEvent]:
        """Store all of them or none; gives them with their next revisions.

        Raises:
            ChangedMeanwhile: somebody else was faster with one of them.
        """
        ...

    def forget(self, before: datetime, entry: AuditEntry) -> int:
        """Remove events that were over for good before an instant; gives how many."""
        ...


class UpliftStore(Protocol):
    """What past crowds taught about a workload, by history version."""

    def get(self, version: HistoryVersion) -> UpliftModel | None:
        """What was learnt last; None where there is nothing that this release can read."""
        ...

    def put(self, version: HistoryVersion, model: UpliftModel, at: datetime) -> None:
        """Replace what was learnt before."""
        ...

    def learned(self) -> Mapping[int, datetime]:
        """When each version's was stored, by version id."""
        ...


class SnapshotStore(Protocol):
    """The last good serving states on local disk, by workload name; and the events."""

    def save(self, states: Mapping[str, ServingState], now: datetime) -> None:
        """Replace the states of these workloads, all or none."""
        ...

    def load(self) -> Mapping[str, ServingState]:
        """What was saved last. A damaged file is set aside and gives nothing."""
        ...

    def keep_only(self, names: Iterable[str]) -> None:
        """Forget the states of all other workloads."""
        ...

    def save_events(self, events: Sequence[PlannedEvent], now: datetime) -> None:
        """Replace the events, all or none."""
        ...

    def load_events(self) -> Sequence[PlannedEvent]:
        """The events that were saved last; without those that cannot be read."""
        ...


class Leadership(Protocol):
    """At most one holder among all replicas."""

    def acquire(self) -> bool:
        """Try to become or stay the leader; False while somebody else is.

        Raises:
            StoreError: nobody can tell; the caller must behave as a follower.
        """
        ...

    def release(self) -> None:
        """Give it up."""
        ...
