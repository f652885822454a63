"""What is wrong with prescaler itself, so that nobody trusts a page that stands still."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from prescaler.apps.api.context import ApiContext
from prescaler.apps.api.keys import Caller
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
    found += _of_runs(context, seen)
    if not health["configuration"]["ok"]:
        found.append(
            Trouble(
                f"The file on disk is refused: {health['configuration']['error']}",
                "The one before is in force. Run prescaler check.",
                grave=False,
            )
        )
    return found


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
