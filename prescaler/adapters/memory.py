"""The stores in memory: for dry runs, replays, and tests that need no database."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from uuid import UUID, uuid4

from prescaler.core.control import Control, LastValid
from prescaler.core.engine import ModelState
from prescaler.core.errors import ChangedMeanwhile
from prescaler.core.forecast import Forecast, Origin
from prescaler.core.instants import floor_to
from prescaler.core.planned import PlannedEvent
from prescaler.core.records import (
    ALL_ENTRIES,
    AuditEntry,
    AuditQuery,
    HistoryVersion,
    LoggedDecision,
    RunStatus,
    ServingState,
    UnscoredRun,
    VersionInfo,
    Walk,
)
from prescaler.core.retention import thinned
from prescaler.core.score_days import DayScores, ScoreDay, ScoreSums
from prescaler.core.workload import Workload


class MemoryWorkloads:
    """`WorkloadStore` in memory."""

    def __init__(self) -> None:
        self._versions: list[HistoryVersion] = []
        self._opened: dict[int, tuple[str, datetime]] = {}

    def ensure(self, workload: Workload, now: datetime) -> HistoryVersion:
        """The current version; created, renamed from an alias, or opened anew as needed."""
        known = self._newest((workload.name, *workload.aliases))
        if known is not None and known.fingerprint == workload.fingerprint:
            self._rename(known.workload, workload.name)
            return replace(known, name=workload.name)
        identity = known.workload if known else uuid4()
        number = known.number + 1 if known else 1
        key = len(self._versions) + 1
        created = HistoryVersion(key, identity, workload.name, number, workload.fingerprint)
        self._versions.append(created)
        self._opened[key] = (workload.demand.query, now)
        self._rename(identity, workload.name)
        return created

    def versions(self, name: str) -> Sequence[VersionInfo]:
        """All versions of a workload's history, oldest first."""
        return [VersionInfo(v, *self._opened[v.id]) for v in self._versions if v.name == name]

    def current(self) -> Sequence[HistoryVersion]:
        """The newest version of every workload."""
        return list({version.workload: version for version in self._versions}.values())

    def _newest(self, names: Sequence[str]) -> HistoryVersion | None:
        for name in names:
            for version in reversed(self._versions):
                if version.name == name:
                    return version
        return None

    def _rename(self, identity: UUID, name: str) -> None:
        self._versions = [
            replace(v, name=name) if v.workload == identity else v for v in self._versions
        ]


