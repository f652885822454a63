"""Sign in with a key of the API, and out again."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from prescaler.apps.api.context import Context, MaybeSession
from prescaler.apps.api.keys import Caller
from prescaler.apps.api.sessions import COOKIE, LASTS_SECONDS, sign_in
from prescaler.apps.pages.gate import SIGN_IN, Genuine, PageRoute, local_path
from prescaler.apps.pages.guard import is_https
from prescaler.apps.pages.render import page

router = APIRouter(route_class=PageRoute, include_in_schema=False)

Next = Annotated[str, Query(alias="next", max_length=2000)]


@router.get(SIGN_IN)
def show_form(request: Request, session: MaybeSession, following: Next = "/") -> Response:
    """The form; whoever is signed in already goes on."""
    if session is not None:
        return RedirectResponse(local_path(following), HTTPStatus.SEE_OTHER)
    values = {"following": local_path(following), "problem": None}
    return page(request, "sign_in.html", None, values)


@router.post(SIGN_IN)
def enter(
    request: Request,
    context: Context,
    key: Annotated[str, Form(max_length=1000)] = "",
    following: Annotated[str, Form(alias="next", max_length=2000)] = "/",
) -> Response:
    """Check a key; wrong ones are counted with those of the API."""
    found = context.door.try_key(key.strip(), request.scope)
    if isinstance(found, Caller):
        response = RedirectResponse(local_path(following), HTTPStatus.SEE_OTHER)
        response.set_cookie(
            COOKIE,
            sign_in(key.strip(), context.now()),
            max_age=LASTS_SECONDS,
            secure=is_https(request.scope),
            httponly=True,
            samesite="lax",
        )
        return response
    limited = found is HTTPStatus.TOO_MANY_REQUESTS
    problem = "Too many wrong keys. Wait a minute." if limited else "No such key."
    values = {"following": local_path(following), "problem": problem}
    refused = page(request, "sign_in.html", None, values, found)
    if limited:
        refused.headers["Retry-After"] = "60"
    return refused


@router.post("/sign-out")
def leave(_: Genuine) -> Response:
    """Forget the cookie."""
    response = RedirectResponse(SIGN_IN, HTTPStatus.SEE_OTHER)
    response.delete_cookie(COOKIE, httponly=True, samesite="lax")
    return response
