"""Planned events over HTTP: read, plan, change, cancel, and look first at what one would do."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from http import HTTPStatus
from itertools import islice
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Body, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from prescaler.apps.api.context import ApiContext, Context, Reader, Writer, documented
from prescaler.apps.api.event_shapes import (
    EVENT_SCHEMA,
    event_json,
    previews_json,
    span_json,
)
from prescaler.apps.api.keys import Caller
from prescaler.apps.api.planning import meant, planner, sees, visible_event
from prescaler.apps.api.review_routes import From, Limit, To, etag, revision_in
from prescaler.apps.api.shapes import InstantText, audit_json
from prescaler.core.errors import BadParameter
from prescaler.core.event_book import acts_at, begins, occurrences
from prescaler.core.event_records import EventQuery, subject_of
from prescaler.core.instants import format_instant, parse_instant
from prescaler.core.planned import EventState, Occurrence, PlannedEvent
from prescaler.core.records import AuditQuery, storable_text
from prescaler.usecases.change_events import (
    Move,
    Planner,
    cancel_event,
    change_event,
    move_occurrence,
    plan_event,
    read_event,
)
from prescaler.usecases.preview_event import next_occurrence, preview

router = APIRouter(prefix="/api/v1/events", tags=["events"], dependencies=documented)

_AT_ONCE: Final = 500
_MOST_PREVIEWED: Final = 50
_COMING: Final = 10
_WITHIN: Final = timedelta(days=7)
_FIRST_LOOK: Final = timedelta(days=1)
_YEAR: Final = timedelta(days=366)

EventFields = Annotated[dict[str, Any], Body(json_schema_extra=EVENT_SCHEMA)]
IfMatch = Annotated[
    str | None, Header(alias="If-Match", description="ETag of the event as it was read")
]
Why = Annotated[str, Query(max_length=2000, description="why; stands in the audit")]


class ListQuery(BaseModel):
    """Which events."""

    first: InstantText | None = Field(None, alias="from", description="first instant, RFC 3339")
    to: InstantText | None = Field(None, description="end, not included")
    kind: str | None = Field(None, max_length=50, description="only this kind")
    state: EventState | None = Field(None, description="only this state")
    limit: int = Field(100, ge=1, le=500)
    cursor: str | None = Field(None, max_length=100, description="`next` of the page before")


@router.get("")
def list_events(
    context: Context, caller: Reader, asked: Annotated[ListQuery, Query()]
) -> dict[str, Any]:
    """Events that may touch [from, to), by start; a recurring one with its whole life."""
    if not storable_text(asked.kind or ""):
        raise BadParameter("kind: contains a zero byte")
    query = EventQuery(
        asked.first, asked.to, asked.kind, asked.state, _after(asked.cursor), _AT_ONCE
    )
    found = list(islice(_visible(context, caller, query), asked.limit + 1))
    shown, more = found[: asked.limit], len(found) > asked.limit
    return {
        "items": [_shown(context, caller, event) for event in shown],
        "next": f"{format_instant(begins(shown[-1]))}_{shown[-1].id}" if more else None,
    }


@router.get("/current")
def current_events(context: Context, caller: Reader) -> dict[str, Any]:
    """What acts right now, by what everybody is served from: works while the store is away."""
    now = context.now()
    found = [o for o in _acting(context, caller, now, now + timedelta(seconds=1)) if o.start <= now]
    return {"items": [_occurrence_json(context, caller, one) for one in found]}


@router.get("/upcoming")
def upcoming_events(
    context: Context, caller: Reader, to: To = None, limit: Limit = 100, first: From = None
) -> dict[str, Any]:
    """What begins from now (or `from`) until `to` (a week later), every occurrence on its own.

    A page ends with everything that begins at its last instant; `next` is the `from` of the one
    behind it.
    """
    start = first or context.now()
    if start > context.now() + _YEAR:
        raise BadParameter("from: at most 366 days ahead")
    end = to or start + _WITHIN
    if to is not None and to > context.now() + _YEAR:
        raise BadParameter("to: at most 366 days ahead")
    found = _beginning(context, caller, start, end, limit)
    last = found[limit - 1].start if len(found) > limit else end
    shown = [one for one in found if one.start <= last]
    return {
        "items": [_occurrence_json(context, caller, one) for one in shown],
        "next": format_instant(found[len(shown)].start) if len(shown) < len(found) else None,
    }


@router.post("", status_code=HTTPStatus.CREATED)
def post_event(
    context: Context, caller: Writer, response: Response, body: EventFields
) -> dict[str, Any]:
    """Plan an event; it is served within seconds by every replica."""
    plain, reason = _taken(body)
    event = plan_event(plain, planner(caller, reason), context.event_ports())
    response.headers["Location"] = f"/api/v1/events/{event.id}"
    return _saved(context, caller, response, event)


@router.post("/preview")
def post_preview(context: Context, caller: Reader, body: EventFields) -> dict[str, Any]:
    """What an event would do to the plans; nothing is stored.

    With the `id` of an event that is planned already, this one stands in its place. Each workload
    has its most pods with and without it, the raise that takes longest with its latest start, and
    what crowds of its kind have taught.
    """
    plain, _ = _taken(body)
    event = read_event(plain, context.event_ports(), identity=_own_id(body))
    now = context.now()
    following, chosen = next_occurrence(event, now), meant(context, caller, event)
    shown = chosen[:_MOST_PREVIEWED] if following is not None else []
    coming = occurrences(event, now, now + _YEAR)[:_COMING]
    return {
        "event": _shown(context, caller, event),
        "acts": acts_at(event, now),
        "occurrences": [span_json(one) for one in coming],
        "items": previews_json(preview(event, following, shown, now)) if following else [],
        "total": len(chosen),
    }


@router.get("/{identity}")
def show_event(
    identity: UUID, context: Context, caller: Reader, response: Response
) -> dict[str, Any]:
    """One event, with the ETag that a change of it may carry."""
    event = visible_event(context, caller, identity)
    response.headers["ETag"] = etag(event.revision)
    return _shown(context, caller, event)


@router.get("/{identity}/changes")
def show_changes(
    identity: UUID, context: Context, caller: Reader, limit: Limit = 100
) -> dict[str, Any]:
    """Who did what to an event, when and why, with all of it before and after; newest first."""
    event = visible_event(context, caller, identity)
    found = context.stores.audit.recent(limit, AuditQuery(subject=subject_of(event.id)))
    return {"items": [audit_json(entry) for entry in found]}


@router.put("/{identity}")
def put_event(
    identity: UUID,
    context: Context,
    caller: Writer,
    response: Response,
    body: EventFields,
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """Replace an event; what came from a feed is the caller's own from now on."""
    plain, reason = _taken(body)
    return _change(
        context,
        caller,
        response,
        identity,
        planner(caller, reason, revision_in(if_match)),
        lambda who: change_event(identity, plain, who, context.event_ports()),
    )


