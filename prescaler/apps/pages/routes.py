"""All pages, and the files they are made of."""

from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from starlette.responses import FileResponse
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from prescaler.apps.pages import (
    actions,
    audit,
    curves,
    event_forms,
    event_import,
    events,
    overview,
    replays,
    sign_in,
    workload,
    workload_tabs,
)
from prescaler.apps.pages.gate import error_page
from prescaler.apps.pages.render import STATIC, compile_templates

_ROUTERS = (
    sign_in,
    overview,
    workload,
    workload_tabs,
    actions,
    curves,
    event_forms,
    event_import,
    events,
    replays,
    audit,
)
_FOR_GOOD = "public, max-age=31536000, immutable"


class _Static(StaticFiles):
    """Files whose address carries their checksum: browsers may keep them for good."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if isinstance(response, FileResponse) and scope["query_string"].startswith(b"v="):
            response.headers["Cache-Control"] = _FOR_GOOD
        return response


def include_pages(app: FastAPI) -> None:
    """Add the pages to the application behind the API's routes."""
    compile_templates()
    for module in _ROUTERS:
        app.include_router(module.router)
    app.mount("/static", _Static(directory=STATIC))


def wants_page(request: Request) -> bool:
    """Whether a fault is better shown as a page: a browser asks, and not for the API."""
    path = request.url.path
    html = "text/html" in request.headers.get("accept", "")
    return html and not path.startswith(("/api/", "/static/", "/metrics"))


def fault_page(request: Request, status: HTTPStatus, detail: str) -> Response:
    """A fault as a page."""
    return error_page(request, status, detail)
