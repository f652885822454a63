"""Templates: autoescaped without exception, strict about names, and told who is looking."""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

import prescaler
from prescaler.apps.api.sessions import Session
from prescaler.apps.pages import words
from prescaler.apps.pages.navigation import navigation
from prescaler.config.models import Scope
from prescaler.core.hpa import pods_for

STATIC: Final = Path(__file__).parent / "static"


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("prescaler.apps.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in (
        "declared",
        "effect",
        "number",
        "selection",
        "percent",
        "pod_count",
        "share",
        "signed_percent",
        "span",
        "times",
        "local",
        "words",
    ):
        environment.filters[name] = getattr(words, name)
    environment.globals.update(
        asset=asset,
        heat=words.heat,
        pods=pods_for,
        navigation=navigation,
        version=prescaler.__version__,
        charts=chart_folder,
        nothing=words.NOTHING,
    )
    return environment


@lru_cache(maxsize=64)
def asset(name: str) -> str:
    """The address of a static file; it changes with the content, so browsers may keep it."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


@lru_cache(maxsize=1)
def chart_folder() -> str | None:
    """The chart library's folder below /static; None in a package that was built without npm."""
    found = sorted((STATIC / "vendor").glob("uplot-*/uplot.js"))
    return str(found[-1].parent.relative_to(STATIC)) if found else None


_ENVIRONMENT: Final = _environment()


def compile_templates() -> None:
    """Compile every template once a process, before somebody waits for the first page."""
    for name in _ENVIRONMENT.list_templates():
        _ENVIRONMENT.get_template(name)


def page(
    request: Request,
    template: str,
    session: Session | None,
    values: Mapping[str, Any],
    status: HTTPStatus = HTTPStatus.OK,
) -> HTMLResponse:
    """One page. Every template may ask who looks, whether they may act, and where they are."""
    caller = session.caller if session is not None else None
    text = _ENVIRONMENT.get_template(template).render(
        viewer=caller,
        token=session.token if session is not None else "",
        may_write=caller is not None and caller.may(Scope.WRITE),
        may_admin=caller is not None and caller.may(Scope.ADMIN),
        path=request.url.path,
        **values,
    )
    return HTMLResponse(text, status.value)
