"""When which workload is forecast, and by which replica."""

import threading
from collections.abc import Mapping
from datetime import timedelta
from multiprocessing import active_children, get_context
from typing import Any, Final
from uuid import UUID

import structlog
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED, EVENT_JOB_MAX_INSTANCES
from apscheduler.executors.pool import ProcessPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from prescaler.adapters.telemetry.metrics import Telemetry
from prescaler.apps.keeper import Keeper
from prescaler.apps.scheduler.feeds import FeedWatch
from prescaler.apps.scheduler.job import RunFailure, prepare_worker, run_job
from prescaler.apps.scheduler.upkeep import Upkeep
from prescaler.config import Settings
from prescaler.core.errors import StoreError
from prescaler.core.instants import floor_to, format_instant
from prescaler.core.records import LoggedDecision
from prescaler.core.workload import Workload
from prescaler.ports import Clock, Leadership
from prescaler.usecases.forecast_workload import RunRecord
from prescaler.usecases.log_decisions import log_decisions, pack_decisions
from prescaler.usecases.review_trust import TrustRecord
from prescaler.wiring import Stores, WorkerPlan, worker_plan

_ROUND_SECONDS: Final = 2.0
_DECISIONS_EVERY: Final = timedelta(seconds=15)
"""The HPA reads every 15 s; a decision that lasts less is seen by nobody."""

_PACK_EVERY: Final = timedelta(minutes=20)
_SETTLE: Final = timedelta(seconds=2)
_MOST_JITTER_SECONDS: Final = 20
_LOG: Final = structlog.get_logger()


