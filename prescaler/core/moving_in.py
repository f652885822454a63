"""Moving in from prescaling-exporter: its annotations and events as windows and planned events.

What it did is said beside what we do, wherever the two differ.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from prescaler.core.errors import BadEvent, BadParameter
from prescaler.core.event_text import from_plain
from prescaler.core.planned import PlannedEvent

_PREFIX: Final = "annotations.scaling.exporter."
_START, _END, _LEAST = (f"{_PREFIX}{n}" for n in ("time.start", "time.end", "replica.min"))
_NAMESPACE: Final = UUID("6f0a7a52-6d0b-4f6e-9d0c-6c1a3c9f7b11")
SOURCE: Final = "prescaling-exporter"
KIND: Final = "prescaling"
_MOST: Final = 100_000


@dataclass(frozen=True)
class Filling:
    """What annotations do not say. None: left to `defaults:` of the file.

    query: PromQL with {name} and {namespace}.
    """

    timezone: ZoneInfo
    source: str | None = None
    query: str | None = None
    per_pod: float | None = None


@dataclass(frozen=True)
class OldWindow:
    """One annotated HPA. most: its maxReplicas; least: its minReplicas."""

    name: str
    namespace: str
    kind: str
    target: str
    start: time
    end: time
    pods: int
    least: int
    most: int


@dataclass(frozen=True)
class OldEvent:
    """One event of theirs, in local time."""

    name: str
    day: date
    start: time
    end: time
    multiplier: float
    description: str


@dataclass
class Moved:
    """What was taken over. differences: who, what, why; refused: who, why."""

    workloads: list[dict[str, Any]] = field(default_factory=list)
    windows: list[OldWindow] = field(default_factory=list)
    events: list[PlannedEvent] = field(default_factory=list)
    old_events: list[OldEvent] = field(default_factory=list)
    differences: list[tuple[str, str, str]] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)

    def differs(self, who: str, what: str, why: str) -> None:
        """Note that something will not be as it was."""
        self.differences.append((who, what, why))


def move_in(
    hpas: Iterable[Mapping[str, Any]], events: Iterable[Mapping[str, Any]], filling: Filling
) -> Moved:
    """Take over what can be; nothing is dropped without a line in `refused`."""
    moved = Moved()
    _windows(hpas, moved)
    names = _names(moved.windows)
    for window in moved.windows:
        moved.workloads.append(_workload(window, names[window.namespace, window.name], filling))
        _compare_window(window, moved)
    _events(events, moved, sorted(names.values()), filling.timezone)
    _compare_events(moved)
    return moved


def _windows(hpas: Iterable[Mapping[str, Any]], moved: Moved) -> None:
    seen = set()
    for hpa in hpas:
        who = _who(hpa)
        try:
            window = _window(hpa)
        except BadParameter as error:
            moved.refused.append((who, str(error)))
            continue
        if (window.namespace, window.name) in seen:
            moved.refused.append((who, "stands twice in the file; the first one was taken"))
            continue
        seen.add((window.namespace, window.name))
        moved.windows.append(window)


def _window(hpa: Mapping[str, Any]) -> OldWindow:
    meta, spec = _mapping(hpa, "metadata"), _mapping(hpa, "spec")
    if hpa.get("kind") != "HorizontalPodAutoscaler":
        raise BadParameter(f"is a {hpa.get('kind')!s:.60}, not a HorizontalPodAutoscaler")
    notes = _mapping({"annotations": {}, **meta}, "annotations")
    missing = [key for key in (_START, _END, _LEAST) if not notes.get(key)]
    if missing:
        raise BadParameter(f"no annotation {', '.join(missing)}; it was not pre-scaled either")
    target = _mapping(spec, "scaleTargetRef")
    start, end = _clock(notes[_START], _START), _clock(notes[_END], _END)
    if start == end:
        raise BadParameter(f"the window begins and ends at {start}: it was never on")
    return OldWindow(
        name=str(meta.get("name", "")),
        namespace=str(meta.get("namespace", "default")),
        kind=str(target.get("kind", "Deployment")),
        target=str(target.get("name") or meta.get("name", "")),
        start=start,
        end=end,
        pods=_whole(notes[_LEAST], _LEAST, 1),
        least=_whole(spec.get("minReplicas", "1"), "minReplicas", 0),
        most=_whole(spec.get("maxReplicas"), "maxReplicas", 1),
    )


def _names(windows: Sequence[OldWindow]) -> dict[tuple[str, str], str]:
    """Workload names: the HPA's, with its namespace in front where two share one."""
    twice = {w.name for w in windows if sum(o.name == w.name for o in windows) > 1}
    return {
        (w.namespace, w.name): f"{w.namespace}.{w.name}" if w.name in twice else w.name
        for w in windows
    }