class MoveBody(BaseModel):
    """One time of a repeating event, and when it takes place instead."""

    model_config = ConfigDict(extra="forbid")

    occurrence: InstantText = Field(description="its present start, RFC 3339")
    start: InstantText = Field(description="its new start")
    end: InstantText | None = Field(None, description="its new end; absent: it keeps its length")
    reason: str = Field("", max_length=2000, description="why; stands in the audit")


@router.post("/{identity}/move", status_code=HTTPStatus.CREATED)
def post_move(
    identity: UUID,
    context: Context,
    caller: Writer,
    response: Response,
    body: MoveBody,
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """Move one time of a repeating event; the others stay, and both changes come or neither.

    The answer is the moved one, from now on an event of its own.
    """
    who = planner(caller, body.reason, revision_in(if_match))
    move = Move(body.occurrence, body.start, body.end)

    def doing(planned_by: Planner) -> PlannedEvent:
        return move_occurrence(identity, move, planned_by, context.event_ports()).single

    found = _change(context, caller, response, identity, who, doing)
    response.headers["Location"] = f"/api/v1/events/{found['id']}"
    return found


@router.delete("/{identity}")
def delete_event(
    identity: UUID,
    context: Context,
    caller: Writer,
    response: Response,
    reason: Why = "",
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """Cancel an event: it acts no more, and can still be read."""
    return _change(
        context,
        caller,
        response,
        identity,
        planner(caller, reason, revision_in(if_match)),
        lambda who: cancel_event(identity, who, context.event_ports()),
    )


def _change(
    context: ApiContext,
    caller: Caller,
    response: Response,
    identity: UUID,
    who: Planner,
    doing: Callable[[Planner], PlannedEvent],
) -> dict[str, Any]:
    visible_event(context, caller, identity)
    return _saved(context, caller, response, doing(who))


def _saved(
    context: ApiContext, caller: Caller, response: Response, event: PlannedEvent
) -> dict[str, Any]:
    """Serve the change at once."""
    context.refresh()
    response.headers["ETag"] = etag(event.revision)
    return _shown(context, caller, event)


def _shown(context: ApiContext, caller: Caller, event: PlannedEvent) -> dict[str, Any]:
    affects = len(meant(context, caller, event))
    return event_json(event, affects, next_occurrence(event, context.now()))


def _occurrence_json(context: ApiContext, caller: Caller, one: Occurrence) -> dict[str, Any]:
    affects = len(meant(context, caller, one.event))
    return {**event_json(one.event, affects, one), "occurrence": span_json(one)}


def _acting(
    context: ApiContext, caller: Caller, start: datetime, end: datetime
) -> list[Occurrence]:
    """Occurrences in [start, end) of confirmed events that are known by now, by start."""
    now = context.now()
    found = context.table.calendar.whole.occurrences(start, end)
    seen = {o.event.id: o.event for o in found}
    visible = {e.id for e in seen.values() if acts_at(e, now) and sees(context, caller, e)}
    return [o for o in found if o.event.id in visible and o.end > start and o.start < end]


def _beginning(
    context: ApiContext, caller: Caller, start: datetime, end: datetime, most: int
) -> list[Occurrence]:
    """Those that begin in [start, end); as far as it takes to find more than `most`.

    Ten thousand daily events must not be laid out for a year to show the first hundred.
    """
    ahead, found = _FIRST_LOOK, list[Occurrence]()
    while len(found) <= most:
        until = min(end, start + ahead)
        found = [o for o in _acting(context, caller, start, until) if o.start >= start]
        if until == end:
            break
        ahead *= 4
    return found


def _visible(context: ApiContext, caller: Caller, asked: EventQuery) -> Iterator[PlannedEvent]:
    """Page after page, without what the key may not see."""
    while True:
        page = context.stores.events.find(asked)
        yield from (event for event in page if sees(context, caller, event))
        if len(page) < asked.limit:
            return
        last = page[-1]
        asked = EventQuery(
            asked.start, asked.end, asked.kind, asked.state, (begins(last), last.id), asked.limit
        )


def _after(cursor: str | None) -> tuple[datetime, UUID] | None:
    if cursor is None:
        return None
    stamp, _, identity = cursor.partition("_")
    try:
        return parse_instant(stamp), UUID(identity)
    except ValueError as error:
        raise BadParameter("cursor must be the `next` of the page before") from error


def _taken(body: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The event's own fields, and why somebody plans it."""
    reason = body.get("reason") or ""
    if not isinstance(reason, str):
        raise BadParameter("reason: must be text")
    return {name: value for name, value in body.items() if name != "reason"}, reason


def _own_id(body: dict[str, Any]) -> UUID | None:
    if body.get("id") is None:
        return None
    try:
        return UUID(str(body["id"]))
    except ValueError as error:
        raise BadParameter("id: is no uuid") from error
