"""The calendar of planned events: when, which workloads, and what each does to their plans."""

from calendar import Calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response

from prescaler.apps.api.context import ApiContext, Context
from prescaler.apps.api.crowd_routes import show_debrief
from prescaler.apps.api.keys import Caller
from prescaler.apps.api.planning import meant, sees, visible_event
from prescaler.apps.api.shapes import InstantText
from prescaler.apps.pages.gate import PageRoute, Viewer
from prescaler.apps.pages.plan_sketch import plan_sketch
from prescaler.apps.pages.render import page
from prescaler.core.errors import BadParameter
from prescaler.core.event_book import occurrences
from prescaler.core.event_records import EventQuery
from prescaler.core.instants import parse_instant
from prescaler.core.planned import EventState, Occurrence, PlannedEvent
from prescaler.usecases.outcomes import Outcome
from prescaler.usecases.preview_event import Preview, preview

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_MOST: Final = 500
_LISTED: Final = 60
_AFFECTED: Final = 20
_BACK: Final = timedelta(days=14)
_AHEAD: Final = timedelta(days=60)
_DECEMBER: Final = 12
_PAST: Final = 12
_COMING: Final = 12
_AROUND: Final = timedelta(hours=2)
_LONGEST_AGO: Final = timedelta(days=400)


@dataclass(frozen=True)
class Day:
    """One cell of the month."""

    day: date
    inside: bool
    today: bool
    found: tuple[Occurrence, ...]


@dataclass(frozen=True)
class Past:
    """An occurrence that is over, and how it went as far as that can be told in a line."""

    occurrence: Occurrence
    outcome: Outcome | None


Month = Annotated[str, Query(pattern=r"^(|20\d\d-(0[1-9]|1[0-2]))$")]
DayText = Annotated[str, Query(alias="day", pattern=r"^(|20\d\d-\d\d-\d\d)$")]


@router.get("/events")
def calendar(
    request: Request,
    context: Context,
    session: Viewer,
    month: Month = "",
    chosen: DayText = "",
    done: str = "",
) -> Response:
    """A month, one of its days, what comes, and how what is over went."""
    now, day = context.now(), _date(chosen)
    today = now.astimezone(_zone(context, session.caller)).date()
    first = date.fromisoformat(f"{month}-01") if month else (day or today).replace(day=1)
    weeks = Calendar().monthdatescalendar(first.year, first.month)
    start = min(_midnight(weeks[0][0]), now - _BACK)
    end = max(_midnight(weeks[-1][-1]) + timedelta(days=1), now + _AHEAD)
    found = _occurrences(context, session.caller, start, end)
    listed = [o for o in found if now - _BACK <= o.end and o.start < now + _AHEAD]
    over = [o for o in reversed(listed) if o.end <= now]
    values = {
        "weeks": [[_day(one, first, today, found) for one in week] for week in weeks],
        "month": first,
        "chosen": _day(day, first, today, found) if day is not None else None,
        "earlier": _shifted(first, -1),
        "later": _shifted(first, 1),
        "coming": [o for o in listed if o.end > now][:_LISTED],
        "past": [_past(context, session.caller, o) for o in over[:_PAST]],
        "more_past": max(0, len(over) - _PAST),
        "now": now,
        "done": _DONE.get(done, ""),
    }
    return page(request, "events.html", session, values)


def _past(context: ApiContext, caller: Caller, occurrence: Occurrence) -> Past:
    if occurrence.event.state is not EventState.CONFIRMED:
        return Past(occurrence, None)
    about = meant(context, caller, occurrence.event)
    return Past(occurrence, context.outcomes.worst(occurrence, about))


_DONE: Final = {
    "saved": "The event is saved, and served within seconds.",
    "cancelled": "The event is cancelled.",
    "imported": "The file is taken in.",
}


@router.get("/events/{identity}")
def show_event(
    request: Request,
    context: Context,
    session: Viewer,
    identity: UUID,
    at: Annotated[InstantText | None, Query(description="judge the last one before this")] = None,
) -> Response:
    """One event: what it does to the plans, its occurrences, and how one that is over went."""
    event, now = visible_event(context, session.caller, identity), context.now()
    found = occurrences(event, now - _BACK, now + timedelta(days=366))
    following = next((o for o in found if o.end > now), None)
    earlier = occurrences(event, now - _LONGEST_AGO, now) if event.rule else found
    values = {
        "event": event,
        "coming": [o for o in found if o.end > now][:_COMING],
        "over": [o for o in reversed(earlier) if o.end <= now][:_COMING],
        "now": now,
        "following": following,
        "impacts": impacts(context, session.caller, event, following),
        "plans": plan_sketch,
        "debrief": _debrief(context, session.caller, event, at),
        "parse": parse_instant,
        "around": _AROUND,
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


def _debrief(
    context: ApiContext, caller: Caller, event: PlannedEvent, at: datetime | None
) -> dict[str, Any] | None:
    """How its last occurrence (before an instant) went; None where none is over."""
    try:
        return show_debrief(event.id, context, caller, at)
    except BadParameter:
        return None


def _occurrences(
    context: ApiContext, caller: Caller, start: datetime, end: datetime
) -> list[Occurrence]:
    events = context.stores.events.find(EventQuery(start, end, limit=_MOST))
    seen = [event for event in events if sees(context, caller, event)]
    found = [o for event in seen for o in occurrences(event, start, end)]
    return sorted(found, key=lambda o: (o.start, o.end, o.event.name))


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise BadParameter(f"{text!r} is no day") from None


def _zone(context: ApiContext, caller: Caller) -> ZoneInfo:
    """Where today is: with the first workload."""
    seen = (s for s in context.table if caller.sees(s.workload.name))
    return next((s.workload.forecast.timezone for s in seen), ZoneInfo("UTC"))


def _day(day: date, first: date, today: date, found: Sequence[Occurrence]) -> Day:
    here = tuple(o for o in found if o.start.astimezone(o.event.timezone).date() == day)
    return Day(day, day.month == first.month, day == today, here)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _shifted(first: date, by: int) -> str:
    months = first.year * _DECEMBER + first.month - 1 + by
    return f"{months // _DECEMBER:04d}-{months % _DECEMBER + 1:02d}"
