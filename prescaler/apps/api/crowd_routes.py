"""What crowds have taught, and how past events went."""

from datetime import timedelta
from itertools import islice
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from prescaler.apps.api.context import Context, OneWorkload, Reader, documented
from prescaler.apps.api.planning import visible_event
from prescaler.apps.api.shapes import InstantText
from prescaler.core.debrief import Debrief, Ready, Said
from prescaler.core.instants import format_instant
from prescaler.core.uplift import KindModel, UpliftCurve, UpliftModel
from prescaler.usecases.review_events import (
    DebriefPorts,
    debriefs,
    newest_occurrence,
    selected,
)

router = APIRouter(prefix="/api/v1", tags=["events"], dependencies=documented)

_PAGE = 50


@router.get("/workloads/{name}/uplifts")
def show_uplifts(
    served: OneWorkload,
    kind: Annotated[str | None, Query(max_length=50, description="only this kind")] = None,
) -> dict[str, Any]:
    """What past events of each kind have taught: the curve to expect of another one, and why.

    `applied` is false where copying last week came nearer to them: then no curve acts on events
    that repeat.
    """
    stored = served.state.uplift
    if stored is None:
        return {"learned_at": None, "items": []}
    kinds = {n: k for n, k in stored.model.kinds.items() if kind in (None, n)}
    items = [_kind_json(name, found, stored.model) for name, found in sorted(kinds.items())]
    return {"learned_at": format_instant(stored.learned_at), "items": items}


@router.get("/events/{identity}/debrief")
def show_debrief(
    identity: UUID,
    context: Context,
    caller: Reader,
    at: Annotated[InstantText | None, Query(description="the last one before this")] = None,
    cursor: Annotated[str | None, Query(max_length=100)] = None,
) -> dict[str, Any]:
    """How the newest occurrence that is over went, workload by workload."""
    now = context.now()
    event = visible_event(context, caller, identity)
    occurrence = newest_occurrence(event, min(at or now, now))
    names = sorted(
        s.workload.name
        for s in context.table
        if selected(occurrence.event, s) and caller.sees(s.workload.name)
    )
    page = list(islice((n for n in names if n > (cursor or "")), _PAGE))
    stores = context.stores
    ready = context.pods.ready(now)
    ports = DebriefPorts(stores.demand, stores.forecasts, stores.decisions, ready)
    found = debriefs(occurrence, [context.table.get(name) for name in page], ports)
    return {
        "event": str(identity),
        "name": occurrence.event.name,
        "start": format_instant(occurrence.start),
        "end": format_instant(occurrence.end),
        "items": [{"workload": name, **debrief_json(one)} for name, one in found.items()],
        "next": page[-1] if page and page[-1] != names[-1] else None,
    }


def _kind_json(name: str, kind: KindModel, model: UpliftModel) -> dict[str, Any]:
    share, curve = kind.similarity.error_share, model.typical(name)
    return {
        "kind": name,
        "examples": len(kind.examples),
        "newest": format_instant(kind.examples[-1].crowd.start),
        "applied": not kind.harmful,
        "error_share": round(share, 3) if share == share else None,  # noqa: PLR0124 - NaN
        "likeness": {"half_life": kind.similarity.half_life, **kind.similarity.penalties},
        "curve": curve_json(curve) if curve is not None else None,
    }


def curve_json(curve: UpliftCurve) -> dict[str, Any]:
    """Minutes from the start, and times ordinary demand at three quantiles."""
    minute = timedelta(minutes=1).total_seconds()
    factors = curve.factors().round(3)
    return {
        "minutes": (curve.frame.offsets() / minute).tolist(),
        "q0.1": factors[:, 0].tolist(),
        "q0.5": factors[:, 1].tolist(),
        "q0.9": factors[:, 2].tolist(),
        "suggested_factor": round(curve.suggested(), 2),
        "share_of_declared": round(curve.shrunk, 3),
        "evidence": [
            {"name": one.name, "start": format_instant(one.start), "share": one.share}
            for one in curve.evidence
        ],
    }


def debrief_json(found: Debrief) -> dict[str, Any]:
    """What is known of one occurrence on one workload; null for the rest."""
    came = found.came
    return {
        "peak": {"at": format_instant(came[0]), "load": round(came[1], 3)} if came else None,
        "forecast": _said_json(found.said) if found.said else None,
        "pods": _ready_json(found.ready) if found.ready else None,
    }


def _said_json(said: Said) -> dict[str, Any]:
    numbers = {
        "peak_median": said.peak_median,
        "peak_high": said.peak_high,
        "error": said.error,
        "error_without_event": said.error_without,
        "naive_error": said.naive_error,
    }
    rounded = {name: None if x is None else round(x, 3) for name, x in numbers.items()}
    return {"issued_at": format_instant(said.issued_at), **rounded}


def _ready_json(ready: Ready) -> dict[str, Any]:
    return {
        "in_time": ready.in_time,
        "needed": ready.needed,
        "counted": ready.counted,
        "readiness": round(ready.readiness, 4),
        "minutes_late": round(ready.minutes_late, 1),
        "excess_pod_hours": round(ready.excess_pod_hours, 2),
    }
