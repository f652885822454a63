"""People take the wheel: mode, freeze, override. Everything asks for a reason and is audited."""

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Final

from prescaler.core.control import Authored, Control, Freeze, ModeChange, Override
from prescaler.core.errors import BadParameter, ChangedMeanwhile
from prescaler.core.policy import Mode
from prescaler.core.records import AuditEntry, storable_text
from prescaler.ports import Clock, WorkloadStore
from prescaler.ports.control import ControlStore
from prescaler.usecases.serve_metric import Served

_MOST_LOAD: Final = 1e15
_MOST_PODS: Final = 100_000
_LONGEST_REASON: Final = 2000


@dataclass(frozen=True)
class Change:
    """Who changes something and why. revision: what the author had read, None = whatever it is."""

    author: str
    reason: str
    until: datetime | None
    revision: int | None


@dataclass(frozen=True)
class ControlPorts:
    """What a change needs of the world."""

    clock: Clock
    workloads: WorkloadStore
    controls: ControlStore


def set_mode(served: Served, mode: Mode, change: Change, ports: ControlPorts) -> Control:
    """Set another mode; the file's own one clears the change.

    Raises:
        BadParameter, ChangedMeanwhile, StoreError
    """
    now = _now(ports)
    same = mode is served.workload.policy.mode
    control = replace(
        _present(served, now), mode=None if same else ModeChange(_by(change, now), mode)
    )
    return _store("mode", served, control, change, ports)


def freeze(served: Served, change: Change, ports: ControlPorts) -> Control:
    """Keep what is being served at this moment."""
    now = _now(ports)
    frozen = Freeze(_by(change, now), served.decide(now).value)
    return _store("freeze", served, replace(_present(served, now), freeze=frozen), change, ports)


def unfreeze(served: Served, change: Change, ports: ControlPorts) -> Control:
    """End a freeze."""
    control = replace(_present(served, _now(ports)), freeze=None)
    return _store("unfreeze", served, control, change, ports)


def override(
    served: Served, load: float | None, pods: int | None, change: Change, ports: ControlPorts
) -> Control:
    """Serve a person's own value, in load units or in pods."""
    if (load is None) == (pods is None):
        raise BadParameter("give either load or pods")
    if load is not None and not 0 <= load <= _MOST_LOAD:
        raise BadParameter(f"load must lie between 0 and {_MOST_LOAD:g}")
    if pods is not None and not 0 <= pods <= _MOST_PODS:
        raise BadParameter(f"pods must lie between 0 and {_MOST_PODS}")
    now = _now(ports)
    own = Override(_by(change, now), load, pods)
    return _store("override", served, replace(_present(served, now), override=own), change, ports)


def clear_override(served: Served, change: Change, ports: ControlPorts) -> Control:
    """End an override."""
    control = replace(_present(served, _now(ports)), override=None)
    return _store("clear override", served, control, change, ports)


def clear_guard(served: Served, change: Change, ports: ControlPorts) -> Control:
    """Let the forecast part act again; a guard that still sees something trips anew."""
    control = replace(_present(served, _now(ports)), guard=None)
    return _store("guard cleared", served, control, change, ports)


def _now(ports: ControlPorts) -> datetime:
    return ports.clock.now().replace(microsecond=0)


def _present(served: Served, now: datetime) -> Control:
    """The control state without what has ended."""
    return served.state.control.at(now)


def _by(change: Change, now: datetime) -> Authored:
    return Authored(change.author, change.reason, now, change.until)


def _store(
    action: str, served: Served, control: Control, change: Change, ports: ControlPorts
) -> Control:
    now = _now(ports)
    _check(served, change, now)
    version = served.state.version or ports.workloads.ensure(served.workload, now)
    entry = AuditEntry(
        at=now,
        author=change.author,
        action=action,
        subject=served.workload.name,
        reason=change.reason,
        before=control_text(served.state.control),
        after=control_text(control),
    )
    return ports.controls.put(version.workload, control, entry)


def _check(served: Served, change: Change, now: datetime) -> None:
    if not change.reason.strip() or len(change.reason) > _LONGEST_REASON:
        raise BadParameter(f"give a reason of at most {_LONGEST_REASON} characters")
    if not storable_text(change.reason):
        raise BadParameter("reason: contains a zero byte or half a character")
    if change.until is not None and change.until <= now:
        raise BadParameter("`until` lies in the past")
    if change.revision is not None and change.revision != served.state.control.revision:
        raise ChangedMeanwhile(
            "somebody else changed this workload since you read it; read it again"
        )


def control_text(control: Control) -> str:
    """What the audit keeps: what people and guards set."""
    parts = {key: value for key, value in asdict(control).items() if value is not None}
    kept = {key: parts[key] for key in ("mode", "freeze", "override", "guard") if key in parts}
    return json.dumps(kept, default=str, allow_nan=False)
