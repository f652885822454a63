"""The application: metric route in front, review API behind it, health and metrics beside."""

from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import PlainTextResponse, Response
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException as RoutingError
from starlette.types import ASGIApp

import prescaler
from prescaler.apps.api import (
    audit_routes,
    chart_routes,
    control_routes,
    crowd_routes,
    event_import,
    event_routes,
    replay_routes,
    review_routes,
    trust_routes,
)
from prescaler.apps.api.access_log import AccessLog
from prescaler.apps.api.context import ApiContext, Context, Reader
from prescaler.apps.api.metric import MetricEndpoint
from prescaler.apps.api.openapi import METRIC_PATH, metric_operation
from prescaler.apps.api.problems import on_named_error, problem_response
from prescaler.apps.pages.guard import Guard
from prescaler.apps.pages.routes import fault_page, include_pages, wants_page
from prescaler.core.errors import PrescalerError

_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"


def metric_only(context: ApiContext) -> MetricEndpoint:
    """KEDA's answers and health, nothing else."""
    app = FastAPI(title="prescaler", openapi_url=None, docs_url=None, redoc_url=None)
    _prepare(app, context)
    return _in_front(context, app)


def pages_only(context: ApiContext) -> AccessLog:
    """Everything but KEDA's answers, for a process of its own."""
    return _behind(context)


def everything(context: ApiContext) -> MetricEndpoint:
    """One process for all."""
    return _in_front(context, _behind(context))


def _behind(context: ApiContext) -> AccessLog:
    return AccessLog(Guard(_review_app(context)))


def _in_front(context: ApiContext, behind: ASGIApp) -> MetricEndpoint:
    return MetricEndpoint(context.table, context.door, context.clock, context.telemetry, behind)


def _review_app(context: ApiContext) -> FastAPI:
    app = FastAPIOffline(
        title="prescaler",
        version=prescaler.__version__,
        summary="How much demand to be ready for, early enough for pods to be ready.",
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )
    app.include_router(review_routes.router)
    app.include_router(trust_routes.router)
    app.include_router(chart_routes.router)
    app.include_router(control_routes.router)
    app.include_router(crowd_routes.router)
    app.include_router(replay_routes.router)
    app.include_router(audit_routes.router)
    app.include_router(event_import.router)
    app.include_router(event_routes.router)
    include_pages(app)
    _describe(app)
    _prepare(app, context)
    return app


def _prepare(app: FastAPI, context: ApiContext) -> None:
    """Health, metrics and the form of faults: the same in every process."""
    app.state.context = context
    app.router.redirect_slashes = False
    app.add_exception_handler(PrescalerError, on_named_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(RoutingError, _on_http_error)
    app.add_exception_handler(HTTPStatus.NOT_FOUND, _on_http_error)
    app.add_exception_handler(HTTPStatus.METHOD_NOT_ALLOWED, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_bad_request)
    app.add_exception_handler(Exception, _on_defect)
    app.add_api_route("/livez", _livez, tags=["health"])
    app.add_api_route("/readyz", _readyz, tags=["health"], response_class=Response)
    metrics = _guarded_metrics if context.settings().server.metrics_key else _metrics
    app.add_api_route("/metrics", metrics, tags=["health"], response_class=Response)


def _livez() -> dict[str, str]:
    """The process runs."""
    return {"status": "ok"}


def _readyz(context: Context) -> Response:
    """The workloads are loaded; it never depends on Prometheus or the database."""
    if context.table.loaded:
        return PlainTextResponse("ok\n")
    return problem_response(HTTPStatus.SERVICE_UNAVAILABLE, "the workloads are not loaded yet")


def _metrics(context: Context) -> Response:
    """Our own metrics."""
    return Response(context.telemetry.exposition(), media_type=_TEXT)


def _guarded_metrics(context: Context, _: Reader) -> Response:
    """Our own metrics, for a key of scope read."""
    return _metrics(context)


async def _on_http_error(request: Request, error: Exception) -> Response:
    code = getattr(error, "status_code", HTTPStatus.INTERNAL_SERVER_ERROR)
    detail = str(getattr(error, "detail", "no such address"))
    if wants_page(request):
        return fault_page(request, HTTPStatus(code), detail)
    return problem_response(HTTPStatus(code), detail, headers=getattr(error, "headers", None))


async def _on_defect(request: Request, _: Exception) -> Response:
    """What nobody foresaw; the server logs it with its trace."""
    if wants_page(request):
        return fault_page(request, HTTPStatus.INTERNAL_SERVER_ERROR, "A defect of ours.")
    return problem_response(HTTPStatus.INTERNAL_SERVER_ERROR, "a defect of ours; see the log")


async def _on_bad_request(_: Request, error: Exception) -> Response:
    """Every complaint with its place, without echoing what was sent."""
    complaints = error.errors() if isinstance(error, RequestValidationError) else []
    texts = [f"{'.'.join(map(str, c['loc'][1:])) or 'body'}: {c['msg']}" for c in complaints]
    return problem_response(HTTPStatus.BAD_REQUEST, "; ".join(texts), "bad_parameter")


def _describe(app: FastAPI) -> None:
    """Put the metric route into the documentation: it is served in front of the routing."""

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(
                title=app.title, version=app.version, summary=app.summary, routes=app.routes
            )
            schema["paths"] = {METRIC_PATH: metric_operation(), **schema["paths"]}
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]