class MemoryForecasts:
    """`ForecastStore` in memory; nothing is thinned."""

    def __init__(self) -> None:
        self._runs: dict[tuple[int, Origin], dict[datetime, Forecast]] = {}
        self._statuses: dict[int, RunStatus] = {}
        self._states: dict[int, ModelState] = {}
        self._walks: dict[int, Walk] = {}

    def save(
        self,
        version: HistoryVersion,
        status: RunStatus,
        forecast: Forecast | None = None,
        state: ModelState | None = None,
    ) -> bool:
        """Store the end of a run."""
        self._statuses[version.id] = status
        if state is not None:
            self._states[version.id] = state
        if forecast is None:
            return False
        runs = self._runs.setdefault((version.id, forecast.origin), {})
        if forecast.cutoff in runs:
            return False
        runs[forecast.cutoff] = forecast
        return True

    def latest(self, version: HistoryVersion, origin: Origin = Origin.LIVE) -> Forecast | None:
        """The forecast with the newest cutoff."""
        runs = self._runs.get((version.id, origin), {})
        return runs[max(runs)] if runs else None

    def as_of(self, version: HistoryVersion, instant: datetime) -> Forecast | None:
        """The live forecast that was the newest at an instant."""
        runs = self._runs.get((version.id, Origin.LIVE), {})
        known = [cutoff for cutoff, run in runs.items() if run.issued_at <= instant]
        return runs[max(known)] if known else None

    def cutoffs(
        self, version: HistoryVersion, start: datetime, end: datetime
    ) -> Sequence[datetime]:
        """Cutoffs of stored live forecasts in [start, end)."""
        runs = self._runs.get((version.id, Origin.LIVE), {})
        return sorted(cutoff for cutoff in runs if start <= cutoff < end)

    def runs(self, version: HistoryVersion, origin: Origin) -> Sequence[Forecast]:
        """Every run of an origin, ascending by cutoff."""
        runs = self._runs.get((version.id, origin), {})
        return [runs[cutoff] for cutoff in sorted(runs)]

    def between(
        self,
        version: HistoryVersion,
        start: datetime,
        end: datetime,
        origin: Origin = Origin.LIVE,
        most: int | None = None,
    ) -> Sequence[Forecast]:
        """Forecasts with a cutoff in [start, end), and the last one before."""
        runs = self._runs.get((version.id, origin), {})
        before = [cutoff for cutoff in runs if cutoff < start]
        inside = sorted(cutoff for cutoff in runs if start <= cutoff < end)
        chosen = [*([max(before)] if before else []), *inside]
        return [runs[cutoff] for cutoff in thinned(chosen, most)]

    def newest_cutoffs(self) -> Mapping[int, datetime]:
        """Newest live cutoff by version id."""
        live = {key: runs for (key, origin), runs in self._runs.items() if origin is Origin.LIVE}
        return {key: max(runs) for key, runs in live.items() if runs}

    def statuses(self) -> Mapping[int, RunStatus]:
        """How the newest run ended, by version id."""
        return dict(self._statuses)

    def state(self, version: HistoryVersion) -> ModelState | None:
        """The engine's last refit."""
        return self._states.get(version.id)

    def adopt(self, version: HistoryVersion, state: ModelState) -> None:
        """Let live runs go on from this state."""
        self._states[version.id] = state

    def walk(self, version: HistoryVersion) -> Walk | None:
        """How far forecasts of the past have come."""
        return self._walks.get(version.id)

    def save_walk(self, version: HistoryVersion, walk: Walk, forecasts: Sequence[Forecast]) -> None:
        """Store forecasts of origin backfill and how far they have come."""
        runs = self._runs.setdefault((version.id, Origin.BACKFILL), {})
        for forecast in forecasts:
            runs.setdefault(forecast.cutoff, forecast)
        self._walks[version.id] = walk

    def forget_walk(self, version: HistoryVersion) -> None:
        """Remove all forecasts of origin backfill, and the walk."""
        self._runs.pop((version.id, Origin.BACKFILL), None)
        self._walks.pop(version.id, None)


class MemoryScores:
    """`ScoreStore` in memory, on the forecasts of a `MemoryForecasts`."""

    def __init__(self, forecasts: MemoryForecasts) -> None:
        self._forecasts = forecasts
        self._moved: dict[tuple[int, Origin, datetime], datetime | None] = {}
        self._sums: dict[tuple[int, date, Origin, str], ScoreSums] = {}

    def unscored(
        self, version: HistoryVersion, origin: Origin, before: datetime, limit: int
    ) -> Sequence[UnscoredRun]:
        """Runs with values for before an instant that were not scored, oldest first."""
        found = [
            UnscoredRun(start, run)
            for run in self._forecasts.runs(version, origin)
            if (start := self._start(version, origin, run)) is not None and start < before
        ]
        return found[:limit]

    def add(
        self,
        version: HistoryVersion,
        origin: Origin,
        scores: DayScores,
        progress: Mapping[datetime, tuple[datetime, datetime | None]],
    ) -> bool:
        """Add sums and move runs on, all or nothing."""
        runs = {run.cutoff: run for run in self._forecasts.runs(version, origin)}
        for cutoff, (before, _) in progress.items():
            if cutoff not in runs or self._start(version, origin, runs[cutoff]) != before:
                return False
        self._moved |= {(version.id, origin, c): after for c, (_, after) in progress.items()}
        for (day, bucket), sums in scores.items():
            key = (version.id, day, origin, bucket)
            self._sums[key] = self._sums.get(key, ScoreSums.none()) + sums
        return True

    def between(self, version: HistoryVersion, start: date, end: date) -> Sequence[ScoreDay]:
        """Scores of the UTC days in [start, end), ascending by day."""
        return [
            ScoreDay(day, origin, bucket, sums)
            for (key, day, origin, bucket), sums in sorted(
                self._sums.items(), key=lambda item: item[0]
            )
            if key == version.id and start <= day < end
        ]

    def forget(self, version: HistoryVersion, origin: Origin) -> None:
        """Drop the scores of an origin and score its runs anew."""
        self._sums = {
            key: sums
            for key, sums in self._sums.items()
            if (key[0], key[2]) != (version.id, origin)
        }
        self._moved = {k: v for k, v in self._moved.items() if k[:2] != (version.id, origin)}

    def _start(self, version: HistoryVersion, origin: Origin, run: Forecast) -> datetime | None:
        return self._moved.get((version.id, origin, run.cutoff), run.first_valid_at)