def _workload(window: OldWindow, name: str, filling: Filling) -> dict[str, Any]:
    """As it stands in the file; mode shadow, so that at first only the windows act."""
    found: dict[str, Any] = {
        "name": name,
        "labels": {"namespace": window.namespace, "from": SOURCE},
        "scale_target": {
            "kind": window.kind,
            "name": window.target,
            "namespace": window.namespace,
            "min_pods": window.least,
            "max_pods": window.most,
        },
        "forecast": {"timezone": filling.timezone.key},
        "policy": {"mode": "shadow"},
        "windows": [_our_window(window)],
    }
    demand = {"source": [filling.source] if filling.source else None}
    if filling.query is not None:
        told = filling.query.replace("{name}", window.target)
        demand["query"] = told.replace("{namespace}", window.namespace)  # type: ignore[assignment]
    if any(demand.values()):
        found["demand"] = {key: value for key, value in demand.items() if value}
    if filling.per_pod is not None:
        found["capacity"] = {"per_pod": filling.per_pod}
    return found


def _our_window(window: OldWindow) -> dict[str, Any]:
    """Whole minutes, outwards; never more pods than the HPA allows."""
    end = window.end
    late = datetime.combine(date(2000, 1, 1), end) + timedelta(seconds=59)
    return {
        "start": f"{window.start:%H:%M}",
        "end": f"{late:%H:%M}",
        "min_pods": min(window.pods, window.most),
    }


def _compare_window(window: OldWindow, moved: Moved) -> None:
    who = f"{window.namespace}/{window.name}"
    if window.end < window.start:
        moved.differs(
            who,
            f"on from {window.start} to {window.end} of the next day",
            "theirs compared times of one day: after midnight the window was off",
        )
    if window.start.second or window.end.second:
        moved.differs(
            who, "begins and ends at whole minutes, outwards", "our windows have no seconds"
        )
    if window.pods > window.most:
        moved.differs(
            who,
            f"{window.most} pods instead of {window.pods}",
            "maxReplicas of the HPA had always cut it; `check` refuses what cannot be reached",
        )


def _events(
    events: Iterable[Mapping[str, Any]], moved: Moved, names: Sequence[str], zone: ZoneInfo
) -> None:
    for number, found in enumerate(events):
        who = _who(found) or f"event {number + 1}"
        try:
            old = _old_event(found, who)
            event = _planned(old, names, zone)
        except (BadParameter, BadEvent) as error:
            moved.refused.append((who, str(error)))
            continue
        if any(known.id == event.id for known in moved.events):
            moved.refused.append((who, "stands twice in the file; the first one was taken"))
            continue
        moved.old_events.append(old)
        moved.events.append(event)


def _old_event(found: Mapping[str, Any], name: str) -> OldEvent:
    """An event of the custom resource (under `spec`) or of their API (flat)."""
    inner = found.get("spec")
    spec: Mapping[str, Any] = inner if isinstance(inner, Mapping) else found
    try:
        day = date.fromisoformat(str(spec.get("date")))
    except ValueError as error:
        raise BadParameter(f"date {spec.get('date')!s:.40} is none: {error}") from error
    text = str(spec.get("multiplier"))
    try:
        multiplier = float(text)
    except ValueError:
        multiplier = math.nan
    if not 0 < multiplier <= 1000:  # noqa: PLR2004 - the most that an event may multiply by
        raise BadParameter(f"multiplier {text:.40} must be a number above 0, at most 1000")
    start, end = (_clock(spec.get(k), k) for k in ("start_time", "end_time"))
    description = str(spec.get("description") or "")
    return OldEvent(name, day, start, end, multiplier, description[:4000])


def _planned(old: OldEvent, names: Sequence[str], zone: ZoneInfo) -> PlannedEvent:
    """Ours of it; an end at or before the start lies on the next day."""
    if not names:
        raise BadParameter("no annotated HPA was taken over that it could act on")
    last = old.day if old.end > old.start else old.day + timedelta(days=1)
    plain = {
        "name": old.name[:200],
        "kind": KIND,
        "start": f"{old.day}T{old.start}",
        "end": f"{last}T{old.end}",
        "timezone": zone.key,
        "workloads": {"names": list(names)},
        "min_pods_factor": old.multiplier,
        "description": old.description,
    }
    identity = uuid5(_NAMESPACE, f"{old.name}|{old.day}|{old.start}")
    return from_plain(plain, identity, source=SOURCE, civil=True)


def _compare_events(moved: Moved) -> None:
    pairs = list(zip(moved.old_events, moved.events, strict=True))
    for old, event in pairs:
        if old.end <= old.start:
            moved.differs(
                old.name,
                f"lasts until {old.end} of the next day",
                "theirs ended at midnight, or never began: both times were taken of one day",
            )
        if old.multiplier != int(old.multiplier):
            moved.differs(
                old.name, f"x{old.multiplier:g} is kept", "theirs knew whole multipliers only"
            )
        for window in moved.windows:
            wanted = math.ceil(old.multiplier * window.pods - 1e-9)
            if wanted > window.most:
                moved.differs(
                    old.name,
                    f"{window.namespace}/{window.name} gets {window.most} of {wanted} pods",
                    "maxReplicas cuts it, as it did; raise it there",
                )
        for other, at_once in pairs:
            first = (event.start, event.end) < (at_once.start, at_once.end)
            overlap = event.start < at_once.end and at_once.start < event.end
            if first and overlap:
                moved.differs(
                    f"{old.name} and {other.name}",
                    f"x{max(old.multiplier, other.multiplier):g} while both last",
                    "theirs took the first of its list, whichever that was",
                )


