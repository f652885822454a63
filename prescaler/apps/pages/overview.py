"""All workloads on one page: what needs a look, what is told now, what comes next."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response

from prescaler.apps.api.context import ApiContext, Context
from prescaler.apps.api.event_routes import current_events, upcoming_events
from prescaler.apps.api.keys import Caller
from prescaler.apps.api.review_routes import ListQuery, WorkloadPage, workload_page
from prescaler.apps.api.warnings import warnings
from prescaler.apps.pages.gate import PageRoute, Viewer
from prescaler.apps.pages.render import page
from prescaler.apps.pages.spark import SparkLines, lines
from prescaler.core.decision import Status
from prescaler.core.instants import parse_instant, to_epoch
from prescaler.usecases.foretell import Growing, Sleeping, growing, sleeping
from prescaler.usecases.survey import Glance, Peak, Urgency, next_peak, spark

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_ROWS: Final = 25
_AHEAD: Final = 6
_DAY: Final = timedelta(days=1)

SORTS: Final = {
    "attention": "needs a look first",
    "name": "name",
    "-pods": "most pods",
    "-error_ratio": "worst against naive",
    "coverage": "lowest coverage",
    "-age_seconds": "oldest forecast",
}


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    glance: Glance
    peak: Peak | None
    spark: SparkLines | None
    growing: Growing | None
    sleeping: Sleeping | None


class PageQuery(ListQuery):
    """The list as the page asks for it: few rows, what needs a look first."""

    limit: int = _ROWS
    sort: str = "attention"


@router.get("/")
def overview(
    request: Request, context: Context, session: Viewer, asked: Annotated[PageQuery, Query()]
) -> Response:
    """The list, its filters, and the steepest rises ahead."""
    found = workload_page(context, session.caller, asked)
    values = {
        "rows": _rows(context, found),
        "found": found,
        "asked": asked,
        "sorts": SORTS,
        "statuses": list(Status),
        "urgencies": list(reversed(Urgency)),
        "rises": context.survey.rises(found.chosen, found.at)[:_AHEAD],
        "events": _events(context, session.caller, found.at),
        "parse": parse_instant,
        "zone_of": ZoneInfo,
        "warnings": warnings(context, session.caller),
        "link": _linker(asked),
        "first": int(asked.cursor or 0) + 1,
        "now": found.at,
    }
    return page(request, "overview.html", session, values)


def _events(context: ApiContext, caller: Caller, now: datetime) -> list[dict[str, Any]]:
    """Planned events that are on, and those of the next day."""
    on = current_events(context, caller)["items"]
    coming = upcoming_events(context, caller, now + _DAY, _AHEAD)["items"]
    found: list[dict[str, Any]] = [*on, *coming]
    return found[:_AHEAD]


def _rows(context: ApiContext, found: WorkloadPage) -> list[Row]:
    now = to_epoch(found.at)
    return [
        Row(
            glance,
            next_peak(glance.served, found.at),
            lines(spark(glance.served, context.stores.demand, found.at), now),
            growing(glance.served, glance.decision, found.at),
            sleeping(glance.served, glance.decision, found.at),
        )
        for glance in found.glances
    ]


def _linker(asked: PageQuery) -> Any:
    """Links to the same list with something else asked for; the first page unless told."""
    present = asked.model_dump(exclude_defaults=True, exclude={"cursor"})

    def link(**changes: Any) -> str:
        merged = {k: v for k, v in {**present, **changes}.items() if v not in (None, "")}
        return f"/?{urlencode(merged)}" if merged else "/"

    return link
