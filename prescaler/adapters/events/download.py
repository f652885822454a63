"""Fetching a calendar from an address that somebody else answers for.

Every address a name resolves to is checked, and the connection goes to the checked address itself:
a name that says one thing to the check and another to the connection gains nothing. A watchdog
shuts the socket when the time is over, whatever the server is doing by then: resolving aside,
nothing outlives the timeout, neither a slow handshake nor headers that come byte by byte.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from prescaler.core.errors import (
    FeedError,
    FeedForbidden,
    FeedTooLarge,
    FeedTooSlow,
    FeedUnreachable,
)

_MOST_REDIRECTS: Final = 3
_CHUNK: Final = 65_536
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PORTS: Final = {"http": 80, "https": 443}
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_HEADERS: Final = {
    "User-Agent": "prescaler",
    "Accept": "text/calendar, */*;q=0.5",
    "Accept-Encoding": "identity",
    "Connection": "close",
}

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Place:
    """A calendar on the net, and what may be done to reach it."""

    name: str
    url: str
    timeout: timedelta
    max_bytes: int
    allow_http: bool = False
    allow_private: bool = False
    ca_file: str | None = None


def download(place: Place) -> bytes:
    """The body of the calendar.

    Raises:
        FeedForbidden, FeedUnreachable, FeedTooSlow, FeedTooLarge
    """
    url = place.url
    watchdog = _Watchdog(place)
    with watchdog:
        for _ in range(_MOST_REDIRECTS + 1):
            with watchdog.named_errors():
                answer = _ask(place, url, watchdog)
            if isinstance(answer, bytes):
                return answer
            url = urljoin(url, answer)
    raise FeedUnreachable(f"{place.name}: more than {_MOST_REDIRECTS} redirects")


def read_place(name: str, path: Path, max_bytes: int) -> bytes:
    """The content of a calendar file.

    Raises:
        FeedUnreachable, FeedTooLarge
    """
    try:
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise FeedUnreachable(f"{name}: {path} cannot be read: {error.strerror}") from error
    if len(content) > max_bytes:
        raise FeedTooLarge(f"{name}: {path} is larger than {max_bytes} bytes")
    return content


class _Watchdog:
    """Ends whatever is under way once the time is over."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._timer = threading.Timer(place.timeout.total_seconds(), self._bite)
        self._timer.daemon = True
        self._socket: socket.socket | None = None
        self.over = False

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def guard(self, found: socket.socket) -> None:
        """Watch this socket from now on."""
        self._socket = found
        if self.over:
            self._bite()

    @contextmanager
    def named_errors(self) -> Iterator[None]:
        """Give what the network raises its name; a cut by the watchdog is a matter of time."""
        try:
            yield
        except FeedError:
            raise
        except (OSError, http.client.HTTPException, ValueError) as error:
            if self.over or isinstance(error, TimeoutError):
                seconds = self._place.timeout.total_seconds()
                raise FeedTooSlow(
                    f"{self._place.name}: had not ended after {seconds:g} s; "
                    "raise `timeout` if it is meant to be that slow"
                ) from error
            unfit = isinstance(error, http.client.InvalidURL)  # its text is the address itself
            text = "its address contains what no address may" if unfit else str(error)
            what = " ".join(text.split())[:200] or type(error).__name__
            raise FeedUnreachable(f"{self._place.name}: {what}") from error

    def _bite(self) -> None:
        self.over = True
        if self._socket is not None:
            try:
                self._socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                self._socket.close()  # it was not connected any more


def _ask(place: Place, url: str, watchdog: _Watchdog) -> bytes | str:
    """The body, or where we are sent to."""
    parts = _checked(place, url)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    connection = http.client.HTTPConnection(host, port)
    connection.sock = _connected(place, parts, watchdog)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", target, headers=_HEADERS)
        with connection.getresponse() as answer:
            location = answer.headers.get("Location")
            if answer.status in _REDIRECTS and location:
                return location
            if answer.status != HTTPStatus.OK:
                raise FeedUnreachable(f"{place.name}: HTTP {answer.status} {answer.reason[:100]}")
            if answer.headers.get("Content-Encoding", "identity") != "identity":
                raise FeedUnreachable(f"{place.name}: sends it compressed, which nobody asked for")
            return _body(place, answer, watchdog)
    finally:
        connection.close()


