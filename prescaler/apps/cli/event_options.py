"""What people type about an event, and what it means as plain fields."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from prescaler.core.durations import parse_duration
from prescaler.core.errors import BadParameter
from prescaler.core.explain import local_instant
from prescaler.core.instants import format_instant
from prescaler.core.planned import EventState, PlannedEvent, Stack

Start = Annotated[
    str | None,
    typer.Option(help='"2026-11-24 21:00" in its timezone, or an instant with an offset.'),
]
End = Annotated[str | None, typer.Option(help="Likewise; or --for.")]
For = Annotated[str | None, typer.Option("--for", help="How long, as in 2h, in place of --end.")]
Kind = Annotated[str | None, typer.Option(help="Tag, as in football; learnt from together.")]
Names = Annotated[
    list[str] | None,
    typer.Option("--workload", "-w", help='Which workload; several times, or "all".'),
]
Labels = Annotated[list[str] | None, typer.Option("--label", help="Or those with this key=value.")]
Zone = Annotated[str | None, typer.Option(help="Default: that of the first workload.")]
Factor = Annotated[float | None, typer.Option(help="Times ordinary demand.")]
Added = Annotated[float | None, typer.Option(help="Load units on top.")]
MinPods = Annotated[int | None, typer.Option(help="Pods to have while it lasts.")]
MinPodsFactor = Annotated[float | None, typer.Option(help="Times the window minimum.")]
RampBefore = Annotated[str | None, typer.Option(help="In which it rises, as in 15m.")]
RampAfter = Annotated[str | None, typer.Option(help="In which it fades.")]
Stacking = Annotated[Stack | None, typer.Option(help="max: the higher wins; multiply: both act.")]
State = Annotated[EventState | None, typer.Option(help="Only confirmed ones act.")]
Rule = Annotated[str | None, typer.Option(help="RRULE, as in FREQ=WEEKLY;BYDAY=TU.")]
Except = Annotated[
    list[str] | None, typer.Option("--except", help="A start that does not take place.")
]
KnownFrom = Annotated[str | None, typer.Option(help="Nothing uses it before.")]
Tags = Annotated[
    list[str] | None, typer.Option("--tag", help="What tells it from others, as stage=final.")
]
Description = Annotated[str | None, typer.Option(help="Free text.")]


@dataclass(frozen=True)
class EventOptions:
    """What `events add` and `events edit` take; None = not said."""

    start: Start = None
    end: End = None
    lasting: For = None
    kind: Kind = None
    workload: Names = None
    label: Labels = None
    timezone: Zone = None
    factor: Factor = None
    added: Added = None
    min_pods: MinPods = None
    min_pods_factor: MinPodsFactor = None
    ramp_before: RampBefore = None
    ramp_after: RampAfter = None
    stack: Stacking = None
    state: State = None
    rule: Rule = None
    exceptions: Except = None
    known_from: KnownFrom = None
    tag: Tags = None
    description: Description = None


def event_fields(given: EventOptions, zone: str, before: PlannedEvent | None) -> dict[str, Any]:
    """The options that were given, as an event's plain fields."""
    name = given.timezone or zone
    clock = zone_of(name)
    fields: dict[str, Any] = {
        field: getattr(given, field)
        for field in (
            *("kind", "factor", "added", "min_pods", "min_pods_factor"),
            *("ramp_before", "ramp_after", "rule", "description"),
        )
    }
    fields["stack"] = given.stack.value if given.stack is not None else None
    fields["state"] = given.state.value if given.state is not None else None
    if given.known_from is not None:
        fields["known_from"] = format_instant(local_instant(given.known_from, clock))
    if given.exceptions is not None:
        fields["exceptions"] = [format_instant(local_instant(at, clock)) for at in given.exceptions]
    if given.workload or given.label:
        fields["workloads"] = _selection(given.workload or [], given.label)
    if given.tag is not None:
        fields["labels"] = pairs(given.tag, "--tag")
    fields |= _times(given, clock, before)
    fields["timezone"] = given.timezone if before is not None else name
    return {field: value for field, value in fields.items() if value is not None}


def end_given(
    begun: datetime | None, end: str | None, lasting: str | None, zone: ZoneInfo
) -> datetime | None:
    """The end as it was typed, or so long after the start; None where neither was."""
    if end is not None and lasting is not None:
        raise BadParameter("give --end or --for, not both")
    if lasting is not None and begun is not None:
        return begun + parse_duration(lasting)
    return local_instant(end, zone) if end is not None else None


def _times(given: EventOptions, zone: ZoneInfo, before: PlannedEvent | None) -> dict[str, str]:
    start = local_instant(given.start, zone) if given.start is not None else None
    begun = start or (before.start if before is not None else None)
    end = end_given(begun, given.end, given.lasting, zone)
    if start is not None and end is None and before is not None:
        end = start + (before.end - before.start)
    found = {"start": start, "end": end}
    return {field: format_instant(at) for field, at in found.items() if at is not None}


def _selection(names: list[str], labels: list[str] | None) -> Any:
    if names == ["all"]:
        return "all"
    return {"names": names, "labels": pairs(labels, "--label")}


def pairs(texts: list[str] | None, option: str) -> dict[str, str]:
    """`stage=final` as a mapping."""
    found = [text.partition("=") for text in texts or []]
    bad = next(("".join(pair) for pair in found if not pair[1]), None)
    if bad is not None:
        raise BadParameter(f"{option} {bad[:60]!r} is no key=value")
    return {key: value for key, _, value in found}


def zone_of(name: str) -> ZoneInfo:
    """The civil time of that name."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:
        raise BadParameter(f"--timezone {name[:60]!r} is none, as in Europe/Paris") from error
