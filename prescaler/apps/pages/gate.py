"""Who may see a page, and what they see instead: sign-in, or an error that says what to do."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.parse import quote, urlsplit

from fastapi import Depends, Form, Path, Request, Response
from fastapi.exceptions import HTTPException, RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute

from prescaler.apps.api.context import Context, MaybeSession
from prescaler.apps.api.problems import status_of
from prescaler.apps.api.sessions import Session
from prescaler.apps.pages.render import page
from prescaler.config.models import Scope
from prescaler.core.errors import NotAllowed, PrescalerError
from prescaler.usecases.serve_metric import Served

SIGN_IN: Final = "/sign-in"


class NotSignedIn(Exception):
    """Nobody is signed in; the page asks for a key first."""


class PageRoute(APIRoute):
    """A route whose faults are pages."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with faults turned into pages."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except NotSignedIn:
                return _to_sign_in(request)
            except PrescalerError as error:
                return error_page(request, status_of(error), str(error))
            except HTTPException as error:
                return error_page(request, HTTPStatus(error.status_code), str(error.detail))
            except RequestValidationError as error:
                return error_page(request, HTTPStatus.BAD_REQUEST, _complaints(error))

        return handled


def _to_sign_in(request: Request) -> Response:
    if request.method != "GET":
        return RedirectResponse(SIGN_IN, HTTPStatus.SEE_OTHER)
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"{SIGN_IN}?next={quote(wanted, safe='')}", HTTPStatus.SEE_OTHER)


def _complaints(error: RequestValidationError) -> str:
    """Every complaint with its place, without echoing what was sent."""
    return "; ".join(f"{'.'.join(map(str, c['loc'][1:]))}: {c['msg']}" for c in error.errors())


_NEXT: Final = {
    HTTPStatus.NOT_FOUND: "It may have been renamed or removed from the file; look in the list.",
    HTTPStatus.FORBIDDEN: "Sign in with a key that may do this.",
    HTTPStatus.PRECONDITION_FAILED: "Go back, read what is set now, and decide again.",
    HTTPStatus.BAD_REQUEST: "Go back and mend what is named above.",
    HTTPStatus.SERVICE_UNAVAILABLE: "KEDA is still answered from memory. Try again in a moment.",
}


def error_page(request: Request, status: HTTPStatus, detail: str) -> Response:
    """A fault, with the next step to take."""
    values = {
        "status": status,
        "detail": detail,
        "next_step": _NEXT.get(status, "Try again; if it stays, the log says more."),
    }
    return page(request, "error.html", None, values, status)


def _viewer(session: MaybeSession) -> Session:
    if session is None:
        raise NotSignedIn
    return session


Viewer = Annotated[Session, Depends(_viewer)]


def _genuine(session: Viewer, token: Annotated[str, Form(max_length=200)] = "") -> Session:
    """Somebody who sent a form of ours."""
    if not session.made(token):
        raise NotAllowed("this form is not from your present session; reload the page and repeat")
    return session


Genuine = Annotated[Session, Depends(_genuine)]


def _administrator(session: Genuine) -> Session:
    if not session.caller.may(Scope.ADMIN):
        raise NotAllowed(f"the key {session.caller.name!r} has scope {session.caller.scope.value}")
    return session


Administrator = Annotated[Session, Depends(_administrator)]


def _shown(name: Annotated[str, Path()], session: Viewer, context: Context) -> Served:
    if not session.caller.sees(name):
        raise NotAllowed(f"the key {session.caller.name!r} is not for this workload")
    return context.table.get(name)


Shown = Annotated[Served, Depends(_shown)]


def local_path(wanted: str) -> str:
    """Where to go after signing in: a path of ours, never another host."""
    parts = urlsplit(wanted)
    foreign = parts.scheme or parts.netloc or "\\" in wanted or wanted.startswith("//")
    strange = any(ord(character) < ord("!") for character in wanted)
    return "/" if foreign or strange or not wanted.startswith("/") else wanted
