"""Who changed what, when and why."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from prescaler.apps.api.context import ApiContext, Context, Reader, documented
from prescaler.apps.api.keys import Caller
from prescaler.apps.api.shapes import InstantText, audit_json
from prescaler.core.errors import BadParameter
from prescaler.core.instants import format_instant, parse_instant
from prescaler.core.records import AuditEntry, AuditQuery, storable_text

router = APIRouter(prefix="/api/v1", tags=["audit"], dependencies=documented)

_AT_ONCE: Final = 500
_MOST_READ: Final = 20
_NUMBERS: Final = 2**63
_NO_CURSOR: Final = "cursor must be the `next` of the page before"


class AuditList(BaseModel):
    """Which entries."""

    first: InstantText | None = Field(None, alias="from", description="first instant, RFC 3339")
    to: InstantText | None = Field(None, description="end, not included")
    author: str | None = Field(None, max_length=200, description="exactly this one")
    subject: str | None = Field(
        None, max_length=200, description="a workload's name, or `event` and its id"
    )
    search: str = Field("", max_length=200, description="in author, action, subject or reason")
    limit: int = Field(100, ge=1, le=500)
    cursor: str | None = Field(None, max_length=60, description="`next` of the page before")


@router.get("/audit")
def list_audit(
    context: Context, caller: Reader, asked: Annotated[AuditList, Query()]
) -> dict[str, Any]:
    """Who changed what, newest first; a key for some workloads sees what was done to these.

    A page may have fewer entries than `limit`, and none, while `next` is set: one question looks at
    10,000 entries at most.
    """
    return audit_page(context, caller, asked)


def audit_page(context: ApiContext, caller: Caller, asked: AuditList) -> dict[str, Any]:
    """A page of the audit, and the cursor of the one behind it."""
    if not all(map(storable_text, (asked.search, asked.author or "", asked.subject or ""))):
        raise BadParameter("search, author, subject: contain a zero byte")
    query = AuditQuery(
        start=asked.first,
        end=asked.to,
        author=asked.author,
        subject=asked.subject,
        text=asked.search.strip(),
        mark=_mark(asked.cursor),
    )
    shown, last = _visible(context, caller, query, asked.limit)
    following = f"{format_instant(last.at)}_{last.number}" if last is not None else None
    return {"items": [audit_json(entry) for entry in shown], "next": following}


def _visible(
    context: ApiContext, caller: Caller, query: AuditQuery, most: int
) -> tuple[Sequence[AuditEntry], AuditEntry | None]:
    """What the key may see, and the entry behind which to go on, None where there is no more.

    One question looks at 10,000 entries at most. A key for few workloads may see none of them, and
    goes on behind them all the same.
    """
    found: list[AuditEntry] = []
    last: AuditEntry | None = None
    for _ in range(_MOST_READ):
        page = context.stores.audit.recent(_AT_ONCE, query)
        found += (entry for entry in page if caller.sees(entry.subject))
        if len(found) > most:
            return found[:most], found[most - 1]
        if len(page) < _AT_ONCE:
            return found, None
        last = page[-1]
        query = replace(query, mark=(last.at, last.number))
    return found, last


def _mark(cursor: str | None) -> tuple[datetime, int] | None:
    if cursor is None:
        return None
    stamp, _, number = cursor.partition("_")
    if not (number.isascii() and number.isdigit() and int(number) < _NUMBERS):
        raise BadParameter(_NO_CURSOR)
    try:
        return parse_instant(stamp), int(number)
    except BadParameter as error:
        raise BadParameter(_NO_CURSOR) from error
