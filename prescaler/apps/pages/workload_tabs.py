"""The other pages of a workload: its decisions, its errors, its ScaledObject."""

from datetime import UTC, datetime
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import numpy as np
from fastapi import APIRouter, Query, Request, Response

from prescaler.apps.api.chart_routes import list_gaps, show_residuals
from prescaler.apps.api.context import Context
from prescaler.apps.api.crowd_routes import show_uplifts
from prescaler.apps.api.review_routes import list_decisions, show_scaledobject
from prescaler.apps.api.trust_routes import show_accuracy, show_trust
from prescaler.apps.pages.curves import learnt
from prescaler.apps.pages.gate import PageRoute, Shown, Viewer
from prescaler.apps.pages.render import page
from prescaler.apps.pages.trend import trends
from prescaler.core.errors import BadParameter
from prescaler.core.forecast import BUCKETS
from prescaler.core.instants import parse_instant
from prescaler.core.scaledobject import Variant, default_variant, variants_for

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_DECISIONS: Final = 60
_GAPS: Final = 10


def typed(text: str, zone: ZoneInfo) -> datetime:
    """An instant as a date field of a form gives it: civil time, without an offset.

    Raises:
        BadParameter: no instant at all.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadParameter(f"{text[:40]!r} is no date and time") from None
    found = found if found.tzinfo is not None else found.replace(tzinfo=zone)
    try:
        return found.astimezone(UTC).replace(microsecond=0)
    except (OverflowError, ValueError):
        raise BadParameter(f"{text[:40]!r} lies outside of the calendar") from None


@router.get("/workloads/{name}/decisions")
def decisions_panel(
    request: Request,
    context: Context,
    session: Viewer,
    served: Shown,
    at: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """Changes of what was served, newest first; or the one in force at an instant."""
    zone = served.workload.forecast.timezone
    instant = typed(at, zone) if at else None
    found = list_decisions(served, context, at=instant)["items"]
    values = {
        "w": served.workload,
        "zone": zone,
        "tab": "decisions",
        "items": list(reversed(found))[:_DECISIONS],
        "more": max(0, len(found) - _DECISIONS),
        "asked": at,
        "instant": instant,
        "parse": parse_instant,
    }
    return page(request, "decisions.html", session, values)


@router.get("/workloads/{name}/accuracy")
def accuracy_panel(request: Request, context: Context, session: Viewer, served: Shown) -> Response:
    """Where the forecast errs, hour by hour of the week, and where history has holes."""
    found = show_residuals(served, context)
    scores = show_accuracy(served, context)
    holes = list_gaps(served, context)["items"]
    values = {
        "w": served.workload,
        "zone": served.workload.forecast.timezone,
        "tab": "accuracy",
        "scores": scores,
        "uplifts": show_uplifts(served)["items"],
        "learnt": learnt,
        "trends": trends(scores),
        "trust": show_trust(served, context),
        "buckets": list(BUCKETS),
        "residuals": found,
        "seen": int(np.sum(found["count"])),
        "gaps": holes[::-1][:_GAPS],
        "more_gaps": max(0, len(holes) - _GAPS),
        "parse": parse_instant,
        "days": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
    }
    return page(request, "accuracy.html", session, values)


@router.get("/workloads/{name}/scaledobject")
def scaledobject_panel(
    request: Request,
    context: Context,
    session: Viewer,
    served: Shown,
    variant: Variant | None = None,
) -> Response:
    """The objects to paste."""
    chosen = variant or default_variant(served.workload)
    text = bytes(show_scaledobject(served, context, chosen).body).decode()
    values = {
        "w": served.workload,
        "tab": "scaledobject",
        "text": text,
        "variants": variants_for(served.workload),
        "chosen": chosen,
    }
    return page(request, "scaledobject.html", session, values)
