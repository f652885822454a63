"""What is wrong with prescaler itself, so that nobody trusts a page that stands still."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from prescaler.apps.api.context import ApiContext
from prescaler.apps.api.keys import Caller
from prescaler.core.instants import format_instant
from prescaler.core.replicas import Replica
from prescaler.usecases.serve_metric import Served

_LATE_RUNS: Final = 3
_MANY: Final = 0.5


@dataclass(frozen=True)
class Trouble:
    """One thing that is wrong, and the next step to take. grave: answers are affected or soon."""

    text: str
    next_step: str
    grave: bool


def warnings(context: ApiContext, caller: Caller) -> list[Trouble]:
    """Everything that is wrong with us, gravest first."""
    health, seen = context.health(), [s for s in context.table if caller.sees(s.workload.name)]
    found = []
    if not health["store"]["ok"]:
        found.append(
            Trouble(
                f"The database does not answer: {health['store']['error']}",
                "KEDA is answered from memory. Changes are refused until it is back.",
                grave=True,
            )
        )
    found += [*_of_runs(context, seen), *_of_replicas(context)]
    if not health["configuration"]["ok"]:
        found.append(
            Trouble(
                f"The file on disk is refused: {health['configuration']['error']}",
                "The one before is in force. Run prescaler check.",
                grave=False,
            )
        )
    return found


def _of_replicas(context: ApiContext) -> list[Trouble]:
    now = context.now()
    known = context.replicas(now)
    silent = [one for one in known if one.silent(now)]
    if not silent:
        return []
    names = ", ".join(f"{one.name} ({_minutes(now - one.seen_at)})" for one in silent[:3])
    return [
        Trouble(
            f"{len(known) - len(silent)} of {len(known)} replicas answer; silent: {names}.",
            "KEDA is answered by the others. Look at that pod and its log; after a quarter of an "
            "hour it is forgotten.",
            grave=2 * len(silent) >= len(known),
        )
    ]


def _minutes(length: timedelta) -> str:
    seconds = int(length.total_seconds())
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"  # noqa: PLR2004


def warning_json(trouble: Trouble) -> dict[str, Any]:
    """A warning as the API tells it."""
    return {"text": trouble.text, "next_step": trouble.next_step, "grave": trouble.grave}


def replica_json(replica: Replica, now: datetime) -> dict[str, Any]:
    """A process and when it was last there."""
    return {
        "name": replica.name,
        "role": replica.role,
        "version": replica.version,
        "started_at": format_instant(replica.started_at),
        "seen_at": format_instant(replica.seen_at),
        "silent": replica.silent(now),
    }


def _of_runs(context: ApiContext, seen: list[Served]) -> list[Trouble]:
    now = context.now()
    runs = [(s, s.state.status) for s in seen]
    known = [(s, status) for s, status in runs if status is not None]
    if not known:
        return []
    found = []
    late = [s for s, status in known if now - status.at > _patience(s)]
    if len(late) > _MANY * len(known):
        since = now - max(status.at for _, status in known)
        found.append(
            Trouble(
                f"No forecast has been made for {int(since.total_seconds() // 60)} min.",
                "No scheduler leads, or it cannot write. Look at prescaler_leader and its log.",
                grave=True,
            )
        )
    deaf = [s for s, status in known if status.source_failure is not None]
    if deaf:
        names = ", ".join(sorted({name for s in deaf for name in s.workload.demand.sources})[:3])
        found.append(
            Trouble(
                f"Demand of {len(deaf)} of {len(seen)} workloads cannot be read from {names}.",
                "The last forecasts go on serving until they end. The workload's page says why.",
                grave=len(deaf) > _MANY * len(known),
            )
        )
    return found


def _patience(served: Served) -> timedelta:
    settings = served.workload.forecast
    return _LATE_RUNS * max(settings.every, settings.step)
