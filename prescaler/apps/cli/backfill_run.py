"""A backfill from beginning to end: demand in threads, then forecasts in processes, one job."""

import os
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from prescaler.apps.cli.backfill_job import Walked, walk_all
from prescaler.apps.cli.backfill_view import View, gap_text
from prescaler.config import Settings
from prescaler.core.durations import format_duration
from prescaler.core.errors import BadParameter, ChangedMeanwhile, StoreError
from prescaler.core.instants import floor_to, format_instant
from prescaler.core.jobs import Job, JobKind, JobState
from prescaler.core.records import HistoryVersion
from prescaler.core.spans import Span
from prescaler.core.workload import Workload
from prescaler.usecases.backfill_demand import (
    BackfillRange,
    Target,
    backfill_demand,
    pieces,
    summary,
)
from prescaler.usecases.walk_forward import WalkPlan, WalkRecord, forget_walk
from prescaler.wiring import Stores, backfill_source, clock, walk_ports, worker_plan

_DAY: Final = timedelta(days=1)
_REPORT_EVERY: Final = 2.0
_GAPS_TOLD: Final = 20


@dataclass(frozen=True)
class Request:
    """What was asked for; since and until None: as the workload has it."""

    since: datetime | None
    until: datetime | None
    again: bool
    replace: bool
    forecasts: timedelta | None
    every: timedelta | None
    concurrency: int
    max_qps: float | None
    processes: int

    def plain(self, workloads: Sequence[Workload]) -> dict[str, Any]:
        """As it is stored with the job."""
        return {
            "workloads": [workload.name for workload in workloads],
            "since": format_instant(self.since) if self.since else None,
            "until": format_instant(self.until) if self.until else None,
            "again": self.again,
            "replace": self.replace,
            "forecasts": format_duration(self.forecasts) if self.forecasts else None,
            "every": format_duration(self.every) if self.every else None,
        }


@dataclass(eq=False)
class _Progress:
    """One workload's share of the run."""

    target: Target
    wanted: BackfillRange
    walk: WalkPlan | None
    made: int = 0
    missed: int = 0
    walked_until: datetime | None = None
    walk_failure: tuple[str, str] | None = None
    seconds: dict[str, float] = field(default_factory=dict)


