"""What people type about an event, and what it means as plain fields."""

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


def event_fields(given: dict[str, Any], zone: str, before: PlannedEvent | None) -> dict[str, Any]:
    """The options that were given, as an event's plain fields."""
    name = given["timezone"] or zone
    clock_zone = _zone(name)
    fields: dict[str, Any] = {
        field: given[field]
        for field in (
            *("name", "kind", "factor", "added", "min_pods", "min_pods_factor"),
            *("ramp_before", "ramp_after", "rule", "description"),
        )
    }
    fields |= {field: given[field] and given[field].value for field in ("stack", "state")}
    known = given["known_from"]
    fields["known_from"] = format_instant(local_instant(known, clock_zone)) if known else None
    if given["exceptions"] is not None:
        fields["exceptions"] = [
            format_instant(local_instant(at, clock_zone)) for at in given["exceptions"]
        ]
    if given["workload"] or given["label"]:
        fields["workloads"] = _selection(given["workload"] or [], given["label"])
    if given["tag"] is not None:
        fields["labels"] = pairs(given["tag"], "--tag")
    fields |= _times(given, clock_zone, before)
    fields["timezone"] = given["timezone"] if before is not None else name
    return {field: value for field, value in fields.items() if value is not None}


def _times(given: dict[str, Any], zone: ZoneInfo, before: PlannedEvent | None) -> dict[str, str]:
    start = local_instant(given["start"], zone) if given["start"] else None
    end = local_instant(given["end"], zone) if given["end"] else None
    if end is not None and given["lasting"]:
        raise BadParameter("give --end or --for, not both")
    begun = start or (before.start if before is not None else None)
    if given["lasting"] and begun is not None:
        end = begun + parse_duration(given["lasting"])
    elif start is not None and end is None and before is not None:
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


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:
        raise BadParameter(f"--timezone {name[:60]!r} is none, as in Europe/Paris") from error
