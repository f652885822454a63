"""Keep every change of decision with its explanation (the leader does, nobody else)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from prescaler.core.control import LastValid
from prescaler.core.decision import Decision, Status
from prescaler.core.policy import OnUnavailable
from prescaler.core.records import LoggedDecision
from prescaler.ports import DecisionStore
from prescaler.ports.control import ControlStore
from prescaler.usecases.serve_metric import Served, ServingTable

_LONGEST_DETAIL: Final = 300
_VALID_EVERY: Final = timedelta(minutes=1)
KEEP: Final = timedelta(days=400)
"""So that "why 125 pods at 20:41?" still answers after a year and the month after it."""


@dataclass(frozen=True)
class LogRecord:
    """What was written. newest: the last entry of each workload, for the next call."""

    newest: Mapping[UUID, LoggedDecision]
    written: int


def log_decisions(
    table: ServingTable,
    newest: Mapping[UUID, LoggedDecision],
    decisions: DecisionStore,
    controls: ControlStore,
    now: datetime,
) -> LogRecord:
    """Decide for every workload, and store what differs from the last entry.

    Raises:
        StoreError: nothing was written; the next call tries again.
    """
    changed, valid = {}, {}
    for served in table:
        if served.state.version is None:
            continue
        key, decision = served.state.version.workload, served.decide(now)
        entry = logged(decision)
        if not entry.same_as(newest.get(key)):
            changed[key] = logged(served.told(now))
        if _worth_keeping(served, decision):
            valid[key] = LastValid(decision.value, now)
    if valid:
        controls.put_last_valid(valid)
    if changed:
        decisions.append(changed)
    return LogRecord({**newest, **changed}, len(changed))


def pack_decisions(decisions: DecisionStore, now: datetime) -> int:
    """Put past hours together, and forget what is older than 400 days; gives how many entries.

    Raises:
        StoreError: what was packed so far stays packed.
    """
    return decisions.pack(now, now - KEEP)


def logged(decision: Decision) -> LoggedDecision:
    """A decision as it is kept."""
    return LoggedDecision(
        since=decision.at,
        value=decision.value,
        pods=decision.pods,
        status=decision.status.value,
        reason=str(decision.reason) if decision.reason else None,
        mode=decision.mode.value,
        would_serve=decision.would_serve,
        cutoff=decision.forecast.cutoff if decision.forecast else None,
        stages=tuple(
            (stage.name, None if stage.load is None else round(stage.load, 3), stage.note)
            for stage in decision.stages
        ),
        target=decision.target,
        detail=decision.detail[:_LONGEST_DETAIL] if decision.detail else None,
    )


def _worth_keeping(served: Served, decision: Decision) -> bool:
    """Whether a hold may fall back on it one day; refreshed at most once a minute."""
    if served.policy.on_unavailable is not OnUnavailable.HOLD:
        return False
    last = served.state.control.last_valid
    old = last is None or decision.at - last.at >= _VALID_EVERY
    return decision.status is Status.ACTIVE and old
