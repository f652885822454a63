"""Long work that a person asked for and that survives the process doing it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

STALE_AFTER: Final = timedelta(seconds=60)
"""A running job whose worker has been silent for this long may be taken over by another."""

MOST_KEPT: Final = 64 << 20
"""Bytes of finished pieces that a job may keep; a piece that does not fit is done again."""


class JobKind(StrEnum):
    """What is to be done."""

    REPLAY = "replay"
    BACKFILL = "backfill"


class JobState(StrEnum):
    """How far a job has come; the last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether nothing will happen to the job any more."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True)
class Job:
    """One job as it is stored.

    subject: the workload's name, or the file it is about. request: what was asked for, as plain
    JSON values; with it alone the work can be done again. progress: share done, 0 ... 1; stage:
    what is being done, for people. checkpoint: from where another worker can go on. result: of a
    job that is done; error: of one that failed. cancel_asked: somebody wants it to stop. owner: the
    worker that runs it; touched_at: when it was last heard of.
    """

    id: UUID
    kind: JobKind
    subject: str
    author: str
    created_at: datetime
    touched_at: datetime
    request: Mapping[str, Any] = field(default_factory=dict)
    state: JobState = JobState.QUEUED
    progress: float = 0.0
    stage: str = ""
    checkpoint: Mapping[str, Any] | None = None
    result: Mapping[str, Any] | None = field(default=None, repr=False)
    error: str | None = None
    cancel_asked: bool = False
    owner: str | None = None

    def may_be_claimed(self, now: datetime, stale_after: timedelta = STALE_AFTER) -> bool:
        """Whether a worker may take it: it waits, or its worker has gone silent."""
        if self.state is JobState.RUNNING:
            return now - self.touched_at >= stale_after
        return self.state is JobState.QUEUED