class Clockwork:
    """Schedules while it leads, does nothing while it follows.

    Jobs live in memory and run in a process pool; what matters is kept in the store. Two leaders
    at once (a partition) store nothing twice: a run is unique by version, cutoff and origin.
    """

    def __init__(
        self,
        keeper: Keeper,
        stores: Stores,
        leadership: Leadership,
        telemetry: Telemetry,
        clock: Clock,
    ) -> None:
        self._keeper = keeper
        self._stores = stores
        self._leadership = leadership
        self._telemetry = telemetry
        self._clock = clock
        self._leads = False
        self._newest: Mapping[UUID, LoggedDecision] | None = None
        self._decided_at = clock.now() - _DECISIONS_EVERY
        self._packed_at = clock.now()
        self._feeds = FeedWatch(stores, telemetry, clock)
        self._upkeep = Upkeep(stores, clock, lambda: self._leads)
        self._changed = threading.Event()
        self._scheduler = _background(keeper.settings.workers)
        self._scheduler.add_listener(self._on_end, EVENT_JOB_EXECUTED | EVENT_JOB_ERROR)
        self._scheduler.add_listener(self._on_overlap, EVENT_JOB_MAX_INSTANCES)
        keeper.on_settings.append(lambda _: self._changed.set())

    @property
    def leads(self) -> bool:
        """Whether this process schedules."""
        return self._leads

    def run(self, stop: threading.Event) -> None:
        """Rounds until told to stop."""
        self._scheduler.start()
        while not stop.wait(_ROUND_SECONDS if self._leads else _ROUND_SECONDS / 2):
            try:
                self.round()
            except StoreError as error:
                _LOG.warning("clockwork_round_failed", error=str(error))
            except Exception:  # noqa: BLE001 - the outermost loop of this thread: the next round tries again
                _LOG.exception("clockwork_round_failed")
        self._follow()
        self._leadership.release()
        self._scheduler.shutdown(wait=False)

    def round(self) -> None:
        """See who leads; lead."""
        try:
            leads = self._leadership.acquire()
        except StoreError as error:
            if self._leads:
                _LOG.warning("leadership_lost", error=str(error))
            leads = False
        if leads and not self._leads:
            self._lead()
        elif self._leads and not leads:
            self._follow()
        elif leads and self._changed.is_set():
            self._schedule_all(self._keeper.settings)
        if leads:
            self._log_decisions()
            self._upkeep.round(self._keeper.settings)
            self._feeds.round(self._keeper.settings)

    def _lead(self) -> None:
        _LOG.info("leading", workloads=len(self._keeper.settings.workloads))
        self._leads = True
        self._telemetry.leader.set(1)
        self._schedule_all(self._keeper.settings)

    def _follow(self) -> None:
        self._leads = False
        self._newest = None
        self._telemetry.leader.set(0)
        self._scheduler.remove_all_jobs()

    def _schedule_all(self, settings: Settings) -> None:
        """One job a workload; those that stay as they were keep their rhythm."""
        self._changed.clear()
        plan = worker_plan(settings)
        wanted = {workload.name: workload for workload in settings.workloads}
        for job in self._scheduler.get_jobs():
            if wanted.get(job.id) == job.args[1] and job.args[0] == plan:
                del wanted[job.id]
            elif job.id not in wanted:
                job.remove()
        for workload in wanted.values():
            self._schedule(plan, workload)

    def _schedule(self, plan: WorkerPlan, workload: Workload) -> None:
        """Run now, and from then on just after each grid point is complete."""
        every, now = workload.forecast.every, self._clock.now()
        jitter = min(_MOST_JITTER_SECONDS, int(every.total_seconds() / 10))
        self._scheduler.add_job(
            run_job,
            IntervalTrigger(
                seconds=int(every.total_seconds()),
                start_date=floor_to(now, every) + workload.demand.delay + _SETTLE,
                jitter=jitter or None,
            ),
            args=(plan, workload),
            id=workload.name,
            next_run_time=now,
            replace_existing=True,
        )

    def _log_decisions(self) -> None:
        now = self._clock.now().replace(microsecond=0)
        if now - self._decided_at < _DECISIONS_EVERY:
            return
        self._decided_at = now
        try:
            if self._newest is None:
                self._newest = self._stores.decisions.newest()
            record = log_decisions(
                self._keeper.table, self._newest, self._stores.decisions, self._stores.controls, now
            )
        except StoreError as error:
            _LOG.warning("decisions_not_logged", error=str(error))
            return
        self._newest = record.newest
        if now - self._packed_at >= _PACK_EVERY:
            self._packed_at = now
            self._pack()

    def _pack(self) -> None:
        try:
            packed = pack_decisions(self._stores.decisions, self._packed_at)
        except StoreError as error:
            _LOG.warning("decisions_not_packed", error=str(error))
            return
        _LOG.info("decisions_packed", entries=packed)

    def _on_end(self, event: Any) -> None:
        if event.exception is not None:
            self._telemetry.runs.labels("defect").inc()
            _LOG.error("run_defect", workload=event.job_id, traceback=event.traceback)
        elif isinstance(event.retval, RunFailure):
            self._telemetry.runs.labels(event.retval.kind).inc()
            _LOG.warning("run_failed", **vars(event.retval))
        elif isinstance(event.retval, RunRecord):
            self._note_run(event.retval)

    def _note_run(self, record: RunRecord) -> None:
        self._telemetry.runs.labels(record.outcome.value).inc()
        failure = record.source_failure
        if failure is not None:
            workload = self._keeper.settings.workload(record.workload)
            source = "+".join(workload.demand.sources) if workload else "?"
            self._telemetry.source_errors.labels(source, failure.kind).inc()
            _LOG.warning("source_failed", workload=record.workload, **vars(failure))
        if record.pods_failure is not None:
            _LOG.warning(
                "saturation_unknown", workload=record.workload, **vars(record.pods_failure)
            )
        if record.afterwards_failed is not None:
            _LOG.warning("not_reviewed", workload=record.workload, error=record.afterwards_failed)
        self._note_trust(record)
        _LOG.info(
            "run",
            workload=record.workload,
            outcome=record.outcome.value,
            detail=record.detail,
            cutoff=format_instant(record.cutoff) if record.cutoff else None,
            points=record.points,
            refitted=record.refitted,
            **{f"{part}_seconds": seconds for part, seconds in record.seconds.items()},
        )

    def _note_trust(self, record: RunRecord) -> None:
        trust = record.trust
        if trust.tripped is not None:
            self._telemetry.guard_trips.labels(record.workload, trust.tripped).inc()
        if trust != TrustRecord():
            _LOG.warning("trust_changed", workload=record.workload, **vars(trust))

    def _on_overlap(self, event: Any) -> None:
        _LOG.warning("run_skipped", workload=event.job_id, why="the one before still runs")


class _Workers(ProcessPoolExecutor):  # type: ignore[misc]
    """APScheduler's process pool, which would otherwise run all that waits before it ends."""

    def shutdown(self, wait: bool = True) -> None:  # noqa: ARG002, FBT001, FBT002 - its signature
        """Forget what waits and end the workers; a run is stored whole or not at all."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for worker in active_children():
            worker.terminate()


def _background(workers: int) -> BackgroundScheduler:
    pool = _Workers(
        workers,
        {"mp_context": get_context("spawn"), "initializer": prepare_worker},
    )
    return BackgroundScheduler(
        executors={"default": pool},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        timezone="UTC",
    )
