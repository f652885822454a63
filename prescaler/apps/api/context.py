"""What the routes work with, handed to them by the application they belong to."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import Depends, HTTPException, Path, Request, Security
from fastapi.security import APIKeyHeader, APIKeyQuery, HTTPBasic, HTTPBearer

from prescaler.adapters.telemetry.metrics import Telemetry
from prescaler.apps.api.keys import Caller, presented
from prescaler.apps.api.metric import Doorkeeper
from prescaler.apps.api.sessions import Session, session_of
from prescaler.config import Settings
from prescaler.config.models import Scope
from prescaler.core.errors import NotAllowed
from prescaler.core.replicas import Replica
from prescaler.ports import Clock
from prescaler.usecases.change_control import ControlPorts
from prescaler.usecases.change_events import EventPorts
from prescaler.usecases.look_back import LookBackPorts
from prescaler.usecases.outcomes import Outcomes
from prescaler.usecases.past_crowds import PastCrowds
from prescaler.usecases.read_calendar import CalendarReader
from prescaler.usecases.review_events import DebriefPorts
from prescaler.usecases.review_pods import PodReview
from prescaler.usecases.serve_metric import Served, ServingTable
from prescaler.usecases.survey import Survey
from prescaler.wiring import Stores


def _alone(_: datetime) -> list[Replica]:
    """Nobody is known of."""
    return []


@dataclass(frozen=True)
class ApiContext:
    """Everything behind the routes. settings: the present ones; refresh: serve changes now."""

    table: ServingTable
    stores: Stores
    door: Doorkeeper
    clock: Clock
    telemetry: Telemetry
    settings: Callable[[], Settings]
    refresh: Callable[[], None]
    health: Callable[[], dict[str, Any]]
    replicas: Callable[[datetime], list[Replica]] = _alone
    survey: Survey = field(default_factory=Survey)
    pods: PodReview = field(default_factory=PodReview)

    def now(self) -> datetime:
        """The present, whole seconds."""
        return self.clock.now().replace(microsecond=0)

    def control_ports(self) -> ControlPorts:
        """What a change of control needs."""
        return ControlPorts(self.clock, self.stores.workloads, self.stores.controls)

    def event_ports(self) -> EventPorts:
        """What a change of planned events needs."""
        workloads = (served.workload for served in self.table)
        names = {name for one in workloads for name in (one.name, *one.aliases)}
        return EventPorts(self.clock, self.stores.events, names)

    def look_back_ports(self) -> LookBackPorts:
        """What looking back needs."""
        stores = self.stores
        return LookBackPorts(stores.demand, stores.forecasts, stores.decisions, self._past_crowds)

    @cached_property
    def outcomes(self) -> Outcomes:
        """How past occurrences went."""
        stores = self.stores
        return Outcomes(DebriefPorts(stores.demand, stores.forecasts, stores.decisions))

    @cached_property
    def _past_crowds(self) -> PastCrowds:
        """What past events looked like beforehand, worked out once for all who look."""
        return PastCrowds(CalendarReader(self.stores.events))


def _context(request: Request) -> ApiContext:
    context: ApiContext = request.app.state.context
    return context


PAGE_HEADER: Final = "X-CSRF-Token"

Context = Annotated[ApiContext, Depends(_context)]

_DOCUMENTED = [
    Security(APIKeyHeader(name="X-API-Key", auto_error=False)),
    Security(APIKeyQuery(name="api_key", auto_error=False)),
    Security(HTTPBearer(auto_error=False)),
    Security(HTTPBasic(auto_error=False)),
]
"""For the documentation page only: `_caller` reads the request itself, as KEDA sends it."""


def _session(request: Request, context: Context) -> Session | None:
    return session_of(request.scope["headers"], context.door.ring, context.now())


MaybeSession = Annotated[Session | None, Depends(_session)]


def _caller(request: Request, context: Context, session: MaybeSession) -> Caller:
    if session is not None and presented(request.scope["headers"], b"") is None:
        return _signed_in(request, session)
    found = context.door.let_in(dict(request.scope))
    if isinstance(found, Caller):
        return found
    limited = found is HTTPStatus.TOO_MANY_REQUESTS
    text = "too many wrong keys from this address" if limited else "send a key"
    headers = {"Retry-After": "60"} if limited else {"WWW-Authenticate": 'Bearer realm="prescaler"'}
    raise HTTPException(found.value, text, headers)


def _signed_in(request: Request, session: Session) -> Caller:
    """Somebody's browser: it sends the cookie whoever made the request, so changes need more."""
    safe = request.method in ("GET", "HEAD")
    if not safe and not session.made(request.headers.get(PAGE_HEADER, "")):
        raise NotAllowed(f"a change by cookie needs the page's token in {PAGE_HEADER}")
    return session.caller


Reader = Annotated[Caller, Depends(_caller)]


def _writer(caller: Reader) -> Caller:
    if not caller.may(Scope.WRITE):
        raise NotAllowed(f"the key {caller.name!r} has scope {caller.scope}, this needs write")
    return caller


Writer = Annotated[Caller, Depends(_writer)]


def _admin(caller: Reader) -> Caller:
    if not caller.may(Scope.ADMIN):
        raise NotAllowed(f"the key {caller.name!r} has scope {caller.scope}, this needs admin")
    return caller


Admin = Annotated[Caller, Depends(_admin)]


def _served(
    name: Annotated[str, Path(description="the workload's name")], caller: Reader, context: Context
) -> Served:
    if not caller.sees(name):
        raise NotAllowed(f"the key {caller.name!r} is not for this workload")
    return context.table.get(name)


OneWorkload = Annotated[Served, Depends(_served)]

documented = _DOCUMENTED
