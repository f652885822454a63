"""Jobs in memory: for tests, and commands that run without a database."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Lock
from typing import Any
from uuid import UUID

from prescaler.core.errors import ChangedMeanwhile
from prescaler.core.jobs import MOST_KEPT, STALE_AFTER, Job, JobKind, JobState


class MemoryJobs:
    """`JobStore` in memory."""

    def __init__(self) -> None:
        self._jobs: dict[UUID, Job] = {}
        self._parts: dict[UUID, dict[str, bytes]] = {}
        self._lock = Lock()

    def create(self, job: Job, most: int | None = None) -> bool:
        """Store a new job, unless too many wait."""
        with self._lock:
            if most is not None and len(self.unfinished(job.kind)) >= most:
                return False
            self._jobs.setdefault(job.id, job)
        return True

    def get(self, job: UUID) -> Job | None:
        """The job of an id."""
        return self._jobs.get(job)

    def find(
        self, kind: JobKind | None = None, *, subject: str | None = None, limit: int = 100
    ) -> Sequence[Job]:
        """Jobs, newest first, without their results."""
        found = [
            replace(job, result=None)
            for job in self._jobs.values()
            if kind in (None, job.kind) and subject in (None, job.subject)
        ]
        found.sort(key=lambda job: job.id.hex)
        return sorted(found, key=lambda job: job.created_at, reverse=True)[:limit]

    def unfinished(self, kind: JobKind) -> Sequence[Job]:
        """All that wait or run, the oldest first."""
        found = [one for one in self._jobs.values() if one.kind is kind and not one.state.final]
        return sorted(found, key=lambda job: (job.created_at, job.id.hex))

    def claim(
        self, job: UUID, owner: str, now: datetime, stale_after: timedelta = STALE_AFTER
    ) -> Job | None:
        """Make it run under this owner."""
        found = self._jobs.get(job)
        if found is None or found.state.final:
            return None
        if found.owner != owner and not found.may_be_claimed(now, stale_after):
            return None
        self._jobs[job] = replace(found, state=JobState.RUNNING, owner=owner, touched_at=now)
        return self._jobs[job]

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
        """Say how far it is; False where it should stop."""
        found = self._owned(job, owner)
        kept = checkpoint if checkpoint is not None else found.checkpoint
        self._jobs[job] = replace(
            found, progress=progress, stage=stage[:200], touched_at=now, checkpoint=kept
        )
        return not found.cancel_asked

    def keep_part(self, job: UUID, owner: str, name: str, payload: bytes) -> bool:
        """Keep a finished piece of the job until it ends; False where there is no room for it."""
        self._owned(job, owner)
        kept = {**self._parts.get(job, {}), name: payload}
        if sum(map(len, kept.values())) > MOST_KEPT:
            return False
        self._parts[job] = kept
        return True

    def part(self, job: UUID, name: str) -> bytes | None:
        """A piece that was kept."""
        return self._parts.get(job, {}).get(name)

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
        """End it."""
        found = self._owned(job, owner)
        progress = 1.0 if state is JobState.DONE else found.progress
        self._parts.pop(job, None)
        plain = json.loads(json.dumps(result, allow_nan=False))
        self._jobs[job] = replace(
            found, state=state, touched_at=now, result=plain, error=error, progress=progress
        )

    def cancel(self, job: UUID, now: datetime) -> Job | None:
        """Ask it to stop."""
        found = self._jobs.get(job)
        if found is None or found.state.final:
            return found
        asked = replace(found, cancel_asked=True)
        if found.state is JobState.QUEUED:
            asked = replace(asked, state=JobState.CANCELLED, touched_at=now)
        self._jobs[job] = asked
        return asked

    def forget(self, before: datetime, limit: int = 100) -> int:
        """Remove ended jobs last touched before an instant."""
        old = [j.id for j in self._jobs.values() if j.state.final and j.touched_at < before]
        for job in old[:limit]:
            del self._jobs[job]
        return len(old[:limit])

    def _owned(self, job: UUID, owner: str) -> Job:
        found = self._jobs.get(job)
        if found is None or found.owner != owner or found.state is not JobState.RUNNING:
            raise ChangedMeanwhile(f"the job {job} is not run by {owner}")
        return found
