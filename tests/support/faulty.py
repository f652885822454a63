"""A server that misbehaves as told: for faults that a real Prometheus cannot be made to show."""

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

Behaviour = Callable[["FaultyHandler"], None]


@dataclass
class Seen:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    form: dict[str, list[str]]


@dataclass
class FaultyServer:
    """What it does next, and what it has seen."""

    url: str
    behaviour: Behaviour
    seen: list[Seen] = field(default_factory=list)


class FaultyHandler(BaseHTTPRequestHandler):
    """Calls the behaviour of its server."""

    faulty: FaultyServer

    def do_POST(self) -> None:
        """Note the request, then misbehave."""
        length = int(self.headers.get("Content-Length", 0))
        form = parse_qs(self.rfile.read(length).decode())
        self.faulty.seen.append(Seen(self.path, dict(self.headers.items()), form))
        try:
            self.faulty.behaviour(self)
        except (BrokenPipeError, ConnectionResetError):
            return

    do_GET = do_POST  # noqa: N815 - the library's name

    def answer(self, code: int, body: bytes, **headers: str) -> None:
        """A whole answer."""
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


@contextmanager
def faulty_server(
    behaviour: Behaviour, tls: ssl.SSLContext | None = None
) -> Iterator[FaultyServer]:
    """Serve on loopback until the block ends."""
    handler = type("Handler", (FaultyHandler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    scheme = "http" if tls is None else "https"
    faulty = FaultyServer(f"{scheme}://127.0.0.1:{server.server_address[1]}", behaviour)
    handler.faulty = faulty  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield faulty
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def body(text: str | bytes, code: int = 200, **headers: str) -> Behaviour:
    """Always this answer."""
    content = text.encode() if isinstance(text, str) else text
    return lambda handler: handler.answer(code, content, **headers)


def failing_first(times: int, code: int, then: Behaviour) -> Behaviour:
    """A status a few times, then something else."""
    count = iter(range(1_000_000))

    def behave(handler: FaultyHandler) -> None:
        if next(count) < times:
            handler.answer(code, b"busy")
        else:
            then(handler)

    return behave


def silent(seconds: float) -> Behaviour:
    """Nothing for a while."""
    return lambda _: time.sleep(seconds)


def dripping(pieces: int, pause: float) -> Behaviour:
    """A body that comes byte by byte."""

    def behave(handler: FaultyHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(pieces))
        handler.end_headers()
        for _ in range(pieces):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(pause)

    return behave


def hanging_up(handler: FaultyHandler) -> None:
    """Close without a word."""
    handler.connection.close()


def short_of_its_length(handler: FaultyHandler) -> None:
    """Promise more than is sent."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"status":"success"')


def endless(handler: FaultyHandler) -> None:
    """A body without end."""
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b" " * 2**20)


def matrix(*series: str) -> str:
    """A range answer with these series (JSON texts)."""
    return '{"status":"success","data":{"resultType":"matrix","result":[' + ",".join(series) + "]}}"