class BackfillRun:
    """One run of the command. It stores piece by piece; nothing waits for its end."""

    def __init__(
        self, settings: Settings, stores: Stores, workloads: Sequence[Workload], request: Request
    ) -> None:
        self.seconds = 0.0
        self.interrupted = False
        self._settings = settings
        self._stores = stores
        self._request = request
        self._workloads = workloads
        self._clock = clock()
        self._begun = self._clock.elapsed()
        self._now = self._clock.now().replace(microsecond=0)
        self._job = _JobReport(stores, request.plain(workloads))

    def preview(self) -> list[dict[str, Any]]:
        """What would be asked of each source, without asking or storing anything."""
        return [self._preview(workload) for workload in self._workloads]

    def run(self, view: View) -> list[dict[str, Any]]:
        """Do it; gives a row a workload.

        Raises:
            StoreError: what was stored before stays.
        """
        progress = [self._prepared(workload) for workload in self._workloads]
        self._job.begin(self._now)
        try:
            self._demand(progress, view)
            self._walks([one for one in progress if one.walk is not None], view)
        except KeyboardInterrupt:
            self.interrupted = True
        except StoreError as error:
            self._job.failed(self._clock.now(), str(error))
            raise
        finally:
            view.end()
        self.interrupted = self.interrupted or self._job.cancelled
        rows = [self._row(one) for one in progress]
        self.seconds = self._clock.elapsed() - self._begun
        self._job.ended(self._clock.now(), self.document(rows), interrupted=self.interrupted)
        return rows

    def document(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """The whole result as plain values."""
        return {
            "job": str(self._job.id),
            "interrupted": self.interrupted,
            "seconds": round(self.seconds, 3),
            "workloads": list(rows),
        }

    def _range(self, workload: Workload) -> BackfillRange:
        resolution = workload.demand.resolution
        known = workload.known_until(self._now)
        until = min(known, self._request.until or known)
        since = self._request.since or until - workload.forecast.history
        span = Span(floor_to(since, resolution), floor_to(until, resolution))
        return BackfillRange(span, self._request.again, self._request.replace)

    def _walk(self, workload: Workload, until: datetime) -> WalkPlan | None:
        if self._request.forecasts is None:
            return None
        every = self._request.every or workload.forecast.every
        if _DAY % every or every % workload.forecast.step:
            raise BadParameter(
                f"{workload.name}: forecasts every {format_duration(every)} must divide a day and "
                f"be a multiple of the step {format_duration(workload.forecast.step)}; say --every"
            )
        end = floor_to(until, every)
        return WalkPlan(Span(floor_to(end - self._request.forecasts, every), end), every)

    def _preview(self, workload: Workload) -> dict[str, Any]:
        wanted = self._range(workload)
        version = next(
            (
                info.version
                for info in reversed(self._stores.workloads.versions(workload.name))
                if info.version.fingerprint == workload.fingerprint
            ),
            None,
        )
        todo = self._pieces(workload, version, wanted)
        walk = self._walk(workload, wanted.span.end)
        qps = self._request.max_qps or min(
            self._settings.prometheus[name].max_qps for name in workload.demand.sources
        )
        return {
            "workload": workload.name,
            "requests": len(todo) * len(workload.demand.sources),
            "days": sum((piece.length for piece in todo), timedelta(0)) / _DAY,
            "stretches": [[format_instant(p.start), format_instant(p.end)] for p in todo],
            "seconds": len(todo) / qps,
            "forecasts": walk.span.length // walk.every if walk else 0,
        }

    def _pieces(
        self, workload: Workload, version: HistoryVersion | None, wanted: BackfillRange
    ) -> tuple[Span, ...]:
        if version is None:
            return pieces(workload, (), (), wanted)
        demand = self._stores.demand
        return pieces(workload, demand.asked(version), demand.days(version), wanted)

    def _prepared(self, workload: Workload) -> _Progress:
        wanted = self._range(workload)
        walk = self._walk(workload, wanted.span.end)
        version = self._stores.workloads.ensure(workload, self._now)
        source = backfill_source(self._settings, workload, self._request.max_qps)
        todo = self._pieces(workload, version, wanted)
        return _Progress(Target(workload, version, source, todo), wanted, walk)

    def _demand(self, progress: Sequence[_Progress], view: View) -> None:
        view.begin("demand", {p.target.workload.name: len(p.target.pieces) for p in progress})
        total = sum(len(p.target.pieces) for p in progress)

        def moved(target: Target) -> bool:
            target.finished_at = self._clock.elapsed()
            rate = target.merged.points / max(1e-9, self._clock.elapsed() - begun)
            view.moved(target.workload.name, target.done, f"{rate:,.0f} points/s")
            done = sum(p.target.done for p in progress)
            return self._job.report(self._clock.now(), done / max(1, total), "demand")

        begun = self._clock.elapsed()
        for one in progress:
            one.seconds["demand"] = 0.0
        pool = ThreadPoolExecutor(self._request.concurrency)
        try:
            backfill_demand(
                [p.target for p in progress],
                progress[0].wanted.keep,
                self._stores.demand,
                pool,
                side_by_side=self._request.concurrency,
                progress=moved,
            )
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for one in progress:
                ended = one.target.finished_at or self._clock.elapsed()
                one.seconds["demand"] = max(0.0, ended - begun) if one.target.pieces else 0.0

    def _walks(self, progress: Sequence[_Progress], view: View) -> None:
        if not progress or self._job.cancelled:
            return
        by_name = {one.target.workload.name: one for one in progress}
        ports = walk_ports(self._stores)
        for one in progress:
            if self._request.replace and one.target.merged.differing:
                forget_walk(one.target.version, ports)
        walks = [(p.target.workload, p.walk) for p in progress if p.walk is not None]
        view.begin("forecasts", {w.name: plan.span.length // plan.every for w, plan in walks})
        begun, total = self._clock.elapsed(), sum(p.span.length / p.every for _, p in walks)

        def moved(workload: Workload, found: Walked) -> bool:
            one = by_name[workload.name]
            _note(one, found, self._clock.elapsed() - begun)
            view.moved(workload.name, _walked(one), "")
            done = sum(_walked(p) for p in progress)
            return self._job.report(self._clock.now(), done / max(1, total), "forecasts")

        processes = self._request.processes or len(os.sched_getaffinity(0))
        walk_all(worker_plan(self._settings), walks, min(processes, len(walks)), moved)

    def _row(self, one: _Progress) -> dict[str, Any]:
        target, workload = one.target, one.target.workload
        found = summary(workload.demand.resolution, target.version, self._stores.demand)
        longest = sorted(found.gaps, key=lambda gap: gap.length, reverse=True)[:_GAPS_TOLD]
        failure = (target.failure.kind, target.failure.text) if target.failure else one.walk_failure
        return {
            "workload": workload.name,
            "version": target.version.number,
            "pieces": len(target.pieces),
            "pieces_done": target.done,
            "points_added": target.merged.added,
            "points_same": target.merged.same,
            "points_differing": target.merged.differing,
            "replaced": self._request.replace,
            "points": found.points,
            "first": format_instant(found.first) if found.first else None,
            "last": format_instant(found.last) if found.last else None,
            "gaps": len(found.gaps),
            "longest_gaps": [gap_text(gap.start, gap.end) for gap in longest],
            "bytes": found.bytes,
            "seconds": round(sum(v for k, v in one.seconds.items() if k in _PHASES), 3),
            "seconds_by_part": {key: round(value, 3) for key, value in one.seconds.items()},
            "forecasts": _forecasts(one),
            "failure": failure[1] if failure else None,
            "failure_kind": failure[0] if failure else None,
        }


_PHASES: Final = ("demand", "walk")


def _forecasts(one: _Progress) -> dict[str, Any] | None:
    if one.walk is None:
        return None
    until = format_instant(one.walked_until) if one.walked_until else None
    return {"made": one.made, "without": one.missed, "until": until}


def _note(one: _Progress, found: Walked, elapsed: float) -> None:
    one.seconds["walk"] = elapsed
    if not isinstance(found, WalkRecord):
        one.walk_failure = (found.kind, found.text)
        return
    one.made += found.forecasts
    one.missed += found.without
    one.walked_until = found.until
    for part, seconds in found.seconds:
        one.seconds[part] = one.seconds.get(part, 0.0) + seconds


def _walked(one: _Progress) -> int:
    if one.walk is None or one.walked_until is None:
        return 0
    return max(0, (one.walked_until - one.walk.span.start) // one.walk.every)


class _JobReport:
    """The stored job of this run: others see how far it is, and may cancel it."""

    def __init__(self, stores: Stores, request: dict[str, Any]) -> None:
        self.id: UUID = uuid4()
        self.cancelled = False
        self._jobs = stores.jobs
        self._request = request
        self._owner = f"{socket.gethostname()[:60]} {os.getpid()}"
        self._said = 0.0
        self._clock = clock()

    def begin(self, now: datetime) -> None:
        """Store it, and end those whose process has gone without a word."""
        for old in self._jobs.find(JobKind.BACKFILL):
            if old.state is JobState.RUNNING and self._jobs.claim(old.id, self._owner, now):
                text = "its process ended without a word; the same command goes on from there"
                self._jobs.finish(old.id, self._owner, now, JobState.FAILED, error=text)
        names = self._request["workloads"]
        subject = names[0] if len(names) == 1 else f"{len(names)} workloads"
        job = Job(self.id, JobKind.BACKFILL, subject, "cli", now, now, self._request)
        self._jobs.create(job)
        self._jobs.claim(self.id, self._owner, now)

    def report(self, now: datetime, share: float, stage: str) -> bool:
        """Every two seconds; False where somebody has cancelled it."""
        if self._clock.elapsed() - self._said < _REPORT_EVERY:
            return not self.cancelled
        self._said = self._clock.elapsed()
        try:
            going = self._jobs.report(
                self.id, self._owner, now, progress=min(1.0, share), stage=stage
            )
        except ChangedMeanwhile:
            going = False
        self.cancelled = self.cancelled or not going
        return going

    def failed(self, now: datetime, text: str) -> None:
        """The store fails: say so there if it can still hear it; the caller raises the error."""
        try:
            self._jobs.finish(self.id, self._owner, now, JobState.FAILED, error=text)
        except (StoreError, ChangedMeanwhile):
            self.cancelled = True

    def ended(self, now: datetime, result: dict[str, Any], *, interrupted: bool) -> None:
        """Done, or stopped by a person."""
        state = JobState.CANCELLED if interrupted else JobState.DONE
        try:
            self._jobs.finish(self.id, self._owner, now, state, result=result)
        except ChangedMeanwhile:
            self.cancelled = True