class MemoryControl:
    """`ControlStore` and `AuditStore` in memory."""

    def __init__(self) -> None:
        self._controls: dict[UUID, Control] = {}
        self.entries: list[AuditEntry] = []

    def all(self) -> Mapping[UUID, Control]:
        """Every workload's control state."""
        return dict(self._controls)

    def get(self, workload: UUID) -> Control:
        """One workload's control state."""
        return self._controls.get(workload, Control())

    def put(self, workload: UUID, control: Control, entry: AuditEntry | None) -> Control:
        """Store the state if its revision is still the stored one."""
        stored = self._controls.get(workload, Control())
        if stored.revision != control.revision:
            raise ChangedMeanwhile("somebody else changed this workload; read it again")
        following = replace(control, revision=control.revision + 1, last_valid=stored.last_valid)
        self._controls[workload] = following
        self.entries += [entry] if entry is not None else []
        return following

    def put_last_valid(self, values: Mapping[UUID, LastValid]) -> None:
        """Remember the last values that rested on a forecast."""
        for workload, last in values.items():
            stored = self._controls.get(workload, Control())
            self._controls[workload] = replace(stored, last_valid=last)

    def recent(self, limit: int, query: AuditQuery = ALL_ENTRIES) -> Sequence[AuditEntry]:
        """The newest entries that are asked for, newest first."""
        numbered = [replace(e, number=n) for n, e in enumerate(self.entries, 1)]
        found = [entry for entry in numbered if _wanted(entry, query)]
        return sorted(found, key=lambda e: (e.at, e.number), reverse=True)[:limit]


def _wanted(entry: AuditEntry, query: AuditQuery) -> bool:
    searched = (entry.author, entry.action, entry.subject, entry.reason)
    return (
        (query.start is None or entry.at >= query.start)
        and (query.end is None or entry.at < query.end)
        and query.author in (None, entry.author)
        and query.subject in (None, entry.subject)
        and any(query.text.lower() in one.lower() for one in searched)
        and (query.mark is None or (entry.at, entry.number) < query.mark)
    )


class MemoryDecisions:
    """`DecisionStore` in memory."""

    def __init__(self) -> None:
        self._log: dict[UUID, dict[datetime, LoggedDecision]] = {}

    def append(self, entries: Mapping[UUID, LoggedDecision]) -> None:
        """Add one entry each."""
        for workload, entry in entries.items():
            self._log.setdefault(workload, {})[entry.since] = entry

    def newest(self) -> Mapping[UUID, LoggedDecision]:
        """The last entry of every workload."""
        return {workload: log[max(log)] for workload, log in self._log.items()}

    def between(self, workload: UUID, start: datetime, end: datetime) -> Sequence[LoggedDecision]:
        """Entries in force during [start, end)."""
        log = self._log.get(workload, {})
        before = [since for since in log if since <= start]
        inside = sorted(since for since in log if start < since < end)
        return [log[since] for since in [*([max(before)] if before else []), *inside]]

    def pack(self, before: datetime, keep_from: datetime) -> int:  # noqa: ARG002 - nothing to pack
        """Forget days before `keep_from`."""
        day = floor_to(keep_from, timedelta(days=1))
        for log in self._log.values():
            for since in [since for since in log if since < day]:
                del log[since]
        return 0


class MemorySnapshot:
    """`SnapshotStore` that keeps nothing beyond the process."""

    def __init__(self) -> None:
        self._states: dict[str, ServingState] = {}
        self._events: tuple[PlannedEvent, ...] = ()

    def save(self, states: Mapping[str, ServingState], now: datetime) -> None:  # noqa: ARG002 - the port's signature
        """Replace the states of these workloads."""
        self._states |= states

    def load(self) -> Mapping[str, ServingState]:
        """What was saved last."""
        return dict(self._states)

    def keep_only(self, names: Iterable[str]) -> None:
        """Forget the states of all other workloads."""
        kept = set(names)
        self._states = {name: s for name, s in self._states.items() if name in kept}

    def save_events(self, events: Sequence[PlannedEvent], now: datetime) -> None:  # noqa: ARG002 - the port's signature
        """Replace the events."""
        self._events = tuple(events)

    def load_events(self) -> Sequence[PlannedEvent]:
        """The events that were saved last."""
        return self._events
