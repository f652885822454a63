"""What every answer but KEDA's carries, and what is too large to be read at all."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from prescaler.apps.api.problems import problem_response

_LONGEST_QUERY: Final = 8192
_LARGEST_BODY: Final = 10 * 1024 * 1024
_DOCS: Final = "/docs"
_SAFE: Final = ("GET", "HEAD", "OPTIONS")
_FOREIGN: Final = (b"cross-site", b"same-site")

HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
            "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        ),
    }
)

_DOCS_POLICY: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'"
)
"""The documentation page of FastAPI starts Swagger UI from an inline script; it takes no input of
ours and shows no data until a key is typed."""

_HTTPS_ONLY: Final = "max-age=31536000"


class Guard:
    """ASGI middleware: security headers on what goes out, limits on what comes in."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._headers = [(k.lower().encode(), v.encode()) for k, v in HEADERS.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        guarded = self._guarding(scope, send)
        refusal = _refusal(scope)
        if refusal is not None:
            await problem_response(*refusal)(scope, receive, guarded)
            return
        await self._app(scope, _bounded(receive), guarded)

    def _guarding(self, scope: Scope, send: Send) -> Send:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                present = {name.lower() for name, _ in headers}
                headers += [(k, v) for k, v in self._added(scope) if k not in present]
                message = {**message, "headers": headers}
            await send(message)

        return guarded

    def _added(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        added = [*self._headers, (b"cache-control", b"no-store")]
        if scope["path"].startswith(_DOCS):
            added = [(k, v) for k, v in added if k != b"content-security-policy"]
            added.append((b"content-security-policy", _DOCS_POLICY.encode()))
        if is_https(scope):
            added.append((b"strict-transport-security", _HTTPS_ONLY.encode()))
        return added


def is_https(scope: Scope) -> bool:
    """Whether the browser came by TLS, to us or to a proxy in front.

    The proxy's word is only used to be stricter: a forged one harms nobody but its sender.
    """
    forwarded = dict(scope["headers"]).get(b"x-forwarded-proto", b"")
    return scope.get("scheme") == "https" or forwarded == b"https"


def _refusal(scope: Scope) -> tuple[HTTPStatus, str] | None:
    headers = dict(scope["headers"])
    if scope["method"] not in _SAFE and headers.get(b"sec-fetch-site") in _FOREIGN:
        return HTTPStatus.FORBIDDEN, "another site may not change anything here"
    if len(scope["query_string"]) > _LONGEST_QUERY:
        return HTTPStatus.REQUEST_URI_TOO_LONG, "the query string is too long"
    length = headers.get(b"content-length", b"0")
    if not length.isdigit() or int(length) > _LARGEST_BODY:
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is larger than 10 MB"
    return None


def _bounded(receive: Receive) -> Receive:
    """A body without a length is cut off where it gets too large; the rest is never read."""
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        return message if seen <= _LARGEST_BODY else {"type": "http.disconnect"}

    return bounded