def _checked(place: Place, url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise FeedUnreachable(f"{place.name}: its address is no address: {error}") from error
    if parts.scheme not in _PORTS or not parts.hostname or port == 0:
        raise FeedForbidden(f"{place.name}: {_shown(parts)!r} is no https address")
    if parts.scheme == "http" and not place.allow_http:
        raise FeedForbidden(
            f"{place.name}: {_shown(parts)} is plain http, which anybody on the way may change; "
            "use https, or set `allow_http: true` for this feed"
        )
    if parts.username is not None or parts.password is not None:
        raise FeedForbidden(f"{place.name}: the address contains a user or a password")
    return parts


def _shown(parts: SplitResult) -> str:
    """An address for others to read: calendars carry their secrets in path and query."""
    return f"{parts.scheme}://{(parts.hostname or '')[:100]}{'/...' if parts.path else ''}"


def _connected(place: Place, parts: SplitResult, watchdog: _Watchdog) -> socket.socket:
    """A connection to a checked address; TLS is about the name, not about the address."""
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    failure: OSError | None = None
    for address in _addresses(place, host, port):
        if watchdog.over:
            raise TimeoutError
        try:
            raw = socket.create_connection(
                (str(address), port), timeout=place.timeout.total_seconds()
            )
        except OSError as error:
            failure = error
            continue
        watchdog.guard(raw)
        if parts.scheme == "http":
            return raw
        return _wrapped(place, raw, host, watchdog)
    raise FeedUnreachable(f"{place.name}: {host} does not answer: {failure}") from failure


def _wrapped(place: Place, raw: socket.socket, host: str, watchdog: _Watchdog) -> socket.socket:
    """TLS over a connection; the handshake is watched like everything else."""
    with ExitStack() as undo:
        undo.callback(raw.close)
        wrapped = _tls(place).wrap_socket(raw, server_hostname=host, do_handshake_on_connect=False)
        undo.callback(wrapped.close)
        watchdog.guard(wrapped)
        wrapped.do_handshake()
        undo.pop_all()
    return wrapped


def _addresses(place: Place, host: str, port: int) -> list[Address]:
    """Every address of a name; one forbidden address among them forbids the name."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise FeedUnreachable(f"{place.name}: the name {host[:100]} is unknown") from error
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    for address in addresses:
        if not place.allow_private and not _public(address):
            raise FeedForbidden(
                f"{place.name}: {host[:100]} is {address}, an address that is not public; "
                "set `allow_private: true` for this feed if that is meant"
            )
    return list(dict.fromkeys(addresses))


def _public(address: Address) -> bool:
    """Whether an address is one of the open net: nothing inside may be asked on our behalf."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return _public(inner)
        if address.teredo is not None or address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _tls(place: Place) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=place.ca_file)
    if place.ca_file is None:
        context.load_verify_locations(
            DEFAULT_CA_BUNDLE_PATH
        )  # an image may have no authorities of its own
    return context


def _body(place: Place, answer: http.client.HTTPResponse, watchdog: _Watchdog) -> bytes:
    announced = answer.headers.get("Content-Length", "")
    if announced.isascii() and announced.isdigit() and int(announced) > place.max_bytes:
        raise _too_large(place)
    pieces, size = [], 0
    while piece := answer.read1(_CHUNK):
        size += len(piece)
        if size > place.max_bytes:
            raise _too_large(place)
        pieces.append(piece)
    if watchdog.over or (announced.isdigit() and size < int(announced)):
        raise ConnectionError("the connection was cut before the end")
    return b"".join(pieces)


def _too_large(place: Place) -> FeedTooLarge:
    return FeedTooLarge(
        f"{place.name}: is larger than {place.max_bytes} bytes; raise `max_bytes` if it is meant to"
    )
