"""Who changed what, when and why."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, BeforeValidator, Field

from prescaler.apps.api.audit_routes import AuditList, audit_page
from prescaler.apps.api.context import Context
from prescaler.apps.pages.gate import PageRoute, Viewer
from prescaler.apps.pages.render import page
from prescaler.core.instants import format_instant

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_ROWS = 50

_Day = Annotated[date, Field(ge=date(1970, 1, 1), le=date(2200, 1, 1))]
DayField = Annotated[_Day | None, BeforeValidator(lambda text: text or None)]
"""A day as a date field sends it; an empty one was not filled in."""


class PageQuery(BaseModel):
    """The filters as a browser sends them. since, until: UTC days, both included."""

    search: str = Field("", max_length=200)
    author: str = Field("", max_length=200)
    since: DayField = None
    until: DayField = None
    cursor: str | None = Field(None, max_length=60)

    @property
    def filters(self) -> dict[str, str]:
        """What was filled in, for a link."""
        given = {"search": self.search, "author": self.author}
        given |= {"since": str(self.since or ""), "until": str(self.until or "")}
        return {name: value for name, value in given.items() if value}

    def as_list(self) -> AuditList:
        """The same as the API asks for it."""
        plain = {
            "from": _midnight(self.since),
            "to": _midnight(self.until + timedelta(days=1)) if self.until else None,
            "author": self.author.strip() or None,
            "search": self.search,
            "limit": _ROWS,
            "cursor": self.cursor or None,
        }
        return AuditList.model_validate(plain)


@router.get("/audit")
def audit(
    request: Request, context: Context, session: Viewer, asked: Annotated[PageQuery, Query()]
) -> Response:
    """The newest entries that fit, page by page."""
    found = audit_page(context, session.caller, asked.as_list())
    following = urlencode({**asked.filters, "cursor": found["next"] or ""})
    values = {
        "found": found,
        "asked": asked,
        "newest": f"/audit?{urlencode(asked.filters)}",
        "earlier": f"/audit?{following}",
    }
    return page(request, "audit.html", session, values)


def _midnight(day: date | None) -> str | None:
    return format_instant(datetime.combine(day, time(), UTC)) if day is not None else None
