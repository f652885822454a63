"""Replays: ask for one, see how far it is, read what it found, cancel it. docs/replay.md."""

from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from prescaler.apps.api.context import ApiContext, Context, Reader, Writer, documented
from prescaler.apps.api.keys import Caller
from prescaler.apps.api.shapes import InstantText
from prescaler.core.errors import NotAllowed
from prescaler.core.instants import format_instant
from prescaler.core.jobs import Job, JobKind
from prescaler.usecases.replay_jobs import MOST_RUNS, ask, read_wish, replay_job

_MOST_READ: Final = 1000
"""Replays looked through for a list: those of other workloads may be the newer ones."""

router = APIRouter(prefix="/api/v1/replays", tags=["replays"], dependencies=documented)


class ReplayBody(BaseModel):
    """What to play again."""

    model_config = ConfigDict(extra="forbid")

    workload: str = Field(max_length=100)
    since: str = Field("28d", max_length=20, description="how far back from the end")
    until: InstantText | None = Field(
        None, description="the end, not in the future; null: what is known now"
    )
    arms: list[str] = Field(default_factory=list, max_length=20, description="empty: all")
    promise: str | None = Field(
        "10m/30d", max_length=40, description="bad minutes in a time, or 0.01% dropped"
    )
    seed: int = Field(1, ge=0, le=2**31)
    runs: int = Field(5, ge=1, le=MOST_RUNS, description="lucks that are averaged")
    sweep: bool = Field(default=True, description="frontier and advice")
    spot_loss: float = Field(0.0, ge=0, lt=1, description="chance that a node is lost in an hour")

    def plain(self) -> dict[str, Any]:
        """As a wish is stored."""
        plain = self.model_dump(exclude={"workload", "until"})
        return {**plain, "until": format_instant(self.until) if self.until else None}


@router.post("", status_code=HTTPStatus.ACCEPTED)
def post_replay(
    body: ReplayBody, caller: Writer, context: Context, response: Response
) -> dict[str, Any]:
    """Start one in the background; it waits while another one runs."""
    _seen(caller, body.workload)
    workload = context.table.get(body.workload).workload
    wish = read_wish(body.plain())
    job = ask(context.stores.jobs, workload.name, wish, caller.name, context.now())
    response.headers["Location"] = f"/api/v1/replays/{job.id}"
    return job_json(job)


@router.get("")
def list_replays(
    caller: Reader,
    context: Context,
    workload: Annotated[str | None, Query(max_length=100)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> dict[str, Any]:
    """Newest first, without their results; `limit` counts those that the key is for."""
    jobs = context.stores.jobs.find(JobKind.REPLAY, subject=workload, limit=_MOST_READ)
    seen = [job_json(job) for job in jobs if caller.sees(job.subject)]
    return {"items": seen[:limit], "next": None}


@router.get("/{identity}")
def show_replay(identity: UUID, caller: Reader, context: Context) -> dict[str, Any]:
    """One, with `result` once it is done."""
    job = _one(identity, caller, context)
    return {**job_json(job), "result": job.result}


@router.delete("/{identity}")
def cancel_replay(identity: UUID, caller: Writer, context: Context) -> dict[str, Any]:
    """Cancel it: one that waits at once, a running one within seconds; an ended one stays."""
    job = _one(identity, caller, context)
    return job_json(context.stores.jobs.cancel(job.id, context.now()) or job)


def _one(identity: UUID, caller: Caller, context: ApiContext) -> Job:
    job = replay_job(context.stores.jobs, identity)
    _seen(caller, job.subject)
    return job


def _seen(caller: Caller, workload: str) -> None:
    if not caller.sees(workload):
        raise NotAllowed(f"the key {caller.name!r} is not for this workload")


def job_json(job: Job) -> dict[str, Any]:
    """A replay as it stands. progress: share, 0 ... 1; stage: what is being done."""
    return {
        "id": str(job.id),
        "workload": job.subject,
        "author": job.author,
        "state": job.state.value,
        "progress": round(job.progress, 4),
        "stage": job.stage,
        "cancel_asked": job.cancel_asked,
        "created_at": format_instant(job.created_at),
        "touched_at": format_instant(job.touched_at),
        "error": job.error,
        "request": dict(job.request),
    }
