"""Plan, change and cancel events, with a look at what they would do before they are saved."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, Field

from prescaler.apps.api.context import ApiContext, Context
from prescaler.apps.api.keys import Caller
from prescaler.apps.api.planning import planner, visible_event
from prescaler.apps.api.sessions import Session
from prescaler.apps.api.shapes import InstantText
from prescaler.apps.pages.curves import known_kinds
from prescaler.apps.pages.events import DayText, impacts
from prescaler.apps.pages.gate import Genuine, PageRoute, Viewer
from prescaler.apps.pages.plan_sketch import plan_sketch
from prescaler.apps.pages.render import page
from prescaler.apps.pages.workload_tabs import typed
from prescaler.config.models import Scope
from prescaler.core.durations import format_duration
from prescaler.core.errors import BadEvent, BadParameter, NotAllowed
from prescaler.core.event_text import to_plain
from prescaler.core.instants import format_instant
from prescaler.core.planned import EventState, PlannedEvent, Stack
from prescaler.usecases.change_events import (
    Move,
    cancel_event,
    change_event,
    move_occurrence,
    plan_event,
    read_event,
)
from prescaler.usecases.preview_event import next_occurrence

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_CIVIL: Final = "%Y-%m-%dT%H:%M"


class EventForm(BaseModel):
    """The fields as a browser sends them: all text, an empty one was not filled in."""

    model_config = ConfigDict(extra="ignore")

    name: str = Field("", max_length=500)
    kind: str = Field("event", max_length=100)
    start: str = Field("", max_length=40)
    end: str = Field("", max_length=40)
    timezone: str = Field("UTC", max_length=60)
    workloads: str = Field("", max_length=20_000)
    factor: str = Field("", max_length=30)
    added: str = Field("", max_length=30)
    min_pods: str = Field("", max_length=30)
    ramp_before: str = Field("0s", max_length=20)
    ramp_after: str = Field("0s", max_length=20)
    stack: str = Field("max", max_length=20)
    state: str = Field("confirmed", max_length=20)
    rule: str = Field("", max_length=500)
    description: str = Field("", max_length=5000)
    reason: str = Field("", max_length=2000)
    revision: int | None = None
    token: str = Field("", max_length=200)


Filled = Annotated[EventForm, Form()]


def _writer(session: Genuine) -> Session:
    return _may_write(session)


def _reading_writer(session: Viewer) -> Session:
    return _may_write(session)


def _may_write(session: Session) -> Session:
    if not session.caller.may(Scope.WRITE):
        raise NotAllowed(f"the key {session.caller.name!r} has scope {session.caller.scope.value}")
    return session


Writer = Annotated[Session, Depends(_writer)]
ReadingWriter = Annotated[Session, Depends(_reading_writer)]


@router.get("/event-form")
def new_event(
    request: Request, context: Context, session: ReadingWriter, day: DayText = ""
) -> Response:
    """An empty form, in the civil time of the first workload; on a day, an evening of it."""
    seen = (s for s in context.table if session.caller.sees(s.workload.name))
    zone = next((s.workload.forecast.timezone.key for s in seen), "UTC")
    times = {"start": f"{day}T20:00", "end": f"{day}T22:00"} if day else {}
    return _form(request, context, session, EventForm(timezone=zone, **times), None)


@router.get("/events/{identity}/edit")
def edit_event(
    request: Request, context: Context, session: ReadingWriter, identity: UUID
) -> Response:
    """The form of an event that is there."""
    event = visible_event(context, session.caller, identity)
    return _form(request, context, session, _filled_from(event), identity)


@router.post("/event-form")
def save_new(request: Request, context: Context, session: Writer, filled: Filled) -> Response:
    """Store a new event, or show what is wrong with it."""
    who = planner(session.caller, filled.reason, filled.revision)
    try:
        event = plan_event(_plain(filled), who, context.event_ports())
    except BadEvent as error:
        return _form(request, context, session, filled, None, str(error))
    return _saved(context, event, "saved")


@router.post("/events/{identity}/edit")
def save_changed(
    request: Request, context: Context, session: Writer, identity: UUID, filled: Filled
) -> Response:
    """Change an event, or show what is wrong."""
    before = visible_event(context, session.caller, identity)
    who = planner(session.caller, filled.reason, filled.revision)
    try:
        changed = _plain(filled, before)
        event = change_event(identity, changed, who, context.event_ports())
    except BadEvent as error:
        return _form(request, context, session, filled, identity, str(error))
    return _saved(context, event, "saved")


@router.post("/events/{identity}/cancel")
def save_cancelled(context: Context, session: Writer, identity: UUID, filled: Filled) -> Response:
    """Cancel an event; it stays to be looked at."""
    visible_event(context, session.caller, identity)
    who = planner(session.caller, filled.reason, filled.revision)
    return _saved(context, cancel_event(identity, who, context.event_ports()), "cancelled")


class MoveForm(BaseModel):
    """One time of a repeating event, and the wall clock that it moves to, as a browser sends it."""

    model_config = ConfigDict(extra="ignore")

    occurrence: InstantText
    start: str = Field("", max_length=40)
    end: str = Field("", max_length=40)
    reason: str = Field("", max_length=2000)
    revision: int | None = None
    token: str = Field("", max_length=200)


@router.post("/events/{identity}/move")
def save_moved(
    context: Context, session: Writer, identity: UUID, filled: Annotated[MoveForm, Form()]
) -> Response:
    """Move one time of a repeating event; its page is the moved one's from now on."""
    event = visible_event(context, session.caller, identity)
    start, end = (typed(text.strip(), event.timezone) for text in (filled.start, filled.end))
    who = planner(session.caller, filled.reason, filled.revision)
    move = Move(filled.occurrence, start, end)
    done = move_occurrence(identity, move, who, context.event_ports())
    return _saved(context, done.single, "saved")


