"""Who changed what, when and why."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from prescaler.apps.api.context import Context
from prescaler.apps.api.review_routes import list_audit
from prescaler.apps.api.shapes import InstantText
from prescaler.apps.pages.gate import PageRoute, Viewer
from prescaler.apps.pages.render import page

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_ROWS = 50

Before = Annotated[InstantText | None, Query(description="entries older than this instant")]


@router.get("/audit")
def audit(request: Request, context: Context, session: Viewer, before: Before = None) -> Response:
    """The newest entries, page by page."""
    found = list_audit(context, session.caller, _ROWS, before)
    return page(request, "audit.html", session, {"found": found, "before": before})
