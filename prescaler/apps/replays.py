"""Replays in the background: one at a time, in a process of its own that yields to everybody.

The child computes and never writes; this thread owns the job: it tells the store how far the child
is, every two seconds, keeps each week of forecasts that is walked, and ends the child at once where
somebody cancels. A job whose worker died is taken over by another one after a minute, which goes on
after the last week that was kept.
"""

import os
import socket
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, Final, Protocol
from uuid import UUID, uuid4

import structlog

import prescaler
from prescaler.adapters.packed_walk import pack_walk, unpack_walk
from prescaler.apps.rounds import rounds
from prescaler.apps.scheduler.job import prepare_worker
from prescaler.config import Settings
from prescaler.core.errors import (
    ChangedMeanwhile,
    PrescalerError,
    StoreDamaged,
    UnknownWorkload,
)
from prescaler.core.jobs import Job, JobState
from prescaler.core.replay.objects import Place
from prescaler.core.replay.track import Said
from prescaler.core.workload import Workload
from prescaler.ports import Clock, JobStore
from prescaler.usecases.read_calendar import CalendarReader
from prescaler.usecases.replay_document import document
from prescaler.usecases.replay_jobs import HEARTBEAT, claim_next, read_wish
from prescaler.usecases.replay_period import Crew, Subject, Wish, replay_period
from prescaler.usecases.replay_subject import SubjectPorts, of_workload
from prescaler.wiring import Stores, open_stores, reactive_sources

EVERY_SECONDS: Final = HEARTBEAT.total_seconds()
_NICE: Final = 10
_LOG: Final = structlog.get_logger()


@dataclass(frozen=True)
class Task:
    """What the child gets. url: of the store."""

    job: UUID
    url: str
    workload: Workload
    wish: Wish
    until: datetime
    place: Place


@dataclass(frozen=True)
class Part:
    """Forecasts that the child has walked."""

    name: str
    payload: bytes


class HasSettings(Protocol):
    """The keeper, as far as it matters here."""

    settings: Settings


class ReplayRunner:
    """A round every two seconds; while a replay runs, the round lasts as long as that."""

    def __init__(self, keeper: HasSettings, stores: Stores, clock: Clock) -> None:
        self._keeper = keeper
        self._stores = stores
        self._clock = clock
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"

    def run(self, stop: threading.Event) -> None:
        """Until told to stop."""
        rounds(stop, EVERY_SECONDS, lambda: self.round(stop), "replays")

    def round(self, stop: threading.Event) -> None:
        """Do the next replay, if any waits."""
        try:
            job = claim_next(self._stores.jobs, self._owner, self._clock.now())
        except PrescalerError:
            return  # the keeper says that the store is gone
        if job is not None:
            self._do(job, stop)

    def _do(self, job: Job, stop: threading.Event) -> None:
        _LOG.info("replay_begun", job=str(job.id), workload=job.subject)
        try:
            task = self._task(job)
        except PrescalerError as error:
            self._finish(job, JobState.FAILED, error=str(error))
            return
        try:
            self._watch(job, task, stop)
        except ChangedMeanwhile:
            _LOG.warning("replay_lost", job=str(job.id), reason="another worker has it")

    def _task(self, job: Job) -> Task:
        settings = self._keeper.settings
        workload = settings.workload(job.subject)
        if workload is None:
            raise UnknownWorkload(f"{job.subject} is not configured any more")
        sources = tuple(reactive_sources(settings, workload))
        wish, known = read_wish(job.request), workload.known_until(job.created_at)
        return Task(
            job=job.id,
            url=settings.store.main,
            workload=workload,
            wish=wish,
            until=min(known, wish.until or known),
            place=Place(settings.server.public_url, sources),
        )

    def _watch(self, job: Job, task: Task, stop: threading.Event) -> None:
        ours, theirs = get_context("spawn").Pipe(duplex=False)
        child = get_context("spawn").Process(target=_child, args=(theirs, task), daemon=True)
        child.start()
        theirs.close()
        share, stage = 0.0, "reads history"
        try:
            while not stop.is_set():
                told = _heard(ours)
                if isinstance(told, tuple):
                    share, stage = told
                if isinstance(told, Part):
                    self._keep(job, told)
                    continue
                if isinstance(told, dict):
                    self._ended(job, told)
                    return
                if told is _GONE:
                    self._finish(job, JobState.FAILED, error="its process ended without a word")
                    return
                now = self._clock.now()
                if not self._report(job, now, share, stage):
                    self._finish(job, JobState.CANCELLED)
                    return
        finally:
            child.terminate()
            child.join()
            ours.close()

    def _report(self, job: Job, now: datetime, share: float, stage: str) -> bool:
        """Whether to go on; a store that is away for a while stops nothing."""
        try:
            return self._stores.jobs.report(job.id, self._owner, now, progress=share, stage=stage)
        except ChangedMeanwhile:
            raise
        except PrescalerError as error:
            _LOG.warning("replay_not_reported", job=str(job.id), error=str(error))
            return True

    def _keep(self, job: Job, part: "Part") -> None:
        """For a worker that takes over; where the store will not have it, it is walked again."""
        try:
            if self._stores.jobs.keep_part(job.id, self._owner, part.name, part.payload):
                return
            reason = "the job keeps too much already"
        except ChangedMeanwhile:
            raise
        except PrescalerError as error:
            reason = str(error)
        _LOG.warning("replay_part_not_kept", job=str(job.id), reason=reason)

    def _ended(self, job: Job, told: dict[str, Any]) -> None:
        if "failure" in told:
            self._finish(job, JobState.FAILED, error=told["failure"])
        else:
            self._finish(job, JobState.DONE, result=told["result"])

    def _finish(
        self,
        job: Job,
        state: JobState,
        *,
        result: dict[str, Any] | None = None,
        error: str | None = None,
    ) -> None:
        now = self._clock.now()
        try:
            self._stores.jobs.finish(job.id, self._owner, now, state, result=result, error=error)
        except PrescalerError as failure:
            _LOG.error("replay_not_stored", job=str(job.id), error=str(failure))
            return
        _LOG.info("replay_ended", job=str(job.id), state=state.value, error=error)


