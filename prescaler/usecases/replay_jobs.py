"""Replays as jobs: what is asked for, kept as plain values, so that any worker can do it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from prescaler.core.durations import format_duration, parse_duration
from prescaler.core.errors import BadParameter, UnknownReplay
from prescaler.core.instants import format_instant, parse_instant
from prescaler.core.jobs import Job, JobKind
from prescaler.core.replay.ground import Arm
from prescaler.core.replay.promise import Promise
from prescaler.ports import JobStore
from prescaler.usecases.replay_period import LEAST, LONGEST, Wish

MOST_WAITING: Final = 20
"""Replays that may wait; more would only be forgotten."""

MOST_RUNS: Final = 20


def plain_wish(wish: Wish) -> dict[str, Any]:
    """What is stored with the job."""
    return {
        "since": format_duration(wish.since),
        "until": format_instant(wish.until) if wish.until is not None else None,
        "arms": [arm.value for arm in wish.arms],
        "promise": wish.promise.text if wish.promise is not None else None,
        "seed": wish.seeds[0],
        "runs": len(wish.seeds),
        "sweep": wish.sweep,
        "spot_loss": wish.spot_loss,
    }


def read_wish(plain: Mapping[str, Any]) -> Wish:
    """The same back.

    Raises:
        BadParameter: an arm, a promise, a duration or a number that cannot be.
    """
    since = parse_duration(str(plain["since"]))
    if not LEAST <= since <= LONGEST:
        raise BadParameter("since must lie between 6h and 400d")
    runs, seed = int(plain.get("runs", 5)), int(plain.get("seed", 1))
    if not 1 <= runs <= MOST_RUNS or seed < 0:
        raise BadParameter(f"runs must lie between 1 and {MOST_RUNS}, seed must not be negative")
    until, promise = plain.get("until"), plain.get("promise")
    return Wish(
        since=since,
        until=parse_instant(until) if until else None,
        arms=tuple(_arm(name) for name in plain.get("arms") or ()),
        promise=Promise.parse(promise) if promise else None,
        seeds=tuple(range(seed, seed + runs)),
        sweep=bool(plain.get("sweep", True)),
        spot_loss=float(plain.get("spot_loss", 0.0)),
    )


def _arm(name: str) -> Arm:
    try:
        return Arm(name)
    except ValueError as error:
        known = ", ".join(arm.value for arm in Arm)
        raise BadParameter(f"{name[:40]!r} is no arm; there are {known}") from error


def ask(jobs: JobStore, workload: str, wish: Wish, author: str, now: datetime) -> Job:
    """Store a replay that some worker will do.

    Raises:
        BadParameter: its end lies in the future, or too many wait already.
    """
    if wish.until is not None and wish.until > now:
        raise BadParameter(f"until {format_instant(wish.until)} lies in the future")
    job = Job(uuid4(), JobKind.REPLAY, workload, author, now, now, plain_wish(wish))
    if not jobs.create(job, MOST_WAITING):
        raise BadParameter(f"{MOST_WAITING} replays wait or run already; cancel some first")
    return job


def replay_job(jobs: JobStore, identity: UUID) -> Job:
    """One replay with its result.

    Raises:
        UnknownReplay: there is none of this id.
    """
    found = jobs.get(identity)
    if found is None or found.kind is not JobKind.REPLAY:
        raise UnknownReplay(f"there is no replay {identity}")
    return found


def claim_next(jobs: JobStore, owner: str, now: datetime) -> Job | None:
    """The replay that has waited longest, made ours; also one whose worker has gone silent."""
    for job in jobs.unfinished(JobKind.REPLAY):
        if job.may_be_claimed(now):
            found = jobs.claim(job.id, owner, now)
            if found is not None:
                return found
    return None


HEARTBEAT: Final = timedelta(seconds=2)
"""How often a worker says that it is alive; it is given up for lost after a minute."""
