"""What is behind a stage of the plan: which moment, which event, which declared floor."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import numpy as np

from prescaler.core.events import EventEffect
from prescaler.core.instants import from_epoch, to_epoch
from prescaler.core.plan import Requirement, declared
from prescaler.core.policy import Policy

_LONGEST_NAME: Final = 40
_MOST_NAMED: Final = 2


def causes(
    now: datetime, cells: Requirement | None, effects: Sequence[EventEffect], policy: Policy
) -> Mapping[str, str]:
    """A note for each stage (`records.CAUSED`) that has something behind it, in local time.

    effects: those that act from `now` until lead time and hold are over.
    """
    found = {"event": _acting(effects, now), "floor": _floor(effects, policy, now)}
    if cells is not None:
        found["maximum"] = _moment(cells, effects, policy, now)
    return {stage: note for stage, note in found.items() if note}


def _acting(effects: Sequence[EventEffect], at: datetime) -> str:
    """The events that change demand at an instant."""
    acting = [
        one
        for one in effects
        if one.begins <= at < one.fades_until and (one.raises or one.factor != 1)
    ]
    more = f" and {len(acting) - _MOST_NAMED} more" if len(acting) > _MOST_NAMED else ""
    return ", ".join(_told(one) for one in acting[:_MOST_NAMED]) + more


def _told(effect: EventEffect) -> str:
    name = effect.name[:_LONGEST_NAME]
    if effect.curve is not None:
        count, share = len(effect.curve.evidence), effect.curve.suggested()
        return f"{name}: x{share:.2f}, learnt from {count} event{'' if count == 1 else 's'}"
    parts = [f"x{effect.factor:g}"] if effect.factor != 1 else []
    parts += [f"+{effect.added:g}"] if effect.added else []
    return f"{name}: {' '.join(parts)}, as declared"


def _moment(
    cells: Requirement, effects: Sequence[EventEffect], policy: Policy, now: datetime
) -> str:
    """The moment whose need is the highest of those that are due; nothing where that is now."""
    seconds = to_epoch(now)
    due = np.flatnonzero((cells.due <= seconds) & (seconds < cells.ends))
    if not len(due):
        return ""
    highest = int(due[int(np.argmax(cells.parts[due, -1]))])
    at = from_epoch(int(cells.starts[highest]))
    if at <= now:
        return ""
    when = f"for {at.astimezone(policy.timezone):%H:%M:%S}"
    acting = _acting(effects, at)
    return f"{when}: {acting}" if acting else when


def _floor(effects: Sequence[EventEffect], policy: Policy, now: datetime) -> str:
    """What declares the highest minimum at an instant."""
    seconds = to_epoch(now)
    found = [
        one
        for one in declared(effects, policy, seconds, seconds + 1)
        if one.start <= seconds < one.end
    ]
    most = max(found, key=lambda one: one.pods, default=None)
    if most is None or most.pods <= policy.min_pods:
        return "policy.min_pods" if policy.min_pods else ""
    ahead = most.start + most.lead - seconds
    early = f", from {ahead} s later on" if ahead > 0 else ""
    return f"{most.by[:_LONGEST_NAME]}: {most.pods} pods{early}"
