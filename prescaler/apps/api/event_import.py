"""Many events at once: a list in JSON, or a file as iCalendar, CSV or YAML. All of them or none."""

from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from prescaler.apps.api.context import ApiContext, Context, Writer, documented
from prescaler.apps.api.event_shapes import ManyEvents, import_json
from prescaler.apps.api.planning import planner
from prescaler.config.feeds import FeedFormat, import_rules
from prescaler.core.errors import BadParameter
from prescaler.usecases.change_events import Planner, check_events, plan_events
from prescaler.usecases.import_events import ImportRecord, import_events
from prescaler.wiring import read_events

router = APIRouter(prefix="/api/v1/events", tags=["events"], dependencies=documented)

_JSON: Final = "application/json"
_FORMATS: Final = {
    "text/calendar": FeedFormat.ICAL,
    "text/csv": FeedFormat.CSV,
    "application/yaml": FeedFormat.YAML,
}


class ImportQuery(BaseModel):
    """How a file is read, and what holds for entries that do not say; JSON says all itself."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(
        "upload",
        description="under which its entries are known again: the same name a second time changes "
        "what differs, and plans nothing twice",
    )
    timezone: str = Field("UTC", description="of days and times that name no zone")
    kind: str = Field("event", description="such as football")
    workloads: list[str] = Field(default_factory=list, description='names, or "all"')
    labels: list[str] = Field(default_factory=list, description="or key=value of workloads")
    factor: float | None = Field(None, description="times ordinary demand")
    added: float = Field(0.0, description="load units on top")
    min_pods: int = Field(0, description="pods to have while they last")
    min_pods_factor: float | None = Field(None, description="times the window minimum")
    ramp_before: str = Field("0s", description="in which the effect rises")
    ramp_after: str = Field("0s", description="in which it fades")
    length: str | None = Field(None, description="of entries without an end, as 2h")
    only: list[str] = Field(default_factory=list, description="words to look for")
    obey: bool = Field(default=False, description="whether X-PRESCALER-* lines count")
    dry_run: bool = Field(default=False, description="store nothing, say what would be")
    reason: str = Field("", max_length=2000, description="why; stands in the audit")


async def _body(request: Request) -> bytes:
    return await request.body()


Content = Annotated[bytes, Depends(_body)]

_DOCUMENTED: Final = {
    "requestBody": {
        "required": True,
        "content": {
            _JSON: {"schema": ManyEvents.model_json_schema()},
            **{kind: {"schema": {"type": "string"}} for kind in _FORMATS},
        },
    }
}


@router.post("/bulk", openapi_extra=_DOCUMENTED)
def post_many(
    request: Request,
    context: Context,
    caller: Writer,
    content: Content,
    asked: Annotated[ImportQuery, Query()],
) -> dict[str, Any]:
    """Plan many events, all or none; by the content type a list in JSON, or a file."""
    kind = request.headers.get("content-type", _JSON).partition(";")[0].strip().lower()
    who = planner(caller, asked.reason)
    if kind == _JSON:
        record = _from_list(context, content, asked, who)
    elif kind in _FORMATS:
        record = taken_from(context, content, asked, _FORMATS[kind], who)
    else:
        known = ", ".join((_JSON, *_FORMATS))
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"send one of {known}")
    if not asked.dry_run:
        context.refresh()
    return import_json(record, dry_run=asked.dry_run)


def _from_list(
    context: ApiContext, content: bytes, asked: ImportQuery, who: Planner
) -> ImportRecord:
    try:
        many = ManyEvents.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "body"
        raise BadParameter(f"{place}: {first['msg']}") from error
    who = replace(who, reason=many.reason.strip() or who.reason)
    doing = check_events if asked.dry_run else plan_events
    return ImportRecord(tuple(doing(many.events, who, context.event_ports())), (), 0)


def taken_from(
    context: ApiContext, content: bytes, asked: ImportQuery, form: FeedFormat, who: Planner
) -> ImportRecord:
    """Take in a file, or say what that would do.

    Raises:
        BadParameter, BadEvents, FeedError, NotAllowed: nothing was stored.
    """
    fields = asked.model_dump(exclude={"dry_run", "reason"})
    labels = dict(_pair(text) for text in asked.labels)
    form, rules = import_rules({**fields, "labels": labels, "format": form.value})
    found = read_events(content, form, rules, context.now())
    return import_events(rules.feed, found, who, context.event_ports(), dry_run=asked.dry_run)


def _pair(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not sign:
        raise BadParameter(f"labels: {text[:40]!r} is no key=value")
    return key, value