ALWAYS: Final = (
    (
        "how pods are asked for",
        "demand for all pods at once, reached in a few syncs",
        "11 of 10 is inside the HPA's tolerance from Kubernetes 1.33 on; before, +10 % a sync",
    ),
    (
        "when",
        "windows begin at their start, as before; the pods of an event are ready at its start",
        "how long pods and nodes take is part of the plan",
    ),
    ("which workloads", "each event names those taken over", "theirs acted on every annotated HPA"),
    ("clean-up", "`retention.events`, 5 years; `prescaler events clean --retention`", "10 days"),
)
"""What differs for everybody: what, ours, why or theirs."""


def report(moved: Moved, filling: Filling) -> str:
    """The parity report, Markdown."""
    return "\n".join([*_summary(moved, filling), *_tables(moved), *_told(moved)]) + "\n"


def _summary(moved: Moved, filling: Filling) -> Iterator[str]:
    yield "# Moving in from prescaling-exporter"
    yield ""
    count = len(moved.windows)
    yield f"Taken over: {count} workloads with their windows, {len(moved.events)} events."
    yield f"Refused: {len(moved.refused)}. Different from before: {len(moved.differences)}."
    yield f"Local times are those of {filling.timezone.key}. Every workload begins in mode shadow:"
    yield "windows and events act at once, forecasts are only watched."
    asked = {
        "demand.source": filling.source,
        "demand.query": filling.query,
        "capacity.per_pod": filling.per_pod,
    }
    missing = [name for name, value in asked.items() if value is None]
    if missing:
        yield f"Annotations do not say {', '.join(missing)}: write them under `defaults:`."


def _tables(moved: Moved) -> Iterator[str]:
    yield from ("", "## Workloads", "", "| workload | theirs | ours | HPA |", "|---|---|---|---|")
    for window, ours in zip(moved.windows, moved.workloads, strict=True):
        (own,) = ours["windows"]
        theirs = f"{window.start} - {window.end}, {window.pods} pods"
        taken = f"{own['start']} - {own['end']}, {own['min_pods']} pods"
        bounds = f"{window.least} to {window.most} pods"
        yield f"| {ours['name']} | {theirs} | {taken} | {bounds} |"
    yield from ("", "## Events", "", "| event | theirs | ours, UTC | pods |", "|---|---|---|---|")
    for old, event in zip(moved.old_events, moved.events, strict=True):
        pods = sum(min(math.ceil(old.multiplier * w.pods - 1e-9), w.most) for w in moved.windows)
        yield (
            f"| {_cell(old.name)} | {old.day} {old.start} - {old.end}, x{old.multiplier:g} | "
            f"{event.start:%Y-%m-%d %H:%M} - {event.end:%Y-%m-%d %H:%M} | {pods} in all |"
        )


def _told(moved: Moved) -> Iterator[str]:
    yield from ("", "## What will differ, and why", "", "| who | ours | why |", "|---|---|---|")
    for who, what, why in (*moved.differences, *ALWAYS):
        yield f"| {_cell(who)} | {what} | {why} |"
    if moved.refused:
        yield from ("", "## What was not taken over", "", "| who | why |", "|---|---|")
        for who, why in moved.refused:
            yield f"| {_cell(who)} | {_cell(why)} |"


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|")[:200]


def _who(found: Mapping[str, Any]) -> str:
    meta = found.get("metadata")
    meta = meta if isinstance(meta, Mapping) else found
    parts = [str(meta[key]) for key in ("namespace", "name") if meta.get(key)]
    return "/".join(parts) if "spec" in found and len(parts) > 1 else "".join(parts[-1:])


def _mapping(found: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    inner = found.get(key)
    if not isinstance(inner, Mapping):
        raise BadParameter(f"has no `{key}`")
    return inner


def _clock(text: Any, what: str) -> time:
    try:
        return time.fromisoformat(str(text)).replace(microsecond=0, tzinfo=None)
    except ValueError as error:
        raise BadParameter(f"{what} {text!s:.40} is no time of day like 19:30:00") from error


def _whole(text: Any, what: str, least: int) -> int:
    if not re.fullmatch(r"[0-9]{1,6}", str(text)) or not least <= int(str(text)) <= _MOST:
        raise BadParameter(f"{what} {text!s:.40} is no whole number from {least} to {_MOST}")
    return int(str(text))
