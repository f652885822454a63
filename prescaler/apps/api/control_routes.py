"""People take the wheel: mode, freeze, override; with admin scope, a reason and an audit line."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response

from prescaler.apps.api.context import Admin, ApiContext, Context, OneWorkload, documented
from prescaler.apps.api.keys import Caller
from prescaler.apps.api.review_routes import etag, revision_in
from prescaler.apps.api.shapes import FreezeBody, ModeBody, OverrideBody, control_json
from prescaler.core.control import Control
from prescaler.usecases.change_control import (
    Change,
    clear_guard,
    clear_override,
    freeze,
    override,
    set_mode,
    unfreeze,
)

router = APIRouter(
    prefix="/api/v1/workloads/{name}", tags=["control (admin)"], dependencies=documented
)

IfMatch = Annotated[
    str | None, Header(alias="If-Match", description="ETag of the workload as it was read")
]
Why = Annotated[str, Query(min_length=1, max_length=2000, description="why; stands in the audit")]


@router.put("/mode")
def put_mode(
    body: ModeBody,
    served: OneWorkload,
    caller: Admin,
    context: Context,
    response: Response,
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """Set another mode, for a while or for good."""
    change = _change(caller, body.reason, body.until, if_match)
    return _done(context, response, set_mode(served, body.mode, change, context.control_ports()))


@router.put("/freeze")
def put_freeze(
    body: FreezeBody,
    served: OneWorkload,
    caller: Admin,
    context: Context,
    response: Response,
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """Keep what is being served."""
    change = _change(caller, body.reason, body.until, if_match)
    return _done(context, response, freeze(served, change, context.control_ports()))


@router.delete("/freeze")
def delete_freeze(
    served: OneWorkload,
    caller: Admin,
    context: Context,
    response: Response,
    reason: Why,
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """End a freeze."""
    change = _change(caller, reason, None, if_match)
    return _done(context, response, unfreeze(served, change, context.control_ports()))


@router.put("/override")
def put_override(
    body: OverrideBody,
    served: OneWorkload,
    caller: Admin,
    context: Context,
    response: Response,
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """Serve a person's own value, up or down."""
    change = _change(caller, body.reason, body.until, if_match)
    ports = context.control_ports()
    return _done(context, response, override(served, body.load, body.pods, change, ports))


@router.delete("/override")
def delete_override(
    served: OneWorkload,
    caller: Admin,
    context: Context,
    response: Response,
    reason: Why,
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """End an override."""
    change = _change(caller, reason, None, if_match)
    return _done(context, response, clear_override(served, change, context.control_ports()))


@router.delete("/guard")
def delete_guard(
    served: OneWorkload,
    caller: Admin,
    context: Context,
    response: Response,
    reason: Why,
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """Let the forecast act again; a guard that still sees something trips anew."""
    change = _change(caller, reason, None, if_match)
    return _done(context, response, clear_guard(served, change, context.control_ports()))


def _change(caller: Caller, reason: str, until: datetime | None, if_match: str | None) -> Change:
    return Change(caller.name, reason, until, revision_in(if_match))


def _done(context: ApiContext, response: Response, control: Control) -> dict[str, Any]:
    """Serve the change at once, and show what is set now."""
    context.refresh()
    response.headers["ETag"] = etag(control.revision)
    return control_json(control)
