"""Planned events as a terminal shows them."""

from collections.abc import Sequence
from datetime import datetime

from rich.text import Text

from prescaler.apps.api.event_shapes import import_json
from prescaler.apps.cli.options import ERR, OUT, print_json, table_of
from prescaler.core.durations import format_duration
from prescaler.core.planned import EventState, Occurrence, PlannedEvent, Selection
from prescaler.usecases.import_events import ImportRecord
from prescaler.usecases.preview_event import Preview, next_occurrence

_SHOWN = 20


def show_list(found: Sequence[PlannedEvent], start: datetime) -> None:
    """One line an event, in its own civil time."""
    if not found:
        OUT.print("nothing is planned")
        return
    table = table_of("id", "when", "what", "workloads", "effect", "")
    for column in (0, 1):
        table.columns[column].no_wrap = True
    for event in found:
        table.add_row(
            *(str(event.id)[:8], _when(event, start), Text(f"{event.name} ({event.kind})")),
            *(Text(_about(event.selection)), _effect(event), Text(_apart(event))),
        )
    OUT.print(table)
    OUT.print("times are in the zone of each event; --json has everything", highlight=False)


def _apart(event: PlannedEvent) -> str:
    """What sets an event apart from most."""
    parts = [event.state.value] if event.state is not EventState.CONFIRMED else []
    parts += [event.rule] if event.rule is not None else []
    parts += [event.source] if event.source != "api" else []
    return ", ".join(parts)


def event_line(event: PlannedEvent) -> str:
    """An event in a line."""
    about = _about(event.selection)
    times = _span(Occurrence(event, event.start, event.end))
    return f"{event.name} ({event.kind}), {times}, {about}, {_effect(event)}, id {event.id}"


def show_previews(found: Sequence[Preview], event: PlannedEvent) -> None:
    """What an event does to the plans."""
    if not found:
        OUT.print("no plan to show: it is over, or no workload is meant", highlight=False)
        return
    table = table_of("workload", "without", "with", "at", "pod-hours", "latest start")
    for column in (1, 2, 4):
        table.columns[column].justify = "right"
    for one in found:
        start = one.coming.latest_start.astimezone(event.timezone) if one.coming else None
        table.add_row(
            *(one.served.workload.name, f"{one.without} pods", f"{one.pods} pods"),
            f"{one.at.astimezone(event.timezone):%d %b %H:%M}",
            *(f"+{one.extra_pod_hours:.1f}", f"{start:%H:%M:%S}" if start else "-"),
        )
    OUT.print(table)
    for one in found:
        text = f"{one.served.workload.name}: {_remark(one)}"
        OUT.print(text, markup=False, highlight=False)


def _remark(found: Preview) -> str:
    """What somebody should know about the comparison."""
    if found.late is not None:
        late = format_duration(found.late.late_by)
        return f"{late} too late already; would help: {found.late.helps[-1]}"
    most = found.served.workload.scale_target.max_pods
    if found.pods > most:
        return f"the HPA stops at {most} pods: raise maxReplicaCount and scale_target.max_pods"
    if found.served.state.forecast is None:
        return "declared floors only: there is no forecast yet"
    if not found.known:
        return "declared floors only: the forecast does not reach that far yet"
    if found.learnt is not None:
        names = ", ".join(one.name for one in found.learnt.evidence[:3])
        return f"learnt: x{found.learnt.suggested():.2f}, from {names}"
    return "as declared: nothing is learnt of its kind yet"


def show_import(record: ImportRecord, *, dry_run: bool, as_json: bool) -> None:
    """What an import did, or would do."""
    if as_json:
        print_json(import_json(record, dry_run=dry_run))
        return
    for what, events in (("new", record.created), ("changed", record.changed)):
        for event in events[:_SHOWN]:
            OUT.print(f"{what}: {event_line(event)}", markup=False, highlight=False)
        if len(events) > _SHOWN:
            OUT.print(f"{what}: and {len(events) - _SHOWN} more", highlight=False)
    counts = f"{len(record.created)} new, {len(record.changed)} changed, {record.same} as they were"
    ERR.print(f"{'nothing stored: ' if dry_run else ''}{counts}", highlight=False)


def _when(event: PlannedEvent, start: datetime) -> str:
    """The next occurrence from an instant on, else the event's own times."""
    found = next_occurrence(event, start)
    first, last = _local(found or Occurrence(event, event.start, event.end))
    days = (last.date() - first.date()).days
    return f"{first:%Y-%m-%d %a %H:%M}-{last:%H:%M}{f' +{days}d' if days else ''}"


def _span(occurrence: Occurrence) -> str:
    first, last = _local(occurrence)
    day = "" if last.date() == first.date() else f"{last:%a %d %b} "
    zone = occurrence.event.timezone.key
    return f"{first:%a %d %b %Y %H:%M} to {day}{last:%H:%M} {zone}"


def _local(occurrence: Occurrence) -> tuple[datetime, datetime]:
    zone = occurrence.event.timezone
    return occurrence.start.astimezone(zone), occurrence.end.astimezone(zone)


def _about(chosen: Selection) -> str:
    if chosen.everything:
        return "all"
    return ", ".join([*sorted(chosen.names), *(f"{k}={v}" for k, v in chosen.labels.items())])


def _effect(event: PlannedEvent) -> str:
    effect = event.effect
    parts = [f"x{effect.factor:g}"] if effect.factor is not None else []
    parts += [f"+{effect.added:g}"] if effect.added else []
    parts += [f">= {effect.min_pods} pods"] if effect.min_pods else []
    if effect.min_pods_factor is not None:
        parts.append(f"x{effect.min_pods_factor:g} of the windows")
    return ", ".join(parts) or "as learnt"
