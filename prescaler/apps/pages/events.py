"""The calendar of planned events: when, which workloads, and what each does to their plans."""

from calendar import Calendar
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

import numpy as np
from fastapi import APIRouter, Query, Request, Response

from prescaler.apps.api.context import ApiContext, Context
from prescaler.apps.api.crowd_routes import show_debrief
from prescaler.apps.api.keys import Caller
from prescaler.apps.pages.gate import PageRoute, Viewer
from prescaler.apps.pages.render import page
from prescaler.core.errors import BadParameter, UnknownEvent
from prescaler.core.event_book import occurrences
from prescaler.core.event_records import EventQuery
from prescaler.core.hpa import pods_for
from prescaler.core.instants import parse_instant, to_epoch
from prescaler.core.planned import EventState, Occurrence, PlannedEvent
from prescaler.usecases.serve_metric import Served

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_MOST: Final = 500
_LISTED: Final = 60
_AFFECTED: Final = 20
_BACK: Final = timedelta(days=14)
_AHEAD: Final = timedelta(days=60)
_STEP_SECONDS: Final = 300
_DECEMBER: Final = 12


@dataclass(frozen=True)
class Day:
    """One cell of the month."""

    day: date
    inside: bool
    today: bool
    found: tuple[Occurrence, ...]


@dataclass(frozen=True)
class Impact:
    """What an event does to one workload's plan while it lasts: highest pods with and without."""

    served: Served
    pods: int
    without: int
    at: datetime
    known: bool


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
        "affected": len(_meant(context, session.caller, event)),
    }
    return page(request, "event.html", session, values)


def visible_event(context: ApiContext, caller: Caller, identity: UUID) -> PlannedEvent:
    """An event that is about a workload which the caller may see.

    Raises:
        UnknownEvent: there is none, or not for this key.
    """
    event = context.stores.events.get(identity)
    if not _sees(context, caller, event):
        raise UnknownEvent("no such event for this key")
    return event


def impacts(
    context: ApiContext, caller: Caller, event: PlannedEvent, occurrence: Occurrence | None
) -> list[Impact]:
    """The plans of some workloads with and without an event, stored or not yet."""
    if occurrence is None or event.state is not EventState.CONFIRMED:
        return []
    now = context.now()
    meant = _meant(context, caller, event)[:_AFFECTED]
    return [_impact(served, event, occurrence, now) for served in meant]


def _impact(served: Served, event: PlannedEvent, occurrence: Occurrence, now: datetime) -> Impact:
    others = tuple(e for e in served.book.events if e.id != event.id)
    start = max(occurrence.start - event.effect.ramp_before, now)
    end = occurrence.end + event.effect.ramp_after
    stamps = np.arange(to_epoch(start), to_epoch(end), _STEP_SECONDS, dtype=np.int64)
    target = served.policy.target
    with_it = _under(served, (*others, event)).plan(stamps, now).load
    without = _under(served, others).plan(stamps, now).load
    forecast = served.state.forecast
    return Impact(
        served,
        pods_for(float(with_it.max(initial=0.0)), target),
        pods_for(float(without.max(initial=0.0)), target),
        start,
        known=forecast is not None and occurrence.start < forecast.valid_until,
    )


def _under(served: Served, events: tuple[PlannedEvent, ...]) -> Served:
    """The same workload under other events, with what crowds have taught it."""
    return replace(served, book=replace(served.book, events=events))


def _debrief(context: ApiContext, caller: Caller, event: PlannedEvent) -> dict[str, Any] | None:
    """How its last occurrence went; None where none is over."""
    try:
        return show_debrief(event.id, context, caller)
    except BadParameter:
        return None


def _meant(context: ApiContext, caller: Caller, event: PlannedEvent) -> list[Served]:
    return [
        served
        for served in context.table
        if caller.sees(served.workload.name)
        and event.selection.takes(served.workload.name, served.workload.labels)
    ]


def _sees(context: ApiContext, caller: Caller, event: PlannedEvent) -> bool:
    """Events about nobody's workloads are shown to those who see everything."""
    return "*" in caller.workloads or bool(_meant(context, caller, event))


def _occurrences(
    context: ApiContext, caller: Caller, start: datetime, end: datetime
) -> list[Occurrence]:
    events = context.stores.events.find(EventQuery(start, end, limit=_MOST))
    seen = [event for event in events if _sees(context, caller, event)]
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