_GONE: Final = object()


def _heard(pipe: Connection) -> Any:
    """What the child said within a heartbeat; None: nothing."""
    try:
        told = pipe.recv() if pipe.poll(EVERY_SECONDS) else None
        while isinstance(told, tuple) and pipe.poll(0):
            told = pipe.recv()
    except (EOFError, OSError):
        return _GONE
    return told


def _child(pipe: Connection, task: Task) -> None:
    """In the child: read, play, tell."""
    prepare_worker()
    os.nice(_NICE)
    try:
        pipe.send({"result": _result(pipe, task)})
    except PrescalerError as error:
        pipe.send({"failure": str(error)})


class _Kept:
    """Walks of this job that are in the store; new ones go to the parent, which writes."""

    def __init__(self, pipe: Connection, jobs: JobStore, job: UUID) -> None:
        self._pipe = pipe
        self._jobs = jobs
        self._job = job

    def find(self, mark: str) -> Sequence[Said] | None:
        """What a worker before this one has walked."""
        payload = self._jobs.part(self._job, _name(mark))
        try:
            return unpack_walk(payload) if payload is not None else None
        except StoreDamaged as error:
            _LOG.warning("replay_part_damaged", job=str(self._job), error=str(error))
            return None

    def keep(self, mark: str, found: Sequence[Said]) -> None:
        """Hand it to the parent."""
        self._pipe.send(Part(_name(mark), pack_walk(found)))


def _name(mark: str) -> str:
    """Another release may forecast otherwise."""
    return f"{prescaler.__version__[:30]} {mark}"


def _result(pipe: Connection, task: Task) -> dict[str, Any]:
    stores = open_stores(task.url, pool_size=1)
    try:
        ports = SubjectPorts(stores.workloads, stores.demand, CalendarReader(stores.events))
        subject = of_workload(task.workload, ports, since=task.wish.since, until=task.until)
        return _played(pipe, task, subject, _Kept(pipe, stores.jobs, task.job))
    finally:
        stores.database.close()


def _played(pipe: Connection, task: Task, subject: Subject, kept: _Kept) -> dict[str, Any]:
    def tell(share: float, stage: str) -> bool:
        pipe.send((share, stage))
        return True

    # One replay must not take the cores that answers need: it is all done in this process.
    with ThreadPoolExecutor(1) as one_after_the_other:
        crew = Crew(one_after_the_other, one_after_the_other)
        found = replay_period(subject, task.wish, crew, tell, kept=kept)
        return document(found, task.place)
