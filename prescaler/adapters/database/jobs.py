"""Jobs: one row each; whoever runs one says so in the row, under the row's lock."""

import json
import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

from prescaler.adapters.database import tables as t
from prescaler.adapters.database.engine import Database
from prescaler.adapters.database.upserts import insert_on, upsert
from prescaler.core.errors import ChangedMeanwhile, StoreDamaged
from prescaler.core.jobs import MOST_KEPT, STALE_AFTER, Job, JobKind, JobState

_STAGE_LENGTH: Final = 200


class DatabaseJobs:
    """`JobStore` on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, job: Job, most: int | None = None) -> bool:
        """Store a new job, unless too many wait; one that is already there is left as it is."""
        with self._database.write() as connection:
            if most is not None:
                self._database.alone(connection, f"jobs of kind {job.kind.value}")
                if connection.execute(_count_unfinished(job.kind)).scalar_one() >= most:
                    return False
            query = insert_on(connection, t.job).values(**_row(job))
            connection.execute(query.on_conflict_do_nothing(index_elements=["id"]))
        return True

    def get(self, job: UUID) -> Job | None:
        """The job of an id, with its result."""
        with self._database.read() as connection:
            return _one(connection, job)

    def find(
        self, kind: JobKind | None = None, *, subject: str | None = None, limit: int = 100
    ) -> Sequence[Job]:
        """Jobs, newest first, without their results."""
        query = _without_results()
        if kind is not None:
            query = query.where(t.job.c.kind == kind.value)
        if subject is not None:
            query = query.where(t.job.c.subject == subject)
        query = query.order_by(t.job.c.created_at.desc(), t.job.c.id).limit(limit)
        with self._database.read() as connection:
            return [_job(row) for row in connection.execute(query)]

    def unfinished(self, kind: JobKind) -> Sequence[Job]:
        """All that wait or run, the oldest first."""
        query = _without_results().where(_unfinished(kind))
        with self._database.read() as connection:
            found = connection.execute(query.order_by(t.job.c.created_at, t.job.c.id))
            return [_job(row) for row in found]

    def claim(
        self, job: UUID, owner: str, now: datetime, stale_after: timedelta = STALE_AFTER
    ) -> Job | None:
        """Make it run under this owner; None where another one has it, or it has ended."""
        with self._database.write() as connection:
            found = self._locked(connection, job)
            if found is None or found.state.final:
                return None
            if found.owner != owner and not found.may_be_claimed(now, stale_after):
                return None
            values = {"state": JobState.RUNNING.value, "owner": owner, "touched_at": now}
            connection.execute(_update(job, values))
            return _one(connection, job)

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
        values: dict[str, Any] = {
            "progress": progress,
            "stage": stage[:_STAGE_LENGTH],
            "touched_at": now,
        }
        if checkpoint is not None:
            values["checkpoint"] = dict(checkpoint)
        with self._database.write() as connection:
            found = self._owned(connection, job, owner)
            connection.execute(_update(job, values))
        return not found.cancel_asked

    def keep_part(self, job: UUID, owner: str, name: str, payload: bytes) -> bool:
        """Keep a finished piece of the job until it ends; False where there is no room for it."""
        part = t.job_part.c
        size = sa.func.coalesce(sa.func.sum(sa.func.length(part.payload)), 0)
        others = sa.select(size).where(part.job_id == job, part.name != name)
        with self._database.write() as connection:
            self._owned(connection, job, owner)
            if connection.execute(others).scalar_one() + len(payload) > MOST_KEPT:
                return False
            key = {"job_id": job, "name": name}
            upsert(connection, t.job_part, key, {"payload": payload})
        return True

    def part(self, job: UUID, name: str) -> bytes | None:
        """A piece that was kept."""
        part = t.job_part.c
        query = sa.select(part.payload).where(part.job_id == job, part.name == name)
        with self._database.read() as connection:
            found: bytes | None = connection.execute(query).scalar_one_or_none()
        return found

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
        """End it: done with a result, failed with an error, or cancelled; its pieces go."""
        values: dict[str, Any] = {
            "state": state.value,
            "touched_at": now,
            "error": error,
            "result": _packed(result),
        }
        if state is JobState.DONE:
            values["progress"] = 1.0
        with self._database.write() as connection:
            self._owned(connection, job, owner)
            connection.execute(_update(job, values))
            connection.execute(sa.delete(t.job_part).where(t.job_part.c.job_id == job))

    def cancel(self, job: UUID, now: datetime) -> Job | None:
        """Ask it to stop: one that waits ends at once, a running one at its next report."""
        with self._database.write() as connection:
            found = self._locked(connection, job)
            if found is None or found.state.final:
                return found
            values: dict[str, Any] = {"cancel_asked": True}
            if found.state is JobState.QUEUED:
                values |= {"state": JobState.CANCELLED.value, "touched_at": now}
            connection.execute(_update(job, values))
            return _one(connection, job)

    def forget(self, before: datetime, limit: int = 100) -> int:
        """Remove at most `limit` ended jobs last touched before an instant."""
        ended = [state.value for state in JobState if state.final]
        old = (
            sa.select(t.job.c.id)
            .where(t.job.c.state.in_(ended), t.job.c.touched_at < before)
            .limit(limit)
        )
        with self._database.write() as connection:
            done = connection.execute(sa.delete(t.job).where(t.job.c.id.in_(old)))
            return done.rowcount

    def _locked(self, connection: sa.Connection, job: UUID) -> Job | None:
        self._database.alone(connection, f"job {job}")
        return _one(connection, job)

    def _owned(self, connection: sa.Connection, job: UUID, owner: str) -> Job:
        found = self._locked(connection, job)
        if found is None or found.owner != owner or found.state is not JobState.RUNNING:
            state = "is gone" if found is None else f"is {found.state.value} under {found.owner}"
            raise ChangedMeanwhile(f"the job {job} {state}; {owner} must not go on with it")
        return found


def _unfinished(kind: JobKind) -> sa.ColumnElement[bool]:
    final = [state.value for state in JobState if state.final]
    return sa.and_(t.job.c.kind == kind.value, t.job.c.state.not_in(final))


def _count_unfinished(kind: JobKind) -> sa.Select[int]:
    return sa.select(sa.func.count()).select_from(t.job).where(_unfinished(kind))


def _without_results() -> sa.Select[Any]:
    """Results are megabytes; a list of jobs does not need them."""
    columns = [column for column in t.job.columns if column is not t.job.c.result]
    return sa.select(*columns, sa.null().label("result"))


def _update(job: UUID, values: dict[str, Any]) -> sa.Update:
    return sa.update(t.job).where(t.job.c.id == job).values(values)


def _one(connection: sa.Connection, job: UUID) -> Job | None:
    row = connection.execute(sa.select(t.job).where(t.job.c.id == job)).first()
    return _job(row) if row is not None else None


def _row(job: Job) -> dict[str, Any]:
    return {
        **vars(job),
        "kind": job.kind.value,
        "state": job.state.value,
        "request": dict(job.request),
        "checkpoint": dict(job.checkpoint) if job.checkpoint is not None else None,
        "result": _packed(job.result),
    }


def _job(row: Any) -> Job:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
    return Job(
        **{
            **values,
            "kind": JobKind(values["kind"]),
            "state": JobState(values["state"]),
            "result": _unpacked(values["result"]),
        }
    )


def _packed(result: Mapping[str, Any] | None) -> bytes | None:
    if result is None:
        return None
    return zlib.compress(json.dumps(result, allow_nan=False).encode())


def _unpacked(payload: bytes | None) -> Mapping[str, Any] | None:
    if payload is None:
        return None
    try:
        found: Mapping[str, Any] = json.loads(zlib.decompress(payload))
    except (zlib.error, ValueError) as error:
        raise StoreDamaged(f"the result of a job cannot be read back ({error})") from error
    return found
