"""People take the wheel from the page of a workload; the same changes as through the API."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Form, Response
from fastapi.responses import RedirectResponse

from prescaler.apps.api.context import ApiContext, Context
from prescaler.apps.pages.gate import Administrator, PageRoute, Shown
from prescaler.core.control import Control
from prescaler.core.errors import BadParameter
from prescaler.core.policy import Mode
from prescaler.usecases.change_control import (
    Change,
    ControlPorts,
    clear_guard,
    clear_override,
    freeze,
    override,
    set_mode,
    unfreeze,
)
from prescaler.usecases.serve_metric import Served

router = APIRouter(route_class=PageRoute, include_in_schema=False)

LENGTHS: Final[Mapping[str, timedelta | None]] = {
    "1h": timedelta(hours=1),
    "4h": timedelta(hours=4),
    "12h": timedelta(hours=12),
    "7d": timedelta(days=7),
    "open": None,
}
"""How long a change may last; `open` until somebody ends it."""


@dataclass(frozen=True)
class Asked:
    """A form that somebody sent."""

    action: str
    mode: str
    pods: str
    change: Change


@router.post("/workloads/{name}/control")
def take_the_wheel(  # noqa: PLR0913, PLR0917 - one argument a field of the form
    session: Administrator,
    context: Context,
    served: Shown,
    action: Annotated[str, Form(max_length=20)],
    reason: Annotated[str, Form(max_length=2000)] = "",
    length: Annotated[str, Form(max_length=10)] = "4h",
    mode: Annotated[str, Form(max_length=20)] = "",
    pods: Annotated[str, Form(max_length=12)] = "",
    revision: Annotated[int | None, Form()] = None,
) -> Response:
    """One change, with its reason; then back to the workload."""
    until = _until(length, context.now())
    change = Change(session.caller.name, reason.strip(), until, revision)
    _apply(served, Asked(action, mode, pods, change), context)
    context.refresh()
    address = f"/workloads/{served.workload.name}?done={action}"
    return RedirectResponse(address, HTTPStatus.SEE_OTHER)


def _apply(served: Served, asked: Asked, context: ApiContext) -> None:
    action = _ACTIONS.get(asked.action)
    if action is None:
        raise BadParameter("no such action")
    action(served, asked, context.control_ports())


def _until(length: str, now: datetime) -> datetime | None:
    if length not in LENGTHS:
        raise BadParameter("no such length of time")
    lasts = LENGTHS[length]
    return now + lasts if lasts is not None else None


def _ended(change: Change) -> Change:
    """What is ended ends now; the form's length means nothing."""
    return Change(change.author, change.reason, None, change.revision)


def _set_mode(served: Served, asked: Asked, ports: ControlPorts) -> Control:
    if asked.mode not in set(Mode):
        raise BadParameter("choose a mode")
    return set_mode(served, Mode(asked.mode), asked.change, ports)


def _override(served: Served, asked: Asked, ports: ControlPorts) -> Control:
    if not asked.pods.isascii() or not asked.pods.isdigit():
        raise BadParameter("pods must be a whole number")
    return override(served, None, int(asked.pods), asked.change, ports)


_ACTIONS: Final[Mapping[str, Callable[[Served, Asked, ControlPorts], Control]]] = {
    "mode": _set_mode,
    "freeze": lambda served, asked, ports: freeze(served, asked.change, ports),
    "unfreeze": lambda served, asked, ports: unfreeze(served, _ended(asked.change), ports),
    "override": _override,
    "guard": lambda served, asked, ports: clear_guard(served, _ended(asked.change), ports),
    "clear": lambda served, asked, ports: clear_override(served, _ended(asked.change), ports),
}
