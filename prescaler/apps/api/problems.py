"""Faults as `application/problem+json` (RFC 9457). Never with a key named `value` in them."""

from http import HTTPStatus
from typing import Final

import orjson
from fastapi import Request
from fastapi.responses import Response

from prescaler.core.errors import (
    BadParameter,
    ChangedMeanwhile,
    FeedError,
    FeedTooLarge,
    NotAllowed,
    PrescalerError,
    StoreError,
    UnknownEvent,
    UnknownReplay,
    UnknownWorkload,
)

MEDIA_TYPE: Final = "application/problem+json"

_STATUS: Final[tuple[tuple[type[PrescalerError], HTTPStatus], ...]] = (
    (UnknownWorkload, HTTPStatus.NOT_FOUND),
    (UnknownEvent, HTTPStatus.NOT_FOUND),
    (UnknownReplay, HTTPStatus.NOT_FOUND),
    (BadParameter, HTTPStatus.BAD_REQUEST),
    (ChangedMeanwhile, HTTPStatus.PRECONDITION_FAILED),
    (NotAllowed, HTTPStatus.FORBIDDEN),
    (FeedTooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (FeedError, HTTPStatus.BAD_REQUEST),
    (StoreError, HTTPStatus.SERVICE_UNAVAILABLE),
)


def problem(status: HTTPStatus, detail: str, kind: str | None = None) -> bytes:
    """The body of a fault."""
    return orjson.dumps(
        {
            "type": "about:blank",
            "title": status.phrase,
            "status": status.value,
            "detail": detail,
            "kind": kind or status.name.lower(),
        }
    )


def status_of(error: PrescalerError) -> HTTPStatus:
    """The HTTP face of a named error; what has none is a defect of ours."""
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return status
    return HTTPStatus.INTERNAL_SERVER_ERROR


def problem_response(
    status: HTTPStatus, detail: str, kind: str | None = None, headers: dict[str, str] | None = None
) -> Response:
    """A fault as a response."""
    return Response(problem(status, detail, kind), status.value, headers, MEDIA_TYPE)


async def on_named_error(_: Request, error: Exception) -> Response:
    """Turn a named error into its problem."""
    if not isinstance(error, PrescalerError):
        return problem_response(HTTPStatus.INTERNAL_SERVER_ERROR, "a defect of ours; see the log")
    return problem_response(status_of(error), str(error), error.kind)