@router.post("/event-preview")
def preview(
    request: Request,
    context: Context,
    session: Writer,
    filled: Filled,
    changes: Annotated[UUID | None, Query()] = None,
) -> Response:
    """What the form, as it stands, would do to the plans; nothing is stored.

    changes: the event in whose place it would stand.
    """
    event, problem = None, ""
    before = visible_event(context, session.caller, changes) if changes is not None else None
    try:
        event = read_event(_plain(filled, before), context.event_ports(), identity=changes)
    except BadEvent as error:
        problem = str(error)
    return page(
        request,
        "event_preview.html",
        session,
        {"problem": problem, "plans": plan_sketch, **_impact(context, session.caller, event)},
    )


def _form(
    request: Request,
    context: ApiContext,
    session: Session,
    filled: EventForm,
    identity: UUID | None,
    problem: str = "",
) -> Response:
    values = {
        "filled": filled,
        "identity": identity,
        "looked": f"/event-preview?changes={identity}" if identity else "/event-preview",
        "problem": problem,
        "kinds": known_kinds(context, session.caller),
        "states": list(EventState),
        "stacks": list(Stack),
        "names": [s.workload.name for s in context.table if session.caller.sees(s.workload.name)],
    }
    status = HTTPStatus.BAD_REQUEST if problem else HTTPStatus.OK
    return page(request, "event_form.html", session, values, status)


def _impact(context: ApiContext, caller: Caller, event: PlannedEvent | None) -> dict[str, Any]:
    if event is None:
        return {"event": None, "following": None, "impacts": []}
    following = next_occurrence(event, context.now())
    found = impacts(context, caller, event, following)
    return {"event": event, "following": following, "impacts": found}


def _plain(filled: EventForm, before: PlannedEvent | None = None) -> dict[str, Any]:
    """The form as the API's body; what was left empty is not there.

    before: the event that it changes, which keeps what the form has no field for.
    """
    texts = ("name", "kind", "timezone", "stack", "state", "rule", "description")
    plain: dict[str, Any] = {name: getattr(filled, name).strip() for name in texts}
    plain |= {name: _instant(getattr(filled, name), filled.timezone) for name in ("start", "end")}
    plain |= {name: getattr(filled, name).strip() for name in ("ramp_before", "ramp_after")}
    plain |= {name: _number(getattr(filled, name)) for name in ("factor", "added", "min_pods")}
    plain["workloads"] = _selection(filled.workloads)
    kept = _kept(before, repeats=bool(plain["rule"])) if before is not None else {}
    return kept | {name: value for name, value in plain.items() if value not in ("", None)}


def _kept(before: PlannedEvent, *, repeats: bool) -> dict[str, Any]:
    """What no field of the form shows; times that were taken out are those of a repeating event."""
    names = {"min_pods_factor", "known_from", "labels"} | ({"exceptions"} if repeats else set())
    return {name: value for name, value in to_plain(before).items() if name in names}


def _instant(text: str, timezone: str) -> str:
    """The wall clock of a date field as an instant; what is none stays, to be complained about."""
    try:
        return format_instant(typed(text.strip(), ZoneInfo(timezone.strip())))
    except (BadParameter, ZoneInfoNotFoundError, ValueError, OSError):
        return text.strip()


def _number(text: str) -> float | int | str | None:
    """A number where it is one; the text itself otherwise, to be complained about."""
    stripped = text.strip().replace(",", ".")
    if not stripped:
        return None
    try:
        return int(stripped) if stripped.isascii() and stripped.isdigit() else float(stripped)
    except ValueError:
        return text


def _selection(text: str) -> str | Mapping[str, Any]:
    """`all`, or names and labels (key=value), with commas between them."""
    parts = [part.strip() for part in text.replace("\n", ",").split(",") if part.strip()]
    if parts == ["all"]:
        return "all"
    labels = dict(part.split("=", 1) for part in parts if "=" in part)
    return {"names": [part for part in parts if "=" not in part], "labels": labels}


def _filled_from(event: PlannedEvent) -> EventForm:
    effect, chosen = event.effect, event.selection
    parts = [*sorted(chosen.names), *(f"{k}={v}" for k, v in chosen.labels.items())]
    return EventForm(
        name=event.name,
        kind=event.kind,
        start=event.start.astimezone(event.timezone).strftime(_CIVIL),
        end=event.end.astimezone(event.timezone).strftime(_CIVIL),
        timezone=event.timezone.key,
        workloads="all" if chosen.everything else ", ".join(parts),
        factor="" if effect.factor is None else f"{effect.factor:g}",
        added=f"{effect.added:g}" if effect.added else "",
        min_pods=str(effect.min_pods) if effect.min_pods else "",
        ramp_before=format_duration(effect.ramp_before),
        ramp_after=format_duration(effect.ramp_after),
        stack=effect.stack.value,
        state=event.state.value,
        rule=event.rule or "",
        description=event.description,
        revision=event.revision,
    )


def _saved(context: ApiContext, event: PlannedEvent, done: str) -> Response:
    context.refresh()
    address = "/events?done=cancelled" if done == "cancelled" else f"/events/{event.id}"
    return RedirectResponse(address, HTTPStatus.SEE_OTHER)
