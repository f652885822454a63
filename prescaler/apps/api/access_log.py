"""One line a request for the review API: method, path, code, time. Never the query string."""

import time
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOG: Final = structlog.get_logger()
_QUIET: Final = ("/livez", "/readyz", "/metrics")


class AccessLog:
    """ASGI middleware. Keys may stand in query strings, so these are not written down."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request and log it."""
        if scope["type"] != "http" or scope["path"] in _QUIET:
            await self._app(scope, receive, send)
            return
        start, code = time.monotonic(), 500

        async def noting(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = int(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            milliseconds = round((time.monotonic() - start) * 1000, 1)
            _LOG.info(
                "request",
                method=scope["method"],
                path=scope["path"][:200],
                code=code,
                milliseconds=milliseconds,
            )
