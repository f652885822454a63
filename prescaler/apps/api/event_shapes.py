"""Planned events as they go in and out of the API."""

from collections.abc import Iterable
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from prescaler.apps.api.shapes import late_json, raise_json
from prescaler.core.durations import format_duration
from prescaler.core.event_text import FIELDS, to_plain
from prescaler.core.instants import format_instant, from_epoch
from prescaler.core.planned import Occurrence, PlannedEvent
from prescaler.core.uplift import UpliftCurve
from prescaler.usecases.import_events import ImportRecord
from prescaler.usecases.preview_event import Preview

_MOST_SHOWN: Final = 500

_TEXTS: Final = {
    "name": "what people call it",
    "kind": "tag such as football; events of a kind are learnt from together",
    "start": "first occurrence, RFC 3339 with its offset",
    "end": "when it is over; behind `start`",
    "timezone": "IANA zone in which a recurrence keeps its civil time",
    "workloads": '"all", a list of names, or {"names": [...], "labels": {...}}',
    "factor": "times ordinary demand, as 1.5; until the kind has taught better",
    "added": "load units on top",
    "min_pods": "pods to have while it lasts; needs no forecast",
    "min_pods_factor": "times the workload's window minimum; replaces its windows meanwhile",
    "ramp_before": "duration in which the effect rises, ending at `start`",
    "ramp_after": "duration in which it fades, beginning at `end`",
    "stack": "max: of overlapping events the higher wins; multiply: both act",
    "state": "draft, confirmed (acts) or cancelled",
    "known_from": "nothing uses the event before this instant",
    "rule": "RFC 5545 RRULE, as FREQ=WEEKLY;BYDAY=TU",
    "exceptions": "starts that do not take place",
    "labels": "what tells one from another, as stage: final; learning uses them",
    "description": "free text",
}

EVENT_SCHEMA: Final[dict[str, Any]] = {
    "title": "Event",
    "properties": {
        **{name: {"description": _TEXTS[name]} for name in FIELDS},
        "reason": {"type": "string", "description": "why; stands in the audit"},
    },
    "required": ["name", "start", "end", "workloads"],
    "example": {
        "name": "Semi-final",
        "kind": "football",
        "start": "2026-11-24T21:00:00+01:00",
        "end": "2026-11-24T23:00:00+01:00",
        "timezone": "Europe/Paris",
        "workloads": ["web"],
        "factor": 1.5,
        "labels": {"stage": "semi-final"},
    },
}


class ManyEvents(BaseModel):
    """New events, stored all or none."""

    model_config = ConfigDict(extra="forbid")

    events: list[dict[str, Any]] = Field(description="each as in POST /events")
    reason: str = Field("", max_length=2000, description="why; stands in the audit")


def event_json(event: PlannedEvent, affects: int, following: Occurrence | None) -> dict[str, Any]:
    """An event with the number of visible workloads that it is about, and when it is next on."""
    return {
        **to_plain(event),
        "affects": affects,
        "next": span_json(following) if following is not None else None,
    }


def span_json(occurrence: Occurrence) -> dict[str, str]:
    """When an occurrence takes place."""
    return {"start": format_instant(occurrence.start), "end": format_instant(occurrence.end)}


def import_json(record: ImportRecord, *, dry_run: bool) -> dict[str, Any]:
    """What an import did, or would do; at most 500 of its events."""
    changes = (*record.created, *record.changed)
    return {
        "dry_run": dry_run,
        "created": len(record.created),
        "changed": len(record.changed),
        "same": record.same,
        "items": [to_plain(event) for event in changes[:_MOST_SHOWN]],
    }


def previews_json(found: Iterable[Preview]) -> list[dict[str, Any]]:
    """What an event does to plans, workload by workload."""
    return [_preview_json(one) for one in found]


def _preview_json(found: Preview) -> dict[str, Any]:
    columns = {"with": found.pods_with.tolist(), "without": found.pods_without.tolist()}
    return {
        "workload": found.served.workload.name,
        "pods": found.pods,
        "without": found.without,
        "at": format_instant(found.at),
        "max_pods": found.served.workload.scale_target.max_pods,
        "extra_pod_hours": round(found.extra_pod_hours, 2),
        "forecast_reaches_it": found.known,
        "learnt": learnt_json(found.learnt) if found.learnt is not None else None,
        "slowest_raise": raise_json(found.coming) if found.coming is not None else None,
        "unreachable": late_json(found.late) if found.late is not None else None,
        "series": {
            "stamps": [format_instant(from_epoch(int(stamp))) for stamp in found.stamps],
            "step": format_duration(found.step),
            "columns": columns,
        },
    }


def learnt_json(curve: UpliftCurve) -> dict[str, Any]:
    """What a curve says in a word, and which evenings it comes from."""
    return {
        "suggested_factor": round(curve.suggested(), 2),
        "share_of_declared": round(curve.shrunk, 3),
        "evidence": [
            {"name": one.name, "start": format_instant(one.start), "share": one.share}
            for one in curve.evidence
        ],
    }
