"""The calendar of planned events: when, which workloads, and what each does to their plans."""

from calendar import Calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from prescaler.apps.api.context import ApiContext, Context
from prescaler.apps.api.crowd_routes import show_debrief
from prescaler.apps.api.keys import Caller
from prescaler.apps.api.planning import meant, sees, visible_event
from prescaler.apps.pages.gate import PageRoute, Viewer
from prescaler.apps.pages.render import page
from prescaler.core.errors import BadParameter
from prescaler.core.event_book import occurrences
from prescaler.core.event_records import EventQuery
from prescaler.core.instants import parse_instant
from prescaler.core.planned import EventState, Occurrence, PlannedEvent
from prescaler.usecases.preview_event import Preview, preview

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_MOST: Final = 500
_LISTED: Final = 60
_AFFECTED: Final = 20
_BACK: Final = timedelta(days=14)
_AHEAD: Final = timedelta(days=60)
_DECEMBER: Final = 12


@dataclass(frozen=True)
class Day:
    """One cell of the month."""

    day: date
    inside: bool
    today: bool
    found: tuple[Occurrence, ...]


Month = Annotated[str, Query(pattern=r"^(|20\d\d-(0[1-9]|1[0-2]))$")]


@router.get("/events")
def calendar(
    request: Request, context: Context, session: Viewer, month: Month = "", done: str = ""
) -> Response:
    """A month, and everything from two weeks back to two months ahead as a list."""
    now = context.now()
    first = date.fromisoformat(f"{month}-01") if month else now.date().replace(day=1)
    weeks = Calendar().monthdatescalendar(first.year, first.month)
    start = min(_midnight(weeks[0][0]), now - _BACK)
    end = max(_midnight(weeks[-1][-1]) + timedelta(days=1), now + _AHEAD)
    found = _occurrences(context, session.caller, start, end)
    listed = [o for o in found if now - _BACK <= o.end and o.start < now + _AHEAD]
    values = {
        "weeks": [[_day(day, first, now, found) for day in week] for week in weeks],
        "month": first,
        "earlier": _shifted(first, -1),
        "later": _shifted(first, 1),
        "coming": [o for o in listed if o.end > now][:_LISTED],
        "past": [o for o in reversed(listed) if o.end <= now][:_LISTED],
        "now": now,
        "done": _DONE.get(done, ""),
    }
    return page(request, "events.html", session, values)


_DONE: Final = {
    "saved": "The event is saved, and served within seconds.",
    "cancelled": "The event is cancelled.",
}


@router.get("/events/{identity}")
def show_event(request: Request, context: Context, session: Viewer, identity: UUID) -> Response:
    """One event, its next occurrences, and what it does to the plans."""
    event, now = visible_event(context, session.caller, identity), context.now()
    coming = occurrences(event, now - _BACK, now + timedelta(days=366))
    following = next((o for o in coming if o.end > now), None)
    values = {
        "event": event,
        "coming": coming[:_LISTED],
        "now": now,
        "following": following,
        "impacts": impacts(context, session.caller, event, following),
        "debrief": _debrief(context, session.caller, event),
        "parse": parse_instant,
        "affected": len(meant(context, session.caller, event)),
    }
    return page(request, "event.html", session, values)


def impacts(
    context: ApiContext, caller: Caller, event: PlannedEvent, occurrence: Occurrence | None
) -> Sequence[Preview]:
    """The plans of some workloads with and without an event, stored or not yet."""
    if occurrence is None or event.state is not EventState.CONFIRMED:
        return []
    shown = meant(context, caller, event)[:_AFFECTED]
    return preview(event, occurrence, shown, context.now())


def _debrief(context: ApiContext, caller: Caller, event: PlannedEvent) -> dict[str, Any] | None:
    """How its last occurrence went; None where none is over."""
    try:
        return show_debrief(event.id, context, caller)
    except BadParameter:
        return None


def _occurrences(
    context: ApiContext, caller: Caller, start: datetime, end: datetime
) -> list[Occurrence]:
    events = context.stores.events.find(EventQuery(start, end, limit=_MOST))
    seen = [event for event in events if sees(context, caller, event)]
    found = [o for event in seen for o in occurrences(event, start, end)]
    return sorted(found, key=lambda o: (o.start, o.end, o.event.name))


def _day(day: date, first: date, now: datetime, found: Sequence[Occurrence]) -> Day:
    here = tuple(o for o in found if o.start.astimezone(o.event.timezone).date() == day)
    return Day(day, day.month == first.month, day == now.date(), here)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _shifted(first: date, by: int) -> str:
    months = first.year * _DECEMBER + first.month - 1 + by
    return f"{months // _DECEMBER:04d}-{months % _DECEMBER + 1:02d}"
