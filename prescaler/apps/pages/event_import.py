"""Take in a calendar file: first what it would do, then, with a reason, the same for good."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, Request, Response, UploadFile
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from prescaler.apps.api.context import ApiContext, Context
from prescaler.apps.api.event_import import ImportQuery, taken_from
from prescaler.apps.api.planning import planner
from prescaler.apps.api.sessions import Session
from prescaler.apps.pages.curves import known_kinds
from prescaler.apps.pages.event_forms import ReadingWriter, Writer
from prescaler.apps.pages.gate import PageRoute
from prescaler.apps.pages.render import page
from prescaler.config.feeds import FeedFormat
from prescaler.core.errors import BadParameter, PrescalerError
from prescaler.usecases.import_events import ImportRecord

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_LARGEST: Final = 500_000
"""Bytes. The second step sends the text again as a field, of which 1 MB is read."""

_AT_ONCE: Final = 100
"""Rows that are open at once; the others are a click away: what is taken in can be seen whole."""

FORMATS: Final[Mapping[str, FeedFormat]] = {
    "ics": FeedFormat.ICAL,
    "csv": FeedFormat.CSV,
    "yaml": FeedFormat.YAML,
}


class ImportForm(BaseModel):
    """The fields as a browser sends them. content: the file's text, once it has been shown."""

    model_config = ConfigDict(extra="ignore")

    name: str = Field("upload", max_length=100)
    form: str = Field("ics", max_length=10)
    kind: str = Field("event", max_length=100)
    timezone: str = Field("UTC", max_length=60)
    workloads: str = Field("", max_length=20_000)
    factor: str = Field("", max_length=30)
    min_pods: str = Field("", max_length=30)
    length: str = Field("", max_length=20)
    only: str = Field("", max_length=500)
    reason: str = Field("", max_length=2000)
    content: str = Field("", max_length=2 * _LARGEST)
    token: str = Field("", max_length=200)
    file: UploadFile | None = None
    sure: str = Field("", max_length=5)


async def _handed_in(filled: Annotated[ImportForm, Form()]) -> ImportForm:
    """The form with its file read; a field without a file arrives as an empty one."""
    if filled.file is None or not filled.file.filename:
        return filled
    raw = await filled.file.read(_LARGEST + 1)
    if len(raw) > _LARGEST:
        raise BadParameter("the file is larger than 500 kB; use prescaler events import")
    ending = filled.file.filename.rpartition(".")[2].lower()
    form = {"yml": "yaml", "ical": "ics"}.get(ending, ending)
    return filled.model_copy(
        update={
            "content": raw.decode("utf-8-sig", "replace"),
            "form": form if form in FORMATS else filled.form,
            "sure": "",
        }
    )


Filled = Annotated[ImportForm, Depends(_handed_in)]


@router.get("/event-import")
def show_form(request: Request, context: Context, session: ReadingWriter) -> Response:
    """An empty form, in the civil time of the first workload."""
    seen = (s for s in context.table if session.caller.sees(s.workload.name))
    zone = next((s.workload.forecast.timezone.key for s in seen), "UTC")
    return _page(request, context, session, ImportForm(timezone=zone))


@router.post("/event-import")
def take_in(request: Request, context: Context, session: Writer, filled: Filled) -> Response:
    """Show what the file would do; once that was seen, do it."""
    sure = filled.sure == "yes"
    try:
        record = _taken(context, session, filled, dry_run=not sure)
    except PrescalerError as error:
        return _page(request, context, session, filled, problem=str(error))
    if not sure:
        return _page(request, context, session, filled, record=record)
    context.refresh()
    return RedirectResponse("/events?done=imported", HTTPStatus.SEE_OTHER)


def _taken(
    context: ApiContext, session: Session, filled: ImportForm, *, dry_run: bool
) -> ImportRecord:
    if not filled.content.strip():
        raise BadParameter("choose a file, or paste its text")
    if filled.form not in FORMATS:
        raise BadParameter("choose a format")
    reason = filled.reason.strip()
    if not dry_run and not reason:
        raise BadParameter("say why: the reason stands in the audit")
    who = planner(session.caller, reason)
    asked = _query(filled, dry_run=dry_run)
    return taken_from(context, filled.content.encode(), asked, FORMATS[filled.form], who)


def _query(filled: ImportForm, *, dry_run: bool) -> ImportQuery:
    """The fields as the API's; what was left empty is not there."""
    parts = [part.strip() for part in filled.workloads.split(",") if part.strip()]
    plain: dict[str, Any] = {
        "name": filled.name.strip(),
        "kind": filled.kind.strip(),
        "timezone": filled.timezone.strip(),
        "factor": filled.factor.strip(),
        "min_pods": filled.min_pods.strip(),
        "length": filled.length.strip(),
        "workloads": [part for part in parts if "=" not in part],
        "labels": [part for part in parts if "=" in part],
        "only": [part.strip() for part in filled.only.split(",") if part.strip()],
    }
    kept = {name: value for name, value in plain.items() if value not in ("", [])}
    try:
        return ImportQuery.model_validate({**kept, "dry_run": dry_run})
    except ValidationError as error:
        texts = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        raise BadParameter("; ".join(texts)) from error


def _page(
    request: Request,
    context: ApiContext,
    session: Session,
    filled: ImportForm,
    *,
    record: ImportRecord | None = None,
    problem: str = "",
) -> Response:
    changes = [(event, "new") for event in record.created] if record else []
    changes += [(event, "changed") for event in record.changed] if record else []
    values = {
        "filled": filled,
        "formats": FORMATS,
        "record": record,
        "changes": sorted(changes, key=lambda one: one[0].start),
        "at_once": _AT_ONCE,
        "kinds": known_kinds(context, session.caller),
        "problem": problem,
    }
    status = HTTPStatus.BAD_REQUEST if problem else HTTPStatus.OK
    return page(request, "event_import.html", session, values, status)
